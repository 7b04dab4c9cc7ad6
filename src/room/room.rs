//! The room as a machine: one call at most, every directive answered once, every change told once.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::debug;

use crate::alexa::messages::directive::{AskId, Directive, JoinMeeting};
use crate::alexa::messages::outcome::{Outcome, Refusal};
use crate::alexa::messages::report::{CallStateName, Report};
use crate::call::{Agreed, CallCommand, CallEvent, CallId, EndReason, EndedHere};
use crate::chance::Chance;
use crate::media::{self, CallTone, Loudspeaker};
use crate::secret::Secret;
use crate::time::{Deadline, Moment, Now};

use super::equipment::Equipment;
use super::pressed::PressedBy;
use super::reports::LastCall;
use super::state::{Answer, Call, Ending, InMeeting, Next, Placing, Progress, State, Talk, Then, Waiting};
use super::supervision::Supervision;
use super::{Settings, answered, dial_plan, journal};

/// How long a dialer may take to say that a call we hung up is over: it says so at once, and the daemon leaves
/// within 2 s of SIGTERM.
const ENDING_TAKES_AT_MOST: Duration = Duration::from_secs(1);
/// Beyond `calls.ring_timeout`, which the dialer keeps: locating and connecting may come before the ringing
/// (RFC 3261 timer B is 32 s).
const BEFORE_RINGING: Duration = Duration::from_secs(40);

/// What the room is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants something.
    Directive {
        /// Under which the outcome goes back.
        ask: AskId,
        /// What the journal calls it; `None` for a command.
        directive_id: Option<String>,
        /// What.
        directive: Directive,
    },
    /// A dialer speaks.
    Call(CallEvent),
    /// The audio side of a call speaks.
    Media {
        /// Which call.
        call: CallId,
        /// What it says.
        event: media::Event,
    },
    /// What is said in the room is said to an assistant from here on, or to the meeting again.
    AssistantListens(bool),
    /// The foreground activity shall stop, and it is the call.
    StopForeground,
    /// A `SendDTMF`.
    SendDigits {
        /// In this call; `None`: in the one there is.
        call: Option<String>,
        /// The digits, as they came.
        signal: Secret,
    },
    /// A `Stop`.
    StopCall {
        /// This call; `None`: the one there is.
        call: Option<String>,
    },
    /// The settings were read again. A call that is up keeps the limits that it was made with.
    Settings(Box<Settings>),
    /// The daemon stops: the call is ended, and none is placed any more.
    Leave,
    /// A deadline may have come.
    Deadline,
}

/// What the room wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To a dialer.
    Command {
        /// As `calls.dialers` names it.
        dialer: String,
        /// What it shall do.
        command: CallCommand,
    },
    /// To whoever asked; exactly one for each ask.
    Answer {
        /// Which ask.
        ask: AskId,
        /// What became of it.
        outcome: Outcome,
    },
    /// To everyone.
    Report(Report),
    /// To the loudspeaker, about a call: this tone in place of the one that sounds.
    Play {
        /// Which call.
        call: CallId,
        /// What; `None`: silence.
        tone: Option<CallTone>,
    },
    /// To the loudspeaker.
    SetLoudspeaker(Loudspeaker),
    /// To the store, in place of what it was given before: for [`Room::restored`].
    Keep {
        /// What the room is set to.
        equipment: Equipment,
        /// The directive that did it, when it must not be done twice.
        once: Option<AskId>,
    },
}

/// The meeting room.
#[derive(Debug)]
pub struct Room {
    pub(super) settings: Settings,
    pub(super) chance: Chance,
    pub(super) state: State,
    pub(super) equipment: Equipment,
    /// A join has turned the room on, and its answer has yet to say so.
    pub(super) was_woken: bool,
    /// What is said in the room is said to an assistant.
    pub(super) assistant_listens: bool,
    pub(super) outputs: VecDeque<Output>,
    /// When the calls of the last minute were placed.
    pub(super) placed_lately: VecDeque<Moment>,
    pub(super) last_call: Option<LastCall>,
}

impl Room {
    /// An idle room.
    pub fn new(settings: Settings, chance: Chance) -> Self {
        Self {
            settings,
            chance,
            state: State::Idle,
            equipment: Equipment::default(),
            was_woken: false,
            assistant_listens: false,
            outputs: VecDeque::new(),
            placed_lately: VecDeque::new(),
            last_call: None,
        }
    }

    /// The same, set to what the last process wrote down.
    pub fn restored(mut self, record: Option<&[u8]>) -> Self {
        let read = record.and_then(Equipment::from_record);
        self.equipment = read.map(|(equipment, _)| equipment).unwrap_or_default();
        self
    }

    /// What the room is set to.
    pub fn equipment(&self) -> Equipment {
        self.equipment
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Directive {
                ask,
                directive_id,
                directive,
            } => self.take_directive(now, ask, directive_id, directive),
            Input::Call(event) => self.take_call_event(now, event),
            Input::Media { call, event } => self.take_media_event(now, call, event),
            Input::AssistantListens(listens) => self.give_microphone(listens),
            Input::SendDigits { call, signal } => self.press_for_message(call.as_deref(), &signal),
            Input::StopCall { call } => self.stop_call(now, call.as_deref()),
            Input::StopForeground => self.end(now, EndedHere::Asked, None, Then::Idle),
            Input::Settings(settings) => self.take_settings(*settings),
            Input::Leave => self.end(now, EndedHere::Stopped, None, Then::Close),
            Input::Deadline => {}
        }
        self.keep_deadlines(now);
    }

    /// The next output. Drain it until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Input::Deadline`] next.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.state.next_deadline()
    }

    /// Whether there is a call, be it only being placed or ended.
    pub fn is_in_call(&self) -> bool {
        self.state.call().is_some()
    }

    /// What would be dialled for this join and why it may, in one line; or why it may not.
    pub fn explain(&self, join: &JoinMeeting) -> Result<String, Refusal> {
        dial_plan::plan(join, &self.settings).map(|planned| planned.to_string())
    }

    /// Dials.
    pub(super) fn place(&mut self, now: Now, next: Next) {
        let Next {
            planned,
            directive_id,
            asks,
            by,
        } = next;
        self.placed_lately.push_back(now.moment);
        let call = Call {
            id: CallId(self.chance.uuid()),
            planned,
            directive_id,
            placed: now,
            is_muted: false,
        };
        journal::placed(&call);
        self.command(
            &call,
            CallCommand::Dial {
                call: call.id,
                target: call.planned.target.clone(),
                ring_timeout: self.settings.ring_timeout,
            },
        );
        if self.is_silenced(&call) {
            self.silence(&call, true);
        }
        self.report_state(&call, CallStateName::Dialing);
        self.enter(State::Placing(Placing {
            call,
            progress: Progress::Silent,
            answer: Answer::Owed { asks, by },
            overdue: Deadline::after(
                now,
                self.settings.ring_timeout + BEFORE_RINGING,
                "a dialer that never gives up",
            ),
        }));
    }

    /// Ends whatever there is; who waits for that is answered when it is over.
    pub(super) fn end(&mut self, now: Now, why: EndedHere, waiting: Option<Waiting>, then: Then) {
        match &mut self.state {
            State::Idle | State::Closed => {
                if let Some(Waiting { ask, outcome }) = waiting {
                    self.answer(ask, outcome);
                }
                if matches!(then, Then::Close) {
                    self.enter(State::Closed);
                }
            }
            State::Placing(_) | State::InMeeting(_) => self.hang_up(now, why, waiting, then),
            State::Ending(ending) => {
                ending.waiting.extend(waiting);
                let then = if matches!(ending.then, Then::Close) {
                    Then::Close
                } else {
                    then
                };
                if let Then::Place(next) = std::mem::replace(&mut ending.then, then) {
                    let refusal = answered::refusal(&EndReason::EndedHere(why), &next.planned.mask);
                    self.answer_all(next.asks, &Outcome::Refused(refusal));
                }
            }
        }
    }

    /// Hangs the call up; the joins that wait for it are refused at once.
    pub(super) fn hang_up(&mut self, now: Now, why: EndedHere, waiting: Option<Waiting>, then: Then) {
        let Some(call) = self.state.call().cloned() else {
            return;
        };
        let refusal = answered::refusal(&EndReason::EndedHere(why), &call.planned.mask);
        self.drop_pressed();
        let joins = self.take_waiting();
        self.answer_all(joins, &Outcome::Refused(refusal));
        self.command(&call, CallCommand::HangUp { call: call.id, why });
        self.enter(State::Ending(Ending {
            talk: self.state.talk().cloned(),
            told: self.state.told(),
            call,
            why,
            waiting: waiting.into_iter().collect(),
            then,
            by: Deadline::after(
                now,
                ENDING_TAKES_AT_MOST,
                "a dialer that does not say that a call is over",
            ),
        }));
    }

    fn take_call_event(&mut self, now: Now, event: CallEvent) {
        let (CallEvent::Proceeding { call }
        | CallEvent::Ringing { call }
        | CallEvent::Answered { call, .. }
        | CallEvent::Moved { call, .. }
        | CallEvent::DigitsSent { call }
        | CallEvent::DigitsFailed { call, .. }
        | CallEvent::Ended { call, .. }) = &event;
        if self.state.call().is_none_or(|current| current.id != *call) {
            debug!(call_id = %call, "a call that is over spoke again");
            return;
        }
        match event {
            CallEvent::Proceeding { .. } => {
                if let State::Placing(placing) = &mut self.state
                    && placing.progress == Progress::Silent
                {
                    placing.progress = Progress::Proceeding;
                }
            }
            CallEvent::Ringing { .. } => self.note_ringing(),
            CallEvent::Answered { agreed, .. } => self.note_answer(now, agreed),
            CallEvent::Moved { contacts, .. } => self.judge_contacts(&contacts),
            CallEvent::DigitsSent { .. } => self.note_pressed(),
            CallEvent::DigitsFailed { why, .. } => self.note_press_failed(&why),
            CallEvent::Ended { reason, .. } => self.finish(now, reason),
        }
    }

    fn note_ringing(&mut self) {
        let State::Placing(placing) = &mut self.state else {
            return;
        };
        if placing.progress == Progress::Ringing {
            return;
        }
        placing.progress = Progress::Ringing;
        let call = placing.call.clone();
        self.play(&call, Some(CallTone::RingBack));
        self.report_state(&call, CallStateName::OutboundRinging);
    }

    /// A far end that sends the call on decides nothing about who may be dialled.
    fn judge_contacts(&mut self, contacts: &[Secret]) {
        let State::Placing(Placing { call, .. }) = &self.state else {
            return;
        };
        let call = call.clone();
        let judge = |contact: &Secret| match dial_plan::may_follow(contact, &call.planned, &self.settings) {
            Ok(entry) => {
                journal::followed(&call, entry);
                true
            }
            Err(why) => {
                journal::not_followed(&call, &why);
                false
            }
        };
        let allowed = contacts.iter().map(judge).collect();
        let follow = CallCommand::Follow {
            call: call.id,
            allowed,
        };
        self.command(&call, follow);
    }

    fn note_answer(&mut self, now: Now, agreed: Agreed) {
        let State::Placing(Placing { call, .. }) = &self.state else {
            return;
        };
        let call = call.clone();
        journal::answered(now, &call, &agreed);
        // What brings voices ends the ringing by itself; a dialer may keep its voices to itself.
        self.play(&call, None);
        let waiting = self.take_waiting();
        let outcome = self.joined();
        self.answer_all(waiting, &outcome);
        self.report_state(&call, CallStateName::Active);
        let mut pressed = VecDeque::new();
        if let Some(script) = call.planned.digits.clone() {
            pressed.push_back(PressedBy::Join);
            self.command(
                &call,
                CallCommand::SendDigits {
                    call: call.id,
                    script,
                },
            );
        }
        let watch = Supervision::new(now, &self.settings);
        self.enter(State::InMeeting(InMeeting {
            call,
            talk: Talk {
                since: now,
                agreed,
                watch,
                is_held: false,
            },
            pressed,
        }));
    }

    fn take_media_event(&mut self, now: Now, call: CallId, event: media::Event) {
        if self.state.call().is_none_or(|current| current.id != call) {
            return;
        }
        match (event, &mut self.state) {
            (media::Event::Figures(figures), State::InMeeting(meeting)) => {
                meeting.talk.watch.take_figures(now, figures);
            }
            (media::Event::FarAudio, State::InMeeting(meeting)) => {
                journal::far_audio(now, &meeting.call, &meeting.talk);
            }
            // The loudspeaker rings before there is a meeting.
            (media::Event::DeviceLost { why }, State::InMeeting(InMeeting { call, .. }))
            | (media::Event::DeviceLost { why }, State::Placing(Placing { call, .. })) => {
                journal::device_lost(call, &why);
            }
            (media::Event::DeviceBack { which }, State::InMeeting(InMeeting { call, .. }))
            | (media::Event::DeviceBack { which }, State::Placing(Placing { call, .. })) => {
                journal::device_back(call, which);
            }
            (
                media::Event::Figures(_)
                | media::Event::FarAudio
                | media::Event::DeviceLost { .. }
                | media::Event::DeviceBack { .. },
                State::Idle | State::Placing(_) | State::Ending(_) | State::Closed,
            ) => {}
            // The dialer's.
            (
                media::Event::Reserved { .. }
                | media::Event::ReserveFailed { .. }
                | media::Event::DigitsSent
                | media::Event::DigitsFailed { .. },
                _,
            ) => {}
        }
    }

    /// The dialer says that the call is over, or is no longer waited for.
    pub(super) fn finish(&mut self, now: Now, reason: EndReason) {
        let Some(call) = self.state.call().cloned() else {
            return;
        };
        let talk = self.state.talk().cloned();
        self.drop_pressed();
        let waiting = self.take_waiting();
        if !waiting.is_empty() {
            let refusal = answered::refusal(&reason, &call.planned.mask);
            self.answer_all(waiting, &Outcome::Refused(refusal));
        }
        let (reason, then) = match &mut self.state {
            // What we did counts, whatever crossed it on the way.
            State::Ending(ending) => {
                let waiting = std::mem::take(&mut ending.waiting);
                let then = std::mem::replace(&mut ending.then, Then::Idle);
                let why = ending.why;
                for Waiting { ask, outcome } in waiting {
                    self.answer(ask, outcome);
                }
                (EndReason::EndedHere(why), then)
            }
            State::Idle | State::Closed | State::Placing(_) | State::InMeeting(_) => (reason, Then::Idle),
        };
        self.play(&call, last_tone(&reason, &then));
        self.report_end(now, &call, talk.as_ref(), &reason);
        match then {
            Then::Idle => self.enter(State::Idle),
            Then::Place(next) => self.place(now, *next),
            Then::Close => self.enter(State::Closed),
        }
    }

    /// The joins that wait for the call that is being placed; they have their answer from here on.
    pub(super) fn take_waiting(&mut self) -> Vec<AskId> {
        let State::Placing(placing) = &mut self.state else {
            return Vec::new();
        };
        match std::mem::replace(&mut placing.answer, Answer::Given) {
            Answer::Owed { asks, .. } => asks,
            Answer::Given => Vec::new(),
        }
    }

    pub(super) fn command(&mut self, call: &Call, command: CallCommand) {
        let dialer = call.planned.dialer.clone();
        self.outputs.push_back(Output::Command { dialer, command });
    }

    fn play(&mut self, call: &Call, tone: Option<CallTone>) {
        let call = call.id;
        self.outputs.push_back(Output::Play { call, tone });
    }

    pub(super) fn answer(&mut self, ask: AskId, outcome: Outcome) {
        self.outputs.push_back(Output::Answer { ask, outcome });
    }

    pub(super) fn answer_all(&mut self, asks: Vec<AskId>, outcome: &Outcome) {
        for ask in asks {
            self.answer(ask, outcome.clone());
        }
    }

    fn enter(&mut self, next: State) {
        debug!("room: {} -> {}", self.state.name(), next.name());
        self.state = next;
    }
}

/// What tells the room that a call is over; nothing where another follows, or where nobody listens any more.
fn last_tone(reason: &EndReason, then: &Then) -> Option<CallTone> {
    match (reason, then) {
        (_, Then::Place(_) | Then::Close) | (EndReason::EndedHere(EndedHere::PoweredOff), Then::Idle) => None,
        (reason, Then::Idle) => Some(match answered::failure(reason) {
            Some(_) => CallTone::Failed,
            None => CallTone::Ended,
        }),
    }
}
