//! `AlexaClient` / `AuthStateChanged`.

use serde_json::json;

use super::field::{FieldFault, Fields};
use super::message::{Message, Printed, Row};

const TOPIC: &str = "AlexaClient";
const ACTION: &str = "AuthStateChanged";

/// Its row in the list.
pub const ROW: Row = Row {
    topic: TOPIC,
    action: ACTION,
    read,
};

/// Its payload. State and error are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthStatus {
    /// Whether we are authorised.
    pub state: AuthState,
    /// What went wrong last.
    pub error: AuthError,
}

/// `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthState {
    /// Not acquired yet.
    Uninitialized,
    /// Authorised: the only state that counts as such.
    Refreshed,
    /// Refused, but recoverable.
    Expired,
    /// Retrying does not mend it.
    UnrecoverableError,
}

impl AuthState {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Uninitialized,
        Self::Refreshed,
        Self::Expired,
        Self::UnrecoverableError,
    ];

    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uninitialized => "UNINITIALIZED",
            Self::Refreshed => "REFRESHED",
            Self::Expired => "EXPIRED",
            Self::UnrecoverableError => "UNRECOVERABLE_ERROR",
        }
    }

    /// Read without regard to case.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.name().eq_ignore_ascii_case(name))
    }
}

/// `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthError {
    /// None.
    NoError,
    /// Not known.
    UnknownError,
    /// The authorisation failed.
    AuthorizationFailed,
    /// This client is not authorised.
    UnauthorizedClient,
    /// The server had a fault.
    ServerError,
    /// The request was malformed, or could not be made.
    InvalidRequest,
    /// A parameter was wrong.
    InvalidValue,
    /// The authorisation is invalid, expired, revoked or another client's.
    AuthorizationExpired,
    /// The grant type is not supported.
    UnsupportedGrantType,
    /// The code pair is invalid.
    InvalidCodePair,
    /// The person has not answered yet.
    AuthorizationPending,
    /// Asked too often.
    SlowDown,
    /// A fault of ours.
    InternalError,
    /// The client id is not valid for code-based linking.
    InvalidCblClientId,
}

impl AuthError {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::NoError,
        Self::UnknownError,
        Self::AuthorizationFailed,
        Self::UnauthorizedClient,
        Self::ServerError,
        Self::InvalidRequest,
        Self::InvalidValue,
        Self::AuthorizationExpired,
        Self::UnsupportedGrantType,
        Self::InvalidCodePair,
        Self::AuthorizationPending,
        Self::SlowDown,
        Self::InternalError,
        Self::InvalidCblClientId,
    ];

    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoError => "NO_ERROR",
            Self::UnknownError => "UNKNOWN_ERROR",
            Self::AuthorizationFailed => "AUTHORIZATION_FAILED",
            Self::UnauthorizedClient => "UNAUTHORIZED_CLIENT",
            Self::ServerError => "SERVER_ERROR",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::InvalidValue => "INVALID_VALUE",
            Self::AuthorizationExpired => "AUTHORIZATION_EXPIRED",
            Self::UnsupportedGrantType => "UNSUPPORTED_GRANT_TYPE",
            Self::InvalidCodePair => "INVALID_CODE_PAIR",
            Self::AuthorizationPending => "AUTHORIZATION_PENDING",
            Self::SlowDown => "SLOW_DOWN",
            Self::InternalError => "INTERNAL_ERROR",
            Self::InvalidCblClientId => "INVALID_CBL_CLIENT_ID",
        }
    }

    /// Read without regard to case.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|error| error.name().eq_ignore_ascii_case(name))
    }
}

pub(super) fn print(auth: AuthStatus) -> Printed {
    let payload = json!({"state": auth.state.name(), "error": auth.error.name()});
    (TOPIC, ACTION, payload)
}

fn read(payload: &Fields<'_>) -> Result<Message, FieldFault> {
    Ok(Message::AuthState(AuthStatus {
        state: payload.one_of("state", AuthState::read)?,
        error: payload.one_of("error", AuthError::read)?,
    }))
}
