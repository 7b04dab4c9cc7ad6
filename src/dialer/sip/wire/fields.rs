//! The headers of a message: rsip's, in order, under names that are read without regard to case and compactness.
//! No name and no value in it can end its line.

use std::borrow::Cow;
use std::fmt;

use super::names;
use crate::dialer::sip::headers::{
    CSeq, Contacts, HeaderFault, NameAddr, Via, is_token, read_name_addrs, read_tokens,
};

/// Headers in order. `Debug` shows their names only: values may hold a PIN.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(rsip::Headers);

impl Headers {
    /// Adds one at the end. CR and LF in the value become spaces (RFC 3261 7.3.1: a fold means a space), so that
    /// no value can add a line; a name that is no token is not added at all.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        if let Some(header) = header(name, value.into()) {
            self.0.push(header);
        }
    }

    /// Adds one as it was read: its name is a token and canonical, its value one line.
    pub(super) fn push_as_read(&mut self, name: &str, value: String) {
        self.0.push(names::build(name, value));
    }

    /// Adds one at the front: Via, Route.
    pub fn push_front(&mut self, name: &str, value: impl Into<String>) {
        let old: Vec<rsip::Header> = std::mem::take(&mut self.0).into();
        self.0 = header(name, value.into())
            .into_iter()
            .chain(old)
            .collect::<Vec<_>>()
            .into();
    }

    /// Makes it the only one of its name; at the place of the first of them, else at the end.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let name = names::canonical(name);
        let Some(header) = header(name, value.into()) else {
            return;
        };
        let mut new = Some(header);
        let mut kept = Vec::new();
        for old in std::mem::take(&mut self.0) {
            match names::is_same(names::parts(&old).0, name) {
                true => kept.extend(new.take()),
                false => kept.push(old),
            }
        }
        kept.extend(new);
        self.0 = kept.into();
    }

    /// Takes all of this name out.
    pub fn remove(&mut self, name: &str) {
        let name = names::in_full(name);
        self.0
            .retain(|header| !names::is_same(names::parts(header).0, name));
    }

    /// The value of the first of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = names::in_full(name);
        self.iter()
            .find(|(found, _)| names::is_same(found, name))
            .map(|(_, value)| value)
    }

    /// The values of all of this name, a line each.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let name = names::in_full(name);
        self.iter()
            .filter(move |(found, _)| names::is_same(found, name))
            .map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(names::parts)
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The topmost Via: the first of the first line.
    pub fn via_top(&self) -> Option<Via> {
        Via::parse(first_element(self.get("Via")?)).ok()
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderFault> {
        let lists = self
            .all("Via")
            .map(Via::parse_list)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// Puts another in the place of the topmost Via; those that share its line stay behind it.
    pub fn replace_via_top(&mut self, via: &Via) {
        let Some(line) = self.get("Via") else { return };
        let changed = format!("{via}{}", &line[first_element(line).len()..]);
        let mut is_first = true;
        for header in self.0.iter_mut() {
            if is_first && matches!(header, rsip::Header::Via(_)) {
                *header = names::build("Via", one_line(Cow::Borrowed(&changed)).into_owned());
                is_first = false;
            }
        }
    }

    /// CSeq.
    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.get("CSeq")?).ok()
    }

    /// Call-ID, or nothing.
    pub fn call_id(&self) -> &str {
        self.get("Call-ID").unwrap_or("")
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get("From")?).ok()
    }

    /// To.
    pub fn to(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get("To")?).ok()
    }

    /// All Contacts.
    pub fn contacts(&self) -> Result<Contacts, HeaderFault> {
        Contacts::parse(self.all("Contact"))
    }

    /// The Route set in order.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderFault> {
        read_name_addrs(self.all("Route"))
    }

    /// Record-Route in order of the message.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderFault> {
        read_name_addrs(self.all("Record-Route"))
    }

    /// The tokens of Allow, Supported, Require, Unsupported and their like.
    pub fn tokens<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        read_tokens(self.all(name))
    }

    /// Whether a token is among them, without regard to case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name)
            .iter()
            .any(|found| found.eq_ignore_ascii_case(token))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

fn header(name: &str, value: String) -> Option<rsip::Header> {
    let name = names::canonical(name);
    is_token(name).then(|| names::build(name, one_line(Cow::Owned(value)).into_owned()))
}

fn one_line(value: Cow<'_, str>) -> Cow<'_, str> {
    match value.contains('\r') || value.contains('\n') {
        true => Cow::Owned(value.replace(['\r', '\n'], " ")),
        false => value,
    }
}

/// The first element of a line of Via; all of it when its quotes do not end.
pub(super) fn first_element(line: &str) -> &str {
    let bytes = line.as_bytes();
    let (mut at, mut in_quotes) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b'\\' if in_quotes => at += 1,
            b',' if !in_quotes => return &line[..at],
            _ => {}
        }
        at += 1;
    }
    line
}
