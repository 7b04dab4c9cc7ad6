//! What happens in a confirmed dialog: their requests (hang-up, hold, resume), our digits.

use std::collections::VecDeque;
use std::time::Duration;

use super::info_digits::{InfoDigits, Step};
use super::is_description;
use crate::call::DigitScript;
use crate::chance::Chance;
use crate::dialer::sip::Settings;
use crate::dialer::sip::compose;
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::leg::{Act, Leg, Profile};
use crate::dialer::sip::offer_answer::{self, Crypto, OfferParts};
use crate::dialer::sip::recovery;
use crate::dialer::sip::transaction::table::ServerKey;
use crate::dialer::sip::transaction::{Failure, PATIENCE, T1, T2};
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::media::{self, DigitsBy, Direction, Plan};
use crate::time::{Deadline, Moment, Now};

/// What the call carries out.
#[derive(Debug)]
pub enum Output {
    /// Pass it on.
    Act(Box<Act>),
    /// All digits of the oldest script have left.
    DigitsSent,
    /// They could not be sent.
    DigitsFailed(String),
    /// The far end hung up, and has its answer.
    HungUp,
    /// The dialog cannot go on.
    Broken(String),
}

/// A 2xx of ours to an INVITE of theirs, repeated until its ACK comes (RFC 3261 13.3.1.4).
#[derive(Debug)]
struct Unacknowledged {
    key: ServerKey,
    number: u32,
    response: Response,
    at: Moment,
    then: Duration,
    give_up: Moment,
    /// What we offered in it, when theirs had no offer: the answer comes in the ACK.
    offered: Option<OfferParts>,
}

/// A confirmed dialog.
pub struct Conversation {
    /// The dialog.
    pub leg: Leg,
    ours: OfferParts,
    plan: Plan,
    allows_info: bool,
    unacknowledged: Option<Box<Unacknowledged>>,
    digits: InfoDigits,
    outputs: VecDeque<Output>,
}

/// Whether digits by RFC 4733 are offered.
pub fn offers_telephone_event(by: DigitsBy) -> bool {
    match by {
        DigitsBy::Auto | DigitsBy::Rfc4733 => true,
        DigitsBy::Info | DigitsBy::InBand => false,
    }
}

impl Conversation {
    /// Begins with the 2xx to our INVITE.
    pub fn new(leg: Leg, ours: OfferParts, plan: Plan, response: &Response) -> Self {
        let allows_info = response.headers.has_token("Allow", Method::Info.as_str());
        Self {
            leg,
            ours,
            plan,
            allows_info,
            unacknowledged: None,
            digits: InfoDigits::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes a request of theirs.
    pub fn handle_request(&mut self, now: Now, key: ServerKey, request: &Request) {
        if !self.leg.dialog.take_number(request) {
            // RFC 3261 12.2.2.
            return self.respond(key, compose::answer(request, 500, ""));
        }
        match &request.method {
            Method::Bye => {
                self.respond(key, compose::answer(request, 200, ""));
                self.outputs.push_back(Output::HungUp);
            }
            Method::Invite => self.reinvited(now, key, request),
            Method::Update => self.updated(key, request),
            Method::Options => self.respond(key, compose::answer_with_allow(request, 200, "")),
            Method::Info if request.body.is_empty() => self.respond(key, compose::answer(request, 200, "")),
            // What others press and picture updates mean nothing to us (RFC 3261 21.4.13).
            Method::Info => {
                let mut response = compose::answer(request, 415, "");
                response.headers.push("Accept", "application/sdp");
                self.respond(key, response);
            }
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Refer
            | Method::Subscribe
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.respond(key, compose::answer_with_allow(request, 405, "")),
        }
    }

    /// A re-INVITE (RFC 3261 14.2).
    fn reinvited(&mut self, now: Now, key: ServerKey, request: &Request) {
        if self.unacknowledged.is_some() {
            return self.respond(key, compose::answer(request, 491, ""));
        }
        self.leg.dialog.refresh_target(request.headers.contacts().ok());
        let described = self.describe(request);
        let (body, offered) = match described {
            Described::Answer(body) => (body, None),
            Described::Offer(body, offered) => (body, Some(offered)),
            Described::Refused(status) => return self.respond(key, compose::answer(request, status, "")),
        };
        self.record();
        let response = self.description_answer(request, body);
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
    fn updated(&mut self, key: ServerKey, request: &Request) {
        if self
            .unacknowledged
            .as_ref()
            .is_some_and(|waiting| waiting.offered.is_some())
        {
            return self.respond(key, compose::answer(request, 491, ""));
        }
        self.leg.dialog.refresh_target(request.headers.contacts().ok());
        if request.body.is_empty() {
            self.record();
            let mut response = compose::answer_with_allow(request, 200, "");
            self.push_contact(&mut response);
            return self.respond(key, response);
        }
        match self.describe(request) {
            Described::Answer(body) => {
                self.record();
                let response = self.description_answer(request, body);
                self.respond(key, response);
            }
            Described::Refused(status) => self.respond(key, compose::answer(request, status, "")),
            Described::Offer(..) => self.respond(key, compose::answer(request, 488, "")),
        }
    }

    /// Our description for a request of theirs; the audio follows their offer at once.
    fn describe(&mut self, request: &Request) -> Described {
        self.ours.direction = Direction::SendReceive;
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
                self.go_on_with(plan);
                Described::Answer(body)
            }
            Err(fault) => {
                tracing::debug!(%fault, "an offer of the far end is refused, the call goes on as it was");
                Described::Refused(fault.status())
            }
        }
    }

    fn go_on_with(&mut self, plan: Plan) {
        if plan.keys.is_some() {
            self.ours.crypto = self.ours.crypto.take().map(Crypto::kept);
        }
        if plan != self.plan {
            self.plan = plan.clone();
            self.act(Act::Media(media::Command::Start(Box::new(plan))));
        }
    }

    fn description_answer(&self, request: &Request, body: Vec<u8>) -> Response {
        let mut response = compose::answer_with_allow(request, 200, "");
        self.push_contact(&mut response);
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

    /// Sends digits by the way that was agreed, or says why not.
    pub fn send_digits(&mut self, now: Now, settings: &Settings, script: DigitScript) {
        let is_in_rtp = self.plan.telephone_event.is_some();
        match settings.dtmf {
            DigitsBy::Auto | DigitsBy::Rfc4733 if is_in_rtp => {
                self.act(Act::Media(media::Command::SendDigits(script)));
            }
            DigitsBy::Info => self.digits.push(now, script),
            DigitsBy::Auto if self.allows_info => self.digits.push(now, script),
            DigitsBy::Auto | DigitsBy::Rfc4733 => {
                let why = match settings.dtmf {
                    DigitsBy::Rfc4733 => "the far end takes no telephone-event",
                    _ => "the far end takes neither telephone-event nor INFO",
                };
                self.outputs.push_back(Output::DigitsFailed(why.to_owned()));
            }
            DigitsBy::InBand => {
                let why = "this build cannot send digits as tones (media.dtmf = \"inband\")";
                self.outputs.push_back(Output::DigitsFailed(why.to_owned()));
            }
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now, profile: &Profile, chance: &mut Chance) {
        if let Some(waiting) = &mut self.unacknowledged {
            if waiting.give_up <= now.moment {
                self.unacknowledged = None;
                let why = "the far end changed the call and never acknowledged our answer";
                return self.outputs.push_back(Output::Broken(why.to_owned()));
            }
            if waiting.at <= now.moment {
                waiting.at = now.moment + waiting.then;
                waiting.then = waiting.then.saturating_mul(2).min(T2);
                let again = Act::Respond(waiting.key.clone(), waiting.response.clone());
                self.act(again);
            }
        }
        self.follow_digits(now, profile, chance);
    }

    /// Sends what is due of the digits by INFO.
    pub fn follow_digits(&mut self, now: Now, profile: &Profile, chance: &mut Chance) {
        while let Some(step) = self.digits.next_step(now) {
            match step {
                Step::Send(digit) => self.send_info(now, profile, digit, Authenticator::new(), chance),
                Step::ScriptDone => self.outputs.push_back(Output::DigitsSent),
            }
        }
    }

    fn send_info(
        &mut self,
        now: Now,
        profile: &Profile,
        digit: char,
        mut authenticator: Authenticator,
        chance: &mut Chance,
    ) {
        let mut request = self.leg.next_request(Method::Info, chance);
        request.headers.push("Content-Type", "application/dtmf-relay");
        request.body = format!("Signal={digit}\r\nDuration=100\r\n").into_bytes();
        authenticator.authorize(profile.account.as_ref(), &mut request, chance);
        self.record();
        let whither = self.leg.whither();
        self.act(Act::Send(request, whither));
        self.act(Act::Sync);
        self.digits
            .sent(now, digit, self.leg.dialog.number(), authenticator);
    }

    /// Takes a response to a request of ours in the dialog.
    pub fn handle_response(
        &mut self,
        now: Now,
        profile: &Profile,
        number: u32,
        response: &Response,
        chance: &mut Chance,
    ) {
        let Some(sent) = self.digits.waiting(number).filter(|_| !response.is_provisional()) else {
            return;
        };
        let (digit, mut authenticator) = (sent.digit, sent.authenticator.clone());
        if response.is_success() {
            self.digits.accepted(now);
        } else if matches!(response.status, 401 | 407)
            && authenticator
                .take_challenges(profile.account.as_ref(), response)
                .is_ok()
        {
            return self.send_info(now, profile, digit, authenticator, chance);
        } else {
            self.digits.refused(now);
            let why = format!("the far end refused a digit with {}", response.status);
            self.outputs.push_back(Output::DigitsFailed(why));
        }
        self.follow_digits(now, profile, chance);
    }

    /// Takes the end of a request of ours without answer.
    pub fn handle_failure(&mut self, now: Now, number: u32, failure: &Failure) {
        if self.digits.waiting(number).is_none() {
            return;
        }
        self.digits.refused(now);
        let why = match failure {
            Failure::TimedOut => "the far end did not answer a digit".to_owned(),
            Failure::Flow(fault) => fault.to_string(),
        };
        self.outputs.push_back(Output::DigitsFailed(why));
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let repeat = self.unacknowledged.as_ref().map(|waiting| Deadline {
            at: waiting.at.min(waiting.give_up),
            why: "answer to a re-INVITE is unacknowledged",
        });
        Deadline::earliest([repeat, self.digits.next_deadline()])
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Writes down what changed: a new target of theirs, a higher number of ours.
    fn record(&mut self) {
        let record = self.leg.record();
        if recovery::fits(&record) {
            self.act(Act::Record(record));
        } else {
            tracing::warn!("the far end's address is too long to be written down, the older one stays");
        }
    }

    fn respond(&mut self, key: ServerKey, response: Response) {
        self.act(Act::Respond(key, response));
    }

    fn act(&mut self, act: Act) {
        self.outputs.push_back(Output::Act(Box::new(act)));
    }
}

/// What we say to an offer of theirs, or to none.
enum Described {
    Answer(Vec<u8>),
    Offer(Vec<u8>, OfferParts),
    Refused(u16),
}
