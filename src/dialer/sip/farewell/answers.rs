//! What answers the INVITE, the CANCEL and the BYE of a farewell, or fails to.

use super::{Again, Farewell, State, TRY_AGAIN};
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::leg::{Act, Leg};
use crate::dialer::sip::recovery::RecordedState;
use crate::dialer::sip::transaction::{Failure, PATIENCE};
use crate::dialer::sip::wire::{Method, Response};
use crate::time::Now;

impl Farewell {
    /// Takes a response to the INVITE, the CANCEL or the BYE.
    pub fn handle_response(&mut self, now: Now, response: &Response) {
        let Some(cseq) = response.cseq() else { return };
        match cseq.method {
            Method::Invite => self.invite_answered(now, cseq.number, response),
            Method::Bye => self.bye_answered(cseq.number, response),
            // What becomes of the INVITE counts, whatever the CANCEL is answered with (RFC 3261 9.1).
            _ => {}
        }
    }

    fn invite_answered(&mut self, now: Now, number: u32, response: &Response) {
        if self
            .invitation()
            .is_none_or(|invitation| invitation.number() != number)
        {
            return;
        }
        match (&self.state, response.status) {
            (State::Armed { invitation, .. }, 100..=199) => {
                let invitation = invitation.clone();
                self.acts
                    .push_back(Act::Record(invitation.record(RecordedState::Early)));
                // The connection of the INVITE may have broken and its transaction with it.
                self.acts
                    .push_back(Act::Resume(invitation.request.clone(), invitation.target.clone()));
                self.send_cancel(now, invitation);
            }
            (
                State::Armed { invitation, .. }
                | State::Cancelling { invitation, .. }
                | State::Lingering { invitation, .. },
                200..=299,
            ) => {
                let Some(leg) = Leg::begin(invitation.clone(), response, &mut self.chance) else {
                    return;
                };
                self.acts.push_back(Act::Record(leg.record()));
                self.acts.push_back(leg.acknowledge());
                self.say_bye(Box::new(leg), Authenticator::new(), now.moment + PATIENCE);
            }
            (State::Armed { .. } | State::Cancelling { .. } | State::Lingering { .. }, 300..=699) => {
                self.finish()
            }
            (State::Leaving { leg, .. } | State::Left { leg, .. }, 200..=299)
                if leg.dialog.is_answered_by(response) =>
            {
                self.acts.push_back(leg.acknowledge());
            }
            (State::Leaving { leg, .. } | State::Left { leg, .. }, 200..=299) => {
                let invitation = leg.invitation.clone();
                let Some(other) = Leg::begin(invitation, response, &mut self.chance) else {
                    return;
                };
                let fork = Self::fork(now, self.profile.clone(), self.chance.fork(), other);
                self.acts.push_back(Act::Fork(Box::new(fork)));
            }
            (
                State::Armed { .. }
                | State::Cancelling { .. }
                | State::Lingering { .. }
                | State::Leaving { .. }
                | State::Left { .. }
                | State::Over,
                _,
            ) => {}
        }
    }

    fn bye_answered(&mut self, number: u32, response: &Response) {
        let State::Leaving { leg, bye, until, .. } = &self.state else {
            return;
        };
        if response.is_provisional() || bye.number != number {
            return;
        }
        if matches!(response.status, 401 | 407) {
            let (leg, until, mut authenticator) = (leg.clone(), *until, bye.authenticator.clone());
            match authenticator.take_challenges(self.profile.account.as_ref(), response) {
                Ok(()) => return self.say_bye(leg, authenticator, until),
                Err(fault) => {
                    tracing::warn!(%fault, status = response.status, "the far end takes no BYE from us")
                }
            }
        }
        self.finish();
    }

    /// Takes the end of a transaction, or of the search for a way, without answer.
    pub fn handle_failure(&mut self, now: Now, method: &Method, failure: &Failure) {
        let again_at = Again::At(now.moment + TRY_AGAIN);
        match (&mut self.state, method, failure) {
            (State::Armed { again, .. }, Method::Invite, Failure::Flow(_)) => match again {
                Again::WhenItFails | Again::At(_) => *again = again_at,
                Again::Never => self.invite_failed(now),
            },
            (State::Armed { invitation, .. }, Method::Invite, Failure::TimedOut) => {
                let invitation = invitation.clone();
                self.linger_on(now, invitation);
            }
            (State::Cancelling { again, .. }, Method::Cancel, Failure::Flow(_))
            | (State::Leaving { again, .. }, Method::Bye, Failure::Flow(_)) => *again = again_at,
            (State::Leaving { .. }, Method::Bye, Failure::TimedOut) => {
                tracing::warn!("the far end never answered our BYE");
                self.finish();
            }
            // The deadline of the state stands behind these.
            (State::Armed { .. } | State::Cancelling { .. } | State::Leaving { .. }, _, _)
            | (State::Lingering { .. } | State::Left { .. } | State::Over, _, _) => {}
        }
    }

    /// A datagram that nobody took made no dialog; of what went into a stream nobody knows.
    fn invite_failed(&mut self, now: Now) {
        if let State::Armed { invitation, .. } = &self.state
            && !invitation.target.transport.is_stream()
        {
            let invitation = invitation.clone();
            self.linger_on(now, invitation);
        }
    }
}
