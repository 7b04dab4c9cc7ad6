//! The client transaction of every request but INVITE and ACK (RFC 3261 17.1.2).

use std::collections::VecDeque;
use std::time::Duration;

use super::{Failure, Output, PATIENCE, T1, T2, T4};
use crate::dialer::sip::wire::{Request, Response};
use crate::network::ConnectFault;
use crate::time::{Deadline, Moment, Now};

/// ```text
///            1xx             200–699
/// Trying ─────────→ Proceeding ───→ Completed ──K──→ Terminated
///    │ F, fault          │ F, fault                      ↑
///    └───────────────────┴───────────────────────────────┘
/// ```
/// Trying goes to Completed by the same responses as Proceeding.
#[derive(Clone, Debug)]
enum State {
    Trying {
        retransmit: Option<Retransmission>,
        give_up: Moment,
    },
    Proceeding {
        retransmit: Option<Retransmission>,
        give_up: Moment,
    },
    Completed {
        until: Moment,
    },
    Terminated,
}

/// Timer E: when next, and the wait after that one.
#[derive(Clone, Copy, Debug)]
struct Retransmission {
    at: Moment,
    then: Duration,
}

/// One request on its way.
#[derive(Debug)]
pub struct ClientOther {
    state: State,
    bytes: Vec<u8>,
    is_reliable: bool,
    outputs: VecDeque<Output>,
}

impl ClientOther {
    /// Sends the request.
    pub fn start(now: Now, request: &Request, is_reliable: bool) -> Self {
        let bytes = request.to_bytes();
        let retransmit = (!is_reliable).then(|| Retransmission {
            at: now.moment + T1,
            then: T1 * 2,
        });
        Self {
            state: State::Trying {
                retransmit,
                give_up: now.moment + PATIENCE,
            },
            outputs: VecDeque::from([Output::Transmit(bytes.clone())]),
            bytes,
            is_reliable,
        }
    }

    /// Takes a response that matches.
    pub fn handle_response(&mut self, now: Now, response: Response) {
        let (retransmit, give_up) = match &self.state {
            State::Trying { retransmit, give_up } | State::Proceeding { retransmit, give_up } => {
                (*retransmit, *give_up)
            }
            State::Completed { .. } | State::Terminated => return,
        };
        if response.status < 200 {
            let retransmit = retransmit.map(|timer| Retransmission { then: T2, ..timer });
            self.enter(State::Proceeding { retransmit, give_up });
        } else {
            // Timer K is zero where nothing is retransmitted.
            let stay = if self.is_reliable { Duration::ZERO } else { T4 };
            self.enter(State::Completed {
                until: now.moment + stay,
            });
        }
        self.outputs.push_back(Output::Answered(response));
    }

    /// Takes a failure of its flow.
    pub fn handle_fault(&mut self, fault: ConnectFault) {
        match self.state {
            State::Trying { .. } | State::Proceeding { .. } => {
                self.enter(State::Terminated);
                self.outputs.push_back(Output::Failed(Failure::Flow(fault)));
            }
            State::Completed { .. } | State::Terminated => {}
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        match &mut self.state {
            State::Trying { give_up, .. } | State::Proceeding { give_up, .. } if *give_up <= now.moment => {
                self.enter(State::Terminated);
                self.outputs.push_back(Output::Failed(Failure::TimedOut));
            }
            State::Trying {
                retransmit: Some(timer),
                ..
            }
            | State::Proceeding {
                retransmit: Some(timer),
                ..
            } if timer.at <= now.moment => {
                timer.at = now.moment + timer.then;
                timer.then = timer.then.saturating_mul(2).min(T2);
                self.outputs.push_back(Output::Transmit(self.bytes.clone()));
            }
            State::Completed { until } if *until <= now.moment => self.enter(State::Terminated),
            State::Trying { .. } | State::Proceeding { .. } | State::Completed { .. } | State::Terminated => {
            }
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
            State::Trying { retransmit, give_up } | State::Proceeding { retransmit, give_up } => {
                match retransmit {
                    Some(timer) => at(timer.at.min(*give_up), "request retransmission (timers E, F)"),
                    None => at(*give_up, "request unanswered (timer F)"),
                }
            }
            State::Completed { until } => at(*until, "repeated responses (timer K)"),
            State::Terminated => None,
        }
    }

    /// Whether it can be forgotten.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Whether a final response is still to come.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.state.name(), to = next.name(), "client transaction");
        self.state = next;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Trying { .. } => "Trying",
            Self::Proceeding { .. } => "Proceeding",
            Self::Completed { .. } => "Completed",
            Self::Terminated => "Terminated",
        }
    }
}
