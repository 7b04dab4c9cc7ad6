//! The call while it is up: it passes things to its [`Conversation`](super::conversation::Conversation) and carries
//! out what that wants.

use super::conversation::Output;
use super::{Audio, OutboundCall, State};
use crate::call::{CallEvent, EndReason};
use crate::dialer::sip::leg::Act;
use crate::dialer::sip::transaction::Failure;
use crate::dialer::sip::transaction::table::ServerKey;
use crate::dialer::sip::wire::{Request, Response};
use crate::media;
use crate::time::Now;

impl OutboundCall {
    /// A request of theirs in the dialog.
    pub fn handle_request(&mut self, now: Now, key: ServerKey, request: &Request) {
        match &mut self.state {
            State::Confirmed(conversation) => conversation.handle_request(now, key, request),
            State::Inviting { .. } | State::Early { .. } => self.early_request(key, request),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Moved { .. }
            | State::Ended => {}
        }
        self.drain_conversation(now);
    }

    /// A stranger hangs up: the far end is asked what it knows of that.
    pub fn doubt(&mut self, now: Now, bye: &Request) {
        if let State::Confirmed(conversation) = &mut self.state {
            conversation.doubt(now, bye, &self.profile, &mut self.chance);
        }
        self.drain_conversation(now);
    }

    /// The ACK of a 2xx of ours.
    pub fn handle_acknowledgement(&mut self, now: Now, ack: &Request) {
        if let State::Confirmed(conversation) = &mut self.state {
            conversation.handle_acknowledgement(ack);
            conversation.follow_changes(now, &self.profile, &mut self.chance);
        }
        self.drain_conversation(now);
    }

    /// The room puts the call on hold, or takes it off; before the answer there is nothing to hold.
    pub fn hold(&mut self, now: Now, is_held: bool) {
        if let State::Confirmed(conversation) = &mut self.state {
            conversation.hold(now, is_held, &self.profile, &mut self.chance);
        }
        self.drain_conversation(now);
    }

    /// The meeting shall hear silence, or the room again; said before the answer, it holds from its first packet.
    pub fn mute(&mut self, is_muted: bool) {
        if self.is_muted == is_muted {
            return;
        }
        self.is_muted = is_muted;
        let has_audio = self.audio != Audio::None && !matches!(self.state, State::Ended);
        if has_audio {
            self.acts.push_back(Act::Media(media::Command::Mute(is_muted)));
        }
    }

    pub(super) fn request_answered(&mut self, now: Now, number: u32, response: &Response) {
        if let State::Confirmed(conversation) = &mut self.state {
            conversation.handle_response(now, &self.profile, number, response, &mut self.chance);
        }
        self.drain_conversation(now);
    }

    pub(super) fn request_failed(&mut self, now: Now, number: u32, failure: &Failure) {
        if let State::Confirmed(conversation) = &mut self.state {
            conversation.handle_failure(now, number, failure);
        }
        self.drain_conversation(now);
    }

    pub(super) fn conversation_deadline(&mut self, now: Now) {
        if let State::Confirmed(conversation) = &mut self.state {
            conversation.handle_deadline(now, &self.profile, &mut self.chance);
        }
        self.drain_conversation(now);
    }

    pub(super) fn drain_conversation(&mut self, now: Now) {
        loop {
            let State::Confirmed(conversation) = &mut self.state else {
                return;
            };
            let Some(output) = conversation.poll_output() else {
                return;
            };
            match output {
                Output::Act(act) => self.acts.push_back(*act),
                Output::DigitsSent => self
                    .acts
                    .push_back(Act::Event(CallEvent::DigitsSent { call: self.call })),
                Output::DigitsFailed(why) => {
                    self.acts
                        .push_back(Act::Event(CallEvent::DigitsFailed { call: self.call, why }));
                }
                Output::HungUp(why) => {
                    self.acts.push_back(Act::Erase);
                    self.end(EndReason::HungUp(why));
                }
                Output::Broken(why) => {
                    let leg = conversation.leg.clone();
                    self.leave(now, leg, EndReason::Broken(why));
                }
            }
        }
    }
}
