//! What the service manager is told: READY, RELOADING, STATUS, STOPPING and the watchdog's ping. Without a `NOTIFY_SOCKET`
//! nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::agent::Readiness;

/// Tells the service manager. A status is one line of at most 512 characters, whatever it was made from.
pub fn notify(readiness: &Readiness) {
    match readiness {
        Readiness::Ready => send(&NotifyState::Ready),
        Readiness::Status(words) => send(&NotifyState::Status(&one_line(words))),
        Readiness::Stopping => send(&NotifyState::Stopping),
    }
}

/// The configuration is being read again; READY follows (sd_notify(3): with the time, or it is refused).
pub fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(time) => send_all(&[NotifyState::Reloading, time]),
        Err(error) => tracing::debug!(error = %error, "the time of a reload cannot be told"),
    }
}

/// How often the watchdog wants to hear from the loop: half of `WATCHDOG_USEC`; `None` when it is not set for us.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
        .map(|limit| limit / 2)
        .filter(|interval| !interval.is_zero())
}

/// The loop is alive.
pub fn ping_watchdog() {
    send(&NotifyState::Watchdog);
}

fn send(state: &NotifyState<'_>) {
    send_all(std::slice::from_ref(state));
}

fn send_all(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(error = %error, "the service manager did not take a notification");
    }
}

/// A line feed would start another assignment: a status could claim READY.
fn one_line(words: &str) -> String {
    words
        .chars()
        .take(512)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_cannot_smuggle_another_assignment() {
        assert_eq!(one_line("calls\nWATCHDOG=trigger\0"), "calls WATCHDOG=trigger ");
        assert_eq!(one_line(&"x".repeat(10_000)).len(), 512);
    }
}
