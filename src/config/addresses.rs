//! The forms of hosts, URLs and SIP URIs: each turns text into a type, once, or says what is wrong with it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::formats::{Reason, absolute_path, visible_ascii};
use crate::room::dial_plan::AllowEntry;

/// A host, lower-cased and without brackets, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address.
    pub host: String,
    /// The port, when written.
    pub port: Option<u16>,
}

impl HostPort {
    /// Whether only this machine can be meant.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

/// `HOST`, `HOST:PORT`, `ADDRESS:PORT`, `[V6]:PORT`.
pub fn host_and_port(text: &str) -> Result<HostPort, Reason> {
    let (written, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').ok_or("has no closing bracket")?;
        address
            .parse::<Ipv6Addr>()
            .map_err(|_| "has no IPv6 address in its brackets")?;
        match (rest, rest.strip_prefix(':')) {
            ("", _) => (address, None),
            (_, Some(port)) => (address, Some(port)),
            _ => return Err("has something else than a port after its bracket".to_owned()),
        }
    } else {
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        host_name(name)?;
        (name, port)
    };
    Ok(HostPort {
        host: written.trim_end_matches('.').to_ascii_lowercase(),
        port: port.map(port_number).transpose()?,
    })
}

/// A DNS name or an IPv4 address.
pub fn host_name(name: &str) -> Result<(), Reason> {
    if name.is_empty() {
        return Err("has no host".to_owned());
    }
    if !name.is_ascii() {
        return Err("has a host outside ASCII (write its xn-- form)".to_owned());
    }
    if name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return name
            .parse::<Ipv4Addr>()
            .map(drop)
            .map_err(|_| "has no valid IPv4 address".to_owned());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let relative = name.strip_suffix('.').unwrap_or(name);
    if relative.len() > 253 || !relative.split('.').all(is_label) {
        return Err("has no valid host name".to_owned());
    }
    Ok(())
}

pub(super) fn port_number(text: &str) -> Result<u16, Reason> {
    match text.parse() {
        Ok(port @ 1..) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
        _ => Err("has no valid port".to_owned()),
    }
}

/// The URL of a bridge, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrl {
    /// Whether it is `wss`.
    pub is_secure: bool,
    /// Where it leads.
    pub authority: HostPort,
}

/// `wss://HOST[:PORT][/PATH][?QUERY]`, or the same with `ws` (RFC 6455 3).
pub fn websocket_url(text: &str) -> Result<WebSocketUrl, Reason> {
    let (scheme, rest) = text.split_once("://").ok_or("is no URL")?;
    let is_secure = match scheme.to_ascii_lowercase().as_str() {
        "wss" => true,
        "ws" => false,
        other => return Err(format!("has the scheme {other}")),
    };
    visible_ascii(text)?;
    if text.contains('#') {
        return Err("has a fragment".to_owned());
    }
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if authority.contains('@') {
        return Err("has a user or password (the token belongs into bridge.token_file)".to_owned());
    }
    let authority = host_and_port(authority)?;
    Ok(WebSocketUrl { is_secure, authority })
}

/// `http://[USER:PASSWORD@]HOST[:PORT]`.
pub fn proxy(text: &str) -> Result<(), Reason> {
    visible_ascii(text)?;
    let rest = text
        .strip_prefix("http://")
        .ok_or("does not begin with http://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    host_and_port(host).map(drop)
}

/// An origin of web pages (RFC 6454): scheme, host, port.
pub fn web_origin(text: &str) -> Result<(), Reason> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or("does not begin with https:// or http://")?;
    host_and_port(host).map(drop)
}

/// Where a calendar is: an https URL, a file URL, or an absolute path.
pub fn calendar_url(text: &str) -> Result<(), Reason> {
    if let Some(rest) = text.strip_prefix("https://") {
        visible_ascii(text)?;
        return host_and_port(rest.split(['/', '?']).next().unwrap_or(rest)).map(drop);
    }
    absolute_path(text.strip_prefix("file://").unwrap_or(text))
        .map_err(|_| "is neither an https URL nor a path".to_owned())
}

/// A SIP URI or `HOST:PORT`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipTarget {
    /// `sip` or `sips`, when written.
    pub scheme: Option<String>,
    /// The part before the `@`.
    pub user: Option<String>,
    /// Where it leads.
    pub authority: HostPort,
    /// Whether it has parameters.
    pub has_parameters: bool,
}

/// `[sip:|sips:][USER@]HOST[:PORT][;PARAMETERS]` (RFC 3261 19.1.1), without headers.
pub fn sip_target(text: &str) -> Result<SipTarget, Reason> {
    visible_ascii(text)?;
    let lower = text.to_ascii_lowercase();
    let scheme = ["sips", "sip"]
        .into_iter()
        .find(|scheme| lower.starts_with(&format!("{scheme}:")));
    let rest = scheme.map_or(text, |scheme| text.get(scheme.len() + 1..).unwrap_or(""));
    if rest.contains(['?', '<', '>', '"', ',']) {
        return Err("has more than a URI".to_owned());
    }
    let (user, after_user) = match rest.rsplit_once('@') {
        Some(("", _)) => return Err("has no user before its @".to_owned()),
        Some((user, _)) if user.contains(':') => return Err("has a password before its @".to_owned()),
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    let mut parts = after_user.split(';');
    let authority = host_and_port(parts.next().unwrap_or_default())?;
    let parameters: Vec<_> = parts.collect();
    for parameter in &parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (
            name.to_ascii_lowercase().as_str(),
            value.to_ascii_lowercase().as_str(),
        ) {
            ("", _) => return Err("has an empty parameter".to_owned()),
            ("transport", "udp") if scheme == Some("sips") => return Err("is sips over udp".to_owned()),
            ("transport", "udp" | "tcp" | "tls") => {}
            ("transport", _) => return Err("has an unknown transport".to_owned()),
            ("maddr", _) => return Err("has the parameter maddr".to_owned()),
            _ => {}
        }
    }
    Ok(SipTarget {
        scheme: scheme.map(str::to_owned),
        user: user.map(str::to_owned),
        authority,
        has_parameters: !parameters.is_empty(),
    })
}

/// An address of record: `sip:USER@DOMAIN`.
pub fn sip_identity(text: &str) -> Result<SipTarget, Reason> {
    let target = sip_target(text)?;
    match &target {
        SipTarget { scheme: None, .. } => Err("does not begin with sip:".to_owned()),
        SipTarget { user: None, .. } => Err("has no user before an @".to_owned()),
        SipTarget {
            has_parameters: true, ..
        } => Err("has parameters".to_owned()),
        _ => Ok(target),
    }
}

/// An entry of `calls.allow`.
pub fn allow_entry(text: &str) -> Result<(), Reason> {
    text.parse::<AllowEntry>()
        .map(drop)
        .map_err(|why: String| after_quote(text, &why))
}

/// What a whole sentence says of the text that it quotes at its beginning.
fn after_quote(text: &str, sentence: &str) -> Reason {
    match sentence.strip_prefix(&format!("\"{text}\" ")) {
        Some(rest) => rest.to_owned(),
        None => format!("cannot be used: {sentence}"),
    }
}

/// `ADDRESS:PORT`.
pub fn socket_address(text: &str) -> Result<SocketAddr, Reason> {
    text.parse().map_err(|_| "is no address with a port".to_owned())
}

/// An address that others can send to.
pub fn public_address(text: &str) -> Result<IpAddr, Reason> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            Err("is an address that nobody can send to".to_owned())
        }
        Ok(address) => Ok(address),
        Err(_) => Err("is no IP address".to_owned()),
    }
}

#[cfg(test)]
mod tests;
