//! What became of a directive: the part of an event that the room decides.

use super::discover::Discovery;
use super::property::Property;

/// What the event of a directive tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: `Alexa.Response` with a context.
    Done,
    /// Not done: `Alexa.ErrorResponse`.
    Refused(Refusal),
    /// Done, and this changed: `Alexa.Response` with it in the context.
    Changed(Vec<Property>),
    /// What `ReportState` asked for: `Alexa.StateReport`.
    State(Vec<Property>),
    /// What `Discover` asked for.
    Discovered(Box<Discovery>),
}

impl Outcome {
    /// Whether a repeat is answered with it again. What only asked did nothing, and a repeat of it asks for what is
    /// true by then.
    pub fn is_worth_remembering(&self) -> bool {
        match self {
            Self::Done | Self::Refused(_) | Self::Changed(_) => true,
            Self::State(_) | Self::Discovered(_) => false,
        }
    }
}

/// Why a directive was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The type of the ErrorResponse.
    pub kind: ErrorType,
    /// What happened, in one plain sentence without PIN or token.
    pub message: String,
}

impl Refusal {
    /// A refusal of this kind with this sentence.
    pub fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// The types of `Alexa.ErrorResponse` that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorType {
    /// Malformed, or not known.
    InvalidDirective,
    /// Well-formed but unusable.
    InvalidValue,
    /// Another endpointId.
    NoSuchEndpoint,
    /// In another meeting, or the far end is.
    EndpointBusy,
    /// The far end wants credentials that we lack, or forbids.
    InsufficientPermissions,
    /// No usable audio could be agreed (`currentDeviceMode` `OTHER`) or the room is off (`ASLEEP`).
    NotSupportedInCurrentMode(DeviceMode),
    /// The join was ended here before it was answered.
    NotInOperation,
    /// The far end could not be reached, or did not answer.
    EndpointUnreachable,
    /// Our proxy, registrar or calendar could not be reached.
    BridgeUnreachable,
    /// A number outside 0 to 100.
    ValueOutOfRange,
    /// More calls than `calls.per_minute`.
    RateLimitExceeded,
    /// A fault of ours.
    InternalError,
}

/// `currentDeviceMode` of `NOT_SUPPORTED_IN_CURRENT_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceMode {
    /// The room is off.
    Asleep,
    /// Anything else.
    Other,
}

impl ErrorType {
    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidDirective => "INVALID_DIRECTIVE",
            Self::InvalidValue => "INVALID_VALUE",
            Self::NoSuchEndpoint => "NO_SUCH_ENDPOINT",
            Self::EndpointBusy => "ENDPOINT_BUSY",
            Self::InsufficientPermissions => "INSUFFICIENT_PERMISSIONS",
            Self::NotSupportedInCurrentMode(_) => "NOT_SUPPORTED_IN_CURRENT_MODE",
            Self::NotInOperation => "NOT_IN_OPERATION",
            Self::EndpointUnreachable => "ENDPOINT_UNREACHABLE",
            Self::BridgeUnreachable => "BRIDGE_UNREACHABLE",
            Self::ValueOutOfRange => "VALUE_OUT_OF_RANGE",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }
}
