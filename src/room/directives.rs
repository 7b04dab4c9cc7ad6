//! What each directive does to the room: one arm each.

use std::time::Duration;

use crate::alexa::messages::directive::{AskId, Directive, JoinMeeting};
use crate::alexa::messages::discover::Discovery;
use crate::alexa::messages::outcome::{ErrorType, Outcome, Refusal};
use crate::call::EndedHere;
use crate::time::{Deadline, Now};

use super::dial_plan::{self, Mask, Planned};
use super::room::Room;
use super::state::{Answer, InMeeting, Next, State, Then, Waiting};
use super::{WhenBusy, answered, journal};

/// The span of `calls.per_minute`.
const A_MINUTE: Duration = Duration::from_secs(60);
/// So many joins may wait for one call: more within one response deadline are no people.
const MOST_WAITING: usize = 64;

impl Room {
    pub(super) fn take_directive(
        &mut self,
        now: Now,
        ask: AskId,
        directive_id: Option<String>,
        directive: Directive,
    ) {
        match directive {
            Directive::JoinMeeting(join) => self.join(now, ask, directive_id, &join),
            Directive::EndMeeting => {
                let outcome = Outcome::Done;
                self.end(now, EndedHere::Asked, Some(Waiting { ask, outcome }), Then::Idle);
            }
            Directive::Discover => self.answer(ask, Outcome::Discovered(Box::new(self.discovery()))),
            Directive::ReportState => self.answer(ask, Outcome::State(self.equipment.properties())),
            Directive::TurnOn => self.turn_on(ask),
            Directive::TurnOff => self.turn_off(now, ask),
            Directive::SetVolume(volume) => self.set_volume(ask, volume),
            Directive::AdjustVolume(by) => self.adjust_volume(ask, by),
            Directive::SetMute(is_muted) => self.set_mute(ask, is_muted),
            Directive::PressDigits(signal) => self.press_for_command(ask, &signal),
        }
    }

    fn join(&mut self, now: Now, ask: AskId, directive_id: Option<String>, join: &JoinMeeting) {
        let planned = match dial_plan::plan(join, &self.settings) {
            Ok(planned) => planned,
            Err(refusal) => return self.refuse(ask, refusal),
        };
        if !self.may_be_woken(ask) {
            return;
        }
        match self.standing(&planned) {
            Standing::Closed => self.refuse(ask, leaving()),
            Standing::Free => {
                if self.has_room_for_another(now, ask) {
                    let next = self.next(now, ask, directive_id, planned);
                    self.place(now, next);
                }
            }
            Standing::There => self.wait_or_be_done(ask),
            Standing::Between => {
                if self.has_room_for_another(now, ask) {
                    let next = self.next(now, ask, directive_id, planned);
                    self.place_afterwards(next);
                }
            }
            Standing::Elsewhere => match self.settings.when_busy {
                WhenBusy::Reject => self.refuse(ask, busy()),
                WhenBusy::Replace => {
                    if self.has_room_for_another(now, ask) {
                        let next = self.next(now, ask, directive_id, planned);
                        self.end(now, EndedHere::Replaced, None, Then::Place(Box::new(next)));
                    }
                }
            },
        }
    }

    fn discovery(&self) -> Discovery {
        Discovery {
            endpoint_id: self.settings.endpoint_id.clone(),
            friendly_name: self.settings.friendly_name.clone(),
            manufacturer: self.settings.manufacturer.clone(),
            description: self.settings.description.clone(),
        }
    }

    /// Refuses a join that has no call: where there is one, the line about its end says it all.
    pub(super) fn refuse(&mut self, ask: AskId, refusal: Refusal) {
        journal::refused(&refusal);
        self.answer(ask, Outcome::Refused(refusal));
    }

    fn standing(&self, planned: &Planned) -> Standing {
        let is_same = |other: &Planned| other.meeting == planned.meeting;
        let compared = |other: &Planned| {
            if is_same(other) {
                Standing::There
            } else {
                Standing::Elsewhere
            }
        };
        match &self.state {
            State::Idle => Standing::Free,
            State::Closed => Standing::Closed,
            State::Placing(placing) => compared(&placing.call.planned),
            State::InMeeting(InMeeting { call, .. }) => compared(&call.planned),
            State::Ending(ending) => match &ending.then {
                Then::Idle => Standing::Between,
                Then::Place(next) => compared(&next.planned),
                Then::Close => Standing::Closed,
            },
        }
    }

    /// The room is in this meeting, or on its way: a join of it is done, or is answered with the first one.
    fn wait_or_be_done(&mut self, ask: AskId) {
        let waiting = match &mut self.state {
            State::Placing(placing) => match &mut placing.answer {
                Answer::Owed { asks, .. } => Some(asks),
                Answer::Given => None,
            },
            State::Ending(ending) => match &mut ending.then {
                Then::Place(next) => Some(&mut next.asks),
                Then::Idle | Then::Close => None,
            },
            State::Idle | State::InMeeting(_) | State::Closed => None,
        };
        match waiting {
            Some(asks) if asks.len() < MOST_WAITING => asks.push(ask),
            Some(_) => self.refuse(ask, too_many("joins wait for this meeting")),
            None => self.answer(ask, Outcome::Done),
        }
    }

    /// Waits for the end of a call that is being ended already.
    fn place_afterwards(&mut self, next: Next) {
        if let State::Ending(ending) = &mut self.state {
            ending.then = Then::Place(Box::new(next));
        }
    }

    /// A join that takes place, now or after the end of what there is.
    fn next(&mut self, now: Now, ask: AskId, directive_id: Option<String>, planned: Planned) -> Next {
        self.wake();
        Next {
            planned,
            directive_id,
            asks: vec![ask],
            by: Deadline::after(now, self.settings.response_deadline, "the answer to a join"),
        }
    }

    /// Whether `calls.per_minute` has room for another call; the ask is answered when it has not.
    fn has_room_for_another(&mut self, now: Now, ask: AskId) -> bool {
        while let Some(oldest) = self.placed_lately.front()
            && now.moment - *oldest >= A_MINUTE
        {
            self.placed_lately.pop_front();
        }
        let limit = self.settings.per_minute.filter(|limit| *limit > 0);
        let is_full = limit.is_some_and(|limit| self.placed_lately.len() >= limit as usize);
        if limit.is_none() {
            self.placed_lately.clear();
        }
        if is_full {
            let refusal = too_many("calls were placed in the last minute (calls.per_minute)");
            self.refuse(ask, refusal);
        }
        !is_full
    }
}

/// Where the room stands to a meeting that shall be joined.
enum Standing {
    /// No call.
    Free,
    /// In it, or on the way to it.
    There,
    /// In another, or on the way to another.
    Elsewhere,
    /// A call is being ended, and nothing comes after it.
    Between,
    /// The daemon stops.
    Closed,
}

fn busy() -> Refusal {
    Refusal::new(
        ErrorType::EndpointBusy,
        "the room is in another meeting (calls.when_busy is \"reject\")",
    )
}

fn leaving() -> Refusal {
    let reason = crate::call::EndReason::EndedHere(EndedHere::Stopped);
    answered::refusal(&reason, &Mask::default())
}

fn too_many(what: &str) -> Refusal {
    Refusal::new(ErrorType::RateLimitExceeded, format!("too many {what}"))
}
