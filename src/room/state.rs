//! Where the room's one call stands, and what is known of it there.

use std::collections::VecDeque;

use crate::alexa::messages::directive::AskId;
use crate::alexa::messages::outcome::Outcome;
use crate::alexa::messages::report::CallStateName;
use crate::call::{Agreed, CallId, EndedHere};
use crate::time::{Deadline, Now};

use super::dial_plan::Planned;
use super::pressed::PressedBy;
use super::supervision::Supervision;

/// The room's call.
///
/// ```text
///           join                Answered
///   Idle ─────────→ Placing ───────────────→ InMeeting
///    ↑                │ │ end, give up           │ │ end, replace, watch
///    │          Ended │ └──────────┐  ┌──────────┼─┘
///    ├────────────────┘            ↓  ↓          │ Ended
///    ├───────── Ended ─────────── Ending         │
///    │                             │  └─ Ended, a join took its place → Placing
///    └─────────────────────────────┼─────────────┘
///                                  └─ Ended, the daemon stops → Closed
/// ```
///
/// `Closed` is also entered from `Idle` when the daemon stops; nothing leaves it.
#[derive(Debug)]
pub enum State {
    /// No call.
    Idle,
    /// Dialled, not answered.
    Placing(Placing),
    /// Answered.
    InMeeting(InMeeting),
    /// Hung up by us; the dialer has yet to say that it is over.
    Ending(Ending),
    /// The daemon stops: nothing is placed any more.
    Closed,
}

/// What is true of a call from its placing to its end.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// What was dialled.
    pub planned: Planned,
    /// The directive that asked for it, as the journal calls it; `None` for a command.
    pub directive_id: Option<String>,
    /// When.
    pub placed: Now,
    /// Whether a person has muted the room's microphone for it.
    pub is_muted: bool,
}

/// A call that is being placed.
#[derive(Debug)]
pub struct Placing {
    /// Which.
    pub call: Call,
    /// What the far end has said.
    pub progress: Progress,
    /// Who waits for the outcome.
    pub answer: Answer,
    /// When a dialer that forgot to give up is told to.
    pub overdue: Deadline,
}

/// What the far end has said so far. Silent → Proceeding → Ringing, steps may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing.
    Silent,
    /// It works on it.
    Proceeding,
    /// It rings.
    Ringing,
}

/// The answer to the joins of a call that is being placed. Owed → Given.
#[derive(Debug)]
pub enum Answer {
    /// These wait, until then at most.
    Owed { asks: Vec<AskId>, by: Deadline },
    /// All have theirs.
    Given,
}

/// A meeting.
#[derive(Debug)]
pub struct InMeeting {
    /// The call it is held in.
    pub call: Call,
    /// What is true since the answer.
    pub talk: Talk,
    /// Whose digits are on their way, the oldest first.
    pub pressed: VecDeque<PressedBy>,
}

/// What is true of a call since its answer.
#[derive(Clone, Debug)]
pub struct Talk {
    /// When it was answered.
    pub since: Now,
    /// What both sides agreed on.
    pub agreed: Agreed,
    /// The watch over it.
    pub watch: Supervision,
    /// Whether the room has put it on hold.
    pub is_held: bool,
}

/// A call that we have hung up.
#[derive(Debug)]
pub struct Ending {
    /// Which.
    pub call: Call,
    /// As it was when it was answered.
    pub talk: Option<Talk>,
    /// The state that was told last.
    pub told: CallStateName,
    /// Why we hung up.
    pub why: EndedHere,
    /// Who waits for it.
    pub waiting: Vec<Waiting>,
    /// What comes after it.
    pub then: Then,
    /// When the dialer is no longer waited for.
    pub by: Deadline,
}

/// One who waits for the end of a call.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Under this number.
    pub ask: AskId,
    /// What it is told then.
    pub outcome: Outcome,
}

/// What comes after a call that is being ended.
#[derive(Debug)]
pub enum Then {
    /// Nothing.
    Idle,
    /// The join that takes its place.
    Place(Box<Next>),
    /// The daemon stops.
    Close,
}

/// A join that may be placed.
#[derive(Debug)]
pub struct Next {
    /// What will be dialled.
    pub planned: Planned,
    /// The directive that asks for it, as the journal calls it; `None` for a command.
    pub directive_id: Option<String>,
    /// Who waits for the outcome; never empty.
    pub asks: Vec<AskId>,
    /// Until when, at most.
    pub by: Deadline,
}

impl State {
    /// For logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Placing(_) => "placing",
            Self::InMeeting(_) => "in-meeting",
            Self::Ending(_) => "ending",
            Self::Closed => "closed",
        }
    }

    /// The call it is about.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::Idle | Self::Closed => None,
            Self::Placing(Placing { call, .. })
            | Self::InMeeting(InMeeting { call, .. })
            | Self::Ending(Ending { call, .. }) => Some(call),
        }
    }

    /// What is true of it since its answer.
    pub fn talk(&self) -> Option<&Talk> {
        match self {
            Self::Idle | Self::Closed | Self::Placing(_) => None,
            Self::InMeeting(InMeeting { talk, .. }) => Some(talk),
            Self::Ending(Ending { talk, .. }) => talk.as_ref(),
        }
    }

    /// The state as CallStateChanged told it last.
    pub fn told(&self) -> CallStateName {
        match self {
            Self::Idle | Self::Closed => CallStateName::Idle,
            Self::Placing(placing) => match placing.progress {
                Progress::Silent | Progress::Proceeding => CallStateName::Dialing,
                Progress::Ringing => CallStateName::OutboundRinging,
            },
            Self::InMeeting(_) => CallStateName::Active,
            Self::Ending(ending) => ending.told,
        }
    }

    /// When something is due.
    pub fn next_deadline(&self) -> Option<Deadline> {
        match self {
            Self::Idle | Self::Closed => None,
            Self::Placing(placing) => {
                let owed = match &placing.answer {
                    Answer::Owed { by, .. } => Some(*by),
                    Answer::Given => None,
                };
                Deadline::earliest([owed, Some(placing.overdue)])
            }
            Self::InMeeting(meeting) => meeting.talk.watch.next_deadline(),
            Self::Ending(ending) => Some(ending.by),
        }
    }
}
