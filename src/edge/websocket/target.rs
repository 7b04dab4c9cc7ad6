//! Where a bridge is: its URL, taken apart.

use std::net::IpAddr;

use hyper::Uri;

/// A bridge's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Whether it is `wss`.
    pub is_secure: bool,
    /// Name or literal, IPv6 without brackets.
    pub host: String,
    /// As given, or the scheme's own.
    pub port: u16,
    /// As the `Host` header has it: the port only when it is not the scheme's own.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads it. `ws` leaves this machine only where allowed. The error does not repeat the URL: its query may be
    /// somebody's secret.
    pub(super) fn read(url: &str, allow_plaintext: bool) -> Result<Self, String> {
        let uri: Uri = url
            .parse()
            .map_err(|error| format!("the bridge's URL cannot be used: {error}"))?;
        let is_secure = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err("the bridge's URL starts with neither wss:// nor ws://".to_owned()),
        };
        let written = uri.host().filter(|host| !host.is_empty());
        let host = written.ok_or("the bridge's URL has no host")?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if !is_secure && !allow_plaintext && !is_loopback(bare) {
            return Err(format!(
                "ws:// to {bare} would send the token in clear text; use wss://"
            ));
        }
        let scheme_port = if is_secure { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(scheme_port);
        let authority = if port == scheme_port {
            host.to_owned()
        } else {
            format!("{host}:{port}")
        };
        Ok(Self {
            is_secure,
            host: bare.to_owned(),
            port,
            authority,
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// Whether it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Host and port, for a proxy.
    pub(super) fn host_and_port(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::read("wss://bridge.example.com/rooms/15?a=b", false).unwrap();
        assert_eq!(
            (target.is_secure, target.host.as_str(), target.port),
            (true, "bridge.example.com", 443)
        );
        assert_eq!(
            (target.authority.as_str(), target.path.as_str()),
            ("bridge.example.com", "/rooms/15?a=b")
        );
        let target = Target::read("ws://[::1]:8080", false).unwrap();
        assert_eq!(
            (
                target.host.as_str(),
                target.authority.as_str(),
                target.path.as_str()
            ),
            ("::1", "[::1]:8080", "/")
        );
        assert_eq!(target.host_and_port(), "[::1]:8080");
    }

    #[test]
    fn the_token_leaves_the_machine_in_clear_text_only_where_allowed() {
        let refused = Target::read("ws://bridge.example.com/?key=canary", false).unwrap_err();
        assert!(refused.contains("bridge.example.com") && !refused.contains("canary"));
        assert!(Target::read("ws://bridge.example.com/", true).is_ok());
        for here in [
            "ws://localhost:1/",
            "ws://127.9.9.9/",
            "ws://[::1]/",
            "ws://LOCALHOST./",
        ] {
            assert!(Target::read(here, false).is_ok(), "{here}");
        }
        assert!(Target::read("ws://localhost.example.com/", false).is_err());
    }

    #[test]
    fn what_is_no_bridge_url_is_refused() {
        for url in [
            "",
            "https://bridge.example.com",
            "wss:///path",
            "bridge.example.com",
            "wss://a b/",
            "wss://[::1",
        ] {
            assert!(Target::read(url, true).is_err(), "{url}");
        }
    }
}
