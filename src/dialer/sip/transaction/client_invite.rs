//! The client transaction of an INVITE (RFC 3261 17.1.1, RFC 6026 7.2).

use std::collections::VecDeque;
use std::time::Duration;

use super::{Failure, Output, PATIENCE, T1};
use crate::dialer::sip::compose;
use crate::dialer::sip::wire::{Request, Response};
use crate::network::ConnectFault;
use crate::time::{Deadline, Moment, Now};

/// ```text
///            1xx               300–699 (ACK)
/// Calling ─────────→ Proceeding ─────────→ Completed ──D──→ Terminated
///    │ B, fault          │ 2xx                                  ↑
///    │                   └──→ Accepted ─────────M───────────────┤
///    └──────────────────────────────────────────────────────────┘
/// ```
/// Calling goes to Completed and Accepted by the same responses as Proceeding.
#[derive(Clone, Debug)]
enum State {
    Calling {
        retransmit: Option<Retransmission>,
        give_up: Moment,
    },
    Proceeding,
    Completed {
        acknowledgement: Vec<u8>,
        until: Moment,
    },
    Accepted {
        until: Moment,
    },
    Terminated,
}

/// Timer A: when next, and the wait that led there.
#[derive(Clone, Copy, Debug)]
struct Retransmission {
    at: Moment,
    waited: Duration,
}

/// One INVITE on its way.
#[derive(Debug)]
pub struct ClientInvite {
    state: State,
    request: Request,
    is_reliable: bool,
    outputs: VecDeque<Output>,
}

impl ClientInvite {
    /// Sends the INVITE.
    pub fn start(now: Now, request: Request, is_reliable: bool) -> Self {
        let retransmit = (!is_reliable).then(|| Retransmission {
            at: now.moment + T1,
            waited: T1,
        });
        Self {
            state: State::Calling {
                retransmit,
                give_up: now.moment + PATIENCE,
            },
            outputs: VecDeque::from([Output::Transmit(request.to_bytes())]),
            request,
            is_reliable,
        }
    }

    /// Goes on with an INVITE that a process before this one sent, and that got a provisional response.
    pub fn resume(request: Request, is_reliable: bool) -> Self {
        Self {
            state: State::Proceeding,
            outputs: VecDeque::new(),
            request,
            is_reliable,
        }
    }

    /// Takes a response that matches.
    pub fn handle_response(&mut self, now: Now, response: Response) {
        match (&self.state, response.status) {
            (State::Calling { .. } | State::Proceeding, 100..=199) => {
                self.enter(State::Proceeding);
                self.outputs.push_back(Output::Answered(response));
            }
            (State::Calling { .. } | State::Proceeding, 200..=299) => {
                self.enter(State::Accepted {
                    until: now.moment + PATIENCE,
                });
                self.outputs.push_back(Output::Answered(response));
            }
            (State::Calling { .. } | State::Proceeding, 300..=699) => {
                let acknowledgement = compose::acknowledge_refusal(&self.request, &response).to_bytes();
                self.outputs.push_back(Output::Transmit(acknowledgement.clone()));
                // Timer D is zero where nothing is retransmitted.
                let stay = if self.is_reliable {
                    Duration::ZERO
                } else {
                    PATIENCE
                };
                self.enter(State::Completed {
                    acknowledgement,
                    until: now.moment + stay,
                });
                self.outputs.push_back(Output::Answered(response));
            }
            (State::Completed { acknowledgement, .. }, 300..=699) => {
                self.outputs.push_back(Output::Transmit(acknowledgement.clone()));
            }
            (State::Accepted { .. }, 200..=299) => self.outputs.push_back(Output::Answered(response)),
            (State::Completed { .. } | State::Accepted { .. } | State::Terminated, _)
            | (State::Calling { .. } | State::Proceeding, _) => {}
        }
    }

    /// Takes a failure of its flow. It counts only while nothing was heard: afterwards the far end has the INVITE,
    /// and its answer may come another way.
    pub fn handle_fault(&mut self, fault: ConnectFault) {
        if let State::Calling { .. } = self.state {
            self.enter(State::Terminated);
            self.outputs.push_back(Output::Failed(Failure::Flow(fault)));
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        match &mut self.state {
            State::Calling { give_up, .. } if *give_up <= now.moment => {
                self.enter(State::Terminated);
                self.outputs.push_back(Output::Failed(Failure::TimedOut));
            }
            State::Calling {
                retransmit: Some(timer),
                ..
            } if timer.at <= now.moment => {
                timer.waited = timer.waited.saturating_mul(2);
                timer.at = now.moment + timer.waited;
                self.outputs.push_back(Output::Transmit(self.request.to_bytes()));
            }
            State::Completed { until, .. } | State::Accepted { until } if *until <= now.moment => {
                self.enter(State::Terminated);
            }
            State::Calling { .. }
            | State::Proceeding
            | State::Completed { .. }
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
            State::Calling {
                retransmit: Some(timer),
                give_up,
            } => at(timer.at.min(*give_up), "INVITE retransmission (timers A, B)"),
            State::Calling {
                retransmit: None,
                give_up,
            } => at(*give_up, "INVITE unanswered (timer B)"),
            State::Completed { until, .. } => at(*until, "repeated refusals (timer D)"),
            State::Accepted { until } => at(*until, "repeated 2xx (timer M)"),
            // After a 1xx RFC 3261 gives the caller no timer: the user of the transaction has one.
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether it can be forgotten.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Whether a final response is still to come.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding)
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(
            from = self.state.name(),
            to = next.name(),
            "client INVITE transaction"
        );
        self.state = next;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Calling { .. } => "Calling",
            Self::Proceeding => "Proceeding",
            Self::Completed { .. } => "Completed",
            Self::Accepted { .. } => "Accepted",
            Self::Terminated => "Terminated",
        }
    }
}
