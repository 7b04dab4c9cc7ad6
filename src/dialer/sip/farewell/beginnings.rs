//! The ways in which a farewell begins.

use std::sync::Arc;

use super::{Again, Farewell, State, send_invite};
use crate::chance::Chance;
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::leg::{Act, Invitation, Leg, Profile};
use crate::dialer::sip::recovery::Orphan;
use crate::dialer::sip::transaction::PATIENCE;
use crate::time::Now;

impl Farewell {
    /// For an INVITE that has had no response, and whose transaction runs.
    pub fn armed(now: Now, profile: Arc<Profile>, chance: Chance, invitation: Invitation) -> Self {
        let until = now.moment + PATIENCE;
        Self::with(
            profile,
            chance,
            State::Armed {
                invitation,
                until,
                again: Again::Never,
            },
        )
    }

    /// For an INVITE that has had a provisional response: its CANCEL leaves.
    pub fn cancel(now: Now, profile: Arc<Profile>, chance: Chance, invitation: Invitation) -> Self {
        let until = now.moment + PATIENCE;
        let mut this = Self::with(
            profile,
            chance,
            State::Lingering {
                invitation: invitation.clone(),
                until,
            },
        );
        this.send_cancel(now, invitation);
        this
    }

    /// For a dialog: its BYE leaves.
    pub fn leave(now: Now, profile: Arc<Profile>, chance: Chance, leg: Leg) -> Self {
        let mut this = Self::with(profile, chance, State::Over);
        this.say_bye(Box::new(leg), Authenticator::new(), now.moment + PATIENCE);
        this
    }

    /// For one more 2xx to the same INVITE: it is acknowledged, and its dialog ended.
    pub fn fork(now: Now, profile: Arc<Profile>, chance: Chance, leg: Leg) -> Self {
        let mut this = Self::with(profile, chance, State::Over);
        this.acts.push_back(Act::Record(leg.record()));
        this.acts.push_back(leg.acknowledge());
        this.say_bye(Box::new(leg), Authenticator::new(), now.moment + PATIENCE);
        this
    }

    /// For an INVITE that stayed unanswered: only a late 2xx is still to be ended.
    pub fn linger(now: Now, profile: Arc<Profile>, chance: Chance, invitation: Invitation) -> Self {
        let until = now.moment + PATIENCE;
        let mut this = Self::with(profile, chance, State::Lingering { invitation, until });
        this.acts.push_back(Act::Erase);
        this
    }

    /// For what the last process left behind.
    pub fn recover(now: Now, profile: Arc<Profile>, chance: Chance, orphan: Orphan) -> Self {
        let until = now.moment + PATIENCE;
        match orphan {
            Orphan::Invited {
                invitation,
                is_early: true,
            } => {
                let invitation = *invitation;
                let mut this = Self::with(
                    profile,
                    chance,
                    State::Lingering {
                        invitation: invitation.clone(),
                        until,
                    },
                );
                this.acts
                    .push_back(Act::Resume(invitation.request.clone(), invitation.target.clone()));
                this.send_cancel(now, invitation);
                this
            }
            Orphan::Invited {
                invitation,
                is_early: false,
            } => {
                let invitation = *invitation;
                let send = send_invite(&invitation);
                let armed = State::Armed {
                    invitation,
                    until,
                    again: Again::WhenItFails,
                };
                let mut this = Self::with(profile, chance, armed);
                this.acts.push_back(send);
                this
            }
            Orphan::Dialog(leg) => Self::leave(now, profile, chance, *leg),
        }
    }
}
