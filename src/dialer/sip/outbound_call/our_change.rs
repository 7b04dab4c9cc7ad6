//! What we change in a confirmed dialog: hold and resume by re-INVITE, the refresh of the session by UPDATE or
//! re-INVITE; one request at a time (RFC 3261 14.1, RFC 3311, RFC 4028).

use std::time::Duration;

use super::conversation::{Conversation, Output};
use super::session_timer::Due;
use crate::chance::Chance;
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::leg::{Act, Profile};
use crate::dialer::sip::offer_answer::{self, OfferParts};
use crate::dialer::sip::transaction::{Failure, PATIENCE};
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::dialer::sip::{compose, recovery};
use crate::media::Direction;
use crate::time::{Deadline, Moment, Now};

/// A re-INVITE that only ever gets provisional responses is given up after this: timer B of both its halves.
const LONGEST: Duration = Duration::from_secs(2 * PATIENCE.as_secs());
/// After a refusal that ends nothing a refresh is tried again, as often as fits before the session dies.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// ```text
/// Idle ──→ Sent ──answer──→ Idle
///            │ ↑ 401, 422
///            └─┴─ 491, refused refresh ──→ Pausing ──→ Sent
/// ```
pub enum OurChange {
    /// Nothing is under way.
    Idle,
    /// Tried again at this moment.
    Pausing { until: Moment },
    /// Waits for its answer.
    Sent(Box<Sent>),
}

/// A re-INVITE or UPDATE of ours.
pub struct Sent {
    request: Request,
    number: u32,
    /// What it offered; an UPDATE that refreshes offers nothing.
    offered: Option<OfferParts>,
    authenticator: Authenticator,
    give_up: Moment,
}

impl OurChange {
    /// Whether an offer of ours is unanswered: then theirs get 491 (RFC 3261 14.2, RFC 3311 5.2).
    pub fn has_offered(&self) -> bool {
        matches!(self, Self::Sent(sent) if sent.offered.is_some())
    }

    fn is_sent(&self, number: u32) -> bool {
        matches!(self, Self::Sent(sent) if sent.number == number)
    }

    fn next_deadline(&self) -> Option<Deadline> {
        match self {
            Self::Idle => None,
            Self::Pausing { until } => Some(Deadline {
                at: *until,
                why: "change of the call is tried again",
            }),
            Self::Sent(sent) => Some(Deadline {
                at: sent.give_up,
                why: "change of the call is unanswered",
            }),
        }
    }
}

impl Conversation {
    /// Puts the call on hold or takes it off: the room is silent at once, whatever the far end says to it.
    pub fn hold(&mut self, now: Now, is_held: bool, profile: &Profile, chance: &mut Chance) {
        if self.is_held == is_held {
            return;
        }
        self.is_held = is_held;
        if is_held {
            self.apply_plan();
        }
        self.follow_changes(now, profile, chance);
    }

    /// What our descriptions ask for.
    pub(super) fn wanted_direction(&self) -> Direction {
        match self.is_held {
            true => Direction::SendOnly,
            false => Direction::SendReceive,
        }
    }

    /// Sends what is due, when nothing else is under way.
    pub fn follow_changes(&mut self, now: Now, profile: &Profile, chance: &mut Chance) {
        if self
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Broken(_) | Output::HungUp(_)))
        {
            return;
        }
        if let Some(Due::Expired) = self.timer.due(now) {
            let why = "the session was not refreshed in time (RFC 4028)";
            return self.outputs.push_back(Output::Broken(why.to_owned()));
        }
        match &self.change {
            OurChange::Sent(sent) if sent.give_up <= now.moment => {
                self.change = OurChange::Idle;
                let why = "the far end never answered a change of the call";
                return self.outputs.push_back(Output::Broken(why.to_owned()));
            }
            OurChange::Sent(_) => return,
            OurChange::Pausing { until } if *until > now.moment => return,
            OurChange::Idle | OurChange::Pausing { .. } => {}
        }
        self.change = OurChange::Idle;
        if self.unacknowledged.is_some() {
            return;
        }
        if self.wanted_direction() != self.ours.direction {
            let offered = OfferParts {
                direction: self.wanted_direction(),
                version: self.ours.version + 1,
                ..self.ours.clone()
            };
            self.reinvite(now, offered, Authenticator::new(), profile, chance);
        } else if self.timer.due(now) == Some(Due::Refresh) || self.doubt.is_due(now) {
            self.refresh(now, Authenticator::new(), profile, chance);
        }
    }

    fn refresh(&mut self, now: Now, authenticator: Authenticator, profile: &Profile, chance: &mut Chance) {
        if self.allows_update {
            let request = self.leg.next_request(Method::Update, chance);
            self.send_change(now, request, None, authenticator, profile, chance);
        } else {
            // The same description with the same version says that nothing changes (RFC 3264 8).
            let offered = self.ours.clone();
            self.reinvite(now, offered, authenticator, profile, chance);
        }
    }

    fn reinvite(
        &mut self,
        now: Now,
        offered: OfferParts,
        authenticator: Authenticator,
        profile: &Profile,
        chance: &mut Chance,
    ) {
        let mut request = self.leg.next_request(Method::Invite, chance);
        request.headers.push("Content-Type", "application/sdp");
        request.body = offer_answer::offer(&offered);
        self.ours = offered.clone();
        self.send_change(now, request, Some(offered), authenticator, profile, chance);
    }

    fn send_change(
        &mut self,
        now: Now,
        mut request: Request,
        offered: Option<OfferParts>,
        mut authenticator: Authenticator,
        profile: &Profile,
        chance: &mut Chance,
    ) {
        if let Some(contact) = self.leg.invitation.request.headers.get("Contact") {
            request.headers.push("Contact", contact);
        }
        request.headers.push("Allow", compose::ALLOW);
        request.headers.push("Supported", compose::SUPPORTED);
        self.timer.ask(&mut request);
        authenticator.authorize(profile.account.as_ref(), &mut request, chance);
        self.record();
        let whither = self.leg.whither();
        self.act(Act::Send(request.clone(), whither));
        self.act(Act::Sync);
        let number = self.leg.dialog.number();
        self.doubt.asked(now, number);
        self.change = OurChange::Sent(Box::new(Sent {
            number,
            request,
            offered,
            authenticator,
            give_up: now.moment + LONGEST,
        }));
    }

    /// Takes a response if it is to a change of ours; whether it was.
    pub(super) fn change_answered(
        &mut self,
        now: Now,
        profile: &Profile,
        number: u32,
        response: &Response,
        chance: &mut Chance,
    ) -> bool {
        if let Some((acknowledged, ack)) = &self.acknowledged
            && *acknowledged == number
        {
            if response.is_success() {
                // RFC 3261 13.2.2.4: the ACK was lost.
                let again = Act::Acknowledge(ack.clone(), self.leg.whither());
                self.act(again);
            }
            return true;
        }
        if !self.change.is_sent(number) {
            return false;
        }
        if response.is_provisional() {
            return true;
        }
        let OurChange::Sent(sent) = std::mem::replace(&mut self.change, OurChange::Idle) else {
            return true;
        };
        let asks = self.doubt.is_asked_by(number);
        match response.status {
            200..=299 => {
                self.doubt.settle();
                self.change_accepted(now, &sent, response, chance);
            }
            401 | 407 => {
                let mut authenticator = sent.authenticator;
                match authenticator.take_challenges(profile.account.as_ref(), response) {
                    Ok(()) => self.change_again(now, sent.offered, authenticator, profile, chance),
                    Err(fault) => self.change_refused(now, response.status, &fault.to_string()),
                }
            }
            422 if self.timer.take_refusal(response) => {
                self.change_again(now, sent.offered, sent.authenticator, profile, chance);
            }
            // A stranger told the truth: the far end has hung up.
            481 if asks => {
                let why = self.doubt.settle();
                self.outputs.push_back(Output::HungUp(why));
            }
            status @ (408 | 481) => {
                let why = format!("the far end does not know the call any more ({status})");
                self.outputs.push_back(Output::Broken(why));
            }
            405 | 501 if sent.request.method == Method::Update => {
                self.allows_update = false;
                self.doubt.ask_again(now);
                self.change = OurChange::Pausing { until: now.moment };
            }
            491 => {
                // RFC 3261 14.1: who made the Call-ID waits 2.1 to 4 s, in units of 10 ms.
                let units = 210 + chance.u64() % 191;
                self.change_withdrawn(&sent);
                self.doubt.ask_again(now);
                self.change = OurChange::Pausing {
                    until: now.moment + Duration::from_millis(10 * units),
                };
            }
            status => self.change_refused(now, status, ""),
        }
        self.follow_changes(now, profile, chance);
        true
    }

    fn change_accepted(&mut self, now: Now, sent: &Sent, response: &Response, chance: &mut Chance) {
        self.leg.dialog.refresh_target(response.headers.contacts().ok());
        self.timer.take_answer(now, response);
        if sent.request.method == Method::Invite {
            let via = compose::via(
                self.leg.invitation.target.transport,
                self.leg.invitation.local,
                chance,
            );
            let ack = self.leg.dialog.acknowledge(&sent.request, &via);
            self.act(Act::Acknowledge(ack.clone(), self.leg.whither()));
            self.acknowledged = Some((sent.number, ack));
        }
        self.record();
        let Some(offered) = &sent.offered else { return };
        match offer_answer::read_answer(offered, &response.body) {
            Ok(plan) => self.go_on_with(plan),
            Err(fault) => self
                .outputs
                .push_back(Output::Broken(format!("no usable audio any more: {fault}"))),
        }
    }

    /// The same change once more.
    fn change_again(
        &mut self,
        now: Now,
        offered: Option<OfferParts>,
        authenticator: Authenticator,
        profile: &Profile,
        chance: &mut Chance,
    ) {
        match offered {
            Some(offered) => self.reinvite(now, offered, authenticator, profile, chance),
            None => self.refresh(now, authenticator, profile, chance),
        }
    }

    /// What was offered did not come to be: the next offer has it anew.
    fn change_withdrawn(&mut self, sent: &Sent) {
        if sent.offered.is_some() {
            self.ours.direction = self.agreed_direction;
        }
    }

    /// RFC 3261 14.1: the call goes on as it was.
    fn change_refused(&mut self, now: Now, status: u16, why: &str) {
        tracing::warn!(
            sip_status = status,
            why,
            "the far end refuses a change of the call, which goes on as it was"
        );
        self.doubt.settle();
        self.change = OurChange::Pausing {
            until: now.moment + TRY_AGAIN,
        };
        self.apply_plan();
    }

    /// Takes the end of a change without answer; whether it was one.
    pub(super) fn change_failed(&mut self, now: Now, number: u32, failure: &Failure) -> bool {
        if !self.change.is_sent(number) {
            return false;
        }
        match failure {
            // Nothing was due but for a stranger, and on a stranger's word no call ends.
            Failure::TimedOut if self.doubt.is_asked_by(number) && self.timer.due(now).is_none() => {
                tracing::warn!("the far end does not say whether it hung up, the call goes on");
                self.doubt.settle();
                self.change = OurChange::Idle;
            }
            Failure::TimedOut => {
                self.change = OurChange::Idle;
                let why = "the far end does not answer any more";
                self.outputs.push_back(Output::Broken(why.to_owned()));
            }
            Failure::Flow(fault) => {
                tracing::warn!(%fault, "a change of the call could not be sent, it is tried again");
                if let OurChange::Sent(sent) = std::mem::replace(&mut self.change, OurChange::Idle) {
                    self.change_withdrawn(&sent);
                }
                self.doubt.ask_again(now);
                self.change = OurChange::Pausing {
                    until: now.moment + TRY_AGAIN,
                };
            }
        }
        true
    }

    /// When something of ours is due.
    pub(super) fn changes_deadline(&self) -> Option<Deadline> {
        let is_refreshing = !matches!(self.change, OurChange::Idle) || self.unacknowledged.is_some();
        Deadline::earliest([
            self.doubt.next_deadline().filter(|_| !is_refreshing),
            self.change.next_deadline(),
            self.timer.next_deadline(is_refreshing),
        ])
    }

    /// Writes down what changed: a new target of theirs, a higher number of ours.
    pub(super) fn record(&mut self) {
        let record = self.leg.record();
        if recovery::fits(&record) {
            self.act(Act::Record(record));
        } else {
            tracing::warn!("the far end's address is too long to be written down, the older one stays");
        }
    }
}
