//! In which order addresses are tried.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Those that the machine has a route to come first, the families in turn with IPv6 first (RFC 8305 4); otherwise in
/// the order of the answer.
pub fn to_try(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (reachable, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| has_route(*address));
    let mut ordered = in_turn(reachable);
    ordered.extend(in_turn(others));
    ordered
}

fn in_turn(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut seen = BTreeSet::new();
    addresses.retain(|address| seen.insert(*address));
    let (mut sixes, mut fours) = (0, 0);
    let mut placed: Vec<_> = addresses
        .into_iter()
        .map(|address| {
            let count = if address.is_ipv4() { &mut fours } else { &mut sixes };
            *count += 1;
            (*count, address.is_ipv4(), address)
        })
        .collect();
    placed.sort_by_key(|(place, is_ipv4, _)| (*place, *is_ipv4));
    placed.into_iter().map(|(_, _, address)| address).collect()
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

    #[test]
    fn the_families_take_turns() {
        let [a, b, c, d, e] = [
            "192.0.2.1",
            "192.0.2.2",
            "192.0.2.3",
            "2001:db8::1",
            "2001:db8::2",
        ]
        .map(|text| text.parse().unwrap());
        assert_eq!(in_turn(vec![a, b, c, d, a, e]), [d, a, e, b, c]);
    }
}
