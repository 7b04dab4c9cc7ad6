//! The forms of values: each turns text into a type, once, or says in a few words what is wrong with it. Those of
//! hosts, URLs and SIP URIs are in [`super::addresses`].

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;

use super::addresses::port_number;
use crate::media::{DigitsBy, Encryption, InputDevice, OutputDevice, Processing};

/// What is wrong with a text, as it follows the text in a sentence: `has no unit`.
pub type Reason = String;

/// A duration: a number, perhaps with a fraction, and `ms`, `s`, `m` or `h`; `0` needs no unit.
pub fn duration(text: &str) -> Result<Duration, Reason> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit_at = text
        .find(|character: char| character.is_ascii_alphabetic())
        .ok_or("has no unit")?;
    let (number, unit) = text.split_at(unit_at);
    let nanoseconds_of_unit: u128 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        other => return Err(format!("has the unknown unit {other}")),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 10_u128.pow(u32::try_from(fraction.len().min(9)).unwrap_or(9));
    let nanoseconds = digits(whole)? * nanoseconds_of_unit + digits(fraction)? * nanoseconds_of_unit / scale;
    u64::try_from(nanoseconds)
        .map(Duration::from_nanos)
        .map_err(|_| "is too long".to_owned())
}

/// One to nine decimal digits.
fn digits(text: &str) -> Result<u128, Reason> {
    if !(1..=9).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is no number with a unit".to_owned());
    }
    text.parse().map_err(|_| "is no number with a unit".to_owned())
}

/// A duration as it is written, in the largest unit that leaves no fraction.
pub fn spell_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    [(3_600_000, "h"), (60_000, "m"), (1_000, "s")]
        .into_iter()
        .find(|(unit, _)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit))
        .map_or_else(
            || format!("{milliseconds}ms"),
            |(unit, name)| format!("{}{name}", milliseconds / unit),
        )
}

/// The status that refuses a call: 400 to 699 (RFC 3261 21).
pub fn refusal_status(text: &str) -> Result<u16, Reason> {
    match text.parse() {
        Ok(status @ 400..=699) => Ok(status),
        _ => Err("is no status that refuses a call".to_owned()),
    }
}

/// `FIRST-LAST`, with room for one RTP port and its RTCP.
pub fn ports(text: &str) -> Result<RangeInclusive<u16>, Reason> {
    let (first, last) = text.split_once('-').ok_or("is no range")?;
    let (first, last) = (port_number(first.trim())?, port_number(last.trim())?);
    if first < 1024 {
        return Err("begins below 1024".to_owned());
    }
    if last < first {
        return Err("ends before it begins".to_owned());
    }
    // RTP takes an even port and RTCP the next one (RFC 3550 11).
    if last - first < 1 + (first & 1) {
        return Err("has no even port with the next one".to_owned());
    }
    Ok(first..=last)
}

/// `media.input`.
pub fn input_device(text: &str) -> Result<InputDevice, Reason> {
    match text.split_once(':') {
        Some(("alsa", name)) => device_name(name).map(InputDevice::Alsa),
        Some(("file", path)) => wav_path(path).map(InputDevice::File),
        Some(("tone", hertz)) => match hertz.parse() {
            // Telephone audio carries no more than half its 8 kHz clock.
            Ok(hertz @ 20..=4000) => Ok(InputDevice::Tone(hertz)),
            _ => Err("has no frequency from 20 to 4000".to_owned()),
        },
        None if text == "silence" => Ok(InputDevice::Silence),
        _ => Err("is no audio source".to_owned()),
    }
}

/// `media.output`.
pub fn output_device(text: &str) -> Result<OutputDevice, Reason> {
    match text.split_once(':') {
        Some(("alsa", name)) => device_name(name).map(OutputDevice::Alsa),
        Some(("file", path)) => wav_path(path).map(OutputDevice::File),
        None if text == "discard" => Ok(OutputDevice::Discard),
        _ => Err("is no audio sink".to_owned()),
    }
}

fn device_name(name: &str) -> Result<String, Reason> {
    if name.is_empty() {
        return Err("names no PCM".to_owned());
    }
    plain_text(name).map(|()| name.to_owned())
}

fn wav_path(path: &str) -> Result<String, Reason> {
    if !path.to_ascii_lowercase().ends_with(".wav") {
        return Err("names no .wav file".to_owned());
    }
    plain_text(path).map(|()| path.to_owned())
}

/// `media.dtmf`.
pub fn digits_by(text: &str) -> Result<DigitsBy, Reason> {
    match text {
        "auto" => Ok(DigitsBy::Auto),
        "rfc4733" => Ok(DigitsBy::Rfc4733),
        "info" => Ok(DigitsBy::Info),
        "inband" => Ok(DigitsBy::InBand),
        _ => Err("is no way to send digits".to_owned()),
    }
}

/// `media.processing`.
pub fn processing(text: &str) -> Result<Processing, Reason> {
    match text {
        "full" => Ok(Processing::Full),
        "noise" => Ok(Processing::Noise),
        "off" => Ok(Processing::Off),
        _ => Err("is none of \"full\", \"noise\" and \"off\"".to_owned()),
    }
}

/// `media.srtp`.
pub fn encryption(text: &str) -> Result<Encryption, Reason> {
    match text {
        "require" => Ok(Encryption::Require),
        "prefer" => Ok(Encryption::Prefer),
        "off" => Ok(Encryption::Off),
        _ => Err("is no kind of encryption".to_owned()),
    }
}

/// A codec that this or another version of meetd speaks.
pub fn codec(name: &str) -> Result<(), Reason> {
    match name {
        "opus" | "g722" | "pcmu" | "pcma" => Ok(()),
        _ => Err("is no codec".to_owned()),
    }
}

/// The endpointId: 1 to 256 of the characters that Alexa allows.
pub fn endpoint_id(text: &str) -> Result<(), Reason> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=#;:?@&".contains(&byte);
    if let Some(character) = text
        .chars()
        .find(|character| !u8::try_from(*character).is_ok_and(allowed))
    {
        return Err(format!("has the character {character:?}"));
    }
    if !(1..=256).contains(&text.len()) {
        return Err(format!("has {} characters", text.len()));
    }
    Ok(())
}

/// Words for people: 1 to 128 characters.
pub fn words(text: &str) -> Result<(), Reason> {
    let length = text.chars().count();
    if !(1..=128).contains(&length) || text.trim().is_empty() {
        return Err(format!("has {length} characters"));
    }
    plain_text(text)
}

/// Text on one line, without what drives a terminal.
pub fn plain_text(text: &str) -> Result<(), Reason> {
    if text
        .chars()
        .any(|character| character.is_control() || character == '\u{fffd}')
    {
        return Err("has a control character or is no UTF-8".to_owned());
    }
    Ok(())
}

/// A file name that can exist: a token that was pasted in its place cannot.
pub fn file_name(text: &str) -> Result<(), Reason> {
    plain_text(text)?;
    // NAME_MAX and PATH_MAX of Linux.
    if text.len() > 4095 || text.split('/').any(|part| part.len() > 255) {
        return Err("is too long for a file name (the secret itself belongs into the file)".to_owned());
    }
    Ok(())
}

/// A path from the root.
pub fn absolute_path(text: &str) -> Result<(), Reason> {
    if !text.starts_with('/') {
        return Err("is no absolute path".to_owned());
    }
    file_name(text)
}

/// A public key as `pin_sha256` names it: base64 of 32 bytes.
pub fn key_hash(text: &str) -> Result<(), Reason> {
    match base64::engine::general_purpose::STANDARD.decode(text) {
        Ok(hash) if hash.len() == 32 => Ok(()),
        Ok(hash) => Err(format!("holds {} bytes and not 32", hash.len())),
        Err(_) => Err("is no base64".to_owned()),
    }
}

/// A user part that is never dialled.
pub fn dialled_user(text: &str) -> Result<(), Reason> {
    if !(1..=64).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("is no number or name of 1 to 64 visible characters".to_owned());
    }
    Ok(())
}

/// A dial string template: `{id}`, `{pin}`, `{endpoint}`, and `[…]` that is left out when a name inside has no value.
pub fn template(text: &str) -> Result<(), Reason> {
    visible_ascii(text)?;
    if text.len() > 256 {
        return Err("is longer than 256 bytes".to_owned());
    }
    let mut is_optional = false;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}', '[', ']']) {
        let (bracket, after) = rest.split_at(at).1.split_at(1);
        rest = after;
        match (bracket, is_optional) {
            ("{", _) => {
                let (name, after) = after.split_once('}').ok_or("has a { without its }")?;
                if !["id", "pin", "endpoint"].contains(&name) {
                    return Err(format!("has the unknown name {{{name}}}"));
                }
                rest = after;
            }
            ("[", false) => is_optional = true,
            ("]", true) => is_optional = false,
            _ => return Err(format!("has a {bracket} too many")),
        }
    }
    if is_optional {
        return Err("has a [ without its ]".to_owned());
    }
    Ok(())
}

pub(super) fn visible_ascii(text: &str) -> Result<(), Reason> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("has spaces, control characters or characters outside ASCII".to_owned())
    }
}

#[cfg(test)]
mod tests;
