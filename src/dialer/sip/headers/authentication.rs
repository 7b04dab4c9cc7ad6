//! WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization (RFC 3261 20.7, 20.44, RFC 7616): the
//! form. What is computed is in `digest.rs`.

use std::fmt;

use super::{HeaderFault, Quoted, is_token, read_quoted, split};

/// The most parameters that one challenge may have.
const MOST: usize = 32;

/// What the far end asks to be shown, of any scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `Digest`, or another.
    pub scheme: String,
    /// Its parameters, without quotes.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads one. A comma in front of `Digest` inside one line begins the next, see [`Challenge::parse_list`].
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let mut all = Self::parse_list(text)?;
        match (all.pop(), all.is_empty()) {
            (Some(challenge), true) => Ok(challenge),
            _ => Err(HeaderFault("not exactly one challenge")),
        }
    }

    /// Reads all challenges of one header line (RFC 7235 4.1 allows several; RFC 3261 one).
    pub fn parse_list(text: &str) -> Result<Vec<Self>, HeaderFault> {
        let mut all: Vec<Self> = Vec::new();
        for piece in split(text, b',')?.filter(|piece| !piece.is_empty()) {
            let (scheme, parameter) = split_scheme(piece);
            if let Some(scheme) = scheme {
                all.push(Self {
                    scheme: scheme.to_owned(),
                    parameters: Vec::new(),
                });
            }
            let challenge = all
                .last_mut()
                .ok_or(HeaderFault("a parameter comes before the scheme"))?;
            if parameter.is_empty() {
                continue;
            }
            if challenge.parameters.len() == MOST {
                return Err(HeaderFault("too many parameters"));
            }
            challenge.parameters.push(read_parameter(parameter)?);
        }
        Ok(all)
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether it is of the digest scheme.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.scheme)?;
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // RFC 3261 25.1 wants these two without quotes.
            match name.to_ascii_lowercase().as_str() {
                "algorithm" | "stale" if is_token(value) => write!(formatter, "{comma} {name}={value}")?,
                _ => write!(formatter, "{comma} {name}={}", Quoted(value))?,
            }
        }
        Ok(())
    }
}

/// `Digest realm="x"` → (`Digest`, `realm="x"`); `realm="x"` → (none, all of it).
fn split_scheme(piece: &str) -> (Option<&str>, &str) {
    let word_ends = piece
        .find(|character: char| character.is_whitespace() || character == '=')
        .unwrap_or(piece.len());
    let (word, rest) = piece.split_at(word_ends);
    let rest = rest.trim_start();
    match is_token(word) && !rest.starts_with('=') {
        true => (Some(word), rest),
        false => (None, piece),
    }
}

fn read_parameter(text: &str) -> Result<(String, String), HeaderFault> {
    // What an unknown scheme carries need not be a list of parameters (RFC 7235 2.1, token68).
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let (name, value) = (name.trim(), value.trim());
    if !is_token(name) {
        return Err(HeaderFault("a parameter has no name"));
    }
    let value = if value.starts_with('"') {
        read_quoted(value)?
    } else {
        value.to_owned()
    };
    Ok((name.to_owned(), value))
}

/// Our answer to a digest challenge. `Debug` hides what could be tried against, and the URI, which may hold a PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the account.
    pub username: String,
    /// As challenged.
    pub realm: String,
    /// As challenged.
    pub nonce: String,
    /// The request line's URI.
    pub uri: String,
    /// The proof, in lower-case hexadecimal.
    pub response: String,
    /// As challenged; none when none was.
    pub algorithm: Option<String>,
    /// As challenged.
    pub opaque: Option<String>,
    /// With qop: which, our nonce, and how often theirs was used.
    pub protection: Option<Protection>,
}

/// What belongs to a qop (RFC 7616 3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// `auth` or `auth-int`.
    pub qop: &'static str,
    /// Our nonce.
    pub cnonce: String,
    /// How often their nonce was used, this time included.
    pub nonce_count: u32,
}

impl fmt::Display for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"",
            Quoted(&self.username),
            Quoted(&self.realm),
            Quoted(&self.nonce),
            Quoted(&self.uri),
            self.response,
        )?;
        if let Some(algorithm) = &self.algorithm {
            write!(formatter, ", algorithm={algorithm}")?;
        }
        if let Some(opaque) = &self.opaque {
            write!(formatter, ", opaque={}", Quoted(opaque))?;
        }
        match &self.protection {
            None => Ok(()),
            Some(Protection {
                qop,
                cnonce,
                nonce_count,
            }) => {
                write!(
                    formatter,
                    ", qop={qop}, nc={nonce_count:08x}, cnonce={}",
                    Quoted(cnonce)
                )
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Credentials(realm {:?}, {:?})",
            self.realm, self.protection
        )
    }
}
