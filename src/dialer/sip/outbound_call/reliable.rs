//! Reliable provisional responses (RFC 3262): each is acknowledged by a PRACK in the early dialog it belongs to.

use super::{OutboundCall, State};
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::headers::{RAck, RSeq};
use crate::dialer::sip::leg::Act;
use crate::dialer::sip::recovery::RecordedState;
use crate::dialer::sip::wire::{Method, Response};

/// How many provisional responses of one far end are acknowledged: nobody needs more, and each costs a transaction.
const MOST_OF_ONE: u32 = 64;

/// A PRACK that waits for its answer.
pub(super) struct Sent {
    number: u32,
    rack: RAck,
    authenticator: Authenticator,
}

impl OutboundCall {
    /// Acknowledges a provisional response, if it wants to be: once, and in order (RFC 3262 4).
    pub(super) fn acknowledge_provisional(&mut self, response: &Response) {
        let index = self.early_dialog(response);
        let is_reliable = response.status > 100 && response.headers.has_token("Require", "100rel");
        let number = response
            .headers
            .get("RSeq")
            .filter(|_| is_reliable)
            .and_then(|value| RSeq::parse(value).ok());
        let (Some(RSeq(number)), Some(cseq)) = (number, response.cseq()) else {
            return;
        };
        let offered = match &self.state {
            State::Inviting { offered, .. } | State::Early { offered, .. } => offered.clone(),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Moved { .. }
            | State::Confirmed(_)
            | State::Ended => return,
        };
        let Some((index, early)) = index.and_then(|index| Some((index, self.early.get_mut(index)?))) else {
            return;
        };
        let is_next = early
            .acknowledged
            .is_none_or(|last| last.checked_add(1) == Some(number));
        if !is_next || early.count >= MOST_OF_ONE {
            return;
        }
        early.settle(&offered, response);
        early.acknowledged = Some(number);
        early.count += 1;
        let rack = RAck {
            response: number,
            cseq,
        };
        self.prack(index, rack, self.authenticator.clone());
    }

    fn prack(&mut self, index: usize, rack: RAck, mut authenticator: Authenticator) {
        let Some(early) = self.early.get_mut(index) else {
            return;
        };
        let mut request = early.leg.next_request(Method::Prack, &mut self.chance);
        request.headers.push("RAck", rack.to_string());
        authenticator.authorize(self.profile.account.as_ref(), &mut request, &mut self.chance);
        let number = early.leg.dialog.number();
        let whither = early.leg.whither();
        early.sent = Some(Sent {
            number,
            rack,
            authenticator,
        });
        if let State::Inviting { invitation, .. } | State::Early { invitation, .. } = &mut self.state {
            invitation.last_number = invitation.last_number.max(number);
            let record = invitation.record(RecordedState::Early);
            self.acts.push_back(Act::Record(record));
        }
        self.acts.push_back(Act::Send(request, whither));
        self.acts.push_back(Act::Sync);
    }

    /// The answer to a PRACK: only a challenge is of interest.
    pub(super) fn prack_answered(&mut self, number: u32, response: &Response) {
        if response.is_provisional() {
            return;
        }
        let index = self.early.position(|early| {
            early.leg.dialog.is_answered_by(response)
                && early.sent.as_ref().is_some_and(|sent| sent.number == number)
        });
        let sent = index
            .and_then(|index| self.early.get_mut(index))
            .and_then(|early| early.sent.take());
        let (Some(index), Some(mut sent)) = (index, sent) else {
            return;
        };
        let is_open = self.current_invitation().is_some();
        if matches!(response.status, 401 | 407) && is_open {
            let taken = sent
                .authenticator
                .take_challenges(self.profile.account.as_ref(), response);
            match taken {
                Ok(()) => self.prack(index, sent.rack, sent.authenticator),
                Err(fault) => tracing::debug!(%fault, "a PRACK is challenged and cannot be sent again"),
            }
        } else if !response.is_success() {
            tracing::debug!(status = response.status, "a PRACK is refused");
        }
    }
}
