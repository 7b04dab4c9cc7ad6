//! Addresses of people and things: From, To, Contact, Route, Record-Route (RFC 3261 20.10, 20.20, 20.30, 20.34).

use std::fmt;

use super::{HeaderFault, Parameters, Quoted, elements, end_of_quoted, is_token, read_quoted, read_seconds};
use crate::dialer::sip::uri::Uri;

/// A URI with a name for people and parameters. It prints in its long form, `"name" <uri>;parameters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The name for people, without quotes.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The parameters of the header, not those of the URI.
    pub parameters: Parameters,
}

impl NameAddr {
    /// Only a URI.
    pub fn new(uri: Uri) -> Self {
        Self {
            display: None,
            uri,
            parameters: Parameters::default(),
        }
    }

    /// Reads one, in its long or its short form. In the short form parameters belong to the header (RFC 3261 20).
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let text = text.trim();
        let (display, rest) = read_display(text)?;
        let Some(inside) = rest.strip_prefix('<') else {
            return Self::parse_short(text);
        };
        let (uri, parameters) = inside
            .split_once('>')
            .ok_or(HeaderFault("an angle bracket does not end"))?;
        Ok(Self {
            display,
            uri: Uri::parse(uri)?,
            parameters: Parameters::parse(parameters)?,
        })
    }

    fn parse_short(text: &str) -> Result<Self, HeaderFault> {
        let uri_ends = text.find(';').unwrap_or(text.len());
        let uri = text[..uri_ends].trim_end();
        if uri.contains(['?', ',']) {
            return Err(HeaderFault("a URI with `?` or `,` needs angle brackets"));
        }
        Ok(Self {
            display: None,
            uri: Uri::parse(uri)?,
            parameters: Parameters::parse(&text[uri_ends..])?,
        })
    }

    /// The tag of From and To.
    pub fn tag(&self) -> Option<&str> {
        self.parameters.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The same with this tag.
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.parameters.set("tag", Some(tag));
        self
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(formatter, "{} ", Quoted(display))?;
        }
        write!(formatter, "<{}>{}", self.uri, self.parameters)
    }
}

/// The name for people, and what follows it; nothing is taken when there is no `<`.
fn read_display(text: &str) -> Result<(Option<String>, &str), HeaderFault> {
    if text.starts_with('"') {
        let ends = end_of_quoted(text)?;
        let rest = text[ends..].trim_start();
        let display = read_quoted(&text[..ends])?;
        return match rest.starts_with('<') {
            true => Ok((Some(display), rest)),
            false => Err(HeaderFault("no <URI> follows the name")),
        };
    }
    let Some(bracket) = text.find('<') else {
        return Ok((None, text));
    };
    let words = text[..bracket].trim();
    match words {
        "" => Ok((None, &text[bracket..])),
        // Letters beyond ASCII belong into quotes; senders forget them.
        _ if words
            .split_whitespace()
            .all(|word| is_token(&word.replace(|c: char| !c.is_ascii(), "x"))) =>
        {
            Ok((Some(words.to_owned()), &text[bracket..]))
        }
        _ => Err(HeaderFault("the name before the URI must be quoted")),
    }
}

/// Reads all elements of several header lines: Route, Record-Route, the lists of Contact.
pub fn read_name_addrs<'a>(values: impl Iterator<Item = &'a str>) -> Result<Vec<NameAddr>, HeaderFault> {
    let mut found = Vec::new();
    for value in values {
        for element in elements(value)? {
            found.push(NameAddr::parse(element)?);
        }
    }
    Ok(found)
}

/// One Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact(pub NameAddr);

impl Contact {
    /// The URI.
    pub fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// Its preference in thousandths, 1000 when it says nothing or nonsense (RFC 3261 20.10).
    pub fn q(&self) -> u16 {
        self.0.parameters.get("q").and_then(read_q).unwrap_or(1000)
    }

    /// For how many seconds it is valid, when it says so.
    pub fn expires(&self) -> Option<u32> {
        read_seconds(self.0.parameters.get("expires")?).ok()
    }
}

/// `0.25` → 250.
fn read_q(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" | "" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// All Contacts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings.
    All,
    /// These, in the order of the message; possibly none.
    These(Vec<Contact>),
}

impl Contacts {
    /// Reads all Contact lines of a message.
    pub fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, HeaderFault> {
        let values: Vec<&str> = values.collect();
        if values.iter().any(|value| value.trim() == "*") {
            return if values.len() == 1 {
                Ok(Self::All)
            } else {
                Err(HeaderFault("`*` is not alone"))
            };
        }
        let contacts = read_name_addrs(values.into_iter())?;
        Ok(Self::These(contacts.into_iter().map(Contact).collect()))
    }

    /// The best first; equals stay in order.
    pub fn by_preference(self) -> Vec<Contact> {
        match self {
            Self::All => Vec::new(),
            Self::These(mut contacts) => {
                contacts.sort_by_key(|contact| std::cmp::Reverse(contact.q()));
                contacts
            }
        }
    }
}
