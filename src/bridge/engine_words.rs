//! What voice engines say and are told, and what follows from it for everyone: the connection in its two forms, the
//! authorisation, the dialogs, and what a "stop" is meant for.

use super::link::LinkId;
use super::{Bridge, Output};
use crate::alexa::messages::connection_status::DetailedConnection;
use crate::alexa::messages::dialog_state::{AssistantId, Dialog, DialogState};
use crate::alexa::messages::message::Message;
use crate::time::Now;

impl Bridge {
    /// A client of the local link reports an AlexaClient of its own.
    pub(super) fn engine_speaks(&mut self, now: Now, link: LinkId, message: &Message) {
        let assistant = match message {
            Message::DialogState(dialog) => dialog.assistant,
            _ => AssistantId::ALEXA,
        };
        // 0 is no assistant, and 1 is all of them, of whom nobody can be in one state.
        if assistant < AssistantId::ALEXA || !matches!(link, LinkId::Local(_)) {
            return tracing::debug!("{link:?} speaks for assistant {} and is not heard", assistant.0);
        }
        if !self.engines.is_heard(now, link, assistant) {
            return tracing::debug!(
                "{link:?} speaks for assistant {}, which another does",
                assistant.0
            );
        }
        match message {
            Message::DialogState(Dialog { state, .. }) => {
                self.engines.dialog_is(now, assistant, *state);
            }
            Message::ConnectionStatus(status) => self.engines.connection_is(*status),
            Message::AuthState(auth) => self.engines.auth_is(*auth),
            Message::DetailedConnection(_)
            | Message::StopForegroundActivity
            | Message::SendDigits { .. }
            | Message::StopCall { .. }
            | Message::Call(_) => {}
        }
        // The former engine's dialog went with it, and so did what a directive made of it.
        self.dialog_is(assistant, self.engines.dialog(assistant));
        self.tell_connection();
        self.tell_auth();
    }

    /// A client is gone: its dialogs are over, and what it said of connection and authorisation is forgotten.
    pub(super) fn engine_lost(&mut self, now: Now, link: LinkId) {
        for assistant in self.engines.lost(now, link) {
            self.dialog_is(assistant, DialogState::Idle);
        }
        self.tell_connection();
        self.tell_auth();
    }

    pub(super) fn end_silent_dialogs(&mut self, now: Now) {
        for assistant in self.engines.overdue(now) {
            tracing::warn!(
                event = "dialog-timeout",
                assistant_id = assistant.0,
                "the voice engine of assistant {} fell silent in a dialog; it counts as ended",
                assistant.0
            );
            self.dialog_is(assistant, DialogState::Idle);
        }
    }

    /// The one foreground activity stops: a dialog, else the call.
    pub(super) fn stop_foreground(&mut self, now: Now) {
        if let Some(engine) = self.engines.in_foreground() {
            tracing::info!(event = "stop-foreground", "the dialog is to stop");
            let text = Message::StopForegroundActivity.print(self.chance.uuid());
            return self.send(engine, text);
        }
        if self.engines.dialog_ended_lately(now) {
            return tracing::info!(
                event = "stop-foreground",
                "a stop came late for a dialog that is over"
            );
        }
        tracing::info!(
            event = "stop-foreground",
            "the activity in the foreground is to stop"
        );
        self.outputs.push_back(Output::StopForeground);
    }

    /// What is true of the connection, in the form that is told.
    pub(super) fn connection_now(&self) -> Message {
        let avs = self
            .engines
            .connection()
            .unwrap_or_else(|| self.connection.current());
        match self.is_detailed {
            true => Message::DetailedConnection(DetailedConnection {
                avs,
                local: self.engines.local(),
            }),
            false => Message::ConnectionStatus(avs),
        }
    }

    /// Tells what is true of the connection, when that is a change.
    pub(super) fn tell_connection(&mut self) {
        let now = self.connection_now();
        if self.told != now {
            self.tell(&now);
            self.told = now;
        }
    }

    /// Tells what is true of the authorisation, when that is a change.
    pub(super) fn tell_auth(&mut self) {
        let now = self.engines.auth().unwrap_or(self.bridge_auth);
        if let Some(change) = self.auth.change(now) {
            self.tell(&Message::AuthState(change));
        }
    }

    /// The room hears of it before anyone is told: its microphone counts.
    pub(super) fn dialog_is(&mut self, assistant: AssistantId, state: DialogState) {
        let was_talking = self.dialogs.is_room_talking();
        let Some(change) = self.dialogs.change(Dialog { assistant, state }) else {
            return;
        };
        let is_talking = self.dialogs.is_room_talking();
        if was_talking != is_talking {
            self.outputs.push_back(Output::AssistantListens(is_talking));
        }
        self.tell(&Message::DialogState(change));
    }
}
