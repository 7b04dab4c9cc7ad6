//! In which order addresses are tried.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Those that the machine has a route to come first, IPv6 before IPv4 (RFC 6724 2.1 without its policy table);
/// otherwise in the order of the answer.
pub fn to_try(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_by_key(|address| (!has_route(*address), address.is_ipv4()));
    addresses.dedup();
    addresses
}

/// Connecting a datagram socket sends nothing; it only asks the routing table.
fn has_route(address: IpAddr) -> bool {
    let any: SocketAddr = match address {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // Port 9 is "discard"; any but 0 does.
    UdpSocket::bind(any)
        .and_then(|socket| socket.connect((address, 9)))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreachable_addresses_are_tried_last() {
        let unroutable: IpAddr = "ff00::".parse().unwrap();
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        // Without a route to either, the order of the families would turn this round.
        if !has_route(unroutable) {
            assert_eq!(to_try(vec![unroutable, here]), [here, unroutable]);
        }
        assert_eq!(to_try(vec![here, here]), [here]);
        assert!(has_route(here));
    }
}
