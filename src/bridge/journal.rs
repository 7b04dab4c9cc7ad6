//! What the journal says of the bridge: one line a change, none a retry, never what a directive carries.

use super::failure::Failure;
use crate::alexa::messages::auth_state::{AuthState, AuthStatus};
use crate::alexa::messages::connection_status::{ConnectionStatus, Status};
use crate::alexa::messages::field::shown;
use crate::alexa::messages::incoming::{InvalidDirective, Received, Unanswerable};

/// The connection changed, because of a failure or without one.
pub(super) fn connection_changed(change: ConnectionStatus, failure: Option<&Failure>) {
    let reason = change.reason.name();
    match (change.status, failure) {
        (Status::Connected, _) => tracing::info!(event = "bridge-up", "the bridge is connected"),
        (Status::Pending, Some(failure)) => {
            tracing::warn!(
                event = "bridge-down",
                reason,
                "no bridge, trying again: {failure}"
            );
        }
        (Status::Disconnected, Some(failure)) => {
            tracing::warn!(event = "bridge-down", reason, "no bridge: {failure}");
        }
        (Status::Pending, None) => tracing::debug!(reason, "connecting to the bridge"),
        (Status::Disconnected, None) => tracing::info!(reason, "no bridge, as we were told"),
    }
}

/// The authorisation changed, because of a failure or without one.
pub(super) fn auth_changed(change: AuthStatus, failure: Option<&Failure>) {
    let Some(failure) = failure else {
        return tracing::debug!("the bridge takes our token");
    };
    let remedy = match change.state {
        AuthState::Uninitialized | AuthState::Refreshed => {
            "put the token into the file that bridge.token_file names"
        }
        AuthState::Expired => "put a new token into the file that bridge.token_file names",
        AuthState::UnrecoverableError => {
            "this token may not use bridge.url: have the room admitted there, or give it a token of its own"
        }
    };
    let error = change.error.name();
    tracing::error!(
        event = "auth-failed",
        error,
        "not authorised at the bridge: {failure}; {remedy}"
    );
}

/// A directive came.
pub(super) fn directive(received: &Received) {
    tracing::info!(
        directive_id = %shown(&received.message_id),
        directive_name = received.name,
        "{}.{}",
        received.namespace,
        received.name,
    );
}

/// A directive came that is answered with `INVALID_DIRECTIVE`.
pub(super) fn invalid_directive(invalid: &InvalidDirective) {
    let directive_id = shown(invalid.message_id.as_deref().unwrap_or_default());
    tracing::info!(%directive_id, "a directive was refused: {}", invalid.fault);
}

/// The `count`-th frame came that cannot be answered.
pub(super) fn frame_dropped(count: u64, fault: &Unanswerable) {
    // A far end that sends nothing else shall not fill the journal: 1, 2, 4, 8, …
    match count.is_power_of_two() {
        true => tracing::warn!(count, "a frame was dropped: {fault}"),
        false => tracing::debug!(count, "a frame was dropped: {fault}"),
    }
}
