//! Ends one dialog at the far end, in the background: after a call of ours is over for the room, for the second
//! answer of a forked INVITE, and for what the last process left behind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::compose;
use super::digest::Authenticator;
use super::leg::{Act, Invitation, Leg, Profile};
use super::locate::Target;
use super::request::Whither;
use super::transaction::PATIENCE;
use super::transaction::table::{ClientKey, ServerKey};
use super::wire::{Method, Request, Response};
use crate::chance::Chance;
use crate::time::{Deadline, Moment, Now};

mod answers;
mod beginnings;

/// After a failed connection it is tried again this often, for as long as the farewell lasts: at boot the network
/// may be later than we are.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// ```text
///          1xx: CANCEL               2xx: ACK, BYE              answer, BYE,
/// Armed ─────────────→ Cancelling ─────────────────→ Leaving ──── silence ──→ Left ──→ Over
///   │ 2xx: ACK, BYE       │ refusal                     ↑  ↑                            ↑
///   ├─────────────────────┼─────────────────────────────┘  │ 2xx: ACK, BYE              │
///   │ silence             └───────────────────────────────────────────────────────────→ ┤
///   └──→ Lingering (Cancelling too, after silence) ────────┴──nothing more─────────────→ ┘
/// ```
enum State {
    /// The INVITE is unanswered, and nothing may be cancelled before a provisional response (RFC 3261 9.1).
    Armed {
        invitation: Invitation,
        until: Moment,
        again: Again,
    },
    /// The CANCEL left; the final response of the INVITE is awaited.
    Cancelling {
        invitation: Invitation,
        until: Moment,
        again: Again,
    },
    /// The BYE left.
    Leaving {
        leg: Box<Leg>,
        bye: Bye,
        until: Moment,
        again: Again,
    },
    /// Nothing lives at the far end as far as anybody can know; a late 2xx is still ended.
    Lingering { invitation: Invitation, until: Moment },
    /// The dialog is over there; another telephone's 2xx to the same INVITE, late or lost on its way, is still ended.
    Left { leg: Box<Leg>, until: Moment },
    /// Nothing is left to do.
    Over,
}

/// Whether a failed connection is tried again, and when.
#[derive(Clone, Copy, Debug)]
enum Again {
    Never,
    WhenItFails,
    At(Moment),
}

/// The BYE that was sent last.
struct Bye {
    number: u32,
    authenticator: Authenticator,
}

/// One dialog that is being ended.
pub struct Farewell {
    profile: Arc<Profile>,
    chance: Chance,
    state: State,
    acts: VecDeque<Act>,
}

impl std::fmt::Debug for Farewell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Farewell")
            .field(&self.state.name())
            .finish()
    }
}

impl Farewell {
    fn with(profile: Arc<Profile>, chance: Chance, state: State) -> Self {
        Self {
            profile,
            chance,
            state,
            acts: VecDeque::new(),
        }
    }

    /// Whether the dialog may still be alive at the far end, and is being ended.
    pub fn is_pending(&self) -> bool {
        match self.state {
            State::Armed { .. } | State::Cancelling { .. } | State::Leaving { .. } => true,
            State::Lingering { .. } | State::Left { .. } | State::Over => false,
        }
    }

    /// Whether nothing is left to do at all.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The INVITE, for whatever still wants it.
    pub fn invitation(&self) -> Option<&Invitation> {
        match &self.state {
            State::Armed { invitation, .. }
            | State::Cancelling { invitation, .. }
            | State::Lingering { invitation, .. } => Some(invitation),
            State::Leaving { leg, .. } | State::Left { leg, .. } => Some(&leg.invitation),
            State::Over => None,
        }
    }

    /// Whether its flow to this target is still needed.
    pub fn needs(&self, target: &Target) -> bool {
        self.is_pending()
            && self
                .invitation()
                .is_some_and(|invitation| invitation.target == *target)
    }

    /// Whether a response to the INVITE belongs to the dialog that is being ended.
    pub fn is_answered_by(&self, response: &Response) -> bool {
        match &self.state {
            State::Leaving { leg, .. } | State::Left { leg, .. } => leg.dialog.is_answered_by(response),
            State::Armed { .. } | State::Cancelling { .. } | State::Lingering { .. } | State::Over => false,
        }
    }

    /// The dialog that is being ended, when a request of theirs belongs to it.
    pub fn leg_of(&self, request: &Request) -> Option<&Leg> {
        match &self.state {
            State::Leaving { leg, .. } => Some(&**leg).filter(|leg| leg.dialog.owns(request)),
            State::Armed { .. }
            | State::Cancelling { .. }
            | State::Lingering { .. }
            | State::Left { .. }
            | State::Over => None,
        }
    }

    /// Takes a request of theirs in the dialog.
    pub fn handle_request(&mut self, key: ServerKey, request: &Request) {
        let status = if request.method == Method::Bye { 200 } else { 481 };
        self.acts
            .push_back(Act::Respond(key, compose::answer(request, status, "")));
        if request.method == Method::Bye {
            self.finish();
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        match &mut self.state {
            State::Armed {
                invitation, until, ..
            }
            | State::Cancelling {
                invitation, until, ..
            } if *until <= now.moment => {
                let invitation = invitation.clone();
                self.linger_on(now, invitation);
            }
            State::Leaving { until, .. } if *until <= now.moment => self.finish(),
            State::Lingering { until, .. } | State::Left { until, .. } if *until <= now.moment => {
                self.enter(State::Over)
            }
            State::Armed {
                invitation, again, ..
            } if again.is_due(now) => {
                *again = Again::WhenItFails;
                self.acts.push_back(send_invite(invitation));
            }
            State::Cancelling {
                invitation, again, ..
            } if again.is_due(now) => {
                *again = Again::WhenItFails;
                self.acts.push_back(invitation.cancel());
            }
            State::Leaving {
                leg,
                bye,
                until,
                again,
            } if again.is_due(now) => {
                let (leg, authenticator, until) = (leg.clone(), bye.authenticator.clone(), *until);
                self.say_bye(leg, authenticator, until);
            }
            State::Armed { .. }
            | State::Cancelling { .. }
            | State::Leaving { .. }
            | State::Lingering { .. }
            | State::Left { .. }
            | State::Over => {}
        }
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let (until, again, why) = match &self.state {
            State::Armed { until, again, .. } => (*until, *again, "unanswered INVITE is given up"),
            State::Cancelling { until, again, .. } => (*until, *again, "cancelled INVITE is given up"),
            State::Leaving { until, again, .. } => (*until, *again, "unanswered BYE is given up"),
            State::Lingering { until, .. } | State::Left { until, .. } => {
                (*until, Again::Never, "late answers are no longer awaited")
            }
            State::Over => return None,
        };
        let at = match again {
            Again::At(at) => at.min(until),
            Again::Never | Again::WhenItFails => until,
        };
        Some(Deadline { at, why })
    }

    /// What it wants done next.
    pub fn poll_output(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn send_cancel(&mut self, now: Now, invitation: Invitation) {
        self.acts.push_back(invitation.cancel());
        self.acts.push_back(Act::Sync);
        let until = now.moment + PATIENCE;
        self.enter(State::Cancelling {
            invitation,
            until,
            again: Again::WhenItFails,
        });
    }

    /// Sends a BYE, the first one or the next one; all of them together have until then.
    fn say_bye(&mut self, mut leg: Box<Leg>, mut authenticator: Authenticator, until: Moment) {
        let mut request = leg.next_request(Method::Bye, &mut self.chance);
        authenticator.authorize(self.profile.account.as_ref(), &mut request, &mut self.chance);
        self.acts.push_back(Act::Record(leg.record()));
        self.acts.push_back(Act::Send(request, leg.whither()));
        self.acts.push_back(Act::Sync);
        let bye = Bye {
            number: leg.dialog.number(),
            authenticator,
        };
        self.enter(State::Leaving {
            leg,
            bye,
            until,
            again: Again::WhenItFails,
        });
    }

    fn linger_on(&mut self, now: Now, invitation: Invitation) {
        self.acts
            .push_back(Act::Abandon(ClientKey::of_request(&invitation.request)));
        self.acts.push_back(Act::Erase);
        self.enter(State::Lingering {
            invitation,
            until: now.moment + PATIENCE,
        });
    }

    fn finish(&mut self) {
        self.acts.push_back(Act::Erase);
        let next = match &self.state {
            State::Leaving { leg, until, .. } => State::Left {
                leg: leg.clone(),
                until: *until,
            },
            State::Armed { .. }
            | State::Cancelling { .. }
            | State::Lingering { .. }
            | State::Left { .. }
            | State::Over => State::Over,
        };
        self.enter(next);
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.state.name(), to = next.name(), "farewell");
        self.state = next;
    }
}

fn send_invite(invitation: &Invitation) -> Act {
    Act::Send(
        invitation.request.clone(),
        Whither::Exactly(invitation.target.clone()),
    )
}

impl Again {
    fn is_due(self, now: Now) -> bool {
        match self {
            Self::At(at) => at <= now.moment,
            Self::Never | Self::WhenItFails => false,
        }
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Armed { .. } => "Armed",
            Self::Cancelling { .. } => "Cancelling",
            Self::Leaving { .. } => "Leaving",
            Self::Lingering { .. } => "Lingering",
            Self::Left { .. } => "Left",
            Self::Over => "Over",
        }
    }
}
