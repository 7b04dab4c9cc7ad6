//! Changes of the call that the far end makes: re-INVITE (RFC 3261 14.2), UPDATE (RFC 3311), and the ACK of our answer.

use std::time::Duration;

use super::conversation::{Conversation, Output};
use super::is_description;
use super::session_timer::SessionTimer;
use crate::dialer::sip::compose;
use crate::dialer::sip::headers::MinSe;
use crate::dialer::sip::leg::Act;
use crate::dialer::sip::offer_answer::{self, OfferParts};
use crate::dialer::sip::transaction::table::ServerKey;
use crate::dialer::sip::transaction::{PATIENCE, T1, T2};
use crate::dialer::sip::wire::{Request, Response};
use crate::time::{Deadline, Moment, Now};

/// A 2xx of ours to an INVITE of theirs, repeated until its ACK comes (RFC 3261 13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacknowledged {
    key: ServerKey,
    number: u32,
    response: Response,
    at: Moment,
    then: Duration,
    give_up: Moment,
    /// What we offered in it, when theirs had no offer: the answer comes in the ACK.
    offered: Option<OfferParts>,
}

/// What we say to an offer of theirs, or to none.
enum Described {
    Answer(Vec<u8>),
    Offer(Vec<u8>, OfferParts),
    Refused(u16),
}

impl Conversation {
    /// A re-INVITE (RFC 3261 14.2).
    pub(super) fn reinvited(&mut self, now: Now, key: ServerKey, request: &Request) {
        if self.unacknowledged.is_some() || self.change.has_offered() {
            return self.respond(key, compose::answer(request, 491, ""));
        }
        if let Err(least) = SessionTimer::check_request(request) {
            return self.respond(key, too_brief(request, least));
        }
        self.leg.dialog.refresh_target(request.headers.contacts().ok());
        let described = self.describe(request);
        let (body, offered) = match described {
            Described::Answer(body) => (body, None),
            Described::Offer(body, offered) => (body, Some(offered)),
            Described::Refused(status) => return self.respond(key, compose::answer(request, status, "")),
        };
        self.record();
        let response = self.description_answer(now, request, body);
        self.respond(key.clone(), response.clone());
        self.unacknowledged = Some(Box::new(Unacknowledged {
            key,
            number: request.cseq().map_or(0, |cseq| cseq.number),
            response,
            at: now.moment + T1,
            then: T1 * 2,
            give_up: now.moment + PATIENCE,
            offered,
        }));
    }

    /// An UPDATE (RFC 3311 5.2).
    pub(super) fn updated(&mut self, now: Now, key: ServerKey, request: &Request) {
        let has_offered = self.change.has_offered()
            || self
                .unacknowledged
                .as_ref()
                .is_some_and(|waiting| waiting.offered.is_some());
        if has_offered && !request.body.is_empty() {
            return self.respond(key, compose::answer(request, 491, ""));
        }
        if let Err(least) = SessionTimer::check_request(request) {
            return self.respond(key, too_brief(request, least));
        }
        self.leg.dialog.refresh_target(request.headers.contacts().ok());
        if request.body.is_empty() {
            self.record();
            let mut response = compose::answer_with_allow(request, 200, "");
            self.push_contact(&mut response);
            self.timer.answer(now, request, &mut response);
            return self.respond(key, response);
        }
        match self.describe(request) {
            Described::Answer(body) => {
                self.record();
                let response = self.description_answer(now, request, body);
                self.respond(key, response);
            }
            Described::Refused(status) => self.respond(key, compose::answer(request, status, "")),
            Described::Offer(..) => self.respond(key, compose::answer(request, 488, "")),
        }
    }

    /// Our description for a request of theirs; the audio follows their offer at once.
    fn describe(&mut self, request: &Request) -> Described {
        self.ours.direction = self.wanted_direction();
        if request.body.is_empty() {
            self.ours.version += 1;
            return Described::Offer(offer_answer::offer(&self.ours), self.ours.clone());
        }
        if !is_description(request.headers.get("Content-Type")) {
            return Described::Refused(415);
        }
        let ours = OfferParts {
            version: self.ours.version + 1,
            ..self.ours.clone()
        };
        match offer_answer::answer(&ours, &request.body) {
            Ok((body, plan)) => {
                self.ours = ours;
                self.agreed_direction = self.ours.direction;
                self.go_on_with(plan);
                Described::Answer(body)
            }
            Err(fault) => {
                tracing::debug!(%fault, "an offer of the far end is refused, the call goes on as it was");
                Described::Refused(fault.status())
            }
        }
    }

    /// Says the answer to a re-INVITE again when it is due; `false` when it was never acknowledged.
    pub(super) fn repeat_answer(&mut self, now: Now) -> bool {
        let Some(waiting) = &mut self.unacknowledged else {
            return true;
        };
        if waiting.give_up <= now.moment {
            self.unacknowledged = None;
            let why = "the far end changed the call and never acknowledged our answer";
            self.outputs.push_back(Output::Broken(why.to_owned()));
            return false;
        }
        if waiting.at <= now.moment {
            waiting.at = now.moment + waiting.then;
            waiting.then = waiting.then.saturating_mul(2).min(T2);
            let again = Act::Respond(waiting.key.clone(), waiting.response.clone());
            self.act(again);
        }
        true
    }

    /// When the answer to a re-INVITE is said again, or given up.
    pub(super) fn answer_deadline(&self) -> Option<Deadline> {
        self.unacknowledged.as_ref().map(|waiting| Deadline {
            at: waiting.at.min(waiting.give_up),
            why: "answer to a re-INVITE is unacknowledged",
        })
    }

    fn description_answer(&mut self, now: Now, request: &Request, body: Vec<u8>) -> Response {
        let mut response = compose::answer_with_allow(request, 200, "");
        self.push_contact(&mut response);
        self.timer.answer(now, request, &mut response);
        response.headers.push("Content-Type", "application/sdp");
        response.body = body;
        response
    }

    fn push_contact(&self, response: &mut Response) {
        if let Some(contact) = self.leg.invitation.request.headers.get("Contact") {
            response.headers.push("Contact", contact);
        }
    }

    /// The ACK of a 2xx of ours.
    pub fn handle_acknowledgement(&mut self, ack: &Request) {
        let number = ack.cseq().map(|cseq| cseq.number);
        let Some(waiting) = self
            .unacknowledged
            .take_if(|waiting| Some(waiting.number) == number)
        else {
            return;
        };
        let Some(offered) = waiting.offered else { return };
        match offer_answer::read_answer(&offered, &ack.body) {
            Ok(plan) => self.go_on_with(plan),
            Err(fault) => self
                .outputs
                .push_back(Output::Broken(format!("no usable audio any more: {fault}"))),
        }
    }
}

/// 422 (RFC 4028 9).
pub(super) fn too_brief(request: &Request, least: MinSe) -> Response {
    let mut response = compose::answer(request, 422, "");
    response.headers.push("Min-SE", least.to_string());
    response
}
