//! The INVITE of a call: written down, sent, challenged, answered, refused, failed.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::conversation::{self, Conversation};
use super::{Audio, EarlyAnswer, EarlyDialogs, OutboundCall, Progress, Reached, State, is_description};
use crate::call::{Agreed, CallEvent, EndReason};
use crate::dialer::sip::compose;
use crate::dialer::sip::farewell::Farewell;
use crate::dialer::sip::headers::{CSeq, NameAddr};
use crate::dialer::sip::leg::{Act, Invitation, Leg};
use crate::dialer::sip::locate::Candidate;
use crate::dialer::sip::offer_answer::{self, Crypto, OfferParts};
use crate::dialer::sip::patience::SILENCE;
use crate::dialer::sip::recovery::{self, RecordedState};
use crate::dialer::sip::request::Whither;
use crate::dialer::sip::transaction::Failure;
use crate::dialer::sip::uri::Scheme;
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::media::{self, Direction};
use crate::network::Transport;
use crate::time::Now;

/// The longest request that leaves as a datagram where a stream will do (RFC 3261 18.1.1).
const LONGEST_DATAGRAM: usize = 1300;

/// What [`State::Inviting`] and [`State::Early`] have in common.
struct OpenInvite<'a> {
    reached: Reached,
    others: &'a VecDeque<Candidate>,
    invitation: &'a Invitation,
    offered: &'a OfferParts,
    early_answer: Option<&'a EarlyAnswer>,
}

impl OutboundCall {
    /// Records an INVITE and sends it.
    pub(super) fn invite(
        &mut self,
        now: Now,
        reached: Reached,
        others: VecDeque<Candidate>,
        audio: SocketAddr,
    ) {
        let public = self.profile.settings.public_address;
        let offered = OfferParts {
            address: SocketAddr::new(public.unwrap_or(audio.ip()), audio.port()),
            codecs: self.profile.settings.codecs.clone(),
            telephone_event: conversation::offers_telephone_event(self.profile.settings.dtmf),
            session_id: self.identity.session_id,
            version: 1,
            direction: Direction::SendReceive,
            crypto: self.crypto(reached.target.transport),
        };
        let local = SocketAddr::new(public.unwrap_or(reached.source.ip()), reached.port);
        // What was acknowledged reliably took numbers of its own (RFC 3262 4).
        let number = self.number.max(self.early.highest()).saturating_add(1);
        let mut request = self.compose_invite(reached.target.transport, local, number, &offered);
        let mut authenticator = self.authenticator.clone();
        authenticator.authorize(self.profile.account.as_ref(), &mut request, &mut self.chance);
        if request.to_bytes().len() > LONGEST_DATAGRAM
            && let Some(targets) = self.streams_for_length(&reached.target, &others)
        {
            if self.left.is_some() {
                // The one before it has been refused.
                self.acts.push_back(Act::Erase);
            }
            tracing::debug!(call_id = %self.call, "the INVITE is long for a datagram, a stream is tried");
            return self.connect(now, targets, None);
        }
        self.authenticator = authenticator;
        self.number = number;
        self.early = EarlyDialogs::default();
        let invitation = Invitation {
            request: request.clone(),
            target: reached.target.clone(),
            local,
            local_port: reached.port,
            last_number: self.number,
            is_secure: self.identity.is_secure,
        };
        let record = invitation.record(RecordedState::Inviting);
        if !recovery::fits(&record) {
            return self.end(EndReason::OurFault(
                "the INVITE is too long to be written down".to_owned(),
            ));
        }
        tracing::debug!(call_id = %self.call, dialled = self.shown, remote = %reached.target.address, "INVITE leaves");
        self.acts.push_back(Act::Record(record));
        self.acts
            .push_back(Act::Send(request, Whither::Exactly(reached.target.clone())));
        self.acts.push_back(Act::Sync);
        self.left = self.left.or(Some(now.moment));
        self.enter(State::Inviting {
            reached,
            silent_at: now.moment + SILENCE,
            others,
            invitation,
            offered,
        });
    }

    fn compose_invite(
        &mut self,
        transport: Transport,
        local: SocketAddr,
        number: u32,
        offered: &OfferParts,
    ) -> Request {
        let identity = &self.identity;
        let mut request = Request::new(Method::Invite, identity.uri.clone());
        let via = compose::via(transport, local, &mut self.chance);
        let contact = compose::contact(&identity.from.uri, identity.uri.scheme(), local, transport);
        let headers = &mut request.headers;
        headers.push("Via", via.to_string());
        if let Some(route) = &identity.route {
            headers.push("Route", NameAddr::new(route.clone()).to_string());
        }
        headers.push("Max-Forwards", "70");
        headers.push("From", identity.from.to_string());
        headers.push("To", NameAddr::new(identity.to.clone()).to_string());
        headers.push("Call-ID", identity.call_id.clone());
        headers.push(
            "CSeq",
            CSeq {
                number,
                method: Method::Invite,
            }
            .to_string(),
        );
        headers.push("Contact", NameAddr::new(contact).to_string());
        headers.push("Allow", compose::ALLOW);
        headers.push("Supported", compose::SUPPORTED);
        headers.push("User-Agent", compose::PRODUCT);
        headers.push("Content-Type", "application/sdp");
        self.timer.ask(&mut request);
        request.body = offer_answer::offer(offered);
        request
    }

    /// A response to a request of ours.
    pub fn handle_response(&mut self, now: Now, response: &Response) {
        let Some(cseq) = response.cseq() else { return };
        match cseq.method {
            Method::Invite if cseq.number == self.number => self.invite_answered(now, response),
            Method::Prack => self.prack_answered(cseq.number, response),
            _ => self.request_answered(now, cseq.number, response),
        }
    }

    fn invite_answered(&mut self, now: Now, response: &Response) {
        match (&self.state, response.status) {
            (State::Inviting { .. } | State::Early { .. }, 100..=199) => self.progressed(response),
            (State::Inviting { .. } | State::Early { .. }, 200..=299) => self.answered(now, response),
            (State::Inviting { .. } | State::Early { .. }, _) => self.refused(now, response),
            (State::Confirmed(conversation), 200..=299) => {
                if conversation.leg.dialog.is_answered_by(response) {
                    // RFC 3261 13.2.2.4: the ACK was lost.
                    self.acts.push_back(conversation.leg.acknowledge());
                } else if let Some(leg) =
                    Leg::begin(conversation.leg.invitation.clone(), response, &mut self.chance)
                {
                    tracing::info!(call_id = %self.call, "a second far end answered, it is hung up");
                    let fork = Farewell::fork(now, self.profile.clone(), self.chance.fork(), leg);
                    self.acts.push_back(Act::Fork(Box::new(fork)));
                }
            }
            (
                State::Locating { .. }
                | State::Connecting(_)
                | State::ReservingMedia { .. }
                | State::Moved { .. }
                | State::Confirmed(_)
                | State::Ended,
                _,
            ) => {}
        }
    }

    fn progressed(&mut self, response: &Response) {
        self.acknowledge_provisional(response);
        let heard = if response.status == 180 {
            Progress::Ringing
        } else {
            Progress::Proceeding
        };
        let early_answer = Some(response)
            .filter(|response| has_description(response))
            .map(|response| EarlyAnswer {
                tag: response.to().and_then(|to| to.tag().map(str::to_owned)),
                body: response.body.clone(),
            });
        match &mut self.state {
            State::Inviting {
                reached,
                others,
                invitation,
                offered,
                ..
            } => {
                let (reached, others) = (reached.clone(), others.clone());
                let (invitation, offered) = (invitation.clone(), offered.clone());
                self.acts
                    .push_back(Act::Record(invitation.record(RecordedState::Early)));
                self.acts.push_back(Act::Sync);
                self.enter(State::Early {
                    reached,
                    others,
                    invitation,
                    offered,
                    early_answer,
                });
            }
            // RFC 3261 13.2.1: the first description of a dialog counts.
            State::Early {
                early_answer: first, ..
            } if first.is_none() => *first = early_answer,
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Early { .. }
            | State::Moved { .. }
            | State::Confirmed(_)
            | State::Ended => {}
        }
        self.hear_early();
        if self.progress < Progress::Proceeding {
            self.acts
                .push_back(Act::Event(CallEvent::Proceeding { call: self.call }));
        }
        if self.progress < Progress::Ringing && heard == Progress::Ringing {
            self.acts
                .push_back(Act::Event(CallEvent::Ringing { call: self.call }));
        }
        self.progress = self.progress.max(heard);
    }

    /// What the far end lets us hear before it answers is heard, as soon as its description says how (RFC 3960).
    fn hear_early(&mut self) {
        let State::Early {
            offered,
            early_answer: Some(early),
            ..
        } = &self.state
        else {
            return;
        };
        if let Audio::Reserved(_) = self.audio {
            match offer_answer::read_answer(offered, &early.body) {
                Ok(plan) => self.play_early(plan),
                Err(fault) => tracing::debug!(%fault, "an early description cannot be used"),
            }
        }
    }

    /// Plays by this plan what comes before the answer.
    pub(super) fn play_early(&mut self, plan: media::Plan) {
        let (Audio::Reserved(local) | Audio::Early(local)) = self.audio else {
            return;
        };
        if let Some(plan) = plan.early() {
            self.audio = Audio::Early(local);
            self.acts
                .push_back(Act::Media(media::Command::Start(Box::new(plan))));
        }
    }

    /// The INVITE that waits for its final response.
    fn open_invite(&self) -> Option<OpenInvite<'_>> {
        match &self.state {
            State::Inviting {
                reached,
                others,
                invitation,
                offered,
                ..
            } => Some(OpenInvite {
                reached: reached.clone(),
                others,
                invitation,
                offered,
                early_answer: None,
            }),
            State::Early {
                reached,
                others,
                invitation,
                offered,
                early_answer,
            } => Some(OpenInvite {
                reached: reached.clone(),
                others,
                invitation,
                offered,
                early_answer: early_answer.as_ref(),
            }),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Moved { .. }
            | State::Confirmed(_)
            | State::Ended => None,
        }
    }

    /// A 2xx: acknowledged at once, whatever comes of it (RFC 3261 13.2.2.4).
    fn answered(&mut self, now: Now, response: &Response) {
        let Some(open) = self.open_invite() else { return };
        let (invitation, offered) = (open.invitation.clone(), open.offered.clone());
        let early_answer = open.early_answer;
        // The 2xx counts; without a description of its own that of a provisional response of the same dialog does
        // (RFC 3261 13.2.1).
        let tag = response.to().and_then(|to| to.tag().map(str::to_owned));
        let body = match early_answer {
            _ if has_description(response) => response.body.clone(),
            Some(early) if early.tag == tag => early.body.clone(),
            Some(_) | None => Vec::new(),
        };
        let Some(mut leg) = Leg::begin(invitation, response, &mut self.chance) else {
            return;
        };
        let settled = self.early.take(response).and_then(|early| {
            leg.dialog.go_on_after(&early.leg.dialog);
            early.settled
        });
        let record = leg.record();
        let is_recordable = recovery::fits(&record);
        if is_recordable {
            self.acts.push_back(Act::Record(record));
        }
        self.acts.push_back(leg.acknowledge());
        self.acts.push_back(Act::Sync);
        self.authenticator.note_accepted();
        if !is_recordable {
            return self.leave(
                now,
                leg,
                EndReason::Broken("the answer is too long to be written down".to_owned()),
            );
        }
        // What a reliable response or an UPDATE has settled is not answered once more (RFC 6337 3.1).
        if let Some(settled) = settled.filter(|settled| settled.is_updated || body.is_empty()) {
            return self.converse(now, leg, settled.ours, settled.plan, response);
        }
        if body.is_empty() {
            let why = "the answer has no session description".to_owned();
            return self.leave(now, leg, EndReason::NoUsableAudio(why));
        }
        match offer_answer::read_answer(&offered, &body) {
            Ok(plan) => self.converse(now, leg, offered, plan, response),
            Err(fault) => self.leave(now, leg, EndReason::NoUsableAudio(fault.to_string())),
        }
    }

    /// Our keys for an INVITE: nobody else has them, nor had an INVITE before.
    fn crypto(&mut self, transport: Transport) -> Option<Crypto> {
        let wanted = self.profile.settings.srtp;
        Crypto::of_call(wanted, self.identity.is_secure, transport, &mut self.chance)
    }

    fn converse(
        &mut self,
        now: Now,
        leg: Leg,
        mut offered: OfferParts,
        plan: media::Plan,
        response: &Response,
    ) {
        let agreed = Agreed {
            transport: leg.invitation.target.transport,
            codec: plan.codec.name(),
            srtp: plan.keys.is_some(),
        };
        if plan.keys.is_some() {
            offered.crypto = offered.crypto.map(Crypto::kept);
        }
        self.acts
            .push_back(Act::Media(media::Command::Start(Box::new(plan.clone()))));
        self.acts.push_back(Act::Event(CallEvent::Answered {
            call: self.call,
            agreed,
        }));
        let timer = self.timer.clone();
        let conversation = Conversation::new(now, leg, offered, plan, timer, response);
        self.enter(State::Confirmed(Box::new(conversation)));
    }

    fn refused(&mut self, now: Now, response: &Response) {
        if matches!(response.status, 401 | 407) {
            return self.challenged(now, response);
        }
        if response.status == 422 && self.timer.take_refusal(response) {
            return self.invite_again(now);
        }
        if response.status == 416 && self.identity.uri.scheme() == Scheme::Sips {
            return self.invite_without_sips(now);
        }
        self.acts.push_back(Act::Erase);
        // RFC 3263 4.3: a server that is out of service leaves the call to the next one.
        let others = self.open_invite().map(|open| open.others.clone());
        if let Some(others) = others.filter(|others| response.status == 503 && !others.is_empty()) {
            tracing::debug!(call_id = %self.call, remaining = others.len(), "a server is out of service");
            return self.connect(now, others, None);
        }
        let phrase = response
            .phrase
            .chars()
            .filter(|character| !character.is_control())
            .take(128)
            .collect();
        let refusal = EndReason::Refused {
            status: response.status,
            phrase,
        };
        match response.status {
            300..=302 => self.moved(now, response, refusal),
            // RFC 3261 21.6: nobody else of them will say anything else.
            600..=699 => self.end(refusal),
            _ => self.try_next_contact(now, refusal),
        }
    }

    /// RFC 3261 8.1.3.5: a far end that does not know `sips:` is asked as `sip:`, over the same verified TLS and with
    /// all that was promised.
    fn invite_without_sips(&mut self, now: Now) {
        self.identity.uri = self.identity.uri.as_sip();
        self.identity.to = self.identity.to.as_sip();
        self.invite_again(now);
    }

    fn challenged(&mut self, now: Now, response: &Response) {
        let status = response.status;
        let taken = self
            .authenticator
            .take_challenges(self.profile.account.as_ref(), response);
        match taken {
            Ok(()) => self.invite_again(now),
            Err(fault) => {
                self.acts.push_back(Act::Erase);
                self.end(EndReason::NotAuthorized {
                    status,
                    why: fault.to_string(),
                });
            }
        }
    }

    /// The INVITE once more, to the same target, with what was learnt from its refusal.
    fn invite_again(&mut self, now: Now) {
        let Some((reached, others)) = self.open_invite().map(|open| (open.reached, open.others.clone()))
        else {
            return;
        };
        match self.audio {
            Audio::Reserved(audio) | Audio::Early(audio) => self.invite(now, reached, others, audio),
            Audio::None | Audio::Asked => {
                self.acts.push_back(Act::Erase);
                self.end(EndReason::OurFault("the audio side lost its socket".to_owned()));
            }
        }
    }

    /// The end of a transaction without answer.
    pub fn handle_failure(&mut self, now: Now, cseq: &CSeq, failure: Failure) {
        if cseq.method != Method::Invite || cseq.number != self.number {
            return self.request_failed(now, cseq.number, &failure);
        }
        let Some(open) = self.open_invite() else { return };
        let invitation = open.invitation.clone();
        // After a provisional response the far end is at work on it: nobody else is asked.
        let others = match &self.state {
            State::Inviting { others, .. } => others.clone(),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Early { .. }
            | State::Moved { .. }
            | State::Confirmed(_)
            | State::Ended => VecDeque::new(),
        };
        match failure {
            Failure::TimedOut => {
                let farewell = Farewell::linger(now, self.profile.clone(), self.chance.fork(), invitation);
                self.leave_with(farewell, EndReason::Silent(self.shown.clone()));
            }
            Failure::Flow(fault) if invitation.target.transport.is_stream() && self.has_another(&others) => {
                self.leave_for_next(now, invitation, others, Some(fault));
            }
            Failure::Flow(fault) if invitation.target.transport.is_stream() => {
                // The far end may have read it before the connection broke: what still comes of it is ended.
                let farewell = Farewell::armed(now, self.profile.clone(), self.chance.fork(), invitation);
                let reason = self.unreachable_reason(fault);
                self.leave_with(farewell, reason);
            }
            Failure::Flow(fault) => {
                self.acts.push_back(Act::Erase);
                self.connect(now, others, Some(fault));
            }
        }
    }
}

/// Whether a message carries a session description.
fn has_description(response: &Response) -> bool {
    !response.body.is_empty() && is_description(response.headers.get("Content-Type"))
}
