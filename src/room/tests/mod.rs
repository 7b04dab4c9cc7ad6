//! The room's stories, in virtual time.

use std::time::Duration;

use crate::alexa::messages::directive::{AskId, Directive, JoinMeeting};
use crate::alexa::messages::outcome::{ErrorType, Outcome};
use crate::alexa::messages::property::Property;
use crate::alexa::messages::report::{CallFailedCode, CallStateName, DigitsFailedCode, Report};
use crate::call::{Agreed, CallCommand, CallEvent, CallId, EndReason, EndedHere};
use crate::chance::Chance;
use crate::media;
use crate::network::Transport;
use crate::secret::Secret;
use crate::time::{Moment, Now};

use super::{Equipment, Input, Output, Room, Settings, settings_for_tests};

mod ending;
mod equipment;
mod joining;
mod microphone;
mod pressed;
mod random_walk;
mod replacing;
mod sounding;
mod telling;

/// The PIN of every join, which must turn up nowhere.
const PIN: &str = "00734615";

/// A room, its clock, and what it said since it was last asked.
struct World {
    room: Room,
    now: Now,
    said: Vec<Output>,
    /// What the loudspeaker was told; stories about words do not hear it.
    heard: Vec<Output>,
    next_ask: u64,
}

/// What the room said, in the words of the stories.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Dial(CallId),
    HangUp(CallId, EndedHere),
    Digits(CallId),
    Follow(CallId, Vec<bool>),
    Hold(CallId, bool),
    Mute(CallId, bool),
    Done(AskId),
    Refused(AskId, ErrorType),
    Changed(AskId, Vec<Property>),
    Told(AskId, Vec<Property>),
    Discovered(AskId),
    Kept(Equipment),
    DigitsSent(String),
    DigitsFailed(String, DigitsFailedCode),
    State(CallStateName, CallId),
    Failed(CallId, CallFailedCode),
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings_for_tests();
        settings.allow.push("*.example".parse().unwrap());
        change(&mut settings);
        Self {
            room: Room::new(settings, Chance::from_seed([9; 32])),
            now: Now {
                moment: Moment::since_boot(Duration::from_secs(500)),
                wall: jiff::Timestamp::UNIX_EPOCH,
            },
            said: Vec::new(),
            heard: Vec::new(),
            next_ask: 1,
        }
    }

    fn tell(&mut self, input: Input) {
        self.room.handle_input(self.now, input);
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::Play { .. } | Output::SetLoudspeaker(_) => self.heard.push(output),
                output => self.said.push(output),
            }
        }
    }

    fn directive(&mut self, directive: Directive) -> AskId {
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        self.tell(Input::Directive {
            ask,
            directive_id: Some(format!("directive-{}", ask.0)),
            directive,
        });
        ask
    }

    /// A join of the meeting with this id.
    fn join(&mut self, id: &str) -> AskId {
        self.directive(Directive::JoinMeeting(meeting(id)))
    }

    fn end_meeting(&mut self) -> AskId {
        self.directive(Directive::EndMeeting)
    }

    /// Lets the time pass, deadline by deadline, to the millisecond.
    fn wait(&mut self, millis: u64) {
        let until = self.now.moment + Duration::from_millis(millis);
        while let Some(deadline) = self.room.next_deadline().filter(|deadline| deadline.at <= until) {
            self.set_clock(deadline.at);
            self.tell(Input::Deadline);
            let next = self.room.next_deadline();
            assert!(
                next.is_none_or(|next| next.at > self.now.moment),
                "spins at {next:?}"
            );
        }
        self.set_clock(until);
    }

    fn set_clock(&mut self, moment: Moment) {
        let passed = moment - self.now.moment;
        self.now.moment = self.now.moment + passed;
        self.now.wall += passed;
    }

    fn call(&self) -> CallId {
        self.room.status().call.expect("a call").call
    }

    /// The state of the call, as the status tells it.
    fn state(&self) -> CallStateName {
        let call = self.room.status().call;
        call.map_or(CallStateName::Idle, |call| call.state)
    }

    fn proceeding(&mut self, call: CallId) {
        self.tell(Input::Call(CallEvent::Proceeding { call }));
    }

    fn ringing(&mut self, call: CallId) {
        self.tell(Input::Call(CallEvent::Ringing { call }));
    }

    fn answered(&mut self, call: CallId) {
        let agreed = agreed();
        self.tell(Input::Call(CallEvent::Answered { call, agreed }));
    }

    fn ended(&mut self, call: CallId, reason: EndReason) {
        self.tell(Input::Call(CallEvent::Ended { call, reason }));
    }

    fn ended_here(&mut self, call: CallId, why: EndedHere) {
        self.ended(call, EndReason::EndedHere(why));
    }

    /// What the loudspeaker was told since the last time.
    fn heard(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.heard)
    }

    fn figures(&mut self, silent_for_millis: u64) {
        let figures = media::Figures {
            received: 500,
            silent_for: Duration::from_millis(silent_for_millis),
            ..media::Figures::default()
        };
        let call = self.call();
        let event = media::Event::Figures(figures);
        self.tell(Input::Media { call, event });
    }

    /// A room in the meeting with this id, and its call; nothing said.
    fn in_meeting(id: &str, change: impl FnOnce(&mut Settings)) -> (Self, CallId) {
        let mut world = Self::with(change);
        world.join(id);
        let call = world.call();
        world.answered(call);
        world.said.clear();
        (world, call)
    }

    /// What was said since the last time.
    fn said(&mut self) -> Vec<Said> {
        self.said.drain(..).map(|output| in_words(&output)).collect()
    }
}

fn in_words(output: &Output) -> Said {
    match output {
        Output::Command { dialer, command } => {
            assert_eq!(dialer, "sip");
            match command {
                CallCommand::Dial { call, .. } => Said::Dial(*call),
                CallCommand::HangUp { call, why } => Said::HangUp(*call, *why),
                CallCommand::SendDigits { call, .. } => Said::Digits(*call),
                CallCommand::Follow { call, allowed } => Said::Follow(*call, allowed.clone()),
                CallCommand::Hold { call, is_held } => Said::Hold(*call, *is_held),
                CallCommand::Mute { call, is_muted } => Said::Mute(*call, *is_muted),
            }
        }
        Output::Answer { ask, outcome } => match outcome {
            Outcome::Done => Said::Done(*ask),
            Outcome::Refused(refusal) => Said::Refused(*ask, refusal.kind),
            Outcome::Changed(properties) => Said::Changed(*ask, properties.clone()),
            Outcome::State(properties) => Said::Told(*ask, properties.clone()),
            Outcome::Discovered(_) => Said::Discovered(*ask),
        },
        Output::Keep { equipment, .. } => Said::Kept(*equipment),
        Output::Report(Report::CallState(state)) => Said::State(state.state, state.call.expect("a call")),
        Output::Report(Report::DigitsSent { call }) => Said::DigitsSent(call.clone()),
        Output::Report(Report::DigitsFailed { call, code, .. }) => Said::DigitsFailed(call.clone(), *code),
        Output::Report(Report::CallFailed { call, code, .. }) => Said::Failed(*call, *code),
        Output::Play { .. } | Output::SetLoudspeaker(_) => unreachable!("the loudspeaker's"),
    }
}

fn meeting(id: &str) -> JoinMeeting {
    JoinMeeting {
        endpoint: "zoomcrc.example".to_owned(),
        protocol: "SIP".to_owned(),
        provider: "ZOOM".to_owned(),
        id: Some(id.to_owned()),
        pin: Some(Secret::new(PIN)),
    }
}

/// A meeting whose PIN is entered as digits.
fn meeting_by_digits() -> JoinMeeting {
    JoinMeeting {
        provider: "CHIME".to_owned(),
        ..meeting("77")
    }
}

fn agreed() -> Agreed {
    Agreed {
        transport: Transport::Udp,
        codec: "pcmu",
        srtp: false,
    }
}

fn refused(status: u16) -> EndReason {
    EndReason::Refused {
        status,
        phrase: "No".to_owned(),
    }
}
