//! The server transaction of every request but INVITE and ACK (RFC 3261 17.2.2).

use std::collections::VecDeque;
use std::time::Duration;

use super::{Output, PATIENCE};
use crate::dialer::sip::wire::Response;
use crate::time::{Deadline, Moment, Now};

/// ```text
///          1xx               200–699
/// Trying ──────→ Proceeding ────────→ Completed ──J──→ Terminated
///    └──────────────200–699──────────────↑
/// ```
#[derive(Clone, Debug)]
enum State {
    Trying,
    Proceeding { last: Vec<u8> },
    Completed { response: Vec<u8>, until: Moment },
    Terminated,
}

/// One request that came to us.
#[derive(Debug)]
pub struct ServerOther {
    state: State,
    is_reliable: bool,
    outputs: VecDeque<Output>,
}

impl ServerOther {
    /// The transaction of a request that just came.
    pub fn start(is_reliable: bool) -> Self {
        Self {
            state: State::Trying,
            is_reliable,
            outputs: VecDeque::new(),
        }
    }

    /// Takes the same request again.
    pub fn handle_repeat(&mut self) {
        match &self.state {
            State::Proceeding { last: bytes } | State::Completed { response: bytes, .. } => {
                self.outputs.push_back(Output::Transmit(bytes.clone()));
            }
            State::Trying | State::Terminated => {}
        }
    }

    /// Sends the user's response. A second final one is dropped.
    pub fn respond(&mut self, now: Now, response: &Response) {
        match self.state {
            State::Trying | State::Proceeding { .. } => {}
            State::Completed { .. } | State::Terminated => return,
        }
        let bytes = response.to_bytes();
        self.outputs.push_back(Output::Transmit(bytes.clone()));
        if response.status < 200 {
            self.enter(State::Proceeding { last: bytes });
        } else {
            // Timer J is zero where nothing is retransmitted.
            let stay = if self.is_reliable {
                Duration::ZERO
            } else {
                PATIENCE
            };
            self.enter(State::Completed {
                response: bytes,
                until: now.moment + stay,
            });
        }
    }

    /// Takes a failure of its flow.
    pub fn handle_fault(&mut self) {
        self.enter(State::Terminated);
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        match self.state {
            State::Completed { until, .. } if until <= now.moment => self.enter(State::Terminated),
            State::Trying | State::Proceeding { .. } | State::Completed { .. } | State::Terminated => {}
        }
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        match self.state {
            State::Completed { until, .. } => Some(Deadline {
                at: until,
                why: "repeated request (timer J)",
            }),
            // Every request is answered in the turn in which it comes.
            State::Trying | State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// Whether it can be forgotten.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.state.name(), to = next.name(), "server transaction");
        self.state = next;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Trying => "Trying",
            Self::Proceeding { .. } => "Proceeding",
            Self::Completed { .. } => "Completed",
            Self::Terminated => "Terminated",
        }
    }
}
