//! The SIP dialer (RFC 3261): UDP, TCP and TLS, digest, offer and answer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::dialer::{Dialer, Parts};
use crate::media::{CodecName, DigitsBy, Encryption};
use crate::network::Transport;
use crate::secret::Secret;

pub mod compose;
pub mod dialog;
pub mod digest;
pub mod farewell;
pub mod flows;
pub mod headers;
pub mod leg;
pub mod listening;
pub mod locate;
pub mod offer_answer;
pub mod out_of_service;
pub mod outbound_call;
pub mod peers;
pub mod recovery;
pub mod registration;
pub mod request;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod uri;
pub mod user_agent;
pub mod wire;

/// The `[sip]` section, checked, with what the offer needs of `[media]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our address of record: `sip:user@domain`. From and the digest's default username.
    pub identity: String,
    /// For digest; empty: the user part of the identity.
    pub username: String,
    /// For digest.
    pub password: Option<Secret>,
    /// The only realm whose challenges are answered; empty: any, for our own requests.
    pub realm: String,
    /// A SIP URI or host:port; empty: no registration.
    pub registrar: String,
    /// A SIP URI or host:port through which all requests go; empty: none.
    pub outbound_proxy: String,
    /// Where to listen, UDP and TCP; port 0 is chosen once and kept. A family that the machine lacks is skipped.
    pub listen: Vec<SocketAddr>,
    /// When neither URI nor DNS says.
    pub transport: Option<Transport>,
    /// What Via, Contact and SDP carry in place of the source address of the route.
    pub public_address: Option<IpAddr>,
    /// Session timers (RFC 4028).
    pub session_expires: Duration,
    /// The status that answers an INVITE from outside.
    pub inbound: u16,
    /// The codecs to offer, in order.
    pub codecs: Vec<CodecName>,
    /// How digits are sent.
    pub dtmf: DigitsBy,
    /// Whether audio is encrypted.
    pub srtp: Encryption,
}

/// Builds the SIP dialer.
pub fn build(parts: Parts<'_>) -> Box<dyn Dialer> {
    Box::new(user_agent::UserAgent::new(parts))
}
