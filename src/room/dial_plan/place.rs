//! Where those are who may be dialled: a host, the names below a domain, a network.

use std::fmt;
use std::net::IpAddr;

use super::host::Host;

/// The place that an entry of `calls.allow` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// This host.
    Host(Host),
    /// Every name below this one, itself excluded.
    Below(String),
    /// Every literal address in this network; no bit beyond the prefix is set.
    Network { address: IpAddr, prefix: u8 },
}

impl Place {
    /// Whether this host is there.
    pub fn holds(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Host(own), host) => own == host,
            (Self::Below(domain), Host::Name(name)) => name
                .strip_suffix(domain.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|front| !front.is_empty()),
            (Self::Network { address, prefix }, Host::Address(host)) => {
                network_of(*host, *prefix) == Some(*address)
            }
            (Self::Below(_), Host::Address(_)) | (Self::Network { .. }, Host::Name(_)) => false,
        }
    }

    /// Reads the place of an entry, in lower case. The error is a whole sentence that names the entry.
    pub fn read(text: &str, entry: &str) -> Result<Self, String> {
        if let Some((address, prefix)) = text.split_once('/') {
            return read_network(address, prefix, entry);
        }
        if let Some(domain) = text.strip_prefix("*.") {
            return match Host::read(domain) {
                Ok(Host::Name(domain)) if !domain.contains('*') => Ok(Self::Below(domain)),
                Ok(Host::Name(_) | Host::Address(_)) | Err(_) => {
                    Err(format!("\"{entry}\" has no domain name after *."))
                }
            };
        }
        if text.contains(['*', '?']) {
            return Err(format!(
                "\"{entry}\" has a wildcard in the host: it stands only in front, as in *.domain, or in USER"
            ));
        }
        if let Some(address) = read_address(text) {
            return Ok(Self::Host(Host::Address(address)));
        }
        if let Some((host, port)) = text.rsplit_once(':')
            && port.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(format!(
                "\"{entry}\" has a port: any port of an allowed host is allowed, write \"{host}\""
            ));
        }
        Host::read(text).map(Self::Host).map_err(|why| {
            format!("\"{entry}\" {why}: write a HOST, *.domain, network, USER@HOST or tel: prefix")
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => formatter.write_str(&bare(host)),
            Self::Below(domain) => write!(formatter, "*.{domain}"),
            Self::Network { address, prefix } => write!(formatter, "{address}/{prefix}"),
        }
    }
}

/// A host as an entry spells it: IPv6 without brackets.
pub fn bare(host: &Host) -> String {
    match host {
        Host::Name(name) => name.clone(),
        Host::Address(address) => address.to_string(),
    }
}

fn read_network(address: &str, prefix: &str, entry: &str) -> Result<Place, String> {
    let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let (Some(written), Ok(prefix), true) = (read_literal(address), prefix.parse::<u8>(), is_number) else {
        return Err(format!(
            "\"{entry}\" is no network: write it as 192.0.2.0/24 or 2001:db8::/32"
        ));
    };
    // A network of IPv4 in IPv6 is one of IPv4: literal addresses are compared in that form.
    let (address, prefix) = match (written.to_canonical(), prefix.checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(prefix)) if written.is_ipv6() => (address, prefix),
        _ => (written, prefix),
    };
    match network_of(address, prefix) {
        Some(network) if network == address => Ok(Place::Network { address, prefix }),
        Some(network) => Err(format!(
            "\"{entry}\" has bits beyond its prefix: write {network}/{prefix}, or {address} for this address alone"
        )),
        None => Err(format!(
            "\"{entry}\" has a prefix that is too long for its address"
        )),
    }
}

fn read_address(text: &str) -> Option<IpAddr> {
    read_literal(text).map(|address| address.to_canonical())
}

fn read_literal(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inside.unwrap_or(text).parse().ok()
}

/// The address with all bits beyond the prefix cleared; `None` for a prefix that its family has not.
fn network_of(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(IpAddr::V4((address.to_bits() & mask).into()))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(IpAddr::V6((address.to_bits() & mask).into()))
        }
    }
}
