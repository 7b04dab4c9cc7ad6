//! The way a response takes when the connection that its request came on is gone (RFC 3261 18.2.2).

use std::net::SocketAddr;
use std::sync::Arc;

use crate::dialer::sip::headers::Via;
use crate::dialer::sip::locate::Target;
use crate::dialer::sip::uri::Host;
use crate::network::Transport;

/// The ports when sent-by has none (RFC 3261 19.1.2).
const PORTS: (u16, u16) = (5060, 5061);

/// Where a new connection for the response leads: the address that was seen, the port that the sender says it listens
/// at. `opened` is where the connection led when it was one of ours. Under TLS there must be a name to verify: that of
/// the sender, or the one that was verified at the same address before; without one the response is dropped.
pub fn way_back(via: &Via, opened: Option<&Target>) -> Option<Target> {
    let address = via.received().or_else(|| via.host.address())?;
    let at = |port| SocketAddr::new(address, via.port.unwrap_or(port));
    let was_secure = opened.is_some_and(|opened| opened.transport == Transport::Tls);
    match via.transport.to_ascii_uppercase().as_str() {
        "TCP" if !was_secure => Some(Target {
            transport: Transport::Tcp,
            address: at(PORTS.0),
            server_name: None,
        }),
        "TLS" => match (opened, &via.host) {
            (Some(opened), _) if was_secure && opened.address.ip() == address => Some(opened.clone()),
            (_, Host::Name(name)) => Some(Target {
                transport: Transport::Tls,
                address: at(PORTS.1),
                server_name: Some(Arc::from(name.trim_end_matches('.'))),
            }),
            (_, Host::V4(_) | Host::V6(_)) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_goes_back_to_the_address_that_was_seen_and_the_port_that_was_said() {
        let back = |via| shown(way_back(&read(via), None));
        assert_eq!(
            back("SIP/2.0/TCP 192.0.2.20:5070;branch=z9hG4bK1"),
            "Tcp 192.0.2.20:5070"
        );
        assert_eq!(
            back("SIP/2.0/tcp 10.0.0.7;received=192.0.2.20;rport=33333"),
            "Tcp 192.0.2.20:5060"
        );
        assert_eq!(
            back("SIP/2.0/TCP [2001:db8::9]:5070;received=2001:db8::20"),
            "Tcp [2001:db8::20]:5070"
        );
        assert_eq!(back("SIP/2.0/TCP far.example.com:5070"), "dropped", "not seen");
        assert_eq!(back("SIP/2.0/UDP 192.0.2.20:5070"), "dropped");
        assert_eq!(back("SIP/2.0/SCTP 192.0.2.20:5070"), "dropped");
    }

    #[test]
    fn under_tls_a_response_goes_back_only_to_a_name_that_can_be_verified() {
        let opened = target(Transport::Tls, "192.0.2.20:5061", Some("example.com"));
        let plain = target(Transport::Tcp, "192.0.2.20:5060", None);
        let back = |via, opened| shown(way_back(&read(via), opened));
        let named = "SIP/2.0/TLS far.example.com;received=192.0.2.20";
        assert_eq!(back(named, None), "Tls 192.0.2.20:5061 far.example.com");
        assert_eq!(back(named, Some(&plain)), "Tls 192.0.2.20:5061 far.example.com");
        let literal = "SIP/2.0/TLS 192.0.2.20:5099";
        assert_eq!(back(literal, None), "dropped");
        assert_eq!(back(literal, Some(&plain)), "dropped");
        assert_eq!(
            back(literal, Some(&opened)),
            "Tls 192.0.2.20:5061 example.com",
            "as it was verified before"
        );
        let elsewhere = "SIP/2.0/TLS 192.0.2.21:5061";
        assert_eq!(back(elsewhere, Some(&opened)), "dropped");
        let weaker = "SIP/2.0/TCP 192.0.2.20:5060";
        assert_eq!(
            back(weaker, Some(&opened)),
            "dropped",
            "what came over TLS stays there"
        );
    }

    fn read(via: &str) -> Via {
        Via::parse(via).unwrap()
    }

    fn target(transport: Transport, address: &str, name: Option<&str>) -> Target {
        Target {
            transport,
            address: address.parse().unwrap(),
            server_name: name.map(Arc::from),
        }
    }

    fn shown(target: Option<Target>) -> String {
        let Some(target) = target else {
            return "dropped".to_owned();
        };
        let shown = format!(
            "{:?} {} {}",
            target.transport,
            target.address,
            target.server_name.as_deref().unwrap_or_default()
        );
        shown.trim_end().to_owned()
    }
}
