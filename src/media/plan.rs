//! What both sides agreed on: where every dialer's negotiation ends and audio begins.

use std::net::SocketAddr;
use std::time::Duration;

use super::srtp::Keys;

/// A codec that we may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodecName {
    /// Opus (RFC 6716, RFC 7587), a dynamic payload type.
    #[cfg(feature = "opus")]
    Opus,
    /// G.722 at 64 kbit/s, static payload type 9.
    G722,
    /// G.711 μ-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
}

impl CodecName {
    /// Those that are built in, in our order of preference.
    pub const BUILT_IN: &[Self] = &[
        #[cfg(feature = "opus")]
        Self::Opus,
        Self::G722,
        Self::Pcmu,
        Self::Pcma,
    ];

    /// As the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "opus")]
            Self::Opus => "opus",
            Self::G722 => "g722",
            Self::Pcmu => "pcmu",
            Self::Pcma => "pcma",
        }
    }

    /// The payload type we offer (RFC 3551 6; Opus has none of its own).
    pub fn payload_type(self) -> u8 {
        match self {
            #[cfg(feature = "opus")]
            Self::Opus => 96,
            Self::G722 => 9,
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// As `a=rtpmap` spells it.
    pub fn encoding(self) -> &'static str {
        match self {
            #[cfg(feature = "opus")]
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The RTP clock rate, in Hz. That of G.722 is half its sample rate by an old mistake (RFC 3551 4.5.2).
    pub fn clock_rate(self) -> u32 {
        match self {
            #[cfg(feature = "opus")]
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma => 8000,
        }
    }

    /// The channels that `a=rtpmap` must name; `None`: one, which goes without saying. That of Opus is always 2, whatever
    /// is sent (RFC 7587 7).
    pub fn channels(self) -> Option<&'static str> {
        match self {
            #[cfg(feature = "opus")]
            Self::Opus => Some("2"),
            Self::G722 | Self::Pcmu | Self::Pcma => None,
        }
    }

    /// What `a=fmtp` says of what we can take.
    pub fn parameters(self) -> Option<&'static str> {
        match self {
            #[cfg(feature = "opus")]
            Self::Opus => Some("useinbandfec=1"),
            Self::G722 | Self::Pcmu | Self::Pcma => None,
        }
    }

    /// Samples in a second.
    pub fn sample_rate(self) -> u32 {
        match self {
            #[cfg(feature = "opus")]
            Self::Opus => 48_000,
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

/// The way of reports (RTCP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// The far end's address for them.
    pub remote: SocketAddr,
    /// Whether they travel with the audio (RFC 5761).
    pub is_multiplexed: bool,
}

impl Control {
    /// On the port after that of the audio (RFC 3550 11), where nothing else was said.
    pub fn beside(audio: SocketAddr) -> Option<Self> {
        let port = audio.port().checked_add(1)?;
        Some(Self {
            remote: SocketAddr::new(audio.ip(), port),
            is_multiplexed: false,
        })
    }
}

/// Digits beside the audio (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The payload type under which we send it.
    pub payload_type: u8,
    /// What its durations count, in Hz: the clock of the codec when the far end has it so (RFC 4733 2.1).
    pub clock_rate: u32,
}

impl TelephoneEvent {
    /// As nearly everybody has it.
    pub const USUAL: Self = Self {
        payload_type: 101,
        clock_rate: 8000,
    };
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
    /// How digits are sent as telephone-event, when agreed.
    pub telephone_event: Option<TelephoneEvent>,
    /// Our RTP address, as offered.
    pub local: SocketAddr,
    /// The far end's RTP address, as answered.
    pub remote: SocketAddr,
    /// Where reports (RTCP) go; `None`: none are sent.
    pub control: Option<Control>,
    /// How much audio a packet carries.
    pub packet_time: Duration,
    /// Who sends.
    pub direction: Direction,
    /// Whether the call is still unanswered: the far end is heard, and nobody hears us.
    pub is_early: bool,
    /// With which keys, when encrypted. Without them packets are plain.
    pub keys: Option<Keys>,
}

impl Plan {
    /// The same before the call is answered; `None` when the far end would not be heard.
    pub fn early(self) -> Option<Self> {
        self.direction.receives().then_some(Self {
            direction: Direction::ReceiveOnly,
            is_early: true,
            ..self
        })
    }
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
            telephone_event: Some(TelephoneEvent::USUAL),
            local: SocketAddr::from(([192, 0, 2, 1], 16384)),
            remote: SocketAddr::from(([192, 0, 2, 2], 4000)),
            control: Control::beside(SocketAddr::from(([192, 0, 2, 2], 4000))),
            packet_time: Duration::from_millis(20),
            direction: Direction::SendReceive,
            is_early: false,
            keys: None,
        }
    }

    #[test]
    fn before_the_answer_nothing_is_sent_and_only_who_sends_is_heard() {
        let early = plan().early().unwrap();
        assert!(early.is_early && !early.direction.sends() && early.direction.receives());
        let held = Plan {
            direction: Direction::SendOnly,
            ..plan()
        };
        assert_eq!(held.early(), None);
    }

    #[test]
    fn on_hold_nobody_sends() {
        assert!(!Direction::Inactive.sends() && !Direction::Inactive.receives());
        assert!(Direction::SendOnly.sends() && !Direction::SendOnly.receives());
        assert!(!Direction::ReceiveOnly.sends() && Direction::ReceiveOnly.receives());
    }
}
