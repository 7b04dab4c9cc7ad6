//! The AASB messages that we know: those that come in by a list, those that go out by one match.

use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use super::auth_state::{self, AuthStatus};
use super::call_failed;
use super::call_state;
use super::connection_status::{self, ConnectionStatus, DetailedConnection};
use super::dialog_state::{self, Dialog};
use super::envelope::{self, MessageType};
use super::field::{FieldFault, Fields, shown};
use super::incoming::Incoming;
use super::phone_call;
use super::report::Report;
use super::stop_foreground;
use crate::secret::Secret;

/// An AASB message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `AlexaClient` / `ConnectionStatusChanged`.
    ConnectionStatus(ConnectionStatus),
    /// The same in its detailed form, as we send it; what comes is read as the plain one.
    DetailedConnection(DetailedConnection),
    /// `AlexaClient` / `AuthStateChanged`.
    AuthState(AuthStatus),
    /// `AlexaClient` / `DialogStateChanged`.
    DialogState(Dialog),
    /// `AlexaClient` / `StopForegroundActivity`.
    StopForegroundActivity,
    /// `PhoneCallController` / `SendDTMF`.
    SendDigits {
        /// In this call; `None`: in the one there is.
        call: Option<String>,
        /// The digits, as they came.
        signal: Secret,
    },
    /// `PhoneCallController` / `Stop`.
    StopCall {
        /// This call; `None`: the one there is.
        call: Option<String>,
    },
    /// `PhoneCallController` / `CallStateChanged` or `CallFailed`.
    Call(Report),
}

impl Message {
    /// The whole message, ready to be sent under this id.
    pub fn print(&self, id: Uuid) -> String {
        let (topic, action, payload) = match self {
            Self::ConnectionStatus(status) => connection_status::print(*status),
            Self::DetailedConnection(connection) => connection_status::print_detailed(*connection),
            Self::AuthState(auth) => auth_state::print(*auth),
            Self::DialogState(dialog) => dialog_state::print(*dialog),
            Self::StopForegroundActivity => stop_foreground::print(),
            Self::Call(Report::CallState(state)) => call_state::print(state),
            Self::Call(Report::CallFailed { call, code, message }) => {
                call_failed::print(*call, *code, message)
            }
            Self::Call(Report::DigitsSent { call }) => phone_call::print_succeeded(call),
            Self::Call(Report::DigitsFailed { call, code, message }) => {
                phone_call::print_failed(call, *code, message)
            }
            Self::SendDigits { call, signal } => phone_call::print_send_dtmf(call.as_deref(), signal),
            Self::StopCall { call } => phone_call::print_stop(call.as_deref()),
        };
        envelope::print(id, topic, action, &payload)
    }
}

/// Topic, action and payload of a message.
pub type Printed = (&'static str, &'static str, Value);

/// A row of the list of messages that can come in.
pub struct Row {
    /// `messageDescription.topic`.
    pub topic: &'static str,
    /// `messageDescription.action`.
    pub action: &'static str,
    /// Reads `payload`; it gets an empty object when that is absent or null.
    pub read: fn(&Fields<'_>) -> Result<Message, FieldFault>,
}

/// Every message that can come in.
pub const ACTIONS: &[Row] = &[
    auth_state::ROW,
    connection_status::ROW,
    dialog_state::ROW,
    phone_call::SEND_DTMF,
    phone_call::STOP,
    stop_foreground::ROW,
];

/// Why an AASB message is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnusableMessage {
    /// A field of it.
    #[error("{0}")]
    Field(#[from] FieldFault),
    /// There is no such message, or it does not come in.
    #[error("the message {topic}/{action} is not known")]
    NotKnown {
        /// The topic, fit for showing.
        topic: String,
        /// The action, fit for showing.
        action: String,
    },
}

/// Reads a frame that has an object under `header`.
pub(super) fn read(frame: &Fields<'_>) -> Incoming {
    match understand(frame) {
        Ok(incoming) => incoming,
        Err(fault) => Incoming::Unusable(fault),
    }
}

fn understand(frame: &Fields<'_>) -> Result<Incoming, UnusableMessage> {
    let (message_type, topic, action) = envelope::read(frame)?;
    if message_type == MessageType::Reply {
        return Ok(Incoming::Reply);
    }
    let row = ACTIONS
        .iter()
        .find(|row| row.topic == topic && row.action == action)
        .ok_or_else(|| UnusableMessage::NotKnown {
            topic: shown(topic),
            action: shown(action),
        })?;
    let payload = frame.object_or_empty("payload")?;
    Ok(Incoming::Message((row.read)(&payload)?))
}
