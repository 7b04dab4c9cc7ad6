//! Hosts: names and addresses, and ports behind them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::UriFault;

/// Where something is: the host of a URI or of a Via.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, as it came.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; printed in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a name, an IPv4 address or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, UriFault> {
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or(UriFault::Host)?;
            return read_v6(inside).map(Self::V6).ok_or(UriFault::Host);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        if text.len() > 255 || !has_letter || !text.bytes().all(is_name_byte) {
            return Err(UriFault::Host);
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// The address, when it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// Whether both mean the same: names without regard to case.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one == other,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::V4(address) => address.fmt(formatter),
            Self::V6(address) => write!(formatter, "[{address}]"),
        }
    }
}

/// Reads an IPv6 address without brackets. RFC 5118 4.10: the grammar of RFC 3261 allows three colons where two are
/// meant, and they have to be understood.
pub(in crate::dialer::sip) fn read_v6(text: &str) -> Option<Ipv6Addr> {
    text.parse()
        .ok()
        .or_else(|| text.replacen(":::", "::", 1).parse().ok())
}

/// Reads `host` or `host:port`; spaces around the colon are allowed, as Via has them.
pub(in crate::dialer::sip) fn read_host_port(text: &str) -> Result<(Host, Option<u16>), UriFault> {
    let host_ends = match text.find(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let host = Host::parse(text[..host_ends].trim_end())?;
    let rest = text[host_ends..].trim_start();
    if rest.is_empty() {
        return Ok((host, None));
    }
    let port = rest.strip_prefix(':').ok_or(UriFault::Host)?.trim_start();
    Ok((host, Some(read_port(port)?)))
}

/// Reads the number of a port; 0 is none.
fn read_port(text: &str) -> Result<u16, UriFault> {
    if text.is_empty() || text.len() > 5 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriFault::Port);
    }
    text.parse().ok().filter(|port| *port != 0).ok_or(UriFault::Port)
}
