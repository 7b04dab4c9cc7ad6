//! Headers that count, number or time something: CSeq, RSeq and RAck (RFC 3262), Session-Expires and Min-SE
//! (RFC 4028), Retry-After, Reason (RFC 3326).

use std::fmt;

use super::{HeaderFault, Parameters, Quoted, is_token, read_number, read_seconds};
use crate::dialer::sip::wire::Method;

/// The number of a request in its dialog, and its method (RFC 3261 20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2³¹ (8.1.1.5).
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads `314159 INVITE`.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let (number, method) = text
            .trim()
            .split_once([' ', '\t'])
            .ok_or(HeaderFault("not a number and a method"))?;
        let method = method.trim();
        if !is_token(method) {
            return Err(HeaderFault("the method is not a token"));
        }
        Ok(Self {
            number: read_number(number, u32::MAX >> 1)?,
            method: Method::from_token(method),
        })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.number, self.method)
    }
}

/// The number of a reliable provisional response (RFC 3262 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RSeq(pub u32);

impl RSeq {
    /// Reads a number from 1 to 2³² − 1.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        match read_number(text, u32::MAX)? {
            0 => Err(HeaderFault("the number is 0")),
            number => Ok(Self(number)),
        }
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Which reliable provisional response a PRACK acknowledges (RFC 3262 7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// Its RSeq.
    pub response: u32,
    /// Its CSeq.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `776656 1 INVITE`.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let (response, cseq) = text
            .trim()
            .split_once([' ', '\t'])
            .ok_or(HeaderFault("not two numbers and a method"))?;
        Ok(Self {
            response: read_number(response, u32::MAX)?,
            cseq: CSeq::parse(cseq)?,
        })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.response, self.cseq)
    }
}

/// Who refreshes a session (RFC 4028 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The one that sent the request.
    Uac,
    /// The one that answered it.
    Uas,
}

/// How long a session lives without a refresh (RFC 4028 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// In seconds.
    pub seconds: u32,
    /// Who refreshes, when it is said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads `1800;refresher=uac`; other parameters are skipped.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let (seconds, parameters) = with_parameters(text)?;
        let refresher = match parameters.get("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(HeaderFault("refresher is neither uac nor uas")),
        };
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.seconds)?;
        match self.refresher {
            None => Ok(()),
            Some(Refresher::Uac) => formatter.write_str(";refresher=uac"),
            Some(Refresher::Uas) => formatter.write_str(";refresher=uas"),
        }
    }
}

/// The shortest session that is accepted, in seconds (RFC 4028 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinSe(pub u32);

impl MinSe {
    /// Reads `90`; parameters are skipped.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        Ok(Self(with_parameters(text)?.0))
    }
}

impl fmt::Display for MinSe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// When to try again, in seconds (RFC 3261 20.33); comment and duration are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(pub u32);

impl RetryAfter {
    /// Reads `18000;duration=3600` and `120 (in a meeting)`.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let ends = text.find(['(', ';']).unwrap_or(text.len());
        Ok(Self(read_seconds(&text[..ends])?))
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Why a request is sent (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`.
    pub protocol: String,
    /// The status or cause.
    pub cause: Option<u16>,
    /// Its words.
    pub text: Option<String>,
}

impl Reason {
    /// Reads the first of possibly several.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let first = super::elements(text)?.next().ok_or(HeaderFault("empty"))?;
        let ends = first.find(';').unwrap_or(first.len());
        let protocol = first[..ends].trim();
        if !is_token(protocol) {
            return Err(HeaderFault("the protocol is not a token"));
        }
        let parameters = Parameters::parse(&first[ends..])?;
        Ok(Self {
            protocol: protocol.to_owned(),
            cause: parameters.get("cause").and_then(|cause| cause.parse().ok()),
            text: parameters.get("text").map(str::to_owned),
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(formatter, " ;cause={cause}")?;
        }
        match &self.text {
            Some(text) => write!(formatter, " ;text={}", Quoted(text)),
            None => Ok(()),
        }
    }
}

fn with_parameters(text: &str) -> Result<(u32, Parameters), HeaderFault> {
    let ends = text.find(';').unwrap_or(text.len());
    Ok((read_seconds(&text[..ends])?, Parameters::parse(&text[ends..])?))
}
