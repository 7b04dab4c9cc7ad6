//! A stranger said that the far end hangs up. It may be a server of the far end that nobody told us of: so the far end
//! is asked, by a refresh of the session, and its word counts.

use std::time::Duration;

use crate::time::{Deadline, Moment, Now};

/// Between two questions: a stranger who repeats himself makes us no burden to the far end.
const PAUSE: Duration = Duration::from_secs(10);

/// ```text
/// None ──stranger's BYE──→ Raised ──refresh leaves──→ Asked ──answer, silence──→ Answered ──BYE──→ Raised
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    None,
    Raised {
        why: Option<String>,
        at: Moment,
    },
    Asked {
        why: Option<String>,
        number: u32,
        again: Moment,
    },
    Answered {
        again: Moment,
    },
}

/// Whether the far end is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt(State);

impl Doubt {
    pub(super) fn none() -> Self {
        Self(State::None)
    }

    /// A stranger hung up, saying why.
    pub(super) fn raise(&mut self, now: Now, why: Option<String>) {
        let at = match self.0 {
            State::None => now.moment,
            State::Answered { again } => again.max(now.moment),
            State::Raised { .. } | State::Asked { .. } => return,
        };
        self.enter(State::Raised { why, at });
    }

    /// Whether the far end is to be asked.
    pub(super) fn is_due(&self, now: Now) -> bool {
        matches!(&self.0, State::Raised { at, .. } if *at <= now.moment)
    }

    /// The request of this number asks it.
    pub(super) fn asked(&mut self, now: Now, number: u32) {
        let next = match &self.0 {
            State::Raised { why, .. } => State::Asked {
                why: why.clone(),
                number,
                again: now.moment + PAUSE,
            },
            // The same question once more: challenged, or with a longer interval.
            State::Asked { why, again, .. } => State::Asked {
                why: why.clone(),
                number,
                again: *again,
            },
            State::None | State::Answered { .. } => return,
        };
        self.enter(next);
    }

    /// The question got no answer: it is asked once more.
    pub(super) fn ask_again(&mut self, now: Now) {
        if let State::Asked { why, .. } = &self.0 {
            let (why, at) = (why.clone(), now.moment);
            self.enter(State::Raised { why, at });
        }
    }

    /// Whether the request of this number asks it.
    pub(super) fn is_asked_by(&self, number: u32) -> bool {
        matches!(&self.0, State::Asked { number: asked, .. } if *asked == number)
    }

    /// The question is answered, or will not be; why the stranger said that the far end hung up.
    pub(super) fn settle(&mut self) -> Option<String> {
        let State::Asked { why, again, .. } = &self.0 else {
            return None;
        };
        let (why, again) = (why.clone(), *again);
        self.enter(State::Answered { again });
        why
    }

    /// When the far end is to be asked.
    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        match &self.0 {
            State::Raised { at, .. } => Some(Deadline {
                at: *at,
                why: "far end is asked whether it hung up",
            }),
            State::None | State::Asked { .. } | State::Answered { .. } => None,
        }
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.0.name(), to = next.name(), "doubt of the far end");
        self.0 = next;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Raised { .. } => "Raised",
            Self::Asked { .. } => "Asked",
            Self::Answered { .. } => "Answered",
        }
    }
}
