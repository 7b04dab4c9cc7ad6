//! RTP sockets: an even port of the configured range, on the address that faces the far end.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::chance::Chance;

/// Ports tried before giving up. With half of a wide range taken, the chance of failing is 2⁻⁶⁴.
const MOST_TRIES: u64 = 64;

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum ReserveFault {
    /// No even port is in the range.
    #[error("media.rtp_ports {}-{} has no even port", .0.start(), .0.end())]
    NoEvenPort(RangeInclusive<u16>),
    /// All that were tried are taken, or the address is not ours.
    #[error("no RTP socket on {source_address}, ports {}-{}: {error}", .ports.start(), .ports.end())]
    NotBound {
        /// The address.
        source_address: IpAddr,
        /// The configured range.
        ports: RangeInclusive<u16>,
        /// What the system said last.
        error: io::Error,
    },
}

/// Opens a socket for RTP and says where. The range 0–0 lets the system choose any port.
pub fn reserve(
    source: IpAddr,
    ports: &RangeInclusive<u16>,
    chance: &mut Chance,
) -> Result<(UdpSocket, SocketAddr), ReserveFault> {
    // RFC 3550 11: even ports.
    let first = u64::from(ports.start().div_ceil(2)) * 2;
    let count = (u64::from(*ports.end()) + 2).saturating_sub(first) / 2;
    if count == 0 {
        return Err(ReserveFault::NoEvenPort(ports.clone()));
    }
    let start = chance.below(count);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for step in 0..count.min(MOST_TRIES) {
        let port = (first + (start + step) % count * 2) as u16;
        match bind(SocketAddr::new(source, port)) {
            Ok(reserved) => return Ok(reserved),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => {
                last = error;
                break;
            }
        }
    }
    Err(ReserveFault::NotBound {
        source_address: source,
        ports: ports.clone(),
        error: last,
    })
}

/// A socket for RTCP on the next port (RFC 3550 11), which no call takes for RTP.
pub fn beside(socket: &UdpSocket) -> io::Result<UdpSocket> {
    let mut address = socket.local_addr()?;
    let port = address
        .port()
        .checked_add(1)
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    address.set_port(port);
    bind(address).map(|(socket, _)| socket)
}

fn bind(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn even_ports_of_the_range_are_taken_until_none_is_left() {
        let mut chance = Chance::from_seed([4; 32]);
        // A range of three even ports at one that the system says is free.
        let free = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap().1.port();
        let first = (free & !1).clamp(2, 65_000);
        let range = first - 1..=first + 4;
        let mut held = Vec::new();
        let fault = loop {
            match reserve(Ipv4Addr::LOCALHOST.into(), &range, &mut chance) {
                Ok((socket, local)) => {
                    assert!(range.contains(&local.port()) && local.port() % 2 == 0, "{local}");
                    held.push(socket);
                }
                Err(fault) => break fault,
            }
        };
        assert!((1..=3).contains(&held.len()), "{}", held.len());
        assert!(fault.to_string().contains("127.0.0.1"), "{fault}");
    }

    #[test]
    fn a_range_without_an_even_port_is_named() {
        let mut chance = Chance::from_seed([4; 32]);
        for range in [7..=7, RangeInclusive::new(9, 3), 65_535..=65_535] {
            let fault = reserve(Ipv4Addr::LOCALHOST.into(), &range, &mut chance).unwrap_err();
            assert!(matches!(fault, ReserveFault::NoEvenPort(_)), "{range:?}: {fault}");
        }
    }

    #[test]
    fn an_address_that_is_not_ours_is_no_endless_search() {
        let mut chance = Chance::from_seed([4; 32]);
        let elsewhere = IpAddr::from([192, 0, 2, 77]);
        let fault = reserve(elsewhere, &(16384..=32767), &mut chance).unwrap_err();
        assert!(fault.to_string().contains("192.0.2.77"), "{fault}");
    }
}
