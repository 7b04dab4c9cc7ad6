//! The server transaction of an INVITE (RFC 3261 17.2.1, RFC 6026 7.1).

use std::collections::VecDeque;
use std::time::Duration;

use super::{Output, PATIENCE, T1, T2, T4};
use crate::dialer::sip::wire::Response;
use crate::time::{Deadline, Moment, Now};

/// ```text
///              300–699              ACK
/// Proceeding ─────────→ Completed ──────→ Confirmed ──I──→ Terminated
///     │ 2xx                 │ H                                ↑
///     └──→ Accepted ────────┴────────────L─────────────────────┘
/// ```
#[derive(Clone, Debug)]
enum State {
    Proceeding {
        last: Option<Vec<u8>>,
    },
    Completed {
        response: Vec<u8>,
        retransmit: Option<Retransmission>,
        give_up: Moment,
    },
    Confirmed {
        until: Moment,
    },
    Accepted {
        until: Moment,
    },
    Terminated,
}

/// Timer G: when next, and the wait after that one.
#[derive(Clone, Copy, Debug)]
struct Retransmission {
    at: Moment,
    then: Duration,
}

/// One INVITE that came to us.
#[derive(Debug)]
pub struct ServerInvite {
    state: State,
    is_reliable: bool,
    outputs: VecDeque<Output>,
}

impl ServerInvite {
    /// The transaction of an INVITE that just came.
    pub fn start(is_reliable: bool) -> Self {
        Self {
            state: State::Proceeding { last: None },
            is_reliable,
            outputs: VecDeque::new(),
        }
    }

    /// Takes the same INVITE again.
    pub fn handle_repeat(&mut self) {
        match &self.state {
            State::Proceeding { last: Some(bytes) } | State::Completed { response: bytes, .. } => {
                self.outputs.push_back(Output::Transmit(bytes.clone()));
            }
            // The user repeats its 2xx by itself (RFC 3261 13.3.1.4).
            State::Proceeding { last: None }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
        }
    }

    /// Takes the ACK of a refusal.
    pub fn handle_acknowledgement(&mut self, now: Now) {
        if let State::Completed { .. } = self.state {
            let stay = if self.is_reliable { Duration::ZERO } else { T4 };
            self.enter(State::Confirmed {
                until: now.moment + stay,
            });
        }
    }

    /// Sends the user's response. A second final one is dropped, but for 2xx after 2xx.
    pub fn respond(&mut self, now: Now, response: &Response) {
        let bytes = response.to_bytes();
        match (&self.state, response.status) {
            (State::Proceeding { .. }, 100..=199) => {
                self.enter(State::Proceeding {
                    last: Some(bytes.clone()),
                });
            }
            (State::Proceeding { .. } | State::Accepted { .. }, 200..=299) => {
                self.enter(State::Accepted {
                    until: now.moment + PATIENCE,
                });
            }
            (State::Proceeding { .. }, _) => {
                let retransmit = (!self.is_reliable).then(|| Retransmission {
                    at: now.moment + T1,
                    then: T1 * 2,
                });
                let give_up = now.moment + PATIENCE;
                self.enter(State::Completed {
                    response: bytes.clone(),
                    retransmit,
                    give_up,
                });
            }
            (
                State::Completed { .. }
                | State::Confirmed { .. }
                | State::Accepted { .. }
                | State::Terminated,
                _,
            ) => {
                return;
            }
        }
        self.outputs.push_back(Output::Transmit(bytes));
    }

    /// Takes a failure of its flow.
    pub fn handle_fault(&mut self) {
        self.enter(State::Terminated);
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        match &mut self.state {
            State::Completed { give_up: until, .. }
            | State::Confirmed { until }
            | State::Accepted { until }
                if *until <= now.moment =>
            {
                self.enter(State::Terminated);
            }
            State::Completed {
                response,
                retransmit: Some(timer),
                ..
            } if timer.at <= now.moment => {
                timer.at = now.moment + timer.then;
                timer.then = timer.then.saturating_mul(2).min(T2);
                self.outputs.push_back(Output::Transmit(response.clone()));
            }
            State::Proceeding { .. }
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
        }
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let at = |at: Moment, why| Some(Deadline { at, why });
        match &self.state {
            State::Completed {
                retransmit: Some(timer),
                give_up,
                ..
            } => at(timer.at.min(*give_up), "refusal unacknowledged (timers G, H)"),
            State::Completed {
                retransmit: None,
                give_up,
                ..
            } => at(*give_up, "refusal unacknowledged (timer H)"),
            State::Confirmed { until } => at(*until, "repeated ACK (timer I)"),
            State::Accepted { until } => at(*until, "repeated INVITE (timer L)"),
            // Every INVITE is answered in the turn in which it comes.
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// Whether it can be forgotten.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(
            from = self.state.name(),
            to = next.name(),
            "server INVITE transaction"
        );
        self.state = next;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Proceeding { .. } => "Proceeding",
            Self::Completed { .. } => "Completed",
            Self::Confirmed { .. } => "Confirmed",
            Self::Accepted { .. } => "Accepted",
            Self::Terminated => "Terminated",
        }
    }
}
