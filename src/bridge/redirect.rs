//! Where a redirect leads, and whether it may be followed: the token goes along.

use thiserror::Error;

use super::Settings;

/// Why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RedirectFault {
    /// There is none to be followed.
    #[error("the bridge redirects, but does not say where to")]
    NoLocation,
    /// It is no URL of a websocket.
    #[error("the bridge redirects to something that is no websocket URL")]
    NoUrl,
    /// It leads to a host to which the token must not go.
    #[error("the bridge redirects to {0}, which is neither its own host name nor in bridge.redirect_allow")]
    OtherHost(String),
    /// It leads away from TLS.
    #[error("the bridge redirects to {0} without TLS")]
    Plaintext(String),
    /// One too many.
    #[error("the bridge redirects again and again")]
    TooMany,
}

/// The URL that a redirect from `current` leads to, if it may be followed (contract, "Connection").
pub fn follow(settings: &Settings, current: &str, location: Option<&str>) -> Result<String, RedirectFault> {
    let location = location.ok_or(RedirectFault::NoLocation)?;
    let current = Url::read(current).ok_or(RedirectFault::NoUrl)?;
    let target = current.join(location).ok_or(RedirectFault::NoUrl)?;
    let configured = Url::read(&settings.url).ok_or(RedirectFault::NoUrl)?;
    let same_host = target.host() == configured.host();
    let allowed = |host: &String| bare(host) == target.host();
    if !same_host && !settings.redirect_allow.iter().any(allowed) {
        return Err(RedirectFault::OtherHost(target.host()));
    }
    let was_safe = current.tls || configured.tls;
    // What `bridge.url` may not do, a redirect may not do either.
    if !target.tls && (was_safe || !(same_host || settings.allow_plaintext)) {
        return Err(RedirectFault::Plaintext(target.host()));
    }
    Ok(target.print())
}

/// As much of a URL as redirects need.
struct Url {
    tls: bool,
    /// Host and port, without user.
    authority: String,
    /// Path and query; begins with `/`.
    path: String,
}

impl Url {
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return None,
        };
        Self::after_scheme(tls, rest)
    }

    /// Reads `authority[/path][?query][#fragment]`.
    fn after_scheme(tls: bool, rest: &str) -> Option<Self> {
        if !rest.chars().all(|character| character.is_ascii_graphic()) {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = Self {
            tls,
            authority: authority.to_ascii_lowercase(),
            path: format!("{slash}{path}"),
        };
        url.is_sound().then_some(url)
    }

    /// Host and port are such: no user part before them, nothing that others might read as the end of the host.
    fn is_sound(&self) -> bool {
        let (host, port) = self.host_and_port();
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_is_sound = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-._".contains(character)),
        };
        let port_is_sound = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
        !host.is_empty() && host_is_sound && port_is_sound
    }

    /// The URL of a `Location` seen here (RFC 3986 5.2, without dot segments: servers do not send them).
    fn join(&self, location: &str) -> Option<Self> {
        let location = location.trim();
        if location.contains("://") && !location.starts_with(['/', '?']) {
            return Self::read(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::after_scheme(self.tls, rest);
        }
        let path_here = self.path.split('?').next().unwrap_or_default();
        let path = match location.chars().next()? {
            '/' => location.to_owned(),
            '?' => format!("{path_here}{location}"),
            _ => {
                let folder = path_here.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/{location}")
            }
        };
        Self::after_scheme(self.tls, &format!("{}{path}", self.authority))
    }

    fn host(&self) -> String {
        bare(self.host_and_port().0)
    }

    fn host_and_port(&self) -> (&str, Option<&str>) {
        let name_end = self.authority.rfind(']').unwrap_or_default();
        let (name, rest) = self.authority.split_at(name_end);
        match rest.rsplit_once(':') {
            Some((end, port)) => (&self.authority[..name.len() + end.len()], Some(port)),
            None => (&self.authority, None),
        }
    }

    fn print(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

/// A host name as it is compared: lower case, without the dot of the root.
fn bare(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::tests::settings;

    const HERE: &str = "wss://bridge.example.com/rooms/one?x=1";

    #[test]
    fn redirects_within_the_host_name_are_followed_to_any_port() {
        for (location, target) in [
            (
                "wss://bridge.example.com:8443/two",
                "wss://bridge.example.com:8443/two",
            ),
            ("https://Bridge.Example.COM/two", "wss://bridge.example.com/two"),
            ("wss://bridge.example.com.", "wss://bridge.example.com./"),
            (
                "//bridge.example.com:444/two?y#z",
                "wss://bridge.example.com:444/two?y",
            ),
            ("/two", "wss://bridge.example.com/two"),
            ("/two?back=http://x", "wss://bridge.example.com/two?back=http://x"),
            ("two", "wss://bridge.example.com/rooms/two"),
            ("?y=2", "wss://bridge.example.com/rooms/one?y=2"),
        ] {
            assert_eq!(
                follow(&settings(), HERE, Some(location)).as_deref(),
                Ok(target),
                "{location}"
            );
        }
    }

    #[test]
    fn the_token_does_not_go_to_other_hosts() {
        for (location, host) in [
            ("wss://evil.example.com/", "evil.example.com"),
            (
                "wss://bridge.example.com.evil.com/",
                "bridge.example.com.evil.com",
            ),
            ("//evil.example.com", "evil.example.com"),
            ("wss://[2001:db8::1]:443/", "[2001:db8::1]"),
        ] {
            let refused = follow(&settings(), HERE, Some(location));
            assert_eq!(
                refused,
                Err(RedirectFault::OtherHost(host.to_owned())),
                "{location}"
            );
        }
        let mut allowing = settings();
        allowing.redirect_allow = vec!["Other.example.com".to_owned()];
        let target = follow(&allowing, HERE, Some("wss://other.example.com/x"));
        assert_eq!(target.as_deref(), Ok("wss://other.example.com/x"));
        let back = follow(
            &allowing,
            "wss://other.example.com/x",
            Some("wss://bridge.example.com/"),
        );
        assert_eq!(back.as_deref(), Ok("wss://bridge.example.com/"));
    }

    #[test]
    fn redirects_never_leave_tls() {
        for location in ["ws://bridge.example.com/", "http://bridge.example.com:80/"] {
            let refused = follow(&settings(), HERE, Some(location));
            assert_eq!(
                refused,
                Err(RedirectFault::Plaintext("bridge.example.com".to_owned()))
            );
        }
        let mut local = settings();
        local.url = "ws://127.0.0.1:1".to_owned();
        local.redirect_allow = vec!["elsewhere".to_owned()];
        let here = local.url.clone();
        let other_port = follow(&local, &here, Some("ws://127.0.0.1:2/x"));
        assert_eq!(other_port.as_deref(), Ok("ws://127.0.0.1:2/x"));
        let elsewhere = follow(&local, &here, Some("ws://elsewhere/"));
        assert_eq!(elsewhere, Err(RedirectFault::Plaintext("elsewhere".to_owned())));
    }

    #[test]
    fn locations_that_hide_their_host_are_refused() {
        for location in [
            "",
            "ftp://bridge.example.com/",
            "wss://bridge.example.com@evil.com/",
            "wss://bridge.example.com\\@evil.com/",
            "wss://bridge.example.com:0/",
            "wss://bridge.example.com:99999/",
            "wss:///path",
            "wss://[::1/",
            "wss://]:[/",
            "wss://brücke.example.com/",
            "wss://bridge.example.com/a b",
            "/a\r\nb",
        ] {
            assert_eq!(
                follow(&settings(), HERE, Some(location)),
                Err(RedirectFault::NoUrl),
                "{location}"
            );
        }
        assert_eq!(follow(&settings(), HERE, None), Err(RedirectFault::NoLocation));
    }
}
