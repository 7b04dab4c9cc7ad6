//! Whether the AlexaClient is connected, and why.
//!
//! ```text
//!   DISCONNECTED ──> PENDING <──> CONNECTED
//!        ^  ^───────────┘             │
//!        └────────────────────────────┘
//! ```
//! Each arrow is taken on the bridge's word; the same status and reason again are no change.

use jiff::Timestamp;

use crate::alexa::messages::connection_status::{ConnectionStatus, Reason, Status};
use crate::time::Now;

/// The connection.
#[derive(Clone, Debug)]
pub struct Connection {
    current: ConnectionStatus,
    since: Timestamp,
}

impl Connection {
    /// DISCONNECTED/NONE: before the first try.
    pub fn new() -> Self {
        Self {
            current: ConnectionStatus {
                status: Status::Disconnected,
                reason: Reason::None,
            },
            since: Timestamp::UNIX_EPOCH,
        }
    }

    /// Takes what has become true; gives it back when it is a change.
    pub fn change(&mut self, now: Now, next: ConnectionStatus) -> Option<ConnectionStatus> {
        if self.current == next {
            return None;
        }
        tracing::debug!(
            "connection: {}/{} -> {}/{}",
            self.current.status.name(),
            self.current.reason.name(),
            next.status.name(),
            next.reason.name(),
        );
        self.current = next;
        self.since = now.wall;
        Some(next)
    }

    /// What is true.
    pub fn current(&self) -> ConnectionStatus {
        self.current
    }

    /// Since when; 1970 before the first change.
    pub fn since(&self) -> Timestamp {
        self.since
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Moment;

    #[test]
    fn the_same_again_is_no_change_and_keeps_its_time() {
        let mut connection = Connection::new();
        let pending = status(Status::Pending, Reason::DnsTimedout);
        assert_eq!(connection.change(at(1), pending), Some(pending));
        assert_eq!(connection.change(at(2), pending), None);
        assert_eq!(connection.since(), at(1).wall);
        let other_reason = status(Status::Pending, Reason::ReadTimedout);
        assert_eq!(connection.change(at(3), other_reason), Some(other_reason));
        assert_eq!(connection.since(), at(3).wall);
    }

    #[test]
    fn it_starts_disconnected_without_a_reason() {
        let start = status(Status::Disconnected, Reason::None);
        assert_eq!(Connection::new().current(), start);
        assert_eq!(Connection::new().change(at(1), start), None);
    }

    fn status(status: Status, reason: Reason) -> ConnectionStatus {
        ConnectionStatus { status, reason }
    }

    fn at(second: i64) -> Now {
        Now {
            moment: Moment::default(),
            wall: Timestamp::from_second(second).unwrap(),
        }
    }
}
