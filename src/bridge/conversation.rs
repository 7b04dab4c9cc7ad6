//! What is asked of the device and what it answers: frames to directives, outcomes to events.

use super::askers::{Answer, Asked};
use super::link::LinkId;
use super::memory::Record;
use super::{Bridge, Output, journal};
use crate::alexa::messages::dialog_state::{AssistantId, DialogState};
use crate::alexa::messages::directive::{AskId, Directive};
use crate::alexa::messages::event::Event;
use crate::alexa::messages::field;
use crate::alexa::messages::incoming::{self, Incoming, Received};
use crate::alexa::messages::message::Message;
use crate::alexa::messages::outcome::{ErrorType, Outcome, Refusal};
use crate::alexa::messages::redacted::redacted;
use crate::time::Now;

impl Bridge {
    pub(super) fn frame(&mut self, now: Now, link: LinkId, text: &str) {
        let is_heard = match link {
            LinkId::Bridge(attempt) => self.session.open_attempt() == Some(attempt),
            LinkId::Local(_) => true,
            LinkId::Control(_) => false,
        };
        if !is_heard {
            tracing::debug!("a frame from {link:?}, which is not open, is not heard");
            return;
        }
        if tracing::enabled!(tracing::Level::TRACE) {
            tracing::trace!(?link, "< {}", redacted(text));
        }
        match incoming::read(text) {
            Incoming::Directive(received) => self.directive(now, link, *received),
            Incoming::Invalid(invalid) => {
                journal::invalid_directive(&invalid);
                let refusal = Refusal::new(ErrorType::InvalidDirective, invalid.fault.to_string());
                self.send_answer(
                    now,
                    Answer {
                        link,
                        correlation_token: invalid.correlation_token,
                        outcome: Outcome::Refused(refusal),
                    },
                );
            }
            Incoming::Message(message) => self.message(now, link, message),
            Incoming::Reply => {}
            Incoming::Unusable(fault) => tracing::info!("an AASB message was dropped: {fault}"),
            Incoming::Unanswerable(fault) => {
                self.dropped_frames += 1;
                journal::frame_dropped(self.dropped_frames, &fault);
            }
        }
    }

    fn directive(&mut self, now: Now, link: LinkId, received: Received) {
        journal::directive(&received);
        if let Some(endpoint_id) = &received.endpoint_id
            && *endpoint_id != self.endpoint_id
        {
            let shown = field::shown(endpoint_id);
            let message = format!("the endpoint {shown} is not on this device");
            let answer = Answer {
                link,
                correlation_token: received.correlation_token,
                outcome: Outcome::Refused(Refusal::new(ErrorType::NoSuchEndpoint, message)),
            };
            return self.send_answer(now, answer);
        }
        match self.askers.ask(now, link, &received) {
            Asked::New(ask) => {
                self.mirror_dialog();
                self.outputs.push_back(Output::Directive {
                    ask,
                    directive_id: Some(field::shown(&received.message_id)),
                    directive: received.directive,
                });
            }
            Asked::BeingWorkedOn => tracing::debug!("a repeat of what is being worked on"),
            Asked::Known(answer) => {
                tracing::debug!("a repeat of what was done before");
                self.send_answer(now, answer);
            }
            Asked::TooMany(answer) => self.send_answer(now, answer),
        }
    }

    fn message(&mut self, now: Now, link: LinkId, message: Message) {
        match message {
            Message::StopForegroundActivity => self.stop_foreground(now),
            Message::ConnectionStatus(_)
            | Message::DetailedConnection(_)
            | Message::AuthState(_)
            | Message::DialogState(_) => self.engine_speaks(now, link, &message),
            Message::SendDigits { call, signal } => {
                self.outputs.push_back(Output::SendDigits { call, signal });
            }
            Message::StopCall { call } => {
                tracing::info!(event = "stop-call", "the call is to stop");
                self.outputs.push_back(Output::StopCall { call });
            }
            Message::Call(_) => tracing::debug!("{link:?} tells of a call of its own"),
        }
    }

    pub(super) fn ask(&mut self, now: Now, link: LinkId, directive: Directive) {
        match self.askers.ask_at_control(now, link) {
            Asked::New(ask) => self.outputs.push_back(Output::Directive {
                ask,
                directive_id: None,
                directive,
            }),
            Asked::Known(answer) | Asked::TooMany(answer) => self.send_answer(now, answer),
            Asked::BeingWorkedOn => {}
        }
    }

    pub(super) fn outcome(&mut self, now: Now, ask: AskId, outcome: &Outcome) {
        let bridge = self.session.open_attempt().map(LinkId::Bridge);
        let answers = self.askers.answer(now, ask, outcome, bridge);
        self.write_down();
        for answer in answers {
            self.send_answer(now, answer);
        }
        self.mirror_dialog();
    }

    /// What became of a directive is written before its event leaves.
    pub(super) fn write_down(&mut self) {
        let mut is_written = false;
        while let Some(Record { slot, content }) = self.askers.poll_record() {
            self.outputs.push_back(Output::Record { slot, content });
            is_written = true;
        }
        if is_written {
            self.outputs.push_back(Output::Sync);
        }
    }

    /// Alexa thinks while a directive of hers is worked on (contract, "Dialog").
    fn mirror_dialog(&mut self) {
        if self.engines.speak_for_alexa() {
            return;
        }
        let state = match self.askers.alexa_is_waiting() {
            true => DialogState::Thinking,
            false => DialogState::Idle,
        };
        self.dialog_is(AssistantId::ALEXA, state);
    }

    pub(super) fn send_answer(&mut self, now: Now, answer: Answer) {
        let Answer {
            link,
            correlation_token,
            outcome,
        } = answer;
        if let LinkId::Control(_) = link {
            return self.outputs.push_back(Output::Answered { link, outcome });
        }
        let event = Event {
            message_id: self.chance.uuid(),
            correlation_token: correlation_token.as_deref(),
            endpoint_id: &self.endpoint_id,
            outcome: &outcome,
            at: now.wall,
        };
        let text = event.print();
        self.send(link, text);
    }
}
