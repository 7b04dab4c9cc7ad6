//! How a far end behaves, and what it keeps of each call.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::HANG_GUARD;
use super::sip_text::Message;
use super::sound::Ear;
use super::telephone::Prompt;

/// What it does with an INVITE.
#[derive(Clone, Debug)]
pub enum Manner {
    /// 100, 180, and after this long 200, with audio.
    Answer {
        /// How long it rings.
        after: Duration,
    },
    /// 100 and 180, and never more.
    RingForEver,
    /// Nothing at all, to a BYE neither.
    Silent,
    /// This final response.
    Refuse(u16, &'static str),
    /// The first half of a 200, and nothing else.
    HalfMessage,
    /// Bytes that are no SIP.
    Garbage,
    /// 200 without a body.
    WithoutSdp,
    /// 200 whose SDP refuses the audio (RFC 3264 6).
    PortZero,
}

impl Manner {
    /// Whether it says that it rings.
    pub fn rings(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::RingForEver)
    }
}

/// What it sounds like, and asks for.
#[derive(Clone, Debug)]
pub struct Voice {
    /// The meeting's tone, in hertz; [`super::sound::CHATTER`] or [`super::sound::NOTHING`].
    pub tone: u32,
    /// Whether a PIN is asked for first.
    pub prompt: Option<Prompt>,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            tone: 600,
            prompt: None,
        }
    }
}

/// How far a call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The INVITE came.
    Invited,
    /// 200 left, no ACK yet.
    Answered,
    /// ACK came.
    Confirmed,
    /// We sent BYE.
    Leaving,
    /// A final response of 300 or more left.
    Refused,
    /// CANCEL came in time.
    Cancelled,
    /// They sent BYE.
    TheyLeft,
    /// Our BYE was answered.
    WeLeft,
}

impl Phase {
    /// Whether nothing is left of it.
    pub fn is_over(self) -> bool {
        match self {
            Self::Invited | Self::Answered | Self::Confirmed | Self::Leaving => false,
            Self::Refused | Self::Cancelled | Self::TheyLeft | Self::WeLeft => true,
        }
    }
}

/// One call, as the far end knows it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its first INVITE.
    pub invite: Message,
    /// How far it got.
    pub phase: Phase,
    /// Audio and digits.
    pub ear: Ear,
    /// When the right PIN was complete.
    pub pin_at: Option<Instant>,
    /// How many wrong ones came.
    pub wrong_pins: u32,
    /// The way back to the caller.
    pub path: Path,
    /// Our final response.
    pub answer: Option<Message>,
}

/// All that a far end saw and did.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every message, theirs and ours, with its time.
    pub messages: Vec<Line>,
    /// The calls, oldest first.
    pub calls: Vec<Call>,
    /// What was wrong with what came.
    pub complaints: Vec<String>,
}

/// One message on the wire.
#[derive(Clone, Debug)]
pub struct Line {
    /// When.
    pub at: Instant,
    /// Whether it came from them.
    pub theirs: bool,
    /// What.
    pub message: Message,
}

impl Seen {
    /// When the first message of theirs came, or of ours left, that fits.
    pub fn first(&self, theirs: bool, fits: impl Fn(&Message) -> bool) -> Option<Instant> {
        let fitting = self
            .messages
            .iter()
            .find(|line| line.theirs == theirs && fits(&line.message));
        fitting.map(|line| line.at)
    }

    /// How many requests of theirs had this method, repeats included.
    pub fn count(&self, method: &str) -> usize {
        self.messages
            .iter()
            .filter(|line| line.theirs && line.message.is(method))
            .count()
    }
}

/// The way back to whoever sent a request.
#[derive(Clone, Debug)]
pub enum Path {
    /// From our socket to this address.
    Udp(Arc<UdpSocket>, SocketAddr),
    /// The connection on which it came.
    Tcp(Arc<TcpStream>),
}

impl Path {
    /// Sends bytes. A caller that is gone is what some tests are about.
    pub fn send(&self, bytes: &[u8]) {
        match self {
            Self::Udp(socket, to) => drop(socket.send_to(bytes, to)),
            Self::Tcp(stream) => {
                let _ = stream.set_write_timeout(Some(HANG_GUARD));
                let _ = (&**stream).write_all(bytes);
            }
        }
    }
}
