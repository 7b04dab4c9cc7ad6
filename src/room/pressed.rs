//! Digits that are pressed during a meeting, by a `SendDTMF` or by `meetd dtmf`, and the `Stop` of a call.

use std::time::Duration;

use crate::alexa::messages::directive::AskId;
use crate::alexa::messages::field;
use crate::alexa::messages::outcome::{ErrorType, Outcome, Refusal};
use crate::alexa::messages::report::{DigitsFailedCode, Report};
use crate::call::{CallCommand, CallId, DigitScript, EndedHere};
use crate::secret::Secret;
use crate::time::Now;

use super::journal;
use super::room::{Output, Room};
use super::state::{Call, InMeeting, State, Then};

/// Scripts that may wait in one call: more are no person's.
const MOST_WAITING: usize = 16;
/// The longest script: a longer one is no person's either, and would be waited for in vain.
const LONGEST: Duration = Duration::from_secs(30);
/// 36 characters of a UUID, and some more for those who name calls otherwise.
const LONGEST_CALL_ID: usize = 128;

/// For whom a script of digits leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PressedBy {
    /// The join: id and PIN.
    Join,
    /// A `SendDTMF`; everyone is told.
    Message,
    /// A command that waits.
    Command(AskId),
}

/// Why digits are not pressed, or did not leave.
struct Fault {
    code: DigitsFailedCode,
    message: String,
}

impl Room {
    pub(super) fn press_for_message(&mut self, call: Option<&str>, signal: &Secret) {
        let current = self.state.call().map(|call| call.id.to_string());
        let shown = call.map_or_else(|| current.clone().unwrap_or_default(), shown);
        let is_other =
            call.is_some_and(|call| !current.is_some_and(|current| current.eq_ignore_ascii_case(call)));
        let pressed = match is_other {
            true => Err(no_call()),
            false => self.press(signal, PressedBy::Message),
        };
        if let Err(fault) = pressed {
            self.tell_failed(shown, fault);
        }
    }

    pub(super) fn press_for_command(&mut self, ask: AskId, signal: &Secret) {
        if let Err(fault) = self.press(signal, PressedBy::Command(ask)) {
            self.refuse(ask, refusal(fault));
        }
    }

    /// Stops the call that is named, or the one there is.
    pub(super) fn stop_call(&mut self, now: Now, call: Option<&str>) {
        let current = self.state.call().map(|call| call.id.to_string());
        match (call, current) {
            (Some(call), Some(current)) if !current.eq_ignore_ascii_case(call) => {
                tracing::info!("a call is to stop that is not the one there is");
            }
            (_, None) => tracing::debug!("a call is to stop, and there is none"),
            (_, Some(_)) => self.end(now, EndedHere::Asked, None, Then::Idle),
        }
    }

    /// The oldest script has left.
    pub(super) fn note_pressed(&mut self) {
        let Some((call, by)) = self.oldest_pressed() else {
            return;
        };
        match by {
            PressedBy::Join => journal::digits_sent(&call),
            PressedBy::Message => {
                let call = call.id.to_string();
                self.outputs
                    .push_back(Output::Report(Report::DigitsSent { call }));
            }
            PressedBy::Command(ask) => self.answer(ask, Outcome::Done),
        }
    }

    /// The oldest script could not leave.
    pub(super) fn note_press_failed(&mut self, why: &str) {
        let Some((call, by)) = self.oldest_pressed() else {
            return;
        };
        journal::digits_failed(&call, why);
        let message = format!("the digits could not be sent: {why}");
        let code = DigitsFailedCode::DtmfFailed;
        self.fail(call.id, by, Fault { code, message });
    }

    /// The call is over: what has not left never will.
    pub(super) fn drop_pressed(&mut self) {
        let State::InMeeting(InMeeting { call, pressed, .. }) = &mut self.state else {
            return;
        };
        let (call, pressed) = (call.id, std::mem::take(pressed));
        for by in pressed {
            let message = "the call ended before all digits had left".to_owned();
            self.fail(
                call,
                by,
                Fault {
                    code: DigitsFailedCode::DtmfFailed,
                    message,
                },
            );
        }
    }

    fn press(&mut self, signal: &Secret, by: PressedBy) -> Result<(), Fault> {
        let State::InMeeting(InMeeting { call, pressed, .. }) = &mut self.state else {
            return Err(no_call());
        };
        let script = DigitScript::read(signal.expose()).filter(|script| script.digits() > 0);
        let unusable = |message: &str| Fault {
            code: DigitsFailedCode::DtmfFailed,
            message: message.to_owned(),
        };
        let script =
            script.ok_or_else(|| unusable("digits are 0-9, A-D, * and #, with the pauses w and ,"))?;
        if script.lasts() > LONGEST {
            return Err(unusable("so many digits and pauses take longer than 30 seconds"));
        }
        if pressed.len() >= MOST_WAITING {
            return Err(unusable("too many digits wait to be sent"));
        }
        pressed.push_back(by);
        let call = call.clone();
        self.command(
            &call,
            CallCommand::SendDigits {
                call: call.id,
                script,
            },
        );
        Ok(())
    }

    fn oldest_pressed(&mut self) -> Option<(Call, PressedBy)> {
        match &mut self.state {
            State::InMeeting(meeting) => Some((meeting.call.clone(), meeting.pressed.pop_front()?)),
            State::Idle | State::Placing(_) | State::Ending(_) | State::Closed => None,
        }
    }

    fn fail(&mut self, call: CallId, by: PressedBy, fault: Fault) {
        match by {
            PressedBy::Join => {}
            PressedBy::Message => self.tell_failed(call.to_string(), fault),
            PressedBy::Command(ask) => self.refuse(ask, refusal(fault)),
        }
    }

    fn tell_failed(&mut self, call: String, Fault { code, message }: Fault) {
        let report = Report::DigitsFailed { call, code, message };
        self.outputs.push_back(Output::Report(report));
    }
}

fn no_call() -> Fault {
    Fault {
        code: DigitsFailedCode::CallNotInProgress,
        message: "there is no such call in progress".to_owned(),
    }
}

fn refusal(fault: Fault) -> Refusal {
    let kind = match fault.code {
        DigitsFailedCode::CallNotInProgress => ErrorType::NotInOperation,
        DigitsFailedCode::DtmfFailed => ErrorType::InvalidValue,
    };
    Refusal::new(kind, fault.message)
}

/// The callId as it came, unless nobody could have meant it.
fn shown(call: &str) -> String {
    if call.len() <= LONGEST_CALL_ID {
        call.to_owned()
    } else {
        field::shown(call)
    }
}
