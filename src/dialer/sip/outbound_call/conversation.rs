//! What happens in a confirmed dialog: their requests (hang-up, hold, resume), our digits.

use std::collections::VecDeque;

use super::doubt::Doubt;
use super::info_digits::{InfoDigits, Step};
use super::our_change::OurChange;
use super::session_timer::SessionTimer;
use super::their_change::Unacknowledged;
use crate::call::DigitScript;
use crate::chance::Chance;
use crate::dialer::sip::Settings;
use crate::dialer::sip::compose;
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::headers::Reason;
use crate::dialer::sip::leg::{Act, Leg, Profile};
use crate::dialer::sip::offer_answer::{Crypto, OfferParts};
use crate::dialer::sip::transaction::Failure;
use crate::dialer::sip::transaction::table::ServerKey;
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::media::{self, DigitsBy, Direction, Plan};
use crate::time::{Deadline, Now};

/// What the call carries out.
#[derive(Debug)]
pub enum Output {
    /// Pass it on.
    Act(Box<Act>),
    /// All digits of the oldest script have left.
    DigitsSent,
    /// They could not be sent.
    DigitsFailed(String),
    /// The far end hung up (saying why, RFC 3326), and has its answer.
    HungUp(Option<String>),
    /// The dialog cannot go on.
    Broken(String),
}

/// A confirmed dialog.
pub struct Conversation {
    /// The dialog.
    pub leg: Leg,
    /// Our newest description.
    pub(super) ours: OfferParts,
    /// The direction of ours that they last agreed to.
    pub(super) agreed_direction: Direction,
    /// What both sides agreed on.
    agreed: Plan,
    /// What the audio side does.
    plan: Plan,
    /// Whether we have put the call on hold.
    pub(super) is_held: bool,
    allows_info: bool,
    pub(super) allows_update: bool,
    pub(super) timer: SessionTimer,
    pub(super) change: OurChange,
    /// The ACK of our last re-INVITE, which repeated 2xx get again.
    pub(super) acknowledged: Option<(u32, Request)>,
    pub(super) unacknowledged: Option<Box<Unacknowledged>>,
    pub(super) doubt: Doubt,
    digits: InfoDigits,
    pub(super) outputs: VecDeque<Output>,
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
    pub fn new(
        now: Now,
        leg: Leg,
        ours: OfferParts,
        plan: Plan,
        mut timer: SessionTimer,
        response: &Response,
    ) -> Self {
        let allows = |method: Method| response.headers.has_token("Allow", method.as_str());
        timer.take_answer(now, response);
        Self {
            leg,
            agreed_direction: ours.direction,
            ours,
            agreed: plan.clone(),
            plan,
            is_held: false,
            allows_info: allows(Method::Info),
            allows_update: allows(Method::Update),
            timer,
            change: OurChange::Idle,
            acknowledged: None,
            unacknowledged: None,
            doubt: Doubt::none(),
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
                self.outputs.push_back(Output::HungUp(reason_of(request)));
            }
            Method::Invite => self.reinvited(now, key, request),
            Method::Update => self.updated(now, key, request),
            Method::Options => self.respond(key, compose::answer_with_allow(request, 200, "")),
            Method::Info => self.respond(key, compose::answer_info(request)),
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

    /// A stranger hangs up.
    pub fn doubt(&mut self, now: Now, bye: &Request, profile: &Profile, chance: &mut Chance) {
        self.doubt.raise(now, reason_of(bye));
        self.follow_changes(now, profile, chance);
    }

    /// The audio follows what both sides agreed.
    pub(super) fn go_on_with(&mut self, plan: Plan) {
        if plan.keys.is_some() {
            self.ours.crypto = self.ours.crypto.take().map(Crypto::kept);
        }
        self.agreed_direction = self.ours.direction;
        self.agreed = plan;
        self.apply_plan();
    }

    /// The audio follows; on hold nothing of the room is sent, whatever was agreed.
    pub(super) fn apply_plan(&mut self) {
        let mut plan = self.agreed.clone();
        if self.is_held {
            plan.direction = Direction::Inactive;
        }
        if plan != self.plan {
            self.plan = plan.clone();
            self.act(Act::Media(media::Command::Start(Box::new(plan))));
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
            DigitsBy::Rfc4733 => {
                let why = "the far end takes no telephone-event";
                self.outputs.push_back(Output::DigitsFailed(why.to_owned()));
            }
            // Without telephone-event in the plan the audio side sends tones.
            DigitsBy::Auto | DigitsBy::InBand => {
                self.act(Act::Media(media::Command::SendDigits(script)));
            }
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now, profile: &Profile, chance: &mut Chance) {
        if !self.repeat_answer(now) {
            return;
        }
        self.follow_changes(now, profile, chance);
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
        if self.change_answered(now, profile, number, response, chance) {
            return;
        }
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
        if self.change_failed(now, number, failure) || self.digits.waiting(number).is_none() {
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
        Deadline::earliest([
            self.answer_deadline(),
            self.digits.next_deadline(),
            self.changes_deadline(),
        ])
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn respond(&mut self, key: ServerKey, response: Response) {
        self.act(Act::Respond(key, response));
    }

    pub(super) fn act(&mut self, act: Act) {
        self.outputs.push_back(Output::Act(Box::new(act)));
    }
}

/// Why they hang up, in their words (RFC 3326): short, without control characters.
fn reason_of(request: &Request) -> Option<String> {
    let reason = Reason::parse(request.headers.get("Reason")?).ok()?;
    let cause = reason.cause.map(|cause| format!("{} {cause}", reason.protocol));
    let words = reason.text.filter(|text| !text.is_empty());
    let whole = [cause, words].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let shown: String = whole
        .chars()
        .filter(|character| !character.is_control())
        .take(128)
        .collect();
    Some(shown).filter(|shown| !shown.is_empty())
}
