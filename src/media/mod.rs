//! Audio, without a device or socket: what was agreed, RTP streams, digits, quality. The pacer thread at the edge
//! drives it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::call::DigitScript;

pub mod call_tones;
pub mod codec;
pub mod digits;
pub mod loudspeaker;
pub mod mos;
pub mod plan;
pub mod playout;
pub mod processing;
pub mod quality;
pub mod receiver;
pub mod reports;
pub mod resample;
pub mod sender;
pub mod srtp;
pub mod stream;

pub use call_tones::CallTone;
pub use loudspeaker::Loudspeaker;
pub use plan::{CodecName, Control, Direction, Plan, TelephoneEvent};
pub use processing::{Processing, Processor};
pub use stream::{Leaving, Stream};

/// The beat of all audio here.
pub const TICK: Duration = Duration::from_millis(20);
/// Samples in a second, one channel: of all audio between the devices and the codecs.
pub const RATE: u32 = 48_000;
/// Samples in a tick.
pub const FRAME: usize = RATE as usize / 50;

/// What a dialer tells the audio side, for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open an RTP socket on this address: the source address of the route to the far end.
    Reserve {
        /// The address for RTP.
        source: IpAddr,
    },
    /// Start, or go on with a changed plan.
    Start(Box<Plan>),
    /// Send silence in the place of the microphone, or the microphone again. Counts from [`Command::Reserve`] on.
    Mute(bool),
    /// Send these digits after those that are being sent: by RFC 4733 when the plan has telephone-event, else as
    /// tones in the audio. [`Event::DigitsSent`] or [`Event::DigitsFailed`] follows.
    SendDigits(DigitScript),
    /// End and close. Nothing is heard of this call's audio afterwards.
    Stop,
    /// Let the room hear this in place of what it hears of tones; `None`: nothing more. Before [`Command::Start`] and
    /// after [`Command::Stop`], too; nothing is answered.
    Play(Option<CallTone>),
}

/// What the audio side tells, for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The socket is open, here.
    Reserved {
        /// The address to offer.
        local: SocketAddr,
    },
    /// No socket could be opened.
    ReserveFailed {
        /// Why, in words.
        why: String,
    },
    /// The first audio packet from the far end.
    FarAudio,
    /// The figures so far; about once a second while a call is up.
    Figures(Figures),
    /// The digits have left.
    DigitsSent,
    /// The digits of one command never leave: too many wait, or the audio has not started or broke.
    DigitsFailed {
        /// Why, in words.
        why: String,
    },
    /// A device failed; silence goes on in its place.
    DeviceLost {
        /// Which, and why.
        why: String,
    },
    /// A device that had failed works again.
    DeviceBack {
        /// Which.
        which: &'static str,
    },
}

/// The figures of a call's audio so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Packets that were received and counted as audio.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that the far end sent and we never got, in percent of those expected.
    pub loss_percent: f32,
    /// Interarrival jitter (RFC 3550 6.4.1), in milliseconds.
    pub jitter_ms: f32,
    /// What had to be made up of what was heard, in percent: lost, or too late.
    pub concealed_percent: f32,
    /// From the far end's network to the loudspeaker: how long audio is gathered and held back.
    pub playout_delay: Duration,
    /// To the far end and back, when its reports told.
    pub round_trip: Option<Duration>,
    /// The estimated mean opinion score (ITU-T G.107), 1 to 4.5; `None` before anything was heard.
    pub mos: Option<f32>,
    /// Whether the far end should hear the room: neither on hold nor muted.
    pub is_sending: bool,
    /// How long ago the last packet came, of audio or RTCP; since the start, or since hold ended, when none did. Zero while the far
    /// end is not to send.
    pub silent_for: Duration,
    /// The level of what was received lately, in dBFS (−127 for silence).
    pub far_level_dbfs: f32,
    /// The level of what was sent lately, in dBFS.
    pub near_level_dbfs: f32,
    /// The level of what the microphone heard lately, muted or not, before anything is done to it, in dBFS.
    pub microphone_level_dbfs: f32,
    /// How often a sound card ran dry or over.
    pub device_slips: u64,
}

impl Eq for Figures {}

/// The `[media]` section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the room's voice comes from.
    pub input: InputDevice,
    /// Where the meeting's voice goes.
    pub output: OutputDevice,
    /// In order of preference; only those that are built in.
    pub codecs: Vec<CodecName>,
    /// How digits are sent.
    pub dtmf: DigitsBy,
    /// The local ports for RTP, even ones are taken.
    pub rtp_ports: RangeInclusive<u16>,
    /// Without RTP and RTCP for this long the call ends; `None`: never.
    pub rtp_timeout: Option<Duration>,
    /// What is done to the voice of a microphone.
    pub processing: Processing,
    /// Whether the room hears [`Command::Play`].
    pub tones: bool,
}

/// A source of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputDevice {
    /// `alsa:PCM`.
    Alsa(String),
    /// `file:PATH.wav`, repeated for ever.
    File(String),
    /// `tone:HZ`.
    Tone(u32),
    /// `silence`.
    Silence,
}

/// A sink of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputDevice {
    /// `alsa:PCM`.
    Alsa(String),
    /// `file:PATH.wav`, written anew with each call.
    File(String),
    /// `discard`.
    Discard,
}

/// `media.srtp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// RTP/SAVP: no call without keys.
    Require,
    /// Keys are offered where the signalling hides them; a plain answer is taken.
    Prefer,
    /// None.
    Off,
}

/// `media.dtmf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitsBy {
    /// RFC 4733 when the answer has it, else INFO when their Allow lists it, else in-band.
    Auto,
    /// RFC 4733 only.
    Rfc4733,
    /// SIP INFO only.
    Info,
    /// Tones in the audio.
    InBand,
}
