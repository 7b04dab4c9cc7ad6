//! Digits by INFO (`application/dtmf-relay`), one after the other.

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::{DigitScript, DigitStep};
use crate::dialer::sip::digest::Authenticator;
use crate::time::{Deadline, Moment, Now};

/// From one digit to the next at least: 100 ms on and 100 ms off.
const APART: Duration = Duration::from_millis(200);

/// ```text
/// Idle ──→ Pausing ──→ Sent ──answer──→ Pausing ──→ … ──→ Idle
/// ```
enum State {
    Idle,
    Pausing { until: Moment },
    Sent(Sent),
}

/// An INFO that waits for its answer.
pub struct Sent {
    /// Its CSeq.
    pub number: u32,
    /// Its digit.
    pub digit: char,
    /// Its credentials.
    pub authenticator: Authenticator,
    not_before: Moment,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this digit, and say so with [`InfoDigits::sent`].
    Send(char),
    /// All of the oldest script has left.
    ScriptDone,
}

/// Scripts on their way.
pub struct InfoDigits {
    /// The first is the one that is being sent; an empty one is done.
    scripts: VecDeque<VecDeque<DigitStep>>,
    state: State,
}

impl InfoDigits {
    /// Nothing to send.
    pub fn new() -> Self {
        Self {
            scripts: VecDeque::new(),
            state: State::Idle,
        }
    }

    /// Adds a script.
    pub fn push(&mut self, now: Now, script: DigitScript) {
        self.scripts.push_back(script.0.into());
        if let State::Idle = self.state {
            self.state = State::Pausing { until: now.moment };
        }
    }

    /// What is to be done now, if anything.
    pub fn next_step(&mut self, now: Now) -> Option<Step> {
        loop {
            match self.state {
                State::Pausing { until } if until <= now.moment => {}
                State::Idle | State::Pausing { .. } | State::Sent(_) => return None,
            }
            let Some(script) = self.scripts.front_mut() else {
                self.state = State::Idle;
                return None;
            };
            match script.pop_front() {
                Some(DigitStep::Digit(digit)) => return Some(Step::Send(digit)),
                Some(DigitStep::Pause(pause)) => {
                    self.state = State::Pausing {
                        until: now.moment + pause,
                    }
                }
                None => {
                    self.scripts.pop_front();
                    return Some(Step::ScriptDone);
                }
            }
        }
    }

    /// The digit of the last step left in this INFO.
    pub fn sent(&mut self, now: Now, digit: char, number: u32, authenticator: Authenticator) {
        self.state = State::Sent(Sent {
            number,
            digit,
            authenticator,
            not_before: now.moment + APART,
        });
    }

    /// The INFO with this number, when it waits for its answer.
    pub fn waiting(&self, number: u32) -> Option<&Sent> {
        match &self.state {
            State::Sent(sent) if sent.number == number => Some(sent),
            State::Idle | State::Pausing { .. } | State::Sent(_) => None,
        }
    }

    /// It was taken.
    pub fn accepted(&mut self, now: Now) {
        if let State::Sent(sent) = &self.state {
            self.state = State::Pausing {
                until: sent.not_before.max(now.moment),
            };
        }
    }

    /// It was not: its script is given up.
    pub fn refused(&mut self, now: Now) {
        self.scripts.pop_front();
        self.state = State::Pausing { until: now.moment };
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        match self.state {
            State::Pausing { until } => Some(Deadline {
                at: until,
                why: "next digit by INFO",
            }),
            // Timer F stands behind an INFO.
            State::Idle | State::Sent(_) => None,
        }
    }
}
