//! Hosts in the one form in which they are compared and dialled, whatever disguise they came in.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;

/// A host: lower case, ASCII, without trailing dot; addresses as addresses, IPv4 out of IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name.
    Name(String),
    /// A literal address.
    Address(IpAddr),
}

impl Host {
    /// Reads one; IPv6 in brackets. The error is the rest of a sentence that names what was read.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some(inside) = text.strip_prefix('[') {
            return inside
                .strip_suffix(']')
                .and_then(|address| address.parse::<Ipv6Addr>().ok())
                .map(|address| Self::Address(address.to_canonical()))
                .ok_or_else(|| "has no IPv6 address between [ and ]".to_owned());
        }
        let decoded = percent_decode_str(text)
            .decode_utf8()
            .map_err(|_| "has a host that is not UTF-8".to_owned())?;
        let ascii =
            idna::domain_to_ascii(&decoded).map_err(|_| "has a host that is no domain name".to_owned())?;
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        check_name(name)?;
        Ok(Self::Name(name.to_owned()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(formatter),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.is_empty() {
        return Err("has no host".to_owned());
    }
    // RFC 1035 2.3.4.
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err("has a host that is no domain name".to_owned());
    }
    // `127.1`, `0x7f000001` and `2130706433` are addresses to many resolvers.
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err("has a host that ends in a number but is no address".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disguise_of_a_host_is_the_same_host() {
        for disguise in [
            "Zoom.Example",
            "zoom.example.",
            "%7Aoom.example",
            "ｚｏｏｍ。example",
            "zoom%2Eexample",
        ] {
            assert_eq!(
                Host::read(disguise),
                Ok(Host::Name("zoom.example".to_owned())),
                "{disguise}"
            );
        }
        let bookshop = Host::Name("xn--bcher-kva.example".to_owned());
        assert_eq!(Host::read("Bücher.example"), Ok(bookshop.clone()));
        assert_eq!(Host::read("XN--Bcher-kva.example"), Ok(bookshop));
    }

    #[test]
    fn every_disguise_of_an_address_is_the_same_address() {
        let address = Host::Address("192.0.2.1".parse().unwrap());
        for disguise in [
            "192.0.2.1",
            "192.0.2.1.",
            "[::ffff:192.0.2.1]",
            "[::FFFF:c000:0201]",
            "192。0。2。1",
            "192%2e0.2.1",
        ] {
            assert_eq!(Host::read(disguise), Ok(address.clone()), "{disguise}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            ".",
            "a..b",
            "127.1",
            "0x7f000001",
            "2130706433",
            "192.0.2.256",
            "1.2.3.0x4",
            "a b",
            "a/b",
            "[::1",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "%2565xample.com",
            "host%00.example",
            "a%40b",
            "xn--\u{7f}",
            "%ff",
        ] {
            assert!(Host::read(bad).is_err(), "{bad}");
        }
        assert!(Host::read(&"a".repeat(64)).is_err());
        assert!(Host::read(&"a.".repeat(128)).is_err());
    }
}
