//! Header values as types: what is read from text and printed as text, both ways the same. The lexical rules that
//! all of them share (RFC 3261 25.1) are here, the types in the files below.

use std::fmt;

use thiserror::Error;

pub mod authentication;
pub mod name_addr;
pub mod numbers;
#[cfg(test)]
mod tests;
pub mod via;

pub use authentication::{Challenge, Credentials};
pub use name_addr::{Contact, Contacts, NameAddr, read_name_addrs};
pub use numbers::{CSeq, MinSe, RAck, RSeq, Reason, Refresher, RetryAfter, SessionExpires};
pub use via::Via;

/// What is wrong with a header's value. The value is not quoted: it may hold a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct HeaderFault(pub &'static str);

impl From<super::uri::UriFault> for HeaderFault {
    fn from(fault: super::uri::UriFault) -> Self {
        use super::uri::UriFault as Fault;
        Self(match fault {
            Fault::Scheme => "the URI has no scheme",
            Fault::Character => "the URI holds a character that must be escaped",
            Fault::Long => "the URI is too long",
            Fault::User => "the user part of the URI is malformed",
            Fault::Host => "the host is neither a name nor an address",
            Fault::Port => "the port is not a number from 1 to 65535",
            Fault::Parameter => "the URI has an empty parameter",
        })
    }
}

/// Parameters after a value: `;name`, `;name=value`, `;name="quoted value"`. Values are held without quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, Option<String>)>);

impl Parameters {
    /// Reads `;a=b;c` (or nothing at all).
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest = text
            .strip_prefix(';')
            .ok_or(HeaderFault("something other than a parameter follows the value"))?;
        split(rest, b';')?
            .map(read_parameter)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of a parameter, empty for one without value; `None` when it is not there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or(""))
    }

    /// Whether it is there, with or without value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a parameter, in place when it is there.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self
            .0
            .iter_mut()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
        {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// How often a name occurs.
    fn count(&self, name: &str) -> usize {
        self.iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .count()
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            write!(formatter, ";{name}")?;
            match value {
                None => {}
                Some(value) if is_plain_value(value) => write!(formatter, "={value}")?,
                Some(value) => write!(formatter, "={}", Quoted(value))?,
            }
        }
        Ok(())
    }
}

fn read_parameter(text: &str) -> Result<(String, Option<String>), HeaderFault> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (text.trim(), None),
    };
    if !is_token(name) {
        return Err(HeaderFault("a parameter has no name"));
    }
    let value = match value {
        None => None,
        Some(quoted) if quoted.starts_with('"') => Some(read_quoted(quoted)?),
        Some(value) if value.bytes().all(is_value_byte) => Some(value.to_owned()),
        Some(_) => return Err(HeaderFault("the value of a parameter must be quoted")),
    };
    Ok((name.to_owned(), value))
}

/// Text that prints in quotes, with escapes.
pub(super) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(formatter, "\\{character}")?,
                // No value can end its line.
                '\r' | '\n' => formatter.write_str(" ")?,
                character => write!(formatter, "{character}")?,
            }
        }
        formatter.write_str("\"")
    }
}

/// Reads text that begins and ends with a quote (RFC 3261 25.1, quoted-string) and resolves its escapes.
pub(super) fn read_quoted(text: &str) -> Result<String, HeaderFault> {
    const OPEN: HeaderFault = HeaderFault("a quoted string does not end");
    let inside = text.strip_prefix('"').ok_or(OPEN)?;
    let mut value = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    loop {
        match characters.next().ok_or(OPEN)? {
            '"' => break,
            '\\' => value.push(characters.next().ok_or(OPEN)?),
            character => value.push(character),
        }
    }
    match characters.as_str().trim().is_empty() {
        true => Ok(value),
        false => Err(HeaderFault("something follows a quoted string")),
    }
}

/// Where the quoted string that begins at the start of `text` ends: behind its closing quote.
pub(super) fn end_of_quoted(text: &str) -> Result<usize, HeaderFault> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Err(HeaderFault("a quoted string does not end"))
}

/// Splits at `separator` outside quotes and angle brackets. The pieces are trimmed, empty ones included; quotes and
/// brackets that do not end are a fault.
pub(super) fn split(text: &str, separator: u8) -> Result<impl Iterator<Item = &str>, HeaderFault> {
    let bytes = text.as_bytes();
    let (mut at, mut in_brackets) = (0, false);
    let mut cuts = Vec::new();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at += end_of_quoted(&text[at..])? - 1,
            b'<' => in_brackets = true,
            b'>' => in_brackets = false,
            byte if *byte == separator && !in_brackets => cuts.push(at),
            _ => {}
        }
        at += 1;
    }
    if in_brackets {
        return Err(HeaderFault("an angle bracket does not end"));
    }
    let starts = std::iter::once(0).chain(cuts.clone().into_iter().map(|cut| cut + 1));
    let ends = cuts.into_iter().chain(std::iter::once(text.len()));
    Ok(starts.zip(ends).map(|(start, end)| text[start..end].trim()))
}

/// The elements of a comma-separated list; empty ones are skipped (RFC 3261 7.3.1 has none, senders do).
pub(super) fn elements(text: &str) -> Result<impl Iterator<Item = &str>, HeaderFault> {
    Ok(split(text, b',')?.filter(|element| !element.is_empty()))
}

/// The tokens of several header lines: Allow, Supported, Require and their like.
pub fn read_tokens<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .collect()
}

/// Whether it is a token (RFC 3261 25.1).
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// What the value of a parameter may hold without quotes when it is read: tokens, hosts, and what senders put there.
fn is_value_byte(byte: u8) -> bool {
    !matches!(byte, b'"' | b'<' | b'>' | b';' | b',' | b'\\') && !byte.is_ascii_control() && byte != b' '
}

/// What is printed without quotes: tokens and hosts.
fn is_plain_value(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|byte| is_token_byte(byte) || matches!(byte, b'[' | b']' | b':' | b'/' | b'@'))
}

/// Reads a number of digits only, at most `largest` (RFC 3261 says where its limits are, most are 2³² − 1).
pub(super) fn read_number(text: &str, largest: u32) -> Result<u32, HeaderFault> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HeaderFault("not a number"));
    }
    let number = digits
        .parse::<u64>()
        .map_err(|_| HeaderFault("the number is too large"))?;
    u32::try_from(number)
        .ok()
        .filter(|number| *number <= largest)
        .ok_or(HeaderFault("the number is too large"))
}

/// Reads a number of seconds (delta-seconds, RFC 3261 20.19): one that is too large is 2³² − 1.
pub(super) fn read_seconds(text: &str) -> Result<u32, HeaderFault> {
    match read_number(text, u32::MAX) {
        Err(HeaderFault("the number is too large")) => Ok(u32::MAX),
        other => other,
    }
}
