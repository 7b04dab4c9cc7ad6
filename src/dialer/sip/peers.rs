//! Whose requests a dialog obeys. Call-ID and tags name a dialog to whoever has read them anywhere; what ends or
//! changes a call must also come from where the far end is known to be.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::leg::Leg;
use crate::network::Transport;

/// How many addresses of one far end are remembered: more than any farm publishes.
const MOST: usize = 64;

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    address: IpAddr,
    is_verified: bool,
}

impl Origin {
    /// A request from there; `opened` is the transport of the connection when it is one that we opened.
    pub fn new(from: SocketAddr, opened: Option<Transport>) -> Self {
        Self {
            address: from.ip().to_canonical(),
            is_verified: opened == Some(Transport::Tls),
        }
    }
}

/// The addresses at which the far end of a call was met: those that DNS gave for it, those that requests of ours went
/// to, and those that answered one. Who answers has read the branch, which nobody can guess.
#[derive(Clone, Debug, Default)]
pub struct Peers(BTreeSet<IpAddr>);

impl Peers {
    /// The far end is there too.
    pub fn meet(&mut self, address: IpAddr) {
        if self.0.len() < MOST {
            self.0.insert(address.to_canonical());
        }
    }

    /// Whether a request in this dialog may end or change it: it comes from where the far end was met, or from an
    /// address that its Contact or its recorded route is written with. A dialog that was begun over TLS hears nothing
    /// but connections whose certificate was verified, since nobody can reach us over TLS but on those.
    pub fn include(&self, origin: Origin, leg: &Leg) -> bool {
        let is_known = || {
            self.0.contains(&origin.address)
                || leg
                    .dialog
                    .addresses()
                    .any(|address| address.to_canonical() == origin.address)
        };
        match leg.invitation.target.transport {
            Transport::Tls => origin.is_verified && is_known(),
            Transport::Udp | Transport::Tcp => is_known(),
        }
    }
}
