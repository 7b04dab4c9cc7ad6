//! What the meeting hears of the room: everything, or nothing because the call is on hold, because a person muted the
//! microphone, or because the room talks to its assistant.

use crate::alexa::messages::outcome::{ErrorType, Refusal};
use crate::call::CallCommand;

use super::room::Room;
use super::state::{Call, InMeeting, Placing, State};
use super::{Settings, journal};

/// What the meeting hears of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Microphone {
    /// Everything.
    On,
    /// Silence: a person muted it.
    Muted,
    /// Silence: the room talks to its assistant.
    Dialog,
    /// Nothing: the call is on hold.
    Hold,
}

impl Room {
    /// Puts the meeting on hold, or takes it off; the sentence says what is true then.
    pub fn hold(&mut self, is_held: bool) -> Result<&'static str, Refusal> {
        let State::InMeeting(meeting) = &mut self.state else {
            return Err(Refusal::new(
                ErrorType::NotInOperation,
                "there is no answered call that could be held",
            ));
        };
        meeting.talk.is_held = is_held;
        let call = meeting.call.clone();
        let command = CallCommand::Hold {
            call: call.id,
            is_held,
        };
        self.command(&call, command);
        Ok(match is_held {
            true => "the call is on hold, the meeting hears nothing of the room",
            false => "the call goes on",
        })
    }

    /// Mutes the microphone towards the meeting, or opens it; the sentence says what is true then.
    pub fn mute(&mut self, is_muted: bool) -> Result<&'static str, Refusal> {
        let (State::Placing(Placing { call, .. }) | State::InMeeting(InMeeting { call, .. })) =
            &mut self.state
        else {
            return Err(Refusal::new(
                ErrorType::NotInOperation,
                "there is no call whose microphone could be muted",
            ));
        };
        let was_muted = std::mem::replace(&mut call.is_muted, is_muted);
        let call = call.clone();
        if was_muted != is_muted {
            journal::microphone_muted(&call);
            if !self.is_in_dialog() {
                self.silence(&call, is_muted);
            }
        }
        Ok(match (is_muted, self.is_in_dialog()) {
            (true, _) => "the microphone is muted, the meeting hears silence",
            (false, true) => "the meeting hears the room when the dialog with the assistant is over",
            (false, false) => "the microphone is on, the meeting hears the room",
        })
    }

    /// The assistant has the microphone, or gives it back.
    pub(super) fn give_microphone(&mut self, assistant_listens: bool) {
        let was_in_dialog = self.is_in_dialog();
        self.assistant_listens = assistant_listens;
        self.follow_dialog(was_in_dialog);
    }

    /// The settings were read again; whether a dialog mutes the microphone counts at once.
    pub(super) fn take_settings(&mut self, settings: Settings) {
        let was_in_dialog = self.is_in_dialog();
        self.settings = settings;
        self.follow_dialog(was_in_dialog);
    }

    fn follow_dialog(&mut self, was_in_dialog: bool) {
        let is_in_dialog = self.is_in_dialog();
        if was_in_dialog == is_in_dialog {
            return;
        }
        let (State::Placing(Placing { call, .. }) | State::InMeeting(InMeeting { call, .. })) = &self.state
        else {
            return;
        };
        let call = call.clone();
        journal::microphone_in_dialog(&call, is_in_dialog);
        if !call.is_muted {
            self.silence(&call, is_in_dialog);
        }
    }

    /// What the meeting of this call hears.
    pub(super) fn microphone(&self, call: &Call) -> Microphone {
        if self.state.talk().is_some_and(|talk| talk.is_held) {
            Microphone::Hold
        } else if call.is_muted {
            Microphone::Muted
        } else if self.is_in_dialog() {
            Microphone::Dialog
        } else {
            Microphone::On
        }
    }

    pub(super) fn is_silenced(&self, call: &Call) -> bool {
        call.is_muted || self.is_in_dialog()
    }

    pub(super) fn silence(&mut self, call: &Call, is_muted: bool) {
        let command = CallCommand::Mute {
            call: call.id,
            is_muted,
        };
        self.command(call, command);
    }

    fn is_in_dialog(&self) -> bool {
        self.assistant_listens && self.settings.mute_during_dialog
    }
}
