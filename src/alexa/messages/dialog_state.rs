//! `AlexaClient` / `DialogStateChanged`.

use serde_json::json;

use super::field::{FieldFault, Fields};
use super::message::{Message, Printed, Row};

const TOPIC: &str = "AlexaClient";
const ACTION: &str = "DialogStateChanged";

/// Its row in the list.
pub const ROW: Row = Row {
    topic: TOPIC,
    action: ACTION,
    read,
};

/// Its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Which assistant's dialog.
    pub assistant: AssistantId,
    /// Its state.
    pub state: DialogState,
}

/// `assistantId`: 0 none, 1 all, 2 Alexa, above that co-assistants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssistantId(pub u32);

impl AssistantId {
    /// Alexa.
    pub const ALEXA: Self = Self(2);
}

/// `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DialogState {
    /// No dialog.
    Idle,
    /// The assistant listens.
    Listening,
    /// It waits for an answer of the person.
    Expecting,
    /// It works on what was said.
    Thinking,
    /// It speaks.
    Speaking,
    /// It has done, and may go on at once.
    Finished,
}

impl DialogState {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Idle,
        Self::Listening,
        Self::Expecting,
        Self::Thinking,
        Self::Speaking,
        Self::Finished,
    ];

    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Listening => "LISTENING",
            Self::Expecting => "EXPECTING",
            Self::Thinking => "THINKING",
            Self::Speaking => "SPEAKING",
            Self::Finished => "FINISHED",
        }
    }

    /// Read without regard to case.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.name().eq_ignore_ascii_case(name))
    }
}

pub(super) fn print(dialog: Dialog) -> Printed {
    let payload = json!({"state": dialog.state.name(), "assistantId": dialog.assistant.0});
    (TOPIC, ACTION, payload)
}

fn read(payload: &Fields<'_>) -> Result<Message, FieldFault> {
    let assistant = payload.optional_number("assistantId")?;
    Ok(Message::DialogState(Dialog {
        assistant: AssistantId(assistant.ok_or_else(|| payload.missing("assistantId"))?),
        state: payload.one_of("state", DialogState::read)?,
    }))
}
