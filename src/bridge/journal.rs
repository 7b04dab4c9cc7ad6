//! What the journal says of the bridge: one line a change, none a retry, few of what changes all
//! the time, never what a directive carries.

use std::time::Duration;

use super::failure::Failure;
use crate::alexa::messages::auth_state::{AuthState, AuthStatus};
use crate::alexa::messages::connection_status::{ConnectionStatus, Status};
use crate::alexa::messages::field::shown;
use crate::alexa::messages::incoming::{InvalidDirective, Received, Unanswerable};
use crate::time::{Allowance, Now};

/// Changes of the connection that are told at once; a bridge that comes and goes is then told of now and then, with the
/// number of its failures.
const CHANGES: Allowance = Allowance::new(6, Duration::from_secs(15 * 60));
/// The same for refusals of our token, each of which somebody must act upon.
const REFUSALS: Allowance = Allowance::new(4, Duration::from_secs(15 * 60));

/// What is told of the connection and of the authorisation.
#[derive(Debug)]
pub(super) struct Journal {
    changes: Allowance,
    refusals: Allowance,
    /// Since the last line.
    failures: u64,
    /// What is true and was not told, with the failure that it comes from.
    untold: Option<(ConnectionStatus, Option<String>)>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            changes: CHANGES,
            refusals: REFUSALS,
            failures: 0,
            untold: None,
        }
    }
}

impl Journal {
    /// There is no connection; whether that is a change comes after.
    pub(super) fn failed(&mut self) {
        self.failures += 1;
    }

    /// The connection changed, because of a failure or without one.
    pub(super) fn connection_changed(
        &mut self,
        now: Now,
        change: ConnectionStatus,
        failure: Option<&Failure>,
    ) {
        let reason = change.reason.name();
        match (change.status, failure) {
            (Status::Pending, None) => tracing::debug!(reason, "connecting to the bridge"),
            // Somebody here wanted it so.
            (Status::Disconnected, None) => {
                self.untold = None;
                tracing::info!(reason, "no bridge, as we were told");
            }
            (Status::Connected, _) | (Status::Pending | Status::Disconnected, Some(_)) => {
                self.untold = Some((change, failure.map(ToString::to_string)));
                self.tell(now);
            }
        }
    }

    /// Tells what could not be told when it happened, if it is still true.
    pub(super) fn tell(&mut self, now: Now) {
        if self.untold.is_none() || !self.changes.take(now.moment) {
            return;
        }
        let Some((change, failure)) = self.untold.take() else {
            return;
        };
        let failures = std::mem::take(&mut self.failures);
        let reason = change.reason.name();
        match (change.status, failure) {
            (Status::Connected, _) if failures > 1 => tracing::info!(
                event = "bridge-up",
                failures,
                "the bridge is connected, after {failures} failures"
            ),
            (Status::Connected, _) => tracing::info!(event = "bridge-up", "the bridge is connected"),
            (Status::Pending | Status::Disconnected, failure) => {
                let failure = failure.unwrap_or_default();
                let trying = match change.status {
                    Status::Pending => ", trying again",
                    Status::Connected | Status::Disconnected => "",
                };
                if failures > 1 {
                    tracing::warn!(
                        event = "bridge-down",
                        reason,
                        failures,
                        "no bridge{trying}: {failure}; it has failed {failures} times since the last line"
                    );
                } else {
                    tracing::warn!(event = "bridge-down", reason, "no bridge{trying}: {failure}");
                }
            }
        }
    }

    /// The authorisation changed, because of a failure or without one.
    pub(super) fn auth_changed(&mut self, now: Now, change: AuthStatus, failure: Option<&Failure>) {
        match failure {
            None => tracing::debug!("the bridge takes our token"),
            Some(failure) if self.refusals.take(now.moment) => token_refused(change, failure),
            Some(failure) => tracing::debug!("not authorised at the bridge: {failure}"),
        }
    }
}

fn token_refused(change: AuthStatus, failure: &Failure) {
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
