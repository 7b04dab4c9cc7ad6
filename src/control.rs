//! What the commands `meetd status`, `join`, `end`, `hold`, `mute`, `dtmf` and `volume` ask of the running daemon over its
//! control socket, and what it answers: one JSON object a line each way.

use std::fmt;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::network::Transport;
use crate::secret::Secret;

/// The longest line in either direction, in bytes, its newline not counted.
pub const LONGEST_LINE: usize = 64 * 1024;

/// What a command asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// How things are.
    Status,
    /// How things are, and again whenever that changes.
    Watch,
    /// The figures of the daemon's life.
    Metrics,
    /// What `JoinMeeting` asks for.
    Join(Join),
    /// What `EndMeeting` asks for.
    End,
    /// To put the call on hold, or to take it off.
    Hold(bool),
    /// That the meeting does not hear the room, or hears it again.
    Mute(bool),
    /// Digits during a meeting, with the pauses `w` and `,`.
    Digits(Secret),
    /// What `SetVolume` asks for.
    Volume(u8),
}

/// The meeting of a [`Request::Join`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Host, URI or number.
    pub endpoint: String,
    /// SIP, SIPS or H323, in any case.
    pub protocol: String,
    /// The provider whose template is used.
    pub provider: String,
    /// The meeting's id; never empty.
    pub id: Option<String>,
    /// The meeting's PIN; never empty.
    pub pin: Option<Secret>,
    /// Only say what would be dialled and why it may.
    pub dry_run: bool,
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "camelCase")]
pub enum Reply {
    /// To [`Request::Status`] and [`Request::Watch`].
    Status(Box<StatusReport>),
    /// To [`Request::Metrics`].
    Metrics {
        /// In the text format of Prometheus.
        text: String,
    },
    /// Done, or what would be done.
    Done {
        /// What the event would say, in a sentence.
        sentence: String,
    },
    /// Not done.
    Refused {
        /// The type of the ErrorResponse.
        kind: String,
        /// Its message.
        message: String,
    },
    /// The line was no request.
    NotUnderstood {
        /// What was wrong with it.
        message: String,
    },
}

/// What is wrong with a line. It quotes nothing of it: a PIN may be anywhere in a malformed one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlFault {
    /// More than [`LONGEST_LINE`] bytes.
    #[error("the line has {0} bytes; at most {LONGEST_LINE} are read")]
    TooLong(usize),
    /// It is no JSON.
    #[error("the line is no JSON (at column {0})")]
    NoJson(usize),
    /// It is JSON, but not of these messages.
    #[error("the line is JSON, but no message that this version knows (at column {0})")]
    Unknown(usize),
}

impl Request {
    /// Reads a line.
    pub fn read(line: &str) -> Result<Self, ControlFault> {
        Ok(match read(line)? {
            RequestLine::Status {} => Self::Status,
            RequestLine::Watch {} => Self::Watch,
            RequestLine::Metrics {} => Self::Metrics,
            RequestLine::End {} => Self::End,
            RequestLine::Hold { on } => Self::Hold(on),
            RequestLine::Mute { on } => Self::Mute(on),
            RequestLine::Digits { digits } => Self::Digits(Secret::new(digits)),
            RequestLine::Volume { volume } => Self::Volume(volume),
            RequestLine::Join {
                endpoint,
                protocol,
                provider,
                id,
                pin,
                dry_run,
            } => Self::Join(Join {
                endpoint,
                protocol,
                provider,
                id: id.filter(|id| !id.is_empty()),
                pin: pin.filter(|pin| !pin.is_empty()).map(Secret::new),
                dry_run,
            }),
        })
    }

    /// The line, without its newline. It holds the PIN: for the socket only.
    pub fn to_line(&self) -> Secret {
        let line = match self {
            Self::Status => RequestLine::Status {},
            Self::Watch => RequestLine::Watch {},
            Self::Metrics => RequestLine::Metrics {},
            Self::End => RequestLine::End {},
            Self::Hold(on) => RequestLine::Hold { on: *on },
            Self::Mute(on) => RequestLine::Mute { on: *on },
            Self::Digits(digits) => RequestLine::Digits {
                digits: digits.expose().to_owned(),
            },
            Self::Volume(volume) => RequestLine::Volume { volume: *volume },
            Self::Join(join) => RequestLine::Join {
                endpoint: join.endpoint.clone(),
                protocol: join.protocol.clone(),
                provider: join.provider.clone(),
                id: join.id.clone(),
                pin: join.pin.as_ref().map(|pin| pin.expose().to_owned()),
                dry_run: join.dry_run,
            },
        };
        Secret::new(write(&line))
    }
}

impl Reply {
    /// Reads a line.
    pub fn read(line: &str) -> Result<Self, ControlFault> {
        read(line)
    }

    /// The line, without its newline.
    pub fn to_line(&self) -> String {
        write(self)
    }
}

/// A request as the line spells it. A field that is not known is refused: it may be what keeps a join from dialling.
#[derive(Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "camelCase", deny_unknown_fields)]
enum RequestLine {
    Status {},
    Watch {},
    Metrics {},
    #[serde(rename_all = "camelCase")]
    Join {
        endpoint: String,
        protocol: String,
        provider: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin: Option<String>,
        #[serde(default)]
        dry_run: bool,
    },
    End {},
    Hold {
        on: bool,
    },
    Mute {
        on: bool,
    },
    Digits {
        digits: String,
    },
    Volume {
        volume: u8,
    },
}

fn read<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, ControlFault> {
    if line.len() > LONGEST_LINE {
        return Err(ControlFault::TooLong(line.len()));
    }
    serde_json::from_str(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ControlFault::Unknown(error.column()),
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => ControlFault::NoJson(error.column()),
    })
}

fn write(message: &impl Serialize) -> String {
    // Only maps with other keys than texts cannot be written, and there is none.
    serde_json::to_string(message).unwrap_or_default()
}

/// The object of `meetd status --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The daemon's version.
    pub version: String,
    /// The room's endpointId.
    pub endpoint_id: String,
    /// The connection to the bridge, as ConnectionStatusChanged tells it.
    pub connection: ConnectionReport,
    /// The local voice engine.
    pub local: LocalReport,
    /// The authorization, as AuthStateChanged tells it.
    pub auth: AuthReport,
    /// The known assistants, as DialogStateChanged tells them.
    pub dialogs: Vec<DialogReport>,
    /// The call that is being placed or up.
    pub call: Option<CallReport>,
    /// The one before.
    pub last_call: Option<LastCallReport>,
    /// Whether we are registered; `None` without a registrar.
    pub registered: Option<bool>,
    /// Whether the room is on.
    pub power: Power,
    /// The loudspeaker's volume, 0 to 100.
    pub volume: u8,
    /// Whether the loudspeaker is muted.
    pub muted: bool,
    /// The last thing that went wrong.
    pub last_error: Option<LastError>,
    /// The keys of the configuration whose changed values wait for a restart.
    #[serde(default)]
    pub needs_restart: Vec<String>,
}

/// `connection`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionReport {
    /// CONNECTED, PENDING or DISCONNECTED.
    pub status: String,
    /// The reason that goes with it.
    pub reason: String,
    /// Since when, if it ever changed.
    pub since: Option<Utc>,
    /// When the certificate expires that the bridge showed last.
    #[serde(default)]
    pub certificate_expires: Option<Utc>,
}

/// `local`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalReport {
    /// CONNECTED or DISCONNECTED.
    pub status: String,
    /// The reason that goes with it.
    pub reason: String,
}

/// `auth`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthReport {
    /// UNINITIALIZED, REFRESHED, EXPIRED or UNRECOVERABLE_ERROR.
    pub state: String,
    /// The error that goes with it.
    pub error: String,
}

/// An entry of `dialogs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DialogReport {
    /// 2 is Alexa, more are co-assistants.
    pub assistant_id: u32,
    /// IDLE, LISTENING, THINKING or SPEAKING.
    pub state: String,
}

/// `call`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallReport {
    /// The callId of the messages.
    pub call_id: String,
    /// As in CallStateChanged.
    pub state: String,
    /// SIP, SIPS or H323.
    pub protocol: String,
    /// The dial string with the PIN as `***`.
    pub remote: String,
    /// The provider of the directive.
    pub provider: String,
    /// Since when it is in this state.
    pub since: Option<Utc>,
    /// How the signalling travels, once that is known.
    pub transport: Option<Transport>,
    /// What was agreed, once it was: `pcmu`.
    pub codec: Option<String>,
    /// Whether the audio is encrypted.
    pub srtp: bool,
    /// What the meeting hears of the room.
    pub microphone: Microphone,
    /// The figures so far.
    pub media: MediaReport,
}

/// `call.microphone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Microphone {
    /// Everything.
    On,
    /// Nothing: somebody muted it.
    Muted,
    /// Nothing while the room talks to its assistant.
    Dialog,
    /// Nothing: the call is on hold.
    Hold,
}

/// `call.media`. What was not measured is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaReport {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that never came, in percent of those expected.
    pub loss_percent: Option<f64>,
    /// Interarrival jitter, in milliseconds.
    pub jitter_ms: Option<f64>,
    /// To the far end and back, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// How long audio is gathered and held back before it is heard, in milliseconds.
    pub delay_ms: Option<f64>,
    /// Audio that had to be made up, in percent.
    pub concealed_percent: Option<f64>,
    /// What the microphone hears, muted or not, before anything is done to it: in dBFS, −127 for silence.
    pub microphone_dbfs: Option<f64>,
    /// What is sent, in dBFS.
    pub sent_dbfs: Option<f64>,
    /// What is received, in dBFS.
    pub received_dbfs: Option<f64>,
    /// How often a sound card ran dry or over.
    pub device_slips: Option<u64>,
    /// The estimated mean opinion score, 1 to 4.5.
    pub mos: Option<f64>,
}

/// `lastCall`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastCallReport {
    /// The callId of the messages.
    pub call_id: String,
    /// As in CallFailed; `None` after an orderly end.
    pub code: Option<String>,
    /// How it ended, in a sentence.
    pub message: String,
    /// The SIP status that ended it, if one did.
    pub sip_status: Option<u16>,
    /// From the answer to the end; 0 when it was not answered.
    pub duration_seconds: u64,
}

/// `power`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// The room takes part.
    On,
    /// It sleeps.
    Off,
}

/// `lastError`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When.
    pub at: Utc,
    /// What, in a sentence.
    pub message: String,
}

/// A time in UTC, written to the second as RFC 3339 spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc(pub jiff::Timestamp);

impl fmt::Display for Utc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.0}", self.0)
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
