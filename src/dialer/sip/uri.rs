//! URIs as SIP uses them (RFC 3261 19.1, RFC 3966). The text is kept as it came, so that it goes back as it came;
//! everything else is a view into it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use thiserror::Error;

mod host;
#[cfg(test)]
mod tests;

pub use host::Host;
pub(super) use host::{read_host_port, read_v6};

/// The longest URI that is read, in bytes.
const LONGEST: usize = 4096;

/// What a URI begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other, opaque to us.
    Other,
}

/// What is wrong with a URI. The text is not quoted: it may hold a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UriFault {
    /// No `scheme:` in front.
    #[error("the URI has no scheme")]
    Scheme,
    /// A space, a control character, a quote or an angle bracket.
    #[error("the URI holds a character that must be escaped")]
    Character,
    /// Longer than 4096 bytes.
    #[error("the URI is longer than {LONGEST} bytes")]
    Long,
    /// More than one `@`, or nothing before it.
    #[error("the user part of the URI is malformed")]
    User,
    /// No name and no address.
    #[error("the host is neither a name nor an address (IPv6 goes into brackets)")]
    Host,
    /// Not 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// An empty parameter.
    #[error("the URI has an empty parameter")]
    Parameter,
}

/// A URI. `Display` gives the text as it came; `Debug` hides the user part, which may hold a PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    raw: String,
    scheme: Scheme,
    user: Option<Range<usize>>,
    password: Option<Range<usize>>,
    host: Option<Host>,
    port: Option<u16>,
    parameters: Range<usize>,
    headers: Range<usize>,
}

impl Uri {
    /// Reads a URI of any scheme; what follows an unknown scheme is not looked into.
    pub fn parse(text: &str) -> Result<Self, UriFault> {
        if text.len() > LONGEST {
            return Err(UriFault::Long);
        }
        if !text.bytes().all(is_plain_byte) && text.chars().any(is_forbidden) {
            return Err(UriFault::Character);
        }
        let colon = text.find(':').ok_or(UriFault::Scheme)?;
        let scheme = read_scheme(&text[..colon])?;
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::parse_sip(text, scheme, colon + 1),
            Scheme::Tel => Self::parse_tel(text, colon + 1),
            Scheme::Other => Ok(Self::opaque(text, scheme)),
        }
    }

    /// `sip:` or `sips:` from its parts; the user part is escaped where it must be.
    pub fn build(scheme: Scheme, user: Option<&str>, host: &Host, port: Option<u16>) -> Self {
        let scheme = if scheme == Scheme::Sips {
            scheme
        } else {
            Scheme::Sip
        };
        let mut raw = String::from(if scheme == Scheme::Sips { "sips:" } else { "sip:" });
        let user = user.map(|user| {
            let start = raw.len();
            raw.extend(utf8_percent_encode(user, ESCAPED_IN_USER));
            let range = start..raw.len();
            raw.push('@');
            range
        });
        raw.push_str(&host.to_string());
        if let Some(port) = port {
            raw.push_str(&format!(":{port}"));
        }
        let end = raw.len();
        Self {
            raw,
            scheme,
            user,
            password: None,
            host: Some(host.clone()),
            port,
            parameters: end..end,
            headers: end..end,
        }
    }

    fn opaque(text: &str, scheme: Scheme) -> Self {
        let end = text.len();
        Self {
            raw: text.to_owned(),
            scheme,
            user: None,
            password: None,
            host: None,
            port: None,
            parameters: end..end,
            headers: end..end,
        }
    }

    fn parse_sip(text: &str, scheme: Scheme, start: usize) -> Result<Self, UriFault> {
        // Neither parameters nor headers may hold an `@` (RFC 3261 25.1), the user part may hold `;` and `?`: the
        // only `@` there is ends the user part.
        let at = text[start..].find('@').map(|at| start + at);
        let host_starts = at.map_or(start, |at| at + 1);
        if text[host_starts..].contains('@') {
            return Err(UriFault::User);
        }
        let rest = &text[host_starts..];
        let host_ends = host_starts + rest.find([';', '?']).unwrap_or(rest.len());
        let headers_start = text[host_ends..]
            .find('?')
            .map_or(text.len(), |mark| host_ends + mark);
        let (host, port) = match text[host_starts..host_ends].contains(char::is_whitespace) {
            true => return Err(UriFault::Character),
            false => read_host_port(&text[host_starts..host_ends])?,
        };
        let parameters = (host_ends + 1).min(headers_start)..headers_start;
        if headers_start > host_ends && text[parameters.clone()].split(';').any(str::is_empty) {
            return Err(UriFault::Parameter);
        }
        let (user, password) = match at {
            Some(at) => read_user(text, start, at)?,
            None => (None, None),
        };
        Ok(Self {
            raw: text.to_owned(),
            scheme,
            user,
            password,
            host: Some(host),
            port,
            parameters,
            headers: (headers_start + 1).min(text.len())..text.len(),
        })
    }

    fn parse_tel(text: &str, start: usize) -> Result<Self, UriFault> {
        let number_ends = text[start..].find(';').map_or(text.len(), |mark| start + mark);
        if number_ends == start {
            return Err(UriFault::User);
        }
        Ok(Self {
            user: Some(start..number_ends),
            parameters: (number_ends + 1).min(text.len())..text.len(),
            ..Self::opaque(text, Scheme::Tel)
        })
    }

    /// The text, as it came.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part (the number of a `tel:`), escaped as it came.
    pub fn user(&self) -> Option<&str> {
        self.user.clone().map(|range| &self.raw[range])
    }

    /// The user part without escapes.
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        self.user().map(decoded)
    }

    /// What follows a colon in the user part.
    pub fn password(&self) -> Option<&str> {
        self.password.clone().map(|range| &self.raw[range])
    }

    /// The host; only `sip:` and `sips:` have one.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters, names and values escaped as they came.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.raw[self.parameters.clone()]
            .split(';')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| match parameter.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (parameter, None),
            })
    }

    /// The value of a parameter, without escapes; empty for one without value, `None` when it is not there.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        self.parameters()
            .find(|(found, _)| decoded(found).eq_ignore_ascii_case(name))
            .map(|(_, value)| value.map_or(Cow::Borrowed(""), decoded))
    }

    /// Whether there are headers after a `?`.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty() || self.raw.ends_with('?') && self.host.is_some()
    }

    /// The headers after the `?`, as they came.
    pub fn headers(&self) -> &str {
        &self.raw[self.headers.clone()]
    }

    /// Whether a Route with this URI is passed without rewriting (RFC 3261 19.1.1, `lr`).
    pub fn is_loose_router(&self) -> bool {
        self.parameter("lr").is_some()
    }

    /// The same with one more parameter, in front of the headers; name and value are escaped.
    pub fn with_parameter(&self, name: &str, value: Option<&str>) -> Self {
        let before = if self.has_headers() {
            self.headers.start - 1
        } else {
            self.raw.len()
        };
        let mut raw = self.raw[..before].to_owned();
        raw.push(';');
        raw.extend(utf8_percent_encode(name, ESCAPED_IN_PARAMETER));
        if let Some(value) = value {
            raw.push('=');
            raw.extend(utf8_percent_encode(value, ESCAPED_IN_PARAMETER));
        }
        raw.push_str(&self.raw[before..]);
        Self::parse(&raw).unwrap_or_else(|_| self.clone())
    }

    /// The same as `sips:`.
    pub fn as_sips(&self) -> Self {
        self.under("sips")
    }

    /// The same as `sip:`.
    pub fn as_sip(&self) -> Self {
        self.under("sip")
    }

    fn under(&self, scheme: &str) -> Self {
        let rest = self
            .raw
            .split_once(':')
            .map_or(self.raw.as_str(), |(_, rest)| rest);
        Self::parse(&format!("{scheme}:{rest}")).unwrap_or_else(|_| self.clone())
    }

    /// The same without headers, as a request line has it (RFC 3261 19.1.1, table 1).
    pub fn without_headers(&self) -> Self {
        if !self.has_headers() {
            return self.clone();
        }
        Self::parse(&self.raw[..self.headers.start - 1]).unwrap_or_else(|_| self.clone())
    }
}

impl FromStr for Uri {
    type Err = UriFault;

    fn from_str(text: &str) -> Result<Self, UriFault> {
        Self::parse(text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.raw)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.user.is_some() { "***@" } else { "" };
        match (&self.host, self.port) {
            (Some(host), Some(port)) => write!(formatter, "{:?}:{user}{host}:{port}", self.scheme),
            (Some(host), None) => write!(formatter, "{:?}:{user}{host}", self.scheme),
            (None, _) => write!(formatter, "{:?}:***", self.scheme),
        }
    }
}

/// What may stand unescaped in a user part (RFC 3261 25.1, unreserved and user-unreserved; `;`, `?` and `/` are
/// escaped since other parsers stumble over them).
const ESCAPED_IN_USER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',');

/// What may stand unescaped in a parameter (RFC 3261 25.1, paramchar).
const ESCAPED_IN_PARAMETER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'[')
    .remove(b']')
    .remove(b'/')
    .remove(b':')
    .remove(b'&')
    .remove(b'+')
    .remove(b'$');

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('%') {
        percent_decode_str(text).decode_utf8_lossy()
    } else {
        Cow::Borrowed(text)
    }
}

fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b';' | b'=' | b'?'..=b'~')
}

fn is_forbidden(character: char) -> bool {
    character.is_control() || character.is_whitespace() || matches!(character, '<' | '>' | '"')
}

fn read_scheme(text: &str) -> Result<Scheme, UriFault> {
    let is_scheme = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    match text {
        _ if !is_scheme => Err(UriFault::Scheme),
        _ if text.eq_ignore_ascii_case("sip") => Ok(Scheme::Sip),
        _ if text.eq_ignore_ascii_case("sips") => Ok(Scheme::Sips),
        _ if text.eq_ignore_ascii_case("tel") => Ok(Scheme::Tel),
        _ => Ok(Scheme::Other),
    }
}

type UserAndPassword = (Option<Range<usize>>, Option<Range<usize>>);

fn read_user(text: &str, start: usize, at: usize) -> Result<UserAndPassword, UriFault> {
    let user_ends = text[start..at].find(':').map_or(at, |colon| start + colon);
    if user_ends == start {
        return Err(UriFault::User);
    }
    let password = (user_ends < at).then(|| user_ends + 1..at);
    Ok((Some(start..user_ends), password))
}
