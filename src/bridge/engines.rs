//! The voice engines on the device: local clients that report an AlexaClient of their own. Which client speaks for
//! which assistant, what it says, and what is left when it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::link::LinkId;
use crate::alexa::messages::auth_state::AuthStatus;
use crate::alexa::messages::connection_status::{ConnectionStatus, Reason, Status};
use crate::alexa::messages::dialog_state::{AssistantId, DialogState};
use crate::time::{Deadline, Moment, Now};

/// After a dialog's end a "stop" that was said in it may still be on its way (contract, "StopForegroundActivity").
const LATE_STOP: Duration = Duration::from_secs(2);
/// More assistants than this on one device are a fault of whoever names them.
const MOST_ENGINES: usize = 16;

/// All engines.
#[derive(Debug)]
pub struct Engines {
    dialog_timeout: Duration,
    engines: BTreeMap<AssistantId, Engine>,
    /// Who has spoken for whom, for as long as it is connected: one whose place was taken is not heard.
    have_spoken: BTreeSet<(LinkId, AssistantId)>,
    /// What Alexa's engine says of its own connection and authorisation.
    connection: Option<ConnectionStatus>,
    auth: Option<AuthStatus>,
    dialog_ended: Option<Moment>,
}

/// The client that speaks for an assistant.
#[derive(Debug)]
struct Engine {
    link: LinkId,
    dialog: DialogState,
    /// When it spoke of its dialog last.
    heard: Moment,
}

impl Engines {
    /// None yet. A dialog without a word for `dialog_timeout` is over.
    pub fn new(dialog_timeout: Duration) -> Self {
        Self {
            dialog_timeout,
            engines: BTreeMap::new(),
            have_spoken: BTreeSet::new(),
            connection: None,
            auth: None,
            dialog_ended: None,
        }
    }

    /// A dialog is over after so long without a word, those that go on included.
    pub fn set_dialog_timeout(&mut self, dialog_timeout: Duration) {
        self.dialog_timeout = dialog_timeout;
    }

    /// A client speaks for an assistant: whether it is heard. Its first word makes it the engine, whoever was before.
    pub fn is_heard(&mut self, now: Now, link: LinkId, assistant: AssistantId) -> bool {
        let is_first_word = !self.have_spoken.contains(&(link, assistant));
        match self.engines.get(&assistant) {
            Some(engine) if engine.link == link => return true,
            Some(_) if !is_first_word => return false,
            None if self.engines.len() >= MOST_ENGINES => return false,
            Some(_) | None => {}
        }
        let (dialog, heard) = (DialogState::Idle, now.moment);
        self.engines.insert(assistant, Engine { link, dialog, heard });
        self.have_spoken.insert((link, assistant));
        if assistant == AssistantId::ALEXA {
            (self.connection, self.auth) = (None, None);
        }
        tracing::info!(
            event = "engine-up",
            assistant_id = assistant.0,
            "a voice engine speaks for assistant {}",
            assistant.0
        );
        true
    }

    /// The engine of this assistant says where its dialog stands.
    pub fn dialog_is(&mut self, now: Now, assistant: AssistantId, state: DialogState) {
        let Some(engine) = self.engines.get_mut(&assistant) else {
            return;
        };
        if engine.dialog != DialogState::Idle && state == DialogState::Idle {
            self.dialog_ended = Some(now.moment);
        }
        engine.dialog = state;
        engine.heard = now.moment;
    }

    /// Where the dialog of an assistant stands, as its engine said last.
    pub fn dialog(&self, assistant: AssistantId) -> DialogState {
        let engine = self.engines.get(&assistant);
        engine.map_or(DialogState::Idle, |engine| engine.dialog)
    }

    /// Alexa's engine says whether it is connected.
    pub fn connection_is(&mut self, status: ConnectionStatus) {
        self.connection = Some(status);
    }

    /// Alexa's engine says whether it is authorised.
    pub fn auth_is(&mut self, auth: AuthStatus) {
        self.auth = Some(auth);
    }

    /// A client is gone. Gives the assistants that have no engine any more.
    pub fn lost(&mut self, now: Now, link: LinkId) -> Vec<AssistantId> {
        self.have_spoken.retain(|(speaker, _)| *speaker != link);
        let silent: Vec<AssistantId> = self
            .engines
            .iter()
            .filter(|(_, engine)| engine.link == link)
            .map(|(assistant, _)| *assistant)
            .collect();
        for assistant in &silent {
            self.dialog_is(now, *assistant, DialogState::Idle);
            self.engines.remove(assistant);
            tracing::info!(
                event = "engine-down",
                assistant_id = assistant.0,
                "the voice engine of assistant {} is gone",
                assistant.0
            );
        }
        if silent.contains(&AssistantId::ALEXA) {
            (self.connection, self.auth) = (None, None);
        }
        silent
    }

    /// Dialogs without a word for too long: they are over.
    pub fn overdue(&mut self, now: Now) -> Vec<AssistantId> {
        let timeout = self.dialog_timeout;
        let overdue: Vec<AssistantId> = self
            .engines
            .iter()
            .filter(|(_, engine)| engine.limit(timeout).is_some_and(|limit| limit.is_due(now)))
            .map(|(assistant, _)| *assistant)
            .collect();
        for assistant in &overdue {
            self.dialog_is(now, *assistant, DialogState::Idle);
        }
        overdue
    }

    /// When the first dialog will have been without a word for too long.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let timeout = self.dialog_timeout;
        Deadline::earliest(self.engines.values().map(|engine| engine.limit(timeout)))
    }

    /// The engine whose dialog is in the foreground: the one that spoke last of those in a dialog.
    pub fn in_foreground(&self) -> Option<LinkId> {
        let in_dialog = self.engines.values().filter(|engine| engine.is_in_dialog());
        Some(in_dialog.max_by_key(|engine| engine.heard)?.link)
    }

    /// Whether a dialog ended so lately that a "stop" is still meant for it.
    pub fn dialog_ended_lately(&self, now: Now) -> bool {
        self.dialog_ended
            .is_some_and(|ended| now.moment < ended + LATE_STOP)
    }

    /// Whether somebody speaks for Alexa.
    pub fn speak_for_alexa(&self) -> bool {
        self.engines.contains_key(&AssistantId::ALEXA)
    }

    /// `detailed.local`.
    pub fn local(&self) -> ConnectionStatus {
        match self.engines.is_empty() {
            true => ConnectionStatus {
                status: Status::Disconnected,
                reason: Reason::None,
            },
            false => ConnectionStatus {
                status: Status::Connected,
                reason: Reason::Success,
            },
        }
    }

    /// What Alexa's engine says of its own connection, if it does.
    pub fn connection(&self) -> Option<ConnectionStatus> {
        self.connection
    }

    /// What Alexa's engine says of its own authorisation, if it does.
    pub fn auth(&self) -> Option<AuthStatus> {
        self.auth
    }
}

impl Engine {
    fn is_in_dialog(&self) -> bool {
        self.dialog != DialogState::Idle
    }

    fn limit(&self, timeout: Duration) -> Option<Deadline> {
        self.is_in_dialog().then_some(Deadline {
            at: self.heard + timeout,
            why: "a voice engine's word on its dialog",
        })
    }
}
