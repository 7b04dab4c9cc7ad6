//! What both sides agreed on: where every dialer's negotiation ends and audio begins.

use std::net::SocketAddr;
use std::time::Duration;

use super::srtp::Keys;

/// A codec that we may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodecName {
    /// G.722 at 64 kbit/s, static payload type 9.
    G722,
    /// G.711 μ-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
}

impl CodecName {
    /// Those that are built in, in our order of preference.
    pub const BUILT_IN: [Self; 3] = [Self::G722, Self::Pcmu, Self::Pcma];

    /// As the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::G722 => "g722",
            Self::Pcmu => "pcmu",
            Self::Pcma => "pcma",
        }
    }

    /// The payload type we offer (RFC 3551 6).
    pub fn payload_type(self) -> u8 {
        match self {
            Self::G722 => 9,
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// As `a=rtpmap` spells it.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The RTP clock rate, in Hz. That of G.722 is half its sample rate by an old mistake (RFC 3551 4.5.2).
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::G722 | Self::Pcmu | Self::Pcma => 8000,
        }
    }

    /// Samples in a second.
    pub fn sample_rate(self) -> u32 {
        match self {
            Self::G722 => 16_000,
            Self::Pcmu | Self::Pcma => 8000,
        }
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendReceive,
    /// Only we.
    SendOnly,
    /// Only the far end.
    ReceiveOnly,
    /// Nobody: on hold.
    Inactive,
}

impl Direction {
    /// Whether we send.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// Whether the far end should send.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }
}

/// One audio stream, as agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is spoken.
    pub codec: CodecName,
    /// The payload type under which we send it.
    pub send_payload_type: u8,
    /// The payload type under which the far end sends it.
    pub receive_payload_type: u8,
    /// The payload type of telephone-event under which we send digits, when agreed.
    pub telephone_event: Option<u8>,
    /// Our RTP address, as offered.
    pub local: SocketAddr,
    /// The far end's RTP address, as answered.
    pub remote: SocketAddr,
    /// How much audio a packet carries.
    pub packet_time: Duration,
    /// Who sends.
    pub direction: Direction,
    /// With which keys, when encrypted. Without them packets are plain.
    pub keys: Option<Keys>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// μ-law to and from an address for documentation, with digits.
    pub(crate) fn plan() -> Plan {
        Plan {
            codec: CodecName::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: Some(101),
            local: SocketAddr::from(([192, 0, 2, 1], 16384)),
            remote: SocketAddr::from(([192, 0, 2, 2], 4000)),
            packet_time: Duration::from_millis(20),
            direction: Direction::SendReceive,
            keys: None,
        }
    }

    #[test]
    fn on_hold_nobody_sends() {
        assert!(!Direction::Inactive.sends() && !Direction::Inactive.receives());
        assert!(Direction::SendOnly.sends() && !Direction::SendOnly.receives());
        assert!(!Direction::ReceiveOnly.sends() && Direction::ReceiveOnly.receives());
    }
}
