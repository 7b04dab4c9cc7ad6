//! The hosts file: it is asked first, and works without a network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// What localhost means where no file says so. IPv4 first: more servers listen there alone.
pub const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The addresses of a name in this file, hosts(5); none when the file cannot be read. It is read each time, being
/// short and in the page cache.
pub fn read(path: &Path, name: &str) -> Vec<IpAddr> {
    let text = std::fs::read(path).unwrap_or_default();
    find(&String::from_utf8_lossy(&text), name)
}

/// RFC 6761 6.3.
pub fn is_localhost(name: &str) -> bool {
    let name = bare(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn find(text: &str, name: &str) -> Vec<IpAddr> {
    let name = bare(name);
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse) else {
            continue;
        };
        if words.any(|held| bare(held).eq_ignore_ascii_case(name)) && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_aliases_are_found_without_regard_to_case() {
        let text = "127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # Local\n192.0.2.7 Pbx.Example.com pbx\n\
                    nonsense here\n192.0.2.7 pbx\n#192.0.2.9 pbx\n";
        let local: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(find(text, "localhost"), local);
        let pbx: [IpAddr; 1] = ["192.0.2.7".parse().unwrap()];
        assert_eq!(find(text, "pbx.example.com."), pbx);
        assert_eq!(find(text, "PBX"), pbx);
        assert_eq!(find(text, "example.com"), [] as [IpAddr; 0]);
        assert_eq!(find(text, "Local"), [] as [IpAddr; 0]);
    }

    #[test]
    fn localhost_and_what_is_below_it_is_this_machine() {
        assert!(
            ["localhost", "LOCALHOST.", "room.localhost"]
                .into_iter()
                .all(is_localhost)
        );
        assert!(
            !["localhost.example.com", "mylocalhost", ""]
                .into_iter()
                .any(is_localhost)
        );
    }
}
