//! Dial strings as parts: read once, strictly, and printed again from the checked parts, so that what was judged
//! is what is dialled.

use std::fmt::Write;

use percent_encoding::percent_decode_str;

use super::host::Host;
use crate::call::Protocol;
use crate::network::Transport;

/// The longest dial string, in bytes: longer ones only make trouble at far ends.
pub const LONGEST: usize = 256;

/// What stands before the first colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `h323:` (RFC 3508)
    H323,
}

/// One dial string. It cannot be printed by `Debug`: its user part may hold a PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct DialString {
    /// When it was written.
    pub scheme: Option<Scheme>,
    /// The user part, percent-decoded.
    pub user: Option<String>,
    /// Where to.
    pub host: Host,
    /// When it was written.
    pub port: Option<u16>,
    /// `;transport=`, when it was written.
    pub transport: Option<Transport>,
    /// What follows the first `##` of an H.323 dial string.
    pub extension: Option<String>,
}

impl DialString {
    /// Reads one for this protocol. The error is the rest of a sentence that names the dial string; it never holds
    /// the user part.
    pub fn read(text: &str, protocol: Protocol) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("has more than {LONGEST} bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err("has a control character".to_owned());
        }
        let (scheme, rest) = split_scheme(text);
        if rest.contains('?') {
            return Err("has URI headers, which are never sent".to_owned());
        }
        let (rest, extension) = match (protocol, rest.split_once("##")) {
            (Protocol::H323, Some((rest, extension))) => (rest, Some(read_extension(extension)?)),
            (Protocol::H323, None) | (Protocol::Sip | Protocol::Sips, _) => (rest, None),
        };
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(read_user(user, protocol)?), rest),
            None => (None, rest),
        };
        let (host_and_port, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_port(host_and_port)?;
        Ok(Self {
            scheme,
            user,
            host: Host::read(host)?,
            port: port.map(read_port).transpose()?,
            transport: read_parameters(parameters)?,
            extension,
        })
    }

    /// Whether it already says whom to call there.
    pub fn names_somebody(&self) -> bool {
        self.user.is_some() || self.extension.is_some()
    }

    /// Host and port, as they stand in every dial string.
    pub fn host_and_port(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// The dial string, for the wire and for comparing.
    pub fn to_text(&self, protocol: Protocol) -> String {
        let mut text = String::new();
        // A parameter belongs to a URI, and a URI has a scheme.
        let scheme = self
            .scheme
            .or_else(|| self.transport.and_then(|_| Scheme::of(protocol)));
        if let Some(scheme) = scheme {
            text.push_str(scheme.prefix());
        }
        if let Some(user) = &self.user {
            // RFC 3261 25.1: `#` is in no set that may stand unescaped.
            match protocol {
                Protocol::Sip | Protocol::Sips => text.push_str(&user.replace('#', "%23")),
                Protocol::H323 => text.push_str(user),
            }
            text.push('@');
        }
        text.push_str(&self.host_and_port());
        if let Some(transport) = self.transport {
            let _ = write!(text, ";transport={}", transport.in_lower_case());
        }
        if let Some(extension) = &self.extension {
            let _ = write!(text, "##{extension}");
        }
        text
    }

    /// Whether scheme and transport keep what the protocol promises; the error is as that of [`DialString::read`].
    pub fn check_strength(&self, protocol: Protocol) -> Result<(), String> {
        match (protocol, self.scheme) {
            (Protocol::Sip, None | Some(Scheme::Sip | Scheme::Sips)) => {}
            (Protocol::Sips, None | Some(Scheme::Sips)) => {}
            (Protocol::H323, None | Some(Scheme::H323)) => {}
            (Protocol::Sips, Some(Scheme::Sip)) => {
                return Err("begins with sip:, which is weaker than the protocol sips".to_owned());
            }
            (Protocol::Sip | Protocol::Sips, Some(Scheme::H323))
            | (Protocol::H323, Some(Scheme::Sip | Scheme::Sips)) => {
                return Err(format!(
                    "has the scheme of another protocol than {}",
                    protocol.name()
                ));
            }
        }
        let must_be_tls = protocol == Protocol::Sips || self.scheme == Some(Scheme::Sips);
        match self.transport {
            None => Ok(()),
            Some(_) if protocol == Protocol::H323 => Err("has a transport, which only SIP knows".to_owned()),
            Some(Transport::Tls) => Ok(()),
            Some(weak @ (Transport::Udp | Transport::Tcp)) if must_be_tls => Err(format!(
                "asks for transport={}, which is weaker than sips",
                weak.in_lower_case()
            )),
            Some(Transport::Udp | Transport::Tcp) => Ok(()),
        }
    }
}

impl Scheme {
    /// The scheme of a protocol's URIs, where a transport may follow.
    fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Sip => Some(Self::Sip),
            Protocol::Sips => Some(Self::Sips),
            Protocol::H323 => None,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Sip => "sip:",
            Self::Sips => "sips:",
            Self::H323 => "h323:",
        }
    }
}

fn split_scheme(text: &str) -> (Option<Scheme>, &str) {
    [Scheme::Sips, Scheme::Sip, Scheme::H323]
        .into_iter()
        .find_map(|scheme| {
            let (start, rest) = text.split_at_checked(scheme.prefix().len())?;
            start
                .eq_ignore_ascii_case(scheme.prefix())
                .then_some((Some(scheme), rest))
        })
        .unwrap_or((None, text))
}

/// Decodes a user part. What could mean something else to another reader (a password, parameters, a second `@`,
/// what is encoded twice) is refused.
fn read_user(user: &str, protocol: Protocol) -> Result<String, String> {
    let decoded = percent_decode_str(user)
        .decode_utf8()
        .map_err(|_| "has a user part that is not UTF-8".to_owned())?;
    if decoded.is_empty() {
        return Err("has an @ with nothing before it".to_owned());
    }
    if decoded.contains(':') {
        return Err("has a colon in the user part: passwords are never sent".to_owned());
    }
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_.!~*'()&=+$,#".contains(character);
    if !decoded.chars().all(is_plain) {
        return Err("has a character in the user part that is not allowed there".to_owned());
    }
    if protocol == Protocol::H323 && decoded.contains("##") {
        return Err("has ## in the user part".to_owned());
    }
    Ok(decoded.into_owned())
}

fn read_extension(extension: &str) -> Result<String, String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.+*$#".contains(character);
    if extension.is_empty() || !extension.chars().all(is_plain) {
        return Err("has something after ## that cannot be dialled".to_owned());
    }
    Ok(extension.to_owned())
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), String> {
    let Some(end) = text.find(']').filter(|_| text.starts_with('[')) else {
        return match text.split_once(':') {
            Some((_, port)) if port.contains(':') => Err("has an IPv6 address without [ and ]".to_owned()),
            Some((host, port)) => Ok((host, Some(port))),
            None => Ok((text, None)),
        };
    };
    let (host, rest) = text.split_at(end + 1);
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err("has something else than a port after ]".to_owned()),
    }
}

fn read_port(text: &str) -> Result<u16, String> {
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits_only => Ok(port),
        _ => Err("has no port from 1 to 65535 after the colon".to_owned()),
    }
}

fn read_parameters(text: &str) -> Result<Option<Transport>, String> {
    let mut transport = None;
    for parameter in text.split(';').filter(|parameter| !parameter.is_empty()) {
        let decoded = percent_decode_str(parameter)
            .decode_utf8_lossy()
            .to_ascii_lowercase();
        let (name, value) = decoded.split_once('=').unwrap_or((&decoded, ""));
        match (name, value) {
            ("maddr", _) => return Err("has maddr, which would send the call elsewhere".to_owned()),
            ("transport", _) if transport.is_some() => return Err("has two transports".to_owned()),
            ("transport", "udp") => transport = Some(Transport::Udp),
            ("transport", "tcp") => transport = Some(Transport::Tcp),
            ("transport", "tls") => transport = Some(Transport::Tls),
            ("transport", _) => return Err("has another transport than udp, tcp and tls".to_owned()),
            _ => return Err("has another parameter than transport".to_owned()),
        }
    }
    Ok(transport)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    #[test]
    fn what_was_read_prints_the_same_when_read_again() {
        for (text, protocol) in [
            ("alice@Example.COM.", Protocol::Sip),
            ("sip:12%23@[2001:db8::1]:5070;transport=tcp", Protocol::Sip),
            ("SIPS:room@example.com;transport=TLS", Protocol::Sips),
            ("host.example:5070;transport=udp", Protocol::Sip),
            ("192.0.2.1:1720##123##456", Protocol::H323),
            ("h323:alice@example.com", Protocol::H323),
        ] {
            let once = DialString::read(text, protocol).unwrap().to_text(protocol);
            let twice = DialString::read(&once, protocol).unwrap().to_text(protocol);
            assert_eq!(once, twice, "{text}");
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic_or_say_what_it_did_not_check() {
        let alphabet: Vec<char> = "sip:@[]%;?#=.0a1fé\u{202e}\n*/tel+-".chars().collect();
        let mut chance = Chance::from_seed([3; 32]);
        for _ in 0..20_000 {
            let length = chance.below(24);
            let text: String = (0..length)
                .map(|_| alphabet[chance.below(alphabet.len() as u64) as usize])
                .collect();
            for protocol in [Protocol::Sip, Protocol::Sips, Protocol::H323] {
                let Ok(read) = DialString::read(&text, protocol) else {
                    continue;
                };
                let printed = read.to_text(protocol);
                assert!(
                    printed.is_ascii() && !printed.contains(['\n', '?', ' ']),
                    "{text:?}"
                );
                let again = DialString::read(&printed, protocol).map(|again| again.to_text(protocol));
                assert_eq!(again, Ok(printed), "{text:?}");
            }
        }
    }
}
