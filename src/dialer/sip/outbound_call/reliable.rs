//! Reliable provisional responses (RFC 3262): each is acknowledged by a PRACK in the early dialog it belongs to.

use super::{OutboundCall, State};
use crate::dialer::sip::dialog::Dialog;
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::headers::{RAck, RSeq};
use crate::dialer::sip::leg::{Act, Invitation, Leg};
use crate::dialer::sip::recovery::RecordedState;
use crate::dialer::sip::wire::{Method, Response};

/// How many far ends of one INVITE are heard out; more get no PRACK and give up by themselves.
const MOST: usize = 8;
/// How many provisional responses of one far end are acknowledged: nobody needs more, and each costs a transaction.
const MOST_OF_ONE: u32 = 64;

/// An early dialog whose far end sends reliable provisional responses.
struct EarlyDialog {
    leg: Leg,
    tag: Option<String>,
    /// The RSeq that was acknowledged last.
    acknowledged: u32,
    count: u32,
    /// The PRACK that waits for its answer.
    sent: Option<Sent>,
}

struct Sent {
    number: u32,
    rack: RAck,
    authenticator: Authenticator,
}

/// The early dialogs of one INVITE.
#[derive(Default)]
pub struct EarlyDialogs(Vec<EarlyDialog>);

impl EarlyDialogs {
    /// The highest CSeq that a PRACK took.
    pub fn highest(&self) -> u32 {
        self.0
            .iter()
            .map(|early| early.leg.dialog.number())
            .max()
            .unwrap_or(0)
    }
}

impl OutboundCall {
    /// Acknowledges a provisional response, if it wants to be: once, and in order (RFC 3262 4).
    pub(super) fn acknowledge_provisional(&mut self, response: &Response) {
        let is_reliable = response.status > 100 && response.headers.has_token("Require", "100rel");
        let number = response
            .headers
            .get("RSeq")
            .filter(|_| is_reliable)
            .and_then(|value| RSeq::parse(value).ok());
        let (Some(RSeq(number)), Some(cseq)) = (number, response.cseq()) else {
            return;
        };
        let tag = response.to().and_then(|to| to.tag().map(str::to_owned));
        let known = self.early.0.iter().position(|early| early.tag == tag);
        let index = match known {
            Some(index) => index,
            None if tag.is_none() || self.early.0.len() >= MOST => return,
            None => {
                let Some(invitation) = self.current_invitation().cloned() else {
                    return;
                };
                let Some(dialog) = Dialog::begin(&invitation.request, response, invitation.number()) else {
                    return;
                };
                let leg = Leg::with(invitation, dialog, &mut self.chance);
                self.early.0.push(EarlyDialog {
                    leg,
                    tag,
                    acknowledged: number.saturating_sub(1),
                    count: 0,
                    sent: None,
                });
                self.early.0.len() - 1
            }
        };
        let Some(early) = self.early.0.get_mut(index) else {
            return;
        };
        if early.acknowledged.checked_add(1) != Some(number) || early.count >= MOST_OF_ONE {
            return;
        }
        early.acknowledged = number;
        early.count += 1;
        let rack = RAck {
            response: number,
            cseq,
        };
        self.prack(index, rack, self.authenticator.clone());
    }

    fn prack(&mut self, index: usize, rack: RAck, mut authenticator: Authenticator) {
        let Some(early) = self.early.0.get_mut(index) else {
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
        let tag = response.to().and_then(|to| to.tag().map(str::to_owned));
        let index = self.early.0.iter().position(|early| {
            early.tag == tag && early.sent.as_ref().is_some_and(|sent| sent.number == number)
        });
        let sent = index
            .and_then(|index| self.early.0.get_mut(index))
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

    fn current_invitation(&self) -> Option<&Invitation> {
        match &self.state {
            State::Inviting { invitation, .. } | State::Early { invitation, .. } => Some(invitation),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Confirmed(_)
            | State::Ended => None,
        }
    }
}
