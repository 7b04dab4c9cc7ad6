//! The early dialogs of an INVITE (RFC 3261 12.1): each far end that sent a provisional response with a tag has one,
//! and may send requests in it before it answers (RFC 3311).

use super::reliable::Sent;
use super::session_timer::SessionTimer;
use super::their_change::too_brief;
use super::{OutboundCall, State, is_description};
use crate::dialer::sip::compose;
use crate::dialer::sip::dialog::Dialog;
use crate::dialer::sip::leg::{Act, Invitation, Leg};
use crate::dialer::sip::offer_answer::{self, OfferParts};
use crate::dialer::sip::transaction::table::ServerKey;
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::media::Plan;

/// How many far ends of one INVITE are heard out; of more only the answer counts.
const MOST: usize = 8;

/// One of them.
pub(super) struct EarlyDialog {
    pub(super) leg: Leg,
    pub(super) tag: String,
    /// The RSeq that was acknowledged last.
    pub(super) acknowledged: Option<u32>,
    /// How many provisional responses were acknowledged.
    pub(super) count: u32,
    /// The PRACK that waits for its answer.
    pub(super) sent: Option<Sent>,
    /// What was agreed before the answer.
    pub(super) settled: Option<Settled>,
}

/// An offer and its answer, both before the 2xx.
#[derive(Clone)]
pub(super) struct Settled {
    pub(super) ours: OfferParts,
    pub(super) plan: Plan,
    /// Whether it came by an UPDATE, so that no description of the 2xx can mean the INVITE's offer any more.
    pub(super) is_updated: bool,
}

/// The early dialogs of one INVITE.
#[derive(Default)]
pub struct EarlyDialogs(Vec<EarlyDialog>);

impl EarlyDialogs {
    /// The highest CSeq that a PRACK took.
    pub fn highest(&self) -> u32 {
        let numbers = self.0.iter().map(|early| early.leg.dialog.number());
        numbers.max().unwrap_or(0)
    }

    /// The one that a request of theirs belongs to.
    pub fn leg_of(&self, request: &Request) -> Option<&Leg> {
        let mut legs = self.0.iter().map(|early| &early.leg);
        legs.find(|leg| leg.dialog.owns(request))
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut EarlyDialog> {
        self.0.get_mut(index)
    }

    pub(super) fn position(&self, fits: impl Fn(&EarlyDialog) -> bool) -> Option<usize> {
        self.0.iter().position(fits)
    }

    /// Takes out the one that a response to the INVITE belongs to.
    pub(super) fn take(&mut self, response: &Response) -> Option<EarlyDialog> {
        let index = self.position(|early| early.leg.dialog.is_answered_by(response))?;
        Some(self.0.swap_remove(index))
    }
}

impl OutboundCall {
    /// The early dialog of a provisional response, which may begin with it; none without a tag.
    pub(super) fn early_dialog(&mut self, response: &Response) -> Option<usize> {
        let tag = response.to()?.tag()?.to_owned();
        let known = self.early.position(|early| early.tag == tag);
        if known.is_some() || self.early.0.len() >= MOST {
            return known;
        }
        let invitation = self.current_invitation()?.clone();
        let dialog = Dialog::begin(&invitation.request, response, invitation.number())?;
        self.early.0.push(EarlyDialog {
            leg: Leg::with(invitation, dialog, &mut self.chance),
            tag,
            acknowledged: None,
            count: 0,
            sent: None,
            settled: None,
        });
        Some(self.early.0.len() - 1)
    }

    /// Takes a request of theirs before the answer.
    pub(super) fn early_request(&mut self, key: ServerKey, request: &Request) {
        let Some(index) = self.early.position(|early| early.leg.dialog.owns(request)) else {
            return;
        };
        let Some(early) = self.early.get_mut(index) else {
            return;
        };
        let response = match &request.method {
            // RFC 3261 12.2.2.
            _ if !early.leg.dialog.take_number(request) => compose::answer(request, 500, ""),
            Method::Update => early.updated(request),
            // RFC 3261 14.2: ours is still in progress.
            Method::Invite => compose::answer(request, 491, ""),
            // RFC 3261 15: who has not answered refuses the INVITE.
            Method::Bye => compose::answer(request, 481, ""),
            Method::Options => compose::answer_with_allow(request, 200, ""),
            Method::Info => compose::answer_info(request),
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Refer
            | Method::Subscribe
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other(_) => compose::answer_with_allow(request, 405, ""),
        };
        self.acts.push_back(Act::Respond(key, response));
    }

    pub(super) fn current_invitation(&self) -> Option<&Invitation> {
        match &self.state {
            State::Inviting { invitation, .. } | State::Early { invitation, .. } => Some(invitation),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Moved { .. }
            | State::Confirmed(_)
            | State::Ended => None,
        }
    }
}

impl EarlyDialog {
    /// Takes the answer to the INVITE's offer, if a reliable response has brought it: the first one counts
    /// (RFC 3261 13.2.1).
    pub(super) fn settle(&mut self, offered: &OfferParts, response: &Response) {
        let has_answer = !response.body.is_empty() && is_description(response.headers.get("Content-Type"));
        if self.settled.is_none() && has_answer {
            self.settled = offer_answer::read_answer(offered, &response.body)
                .inspect_err(|fault| tracing::debug!(%fault, "a reliable early answer cannot be used"))
                .ok()
                .map(|plan| Settled {
                    ours: offered.clone(),
                    plan,
                    is_updated: false,
                });
        }
    }

    /// An UPDATE (RFC 3311 5.2).
    fn updated(&mut self, request: &Request) -> Response {
        if let Err(least) = SessionTimer::check_request(request) {
            return too_brief(request, least);
        }
        if request.body.is_empty() {
            self.leg.dialog.refresh_target(request.headers.contacts().ok());
            return self.accept(request);
        }
        if !is_description(request.headers.get("Content-Type")) {
            return compose::answer(request, 415, "");
        }
        // The offer of our INVITE is still unanswered.
        let Some(settled) = &self.settled else {
            return compose::answer(request, 491, "");
        };
        let ours = OfferParts {
            version: settled.ours.version + 1,
            ..settled.ours.clone()
        };
        match offer_answer::answer(&ours, &request.body) {
            Ok((body, plan)) => {
                self.leg.dialog.refresh_target(request.headers.contacts().ok());
                let mut response = self.accept(request);
                response.headers.push("Content-Type", "application/sdp");
                response.body = body;
                self.settled = Some(Settled {
                    ours,
                    plan,
                    is_updated: true,
                });
                response
            }
            Err(fault) => compose::answer(request, fault.status(), ""),
        }
    }

    fn accept(&self, request: &Request) -> Response {
        let mut response = compose::answer_with_allow(request, 200, "");
        if let Some(contact) = self.leg.invitation.request.headers.get("Contact") {
            response.headers.push("Contact", contact);
        }
        response
    }
}
