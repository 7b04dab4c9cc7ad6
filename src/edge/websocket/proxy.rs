//! Which HTTP proxy leads to the bridge: the configured one, or that of the usual environment.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use percent_encoding::percent_decode_str;

use crate::network::ConnectFault;
use crate::secret::Secret;

use super::target::Target;

/// An HTTP proxy that is asked to CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Name or literal, IPv6 without brackets.
    pub host: String,
    /// Its port; 80 when none is given.
    pub port: u16,
    /// What `Proxy-Authorization` says, when the URL has a user.
    pub authorization: Option<Secret>,
}

/// The proxy to the target, if any. `environment` looks a variable up. A configured one is used wherever the target
/// is; the environment's never for this machine itself.
pub(super) fn choose(
    configured: Option<&str>,
    target: &Target,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ConnectFault> {
    let set = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
    if let Some(url) = configured.filter(|url| !url.is_empty()) {
        return Proxy::read(url).map(Some);
    }
    if target.is_loopback() {
        return Ok(None);
    }
    let exceptions = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
    if is_excepted(target, &exceptions) {
        return Ok(None);
    }
    // HTTP_PROXY in capitals is what a CGI client's Proxy header becomes; nobody else reads it either.
    let own: &[&str] = if target.is_secure {
        &["https_proxy", "HTTPS_PROXY"]
    } else {
        &["http_proxy"]
    };
    let url = own
        .iter()
        .chain(&["all_proxy", "ALL_PROXY"])
        .find_map(|name| set(name));
    url.map(|url| Proxy::read(&url)).transpose()
}

impl Proxy {
    fn read(url: &str) -> Result<Self, ConnectFault> {
        let url = url.trim();
        let with_scheme = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        // The URL is not repeated: it may hold a password.
        let unusable = || ConnectFault::Proxy("(its URL is not http://host:port)".to_owned());
        let uri: Uri = with_scheme.parse().map_err(|_| unusable())?;
        let authority = uri
            .authority()
            .filter(|_| uri.scheme_str() == Some("http"))
            .ok_or_else(unusable)?;
        let host = authority.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if bare.is_empty() {
            return Err(unusable());
        }
        let user = authority.as_str().rsplit_once('@').map(|(user, _)| user);
        Ok(Self {
            host: bare.to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authorization: user.map(basic),
        })
    }

    /// What went wrong with it, told as the proxy's fault.
    pub(super) fn fault(&self, why: &impl std::fmt::Display) -> ConnectFault {
        ConnectFault::Proxy(format!("{}:{} ({why})", self.host, self.port))
    }
}

/// RFC 7617 2.
fn basic(user: &str) -> Secret {
    let decoded: Vec<u8> = percent_decode_str(user).collect();
    let with_colon = if decoded.contains(&b':') {
        decoded
    } else {
        [decoded, b":".to_vec()].concat()
    };
    Secret::new(format!("Basic {}", STANDARD.encode(with_colon)))
}

/// Commas or spaces between `*`, names (with what is below them), literals, networks, each with a port or without.
fn is_excepted(target: &Target, exceptions: &str) -> bool {
    exceptions
        .split([',', ' '])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| entry == "*" || is_named(target, entry))
}

fn is_named(target: &Target, entry: &str) -> bool {
    let host = target.host.trim_end_matches('.').to_ascii_lowercase();
    let (entry, port) = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse::<u16>().ok()),
        _ => (entry, None),
    };
    if port.is_some_and(|port| port != target.port) {
        return false;
    }
    let entry = entry
        .trim_start_matches("*.")
        .trim_start_matches('.')
        .trim_matches(['[', ']'])
        .to_ascii_lowercase();
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_in_network(address, &entry);
    }
    host == entry || host.strip_suffix(&entry).is_some_and(|rest| rest.ends_with('.'))
}

/// A literal, or a network with the length of its prefix.
fn is_in_network(address: IpAddr, network: &str) -> bool {
    let (base, prefix) = network.split_once('/').unwrap_or((network, ""));
    let Ok(base) = base.parse::<IpAddr>() else {
        return false;
    };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let ((address, width), (base, base_width)) = (bits(address), bits(base));
    let prefix = if prefix.is_empty() {
        Some(base_width)
    } else {
        prefix.parse().ok().filter(|p| *p <= base_width)
    };
    let Some(prefix) = prefix.filter(|_| width == base_width) else {
        return false;
    };
    (address ^ base).checked_shr(width - prefix).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_proxy_goes_over_the_environment_and_holds_for_loopback_too() {
        let found = chosen(
            Some("http://proxy.example.com:3128"),
            "ws://localhost/",
            &[("http_proxy", "http://other:1")],
        );
        assert_eq!(found.as_deref(), Some("proxy.example.com:3128"));
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_stands_behind() {
        let all = [
            ("https_proxy", "http://secure:1"),
            ("http_proxy", "plain:2"),
            ("ALL_PROXY", "http://all:3"),
        ];
        assert_eq!(
            chosen(None, "wss://bridge.example.com", &all).as_deref(),
            Some("secure:1")
        );
        assert_eq!(
            chosen(None, "ws://bridge.example.com", &all).as_deref(),
            Some("plain:2")
        );
        assert_eq!(
            chosen(None, "wss://bridge.example.com", &all[1..]).as_deref(),
            Some("all:3")
        );
        assert_eq!(
            chosen(None, "ws://bridge.example.com", &[("HTTP_PROXY", "http://cgi:1")]),
            None
        );
        assert_eq!(
            chosen(None, "wss://bridge.example.com", &[("HTTPS_PROXY", "")]),
            None
        );
    }

    #[test]
    fn exceptions_and_this_machine_are_reached_directly() {
        for (url, exceptions) in [
            ("wss://localhost", ""),
            ("wss://127.0.0.1", ""),
            ("wss://bridge.example.com", "*"),
            ("wss://bridge.example.com", "other.org, .example.com"),
            ("wss://bridge.example.com", "EXAMPLE.com"),
            ("wss://bridge.example.com:8443", "bridge.example.com:8443"),
            ("wss://192.0.2.7", "192.0.2.0/24"),
            ("wss://[2001:db8::7]", "2001:db8::/32"),
            ("wss://192.0.2.7", "0.0.0.0/0"),
        ] {
            let environment = [("https_proxy", "http://proxy:1"), ("no_proxy", exceptions)];
            assert_eq!(chosen(None, url, &environment), None, "{url} {exceptions}");
        }
        for (url, exceptions) in [
            ("wss://bridge.example.com", "ple.com"),
            ("wss://bridge.example.com", "bridge.example.com:8443"),
            ("wss://192.0.2.7", "192.0.3.0/24 nonsense/99 192.0.2.7/77"),
            ("wss://192.0.2.7", "::/0"),
        ] {
            let environment = [("https_proxy", "http://proxy:1"), ("NO_PROXY", exceptions)];
            assert!(chosen(None, url, &environment).is_some(), "{url} {exceptions}");
        }
    }

    #[test]
    fn a_user_becomes_an_authorization_and_its_password_is_never_shown() {
        let proxy = Proxy::read("http://anna:can%40ary@[2001:db8::1]:3128").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("2001:db8::1", 3128));
        let expected = format!("Basic {}", STANDARD.encode("anna:can@ary"));
        assert_eq!(
            proxy.authorization.as_ref().map(Secret::expose),
            Some(expected.as_str())
        );
        assert!(!format!("{proxy:?} {}", proxy.fault(&"HTTP 407")).contains("can"));
        for url in [
            "socks5://anna:canary@proxy:1080",
            "https://anna:canary@proxy",
            "http://anna:canary@",
            "http://a b",
        ] {
            let fault = Proxy::read(url).unwrap_err();
            assert!(!fault.to_string().contains("canary"), "{url}");
        }
    }

    fn chosen(configured: Option<&str>, url: &str, environment: &[(&str, &str)]) -> Option<String> {
        let target = Target::read(url, true).unwrap();
        let look_up = |name: &str| {
            environment
                .iter()
                .find(|(held, _)| *held == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let proxy = choose(configured, &target, look_up).unwrap();
        proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port))
    }
}
