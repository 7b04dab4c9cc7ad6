//! `AlexaClient` / `ConnectionStatusChanged`.

use serde_json::json;

use super::field::{FieldFault, Fields};
use super::message::{Message, Printed, Row};

const TOPIC: &str = "AlexaClient";
const ACTION: &str = "ConnectionStatusChanged";

/// Its row in the list.
pub const ROW: Row = Row {
    topic: TOPIC,
    action: ACTION,
    read,
};

/// The plain form of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionStatus {
    /// Whether there is a connection.
    pub status: Status,
    /// Why.
    pub reason: Reason,
}

/// The detailed form of its payload, which devices with voice engines send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetailedConnection {
    /// To Alexa.
    pub avs: ConnectionStatus,
    /// To a voice engine on the device.
    pub local: ConnectionStatus,
}

impl DetailedConnection {
    /// The better of both, with the reason of the first one in that status.
    pub fn aggregate(self) -> ConnectionStatus {
        if self.local.status < self.avs.status {
            self.local
        } else {
            self.avs
        }
    }
}

/// `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Connected.
    Connected,
    /// Not connected, but trying.
    Pending,
    /// Not connected, and not trying.
    Disconnected,
}

impl Status {
    /// All of them, the best first.
    pub const ALL: &[Self] = &[Self::Connected, Self::Pending, Self::Disconnected];

    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "CONNECTED",
            Self::Pending => "PENDING",
            Self::Disconnected => "DISCONNECTED",
        }
    }

    /// Read without regard to case.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|status| status.name().eq_ignore_ascii_case(name))
    }
}

/// `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// There is none yet.
    None,
    /// Connected.
    Success,
    /// Retrying does not mend it.
    UnrecoverableError,
    /// Our own wish.
    AclClientRequest,
    /// Turned off by the configuration.
    AclDisabled,
    /// The name was not found, or not in time.
    DnsTimedout,
    /// The host could not be reached.
    ConnectionTimedout,
    /// The server has too much to do.
    ConnectionThrottled,
    /// The token is missing or refused.
    InvalidAuth,
    /// A ping was not answered.
    PingTimedout,
    /// A write was stuck.
    WriteTimedout,
    /// A handshake was not answered.
    ReadTimedout,
    /// TLS, HTTP or websocket rules were broken.
    FailureProtocolError,
    /// A fault of ours.
    InternalError,
    /// A fault of the server's.
    ServerInternalError,
    /// The server closed.
    ServerSideDisconnect,
    /// The server is somewhere else.
    ServerEndpointChanged,
}

impl Reason {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::None,
        Self::Success,
        Self::UnrecoverableError,
        Self::AclClientRequest,
        Self::AclDisabled,
        Self::DnsTimedout,
        Self::ConnectionTimedout,
        Self::ConnectionThrottled,
        Self::InvalidAuth,
        Self::PingTimedout,
        Self::WriteTimedout,
        Self::ReadTimedout,
        Self::FailureProtocolError,
        Self::InternalError,
        Self::ServerInternalError,
        Self::ServerSideDisconnect,
        Self::ServerEndpointChanged,
    ];

    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Success => "SUCCESS",
            Self::UnrecoverableError => "UNRECOVERABLE_ERROR",
            Self::AclClientRequest => "ACL_CLIENT_REQUEST",
            Self::AclDisabled => "ACL_DISABLED",
            Self::DnsTimedout => "DNS_TIMEDOUT",
            Self::ConnectionTimedout => "CONNECTION_TIMEDOUT",
            Self::ConnectionThrottled => "CONNECTION_THROTTLED",
            Self::InvalidAuth => "INVALID_AUTH",
            Self::PingTimedout => "PING_TIMEDOUT",
            Self::WriteTimedout => "WRITE_TIMEDOUT",
            Self::ReadTimedout => "READ_TIMEDOUT",
            Self::FailureProtocolError => "FAILURE_PROTOCOL_ERROR",
            Self::InternalError => "INTERNAL_ERROR",
            Self::ServerInternalError => "SERVER_INTERNAL_ERROR",
            Self::ServerSideDisconnect => "SERVER_SIDE_DISCONNECT",
            Self::ServerEndpointChanged => "SERVER_ENDPOINT_CHANGED",
        }
    }

    /// Read without regard to case.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.name().eq_ignore_ascii_case(name))
    }
}

pub(super) fn print(connection: ConnectionStatus) -> Printed {
    let payload = json!({"status": connection.status.name(), "reason": connection.reason.name()});
    (TOPIC, ACTION, payload)
}

pub(super) fn print_detailed(connection: DetailedConnection) -> Printed {
    let status =
        |status: ConnectionStatus| json!({"status": status.status.name(), "reason": status.reason.name()});
    let mut payload = status(connection.aggregate());
    payload["detailed"] = json!({"avs": status(connection.avs), "local": status(connection.local)});
    (TOPIC, ACTION, payload)
}

/// What is said of the connection to Alexa: `detailed.avs` where it is there, else status and reason.
fn read(payload: &Fields<'_>) -> Result<Message, FieldFault> {
    let detailed = payload.object_or_empty("detailed")?;
    let said = detailed
        .optional_object("avs")?
        .unwrap_or_else(|| payload.clone());
    Ok(Message::ConnectionStatus(ConnectionStatus {
        status: said.one_of("status", Status::read)?,
        reason: said.one_of("reason", Reason::read)?,
    }))
}
