//! How a call ends: the room is told at once, a farewell does what is left.

use super::{Audio, OutboundCall, State};
use crate::call::{CallEvent, EndReason, EndedHere};
use crate::dialer::sip::farewell::Farewell;
use crate::dialer::sip::leg::{Act, Leg};
use crate::dialer::sip::locate;
use crate::media;
use crate::network::ConnectFault;
use crate::time::Now;

impl OutboundCall {
    /// The room hangs up: `Ended` is said at once, the rest is a farewell's business.
    pub fn hang_up(&mut self, now: Now, why: EndedHere) {
        let reason = EndReason::EndedHere(why);
        let (profile, chance) = (self.profile.clone(), self.chance.fork());
        match &self.state {
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Moved { .. } => self.end(reason),
            State::Inviting { invitation, .. } => {
                let farewell = Farewell::armed(now, profile, chance, invitation.clone());
                self.leave_with(farewell, reason);
            }
            State::Early { invitation, .. } => {
                let farewell = Farewell::cancel(now, profile, chance, invitation.clone());
                self.leave_with(farewell, reason);
            }
            State::Confirmed(conversation) => {
                let leg = conversation.leg.clone();
                self.leave(now, leg, reason);
            }
            State::Ended => {}
        }
    }

    pub(super) fn unreachable(&mut self, now: Now, fault: ConnectFault) {
        let reason = self.unreachable_reason(fault);
        self.try_next_contact(now, reason);
    }

    pub(super) fn unreachable_reason(&self, fault: ConnectFault) -> EndReason {
        let registrar = locate::read_uri(&self.profile.settings.registrar).ok();
        let is_at_registrar = registrar.is_some_and(|registrar| registrar.host() == self.identity.uri.host());
        if self.identity.route.is_some() || is_at_registrar {
            EndReason::ProxyUnreachable(fault)
        } else {
            EndReason::Unreachable(fault)
        }
    }

    /// Ends a confirmed dialog from our side.
    pub(super) fn leave(&mut self, now: Now, leg: Leg, reason: EndReason) {
        let farewell = Farewell::leave(now, self.profile.clone(), self.chance.fork(), leg);
        self.leave_with(farewell, reason);
    }

    /// What the farewell wants done first is done before the room is told.
    pub(super) fn leave_with(&mut self, mut farewell: Farewell, reason: EndReason) {
        while let Some(act) = farewell.poll_output() {
            self.acts.push_back(act);
        }
        self.end(reason);
        self.acts.push_back(Act::Leave(Box::new(farewell)));
    }

    pub(super) fn end(&mut self, reason: EndReason) {
        if let State::Ended = self.state {
            return;
        }
        if self.audio != Audio::None {
            self.acts.push_back(Act::Media(media::Command::Stop));
        }
        self.enter(State::Ended);
        self.acts.push_back(Act::Event(CallEvent::Ended {
            call: self.call,
            reason,
        }));
    }
}
