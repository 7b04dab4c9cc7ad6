//! The four transaction machines of RFC 3261 17 with the corrections of RFC 6026, and the table that matches messages
//! to them. They know a flow and nothing of calls.

use std::net::SocketAddr;
use std::time::Duration;

use crate::dialer::sip::wire::Response;
use crate::network::{ConnectFault, FlowId};

pub mod client_invite;
pub mod client_other;
pub mod server_invite;
pub mod server_other;
pub mod table;
pub mod way_back;

#[cfg(test)]
mod tests;

/// The estimate of a round trip (RFC 3261 17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// The longest wait between two retransmissions (RFC 3261 17.1.2.2).
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network (RFC 3261 17.1.2.2).
pub const T4: Duration = Duration::from_secs(5);
/// Timers B, F, H, J, L and M: 64·T1. Timer D takes the same, its least for datagrams (RFC 3261 17.1.1.2).
pub const PATIENCE: Duration = Duration::from_secs(32);

/// Where the messages of a transaction go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The flow.
    pub flow: FlowId,
    /// The receiver, when the flow is not connected.
    pub to: Option<SocketAddr>,
    /// Whether the flow loses nothing, so that nothing is retransmitted on it.
    pub is_reliable: bool,
}

/// What a transaction wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this on its path.
    Transmit(Vec<u8>),
    /// A response for the user of a client transaction.
    Answered(Response),
    /// The user of a client transaction gets no (further) response.
    Failed(Failure),
}

/// Why a client transaction ended without a final response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Timer B or F.
    TimedOut,
    /// The flow failed before anything was heard.
    Flow(ConnectFault),
}
