//! Offer and answer (RFC 3264, RFC 8866): session descriptions stay inside the SIP dialer, what comes out is a
//! [`Plan`](crate::media::Plan).

use std::net::SocketAddr;

use thiserror::Error;

use crate::media::{CodecName, Direction};

mod crypto;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use crypto::Crypto;
pub use read::{answer, read_answer};
pub use write::offer;

/// As rtpmap spells digits.
const TELEPHONE_EVENT_ENCODING: &str = "telephone-event";

/// What an offer is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferParts {
    /// Where we receive RTP; also the address of the origin line.
    pub address: SocketAddr,
    /// What we speak, in order of preference.
    pub codecs: Vec<CodecName>,
    /// Whether digits by RFC 4733 are offered.
    pub telephone_event: bool,
    /// The number of the session, the same as long as the dialog lives.
    pub session_id: u64,
    /// One more with each description that differs from the one before (RFC 3264 8).
    pub version: u64,
    /// Who sends.
    pub direction: Direction,
    /// Our keys; `None`: audio is plain.
    pub crypto: Option<Crypto>,
}

/// What was offered: an answer cannot be read without it.
pub type Offered = OfferParts;

/// Why there is no usable audio in what they sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnswerFault {
    /// Longer than 16 KiB.
    #[error("the session description is too long ({0} bytes)")]
    Long(usize),
    /// Not a session description.
    #[error("the session description cannot be read: {0}")]
    Malformed(String),
    /// More streams than anybody needs.
    #[error("the session description has {found} streams, more than {most}")]
    Streams {
        /// How many there are.
        found: usize,
        /// How many are looked at.
        most: usize,
    },
    /// No audio stream, or all of them refused with port 0.
    #[error("the far end refused audio")]
    NoAudio,
    /// Audio over a protocol that we do not speak, or not in this call.
    #[error("audio comes by {0}, which this call cannot take")]
    Protocol(String),
    /// Audio must be encrypted, and no line of keys can be used.
    #[error("the far end does not encrypt audio in a way that we know")]
    NoKeys,
    /// No codec in common.
    #[error("no codec in common")]
    NoCommonCodec,
    /// No connection line.
    #[error("the session description says no address")]
    NoAddress,
    /// A name, multicast, broadcast, ourselves, the wrong family: nothing that audio may be sent to.
    #[error("audio cannot be sent to {address}: {why}")]
    Address {
        /// The address as they wrote it.
        address: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl AnswerFault {
    /// The status that refuses their offer (RFC 3261 21.4.26, 21.4.1).
    pub fn status(&self) -> u16 {
        match self {
            Self::Long(_) => 413,
            Self::Malformed(_) => 400,
            Self::Streams { .. }
            | Self::NoAudio
            | Self::Protocol(_)
            | Self::NoKeys
            | Self::NoCommonCodec
            | Self::NoAddress
            | Self::Address { .. } => 488,
        }
    }
}

/// What the far end wrote, for people: short, without control characters.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(64)
        .collect()
}
