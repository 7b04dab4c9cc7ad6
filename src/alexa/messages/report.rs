//! What the room tells everyone without being asked: `PhoneCallController` CallStateChanged, CallFailed and
//! what became of digits.

use crate::call::CallId;

/// A change worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// `CallStateChanged`.
    CallState(CallState),
    /// `CallFailed`, before the IDLE of that call.
    CallFailed {
        /// Which call.
        call: CallId,
        /// What kind of failure.
        code: CallFailedCode,
        /// One plain sentence without PIN.
        message: String,
    },
    /// `SendDTMFSucceeded`.
    DigitsSent {
        /// In which call.
        call: String,
    },
    /// `SendDTMFFailed`.
    DigitsFailed {
        /// As the SendDTMF named it, else the call there is; `""` without one.
        call: String,
        /// What kind of failure.
        code: DigitsFailedCode,
        /// One plain sentence without the digits.
        message: String,
    },
}

/// `code` of `SendDTMFFailed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitsFailedCode {
    /// There is no such call, or it is not answered.
    CallNotInProgress,
    /// The digits are none, or did not leave.
    DtmfFailed,
}

impl DigitsFailedCode {
    /// All of them.
    pub const ALL: &[Self] = &[Self::CallNotInProgress, Self::DtmfFailed];

    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CallNotInProgress => "CALL_NOT_IN_PROGRESS",
            Self::DtmfFailed => "DTMF_FAILED",
        }
    }
}

/// The payload of `CallStateChanged`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallState {
    /// The state.
    pub state: CallStateName,
    /// Which call; `None` in a snapshot without a call (callId and callerId are `""` then).
    pub call: Option<CallId>,
    /// The dial string with the PIN as `***`.
    pub caller_id: String,
}

/// `state` of `CallStateChanged`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStateName {
    /// Being placed.
    Dialing,
    /// Rings at the far end.
    OutboundRinging,
    /// Answered.
    Active,
    /// Over, or none.
    Idle,
}

impl CallStateName {
    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dialing => "DIALING",
            Self::OutboundRinging => "OUTBOUND_RINGING",
            Self::Active => "ACTIVE",
            Self::Idle => "IDLE",
        }
    }
}

/// `code` of `CallFailed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailedCode {
    /// 486, 600, 603.
    Busy,
    /// 408, 480, our ring timeout.
    NoAnswer,
    /// DNS, connect, TLS, 503, registrar.
    NoCarrier,
    /// The rest, and faults in mid-call.
    Other,
}

impl CallFailedCode {
    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "BUSY",
            Self::NoAnswer => "NO_ANSWER",
            Self::NoCarrier => "NO_CARRIER",
            Self::Other => "OTHER",
        }
    }
}
