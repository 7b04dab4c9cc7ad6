//! The words of a call, shared by the room that wants it, the dialer that makes it and everyone who is told.

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use crate::network::{ConnectFault, Transport};
use crate::secret::Secret;

/// One call of ours, from the decision to dial until its end. It is the `callId` of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub Uuid);

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a directive asks the call to be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SIP over whatever the target says.
    Sip,
    /// SIP over TLS with verified name, and SRTP.
    Sips,
    /// ITU-T H.323.
    H323,
}

impl Protocol {
    /// As the configuration and the messages spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::H323 => "h323",
        }
    }

    /// Read without regard to case.
    pub fn read(name: &str) -> Option<Self> {
        [Self::Sip, Self::Sips, Self::H323]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// Whom to call, decided and allowed by the room's dial plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialTarget {
    /// The protocol of the directive.
    pub protocol: Protocol,
    /// What is dialled: `user@host`, `host:port`, `[v6]:port`, a `sip:`, `sips:` or `h323:` URI. May hold a PIN.
    pub address: Secret,
    /// The same with the PIN as `***`: for messages, logs and people.
    pub shown: String,
}

/// One thing to do while sending digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DigitStep {
    /// Wait.
    Pause(Duration),
    /// Send `0`–`9`, `A`–`D`, `*` or `#`: 100 ms on, 100 ms off.
    Digit(char),
}

/// Digits as a person would press them, pauses between. Cannot be printed: it may be a PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct DigitScript(pub Vec<DigitStep>);

impl DigitScript {
    /// Reads digits with the pauses `w` (0.5 s) and `,` (2 s); `None` when another character is among them.
    pub fn read(text: &str) -> Option<Self> {
        text.chars()
            .map(|character| match character.to_ascii_uppercase() {
                'W' => Some(DigitStep::Pause(Duration::from_millis(500))),
                ',' => Some(DigitStep::Pause(Duration::from_secs(2))),
                digit @ ('0'..='9' | 'A'..='D' | '*' | '#') => Some(DigitStep::Digit(digit)),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// How long it takes to send: 100 ms on and 100 ms off a digit.
    pub fn lasts(&self) -> Duration {
        self.0
            .iter()
            .map(|step| match step {
                DigitStep::Pause(pause) => *pause,
                DigitStep::Digit(_) => Duration::from_millis(200),
            })
            .sum()
    }

    /// How many digits it has, pauses not counted.
    pub fn digits(&self) -> usize {
        self.0
            .iter()
            .filter(|step| matches!(step, DigitStep::Digit(_)))
            .count()
    }
}

impl fmt::Debug for DigitScript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DigitScript({} digits)", self.digits())
    }
}

/// What the room tells a dialer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallCommand {
    /// Make this call. It ends in exactly one [`CallEvent::Ended`], whatever happens.
    Dial {
        /// The name the call goes by.
        call: CallId,
        /// Whom to call.
        target: DialTarget,
        /// The longest ringing: unanswered for this long it is cancelled and ends as
        /// [`EndedHere::RangTooLong`].
        ring_timeout: Duration,
    },
    /// End it, in whatever state it is. `Ended` follows at once, when CANCEL or BYE has left or is armed; the
    /// dialer finishes the rest by itself.
    HangUp {
        /// Which call.
        call: CallId,
        /// Why, as `Ended` shall say.
        why: EndedHere,
    },
    /// Send digits to the far end, after those that are being sent.
    SendDigits {
        /// Which call.
        call: CallId,
        /// What to send.
        script: DigitScript,
    },
    /// The answer to [`CallEvent::Moved`], one verdict for each contact, in their order: those that may be dialled are
    /// tried, best first; without any the call ends with the refusal that named them.
    Follow {
        /// Which call.
        call: CallId,
        /// Whether each may be dialled.
        allowed: Vec<bool>,
    },
    /// Put the answered call on hold, or take it off. On hold nothing of the room is sent, at once and whatever the
    /// far end says to it.
    Hold {
        /// Which call.
        call: CallId,
        /// Whether it shall be on hold.
        is_held: bool,
    },
    /// Send silence in the place of the room's voice, or the voice again; from its placing to the end of the call.
    Mute {
        /// Which call.
        call: CallId,
        /// Whether the meeting shall hear nothing of the room.
        is_muted: bool,
    },
}

/// What a dialer tells the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// The far side works on it: the first provisional response of any kind.
    Proceeding {
        /// Which call.
        call: CallId,
    },
    /// It rings there.
    Ringing {
        /// Which call.
        call: CallId,
    },
    /// Answered, and audio goes both ways.
    Answered {
        /// Which call.
        call: CallId,
        /// What was agreed, for people.
        agreed: Agreed,
    },
    /// The far end sends the call on to others. Who may be dialled is the room's to say, in a
    /// [`CallCommand::Follow`]; nobody of them is called before.
    Moved {
        /// Which call.
        call: CallId,
        /// Where to, the best first: dial strings without parameters but `transport`. May hold a PIN.
        contacts: Vec<Secret>,
    },
    /// All digits of the oldest unfinished [`CallCommand::SendDigits`] have left.
    DigitsSent {
        /// Which call.
        call: CallId,
    },
    /// They could not be sent.
    DigitsFailed {
        /// Which call.
        call: CallId,
        /// Why, in words.
        why: String,
    },
    /// The call is over. The last event of its call.
    Ended {
        /// Which call.
        call: CallId,
        /// How it came.
        reason: EndReason,
    },
}

/// What both sides agreed on, as status and journal show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// How the signalling travels.
    pub transport: Transport,
    /// The codec's name in SDP, lower case: `pcmu`.
    pub codec: &'static str,
    /// Whether the audio is encrypted.
    pub srtp: bool,
}

/// Why we ended a call ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedHere {
    /// EndMeeting, Stop, `meetd end`, StopForegroundActivity.
    Asked,
    /// Another meeting took its place.
    Replaced,
    /// The room was turned off.
    PoweredOff,
    /// The daemon stops.
    Stopped,
    /// No provisional response by the deadline of the directive.
    NoResponse,
    /// It rang for `calls.ring_timeout`.
    RangTooLong,
    /// It lasted `calls.max_duration`.
    LastedTooLong,
    /// No audio came for `media.rtp_timeout`.
    NoAudio,
}

/// How a call ended. A failed call is data, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndReason {
    /// The far end hung up after answering; with the reason that it gave, if it gave one.
    #[error("the far end hung up{}", .0.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
    HungUp(Option<String>),
    /// We ended it.
    #[error("ended here")]
    EndedHere(EndedHere),
    /// A final response of 300 or above.
    #[error("{status} {phrase}")]
    Refused {
        /// The SIP status (H.323 causes are translated to the nearest).
        status: u16,
        /// Its words, at most 128 characters, without control characters.
        phrase: String,
    },
    /// 401 or 407 that we could not satisfy.
    #[error("{status}: the far end asks for a password: {why}")]
    NotAuthorized {
        /// 401 or 407.
        status: u16,
        /// What was missing or wrong: no username, unknown realm, wrong password.
        why: String,
    },
    /// The far end could not be reached at all.
    #[error("{0}")]
    Unreachable(ConnectFault),
    /// Our own outbound proxy or registrar could not be reached.
    #[error("the SIP proxy cannot be reached: {0}")]
    ProxyUnreachable(ConnectFault),
    /// The transaction timed out: no final response ever came (RFC 3261 17.1.1.2 timer B).
    #[error("no answer from {0}")]
    Silent(String),
    /// Answered, but without audio that we could use.
    #[error("no usable audio: {0}")]
    NoUsableAudio(String),
    /// The dial string cannot be dialled by this dialer.
    #[error("{0}")]
    BadTarget(String),
    /// The call broke while it was up.
    #[error("{0}")]
    Broken(String),
    /// A fault of ours.
    #[error("{0}")]
    OurFault(String),
}
