//! Who is told what: everyone the snapshot first, then each change, in order, once.

use std::collections::BTreeSet;

use super::link::LinkId;
use crate::alexa::client::auth::Auth;
use crate::alexa::client::dialog::Dialogs;
use crate::alexa::messages::message::Message;
use crate::alexa::messages::report::{CallState, CallStateName, Report};

/// Who listens, and what the snapshot says of the call.
#[derive(Clone, Debug, Default)]
pub struct Publisher {
    listeners: BTreeSet<LinkId>,
    /// The last state that was told.
    call: Option<CallState>,
}

impl Publisher {
    /// Takes a listener in, and says what it is told first: where the device stands.
    pub fn joined(
        &mut self,
        listener: LinkId,
        connection: Message,
        auth: &Auth,
        dialogs: &Dialogs,
    ) -> Vec<Message> {
        self.listeners.insert(listener);
        let mut snapshot = vec![connection, Message::AuthState(auth.current())];
        snapshot.extend(dialogs.all().map(Message::DialogState));
        snapshot.push(Message::Call(Report::CallState(self.call_now())));
        snapshot
    }

    /// A listener is gone: nothing is told to it.
    pub fn left(&mut self, listener: LinkId) {
        self.listeners.remove(&listener);
    }

    /// Everyone who is to be told of a change.
    pub fn listeners(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.listeners.iter().copied()
    }

    /// Takes a report in; false when it says what was said already.
    pub fn is_news(&mut self, report: &Report) -> bool {
        let Report::CallState(state) = report else {
            return true;
        };
        if self.call.as_ref() == Some(state) {
            return false;
        }
        self.call = Some(state.clone());
        true
    }

    /// Whether there is a call that is not over.
    pub fn call_is_up(&self) -> bool {
        self.call_now().state != CallStateName::Idle
    }

    /// The call as it is: without one IDLE, and nothing of the last one.
    pub fn call_now(&self) -> CallState {
        match &self.call {
            Some(call) if call.state != CallStateName::Idle => call.clone(),
            Some(_) | None => CallState {
                state: CallStateName::Idle,
                call: None,
                caller_id: String::new(),
            },
        }
    }
}
