//! Who waits for which answer. Each directive is answered exactly once, a repeat of it with what the first got.

use std::collections::BTreeMap;
use std::time::Duration;

use super::link::LinkId;
use super::memory::{Memory, Record};
use crate::alexa::messages::directive::{AskId, Directive};
use crate::alexa::messages::incoming::{Identity, Received};
use crate::alexa::messages::outcome::{ErrorType, Outcome, Refusal};
use crate::record::Restored;
use crate::time::{Deadline, Moment, Now};

/// Directives that are worked on at once.
pub const MOST_PENDING: usize = 64;
/// Askers that wait for one and the same directive.
const MOST_WAITING: usize = 16;
/// For so long Alexa waits for an event.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// After this a directive without an outcome is answered all the same: a fault of ours, far above every deadline
/// that a directive has.
const LONGEST_WORK: Duration = Duration::from_secs(60);

/// One who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asker {
    link: LinkId,
    correlation_token: Option<String>,
    arrived: Moment,
}

/// A directive that is being worked on.
#[derive(Debug)]
struct Pending {
    /// `None` for what was asked at the control socket: that is never a repeat.
    identity: Option<Identity>,
    /// Whether its success is a call: true only as long as that lives.
    is_join: bool,
    begun: Moment,
    askers: Vec<Asker>,
}

/// An answer on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// To whom.
    pub link: LinkId,
    /// The token of the directive that it answers.
    pub correlation_token: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What is to be done with a directive that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is new: work on it.
    New(AskId),
    /// It is being worked on: its outcome answers this one too.
    BeingWorkedOn,
    /// It was done before: this answers it.
    Known(Answer),
    /// Too much is being worked on: this answers it.
    TooMany(Answer),
}

/// All who wait, and all that was answered lately.
#[derive(Debug, Default)]
pub struct Askers {
    last: u64,
    pending: BTreeMap<AskId, Pending>,
    /// Answers for a bridge that went away, each with the moment from which nobody waits for it.
    kept: Vec<(Moment, Answer)>,
    memory: Memory,
}

impl Askers {
    /// Takes over what the last process remembered.
    pub fn restore(&mut self, restored: &Restored) {
        self.memory.restore(restored);
    }

    /// The last process did this directive, whether or not it lived to remember it.
    pub fn was_done(&mut self, directive: Identity, outcome: &Outcome) {
        if self.memory.outcome(&directive).is_none() {
            self.memory.remember(directive, outcome, false);
        }
    }

    /// What is to be written before anything else is done. Drain it until `None` after every call.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.memory.poll_record()
    }

    /// The call is being ended, or is over: its joins are done for good.
    pub fn call_is_over(&mut self) {
        self.memory.settle();
    }

    /// Takes a directive that came in a frame.
    pub fn ask(&mut self, now: Now, link: LinkId, received: &Received) -> Asked {
        let asker = Asker {
            link,
            correlation_token: received.correlation_token.clone(),
            arrived: now.moment,
        };
        let identity = received.identity;
        if let Some(outcome) = self.memory.outcome(&identity) {
            return Asked::Known(asker.answered(outcome.clone()));
        }
        let same = |pending: &&mut Pending| pending.identity == Some(identity);
        if let Some(pending) = self.pending.values_mut().find(same) {
            return pending.join(asker);
        }
        if self.is_message_id_of_another(identity) {
            tracing::warn!(
                directive_id = %crate::alexa::messages::field::shown(&received.message_id),
                "a messageId was used before for something else; taken as a new directive",
            );
        }
        self.begin(now, asker, Some(identity), is_join(&received.directive))
    }

    /// Takes what was asked at the control socket.
    pub fn ask_at_control(&mut self, now: Now, link: LinkId) -> Asked {
        let asker = Asker {
            link,
            correlation_token: None,
            arrived: now.moment,
        };
        self.begin(now, asker, None, false)
    }

    /// Which directive is worked on under this number; `None` for what was asked at the control socket.
    pub fn identity_of(&self, ask: AskId) -> Option<Identity> {
        self.pending.get(&ask)?.identity
    }

    /// The outcome of a directive is known. Gives the answers that leave at once; `bridge` is the link that is open.
    pub fn answer(&mut self, now: Now, ask: AskId, outcome: &Outcome, bridge: Option<LinkId>) -> Vec<Answer> {
        let Some(pending) = self.pending.remove(&ask) else {
            tracing::debug!("nobody waits for directive {} any more", ask.0);
            return Vec::new();
        };
        if let Some(identity) = pending.identity
            && outcome.is_worth_remembering()
        {
            let stands_with_call = pending.is_join && !matches!(outcome, Outcome::Refused(_));
            self.memory.remember(identity, outcome, stands_with_call);
        }
        let answers = pending.askers.into_iter();
        answers
            .filter_map(|asker| self.route(now, asker, outcome, bridge))
            .collect()
    }

    /// The bridge has a new connection: gives the answers for which somebody may still wait.
    pub fn bridge_opened(&mut self, now: Now, bridge: LinkId) -> Vec<Answer> {
        std::mem::take(&mut self.kept)
            .into_iter()
            .filter(|(until, _)| now.moment < *until)
            .map(|(_, answer)| Answer {
                link: bridge,
                ..answer
            })
            .collect()
    }

    /// A local client or a command is gone, and waits for nothing any more.
    pub fn lost(&mut self, link: LinkId) {
        for pending in self.pending.values_mut() {
            pending.askers.retain(|asker| asker.link != link);
        }
    }

    /// Directives that have been worked on for too long.
    pub fn overdue(&self, now: Now) -> Vec<AskId> {
        self.pending
            .iter()
            .filter(|(_, pending)| pending.limit().is_due(now))
            .map(|(ask, _)| *ask)
            .collect()
    }

    /// When the first directive will have been worked on for too long.
    pub fn next_deadline(&self) -> Option<Deadline> {
        Deadline::earliest(self.pending.values().map(|pending| Some(pending.limit())))
    }

    /// Whether a directive that Alexa said, not a person at the keyboard, is being worked on.
    pub fn alexa_is_waiting(&self) -> bool {
        self.pending.values().any(|pending| pending.identity.is_some())
    }

    fn begin(&mut self, now: Now, asker: Asker, identity: Option<Identity>, is_join: bool) -> Asked {
        if self.pending.len() >= MOST_PENDING {
            return Asked::TooMany(asker.answered(too_many()));
        }
        self.last += 1;
        let ask = AskId(self.last);
        let pending = Pending {
            identity,
            is_join,
            begun: now.moment,
            askers: vec![asker],
        };
        self.pending.insert(ask, pending);
        Asked::New(ask)
    }

    fn is_message_id_of_another(&self, identity: Identity) -> bool {
        let pending = self.pending.values().filter_map(|pending| pending.identity);
        self.memory.knows_message_id_of(identity)
            || pending.into_iter().any(|other| other.message == identity.message)
    }

    /// The answer to one asker, if it leaves at once.
    fn route(&mut self, now: Now, asker: Asker, outcome: &Outcome, bridge: Option<LinkId>) -> Option<Answer> {
        let until = asker.arrived + PATIENCE;
        let asked_on = asker.link;
        let answer = asker.answered(outcome.clone());
        match (asked_on, bridge) {
            (LinkId::Local(_) | LinkId::Control(_), _) => Some(answer),
            (LinkId::Bridge(_), Some(bridge)) if asked_on == bridge => Some(answer),
            (LinkId::Bridge(_), _) if until <= now.moment => {
                tracing::debug!("nobody waits any more for an event whose bridge went away");
                None
            }
            (LinkId::Bridge(_), Some(bridge)) => Some(Answer {
                link: bridge,
                ..answer
            }),
            (LinkId::Bridge(_), None) => {
                self.kept.retain(|(until, _)| now.moment < *until);
                self.kept.push((until, answer));
                None
            }
        }
    }
}

impl Asker {
    fn answered(self, outcome: Outcome) -> Answer {
        Answer {
            link: self.link,
            correlation_token: self.correlation_token,
            outcome,
        }
    }
}

impl Pending {
    fn limit(&self) -> Deadline {
        Deadline {
            at: self.begun + LONGEST_WORK,
            why: "the room's word on a directive",
        }
    }

    /// A repeat came. The bridge gets one event for all: on the same connection the first one's, on a new
    /// connection the repeat's, for whoever waited on the old one may be gone.
    fn join(&mut self, asker: Asker) -> Asked {
        if self.askers.iter().any(|waiting| waiting.link == asker.link) {
            return Asked::BeingWorkedOn;
        }
        if let LinkId::Bridge(_) = asker.link {
            self.askers
                .retain(|waiting| !matches!(waiting.link, LinkId::Bridge(_)));
        }
        if self.askers.len() >= MOST_WAITING {
            return Asked::TooMany(asker.answered(too_many()));
        }
        self.askers.push(asker);
        Asked::BeingWorkedOn
    }
}

fn is_join(directive: &Directive) -> bool {
    match directive {
        Directive::JoinMeeting(_) => true,
        Directive::EndMeeting
        | Directive::Discover
        | Directive::ReportState
        | Directive::TurnOn
        | Directive::TurnOff
        | Directive::SetVolume(_)
        | Directive::AdjustVolume(_)
        | Directive::SetMute(_)
        | Directive::PressDigits(_) => false,
    }
}

fn too_many() -> Outcome {
    Outcome::Refused(Refusal::new(
        ErrorType::InternalError,
        "too many directives are being worked on at once",
    ))
}

#[cfg(test)]
mod tests;
