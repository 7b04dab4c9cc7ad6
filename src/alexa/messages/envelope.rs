//! The envelope of AASB 4.0: `{header: {version, messageType, id, messageDescription: {topic, action}}, payload}`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::field::{FieldFault, Fields};

/// `header.messageType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// Something is told, or asked for.
    Publish,
    /// The answer to a message of ours.
    Reply,
}

impl MessageType {
    const ALL: &[Self] = &[Self::Publish, Self::Reply];

    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "Publish",
            Self::Reply => "Reply",
        }
    }

    /// Read without regard to case.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// Prints a message of ours.
pub fn print(id: Uuid, topic: &str, action: &str, payload: &Value) -> String {
    json!({
        "header": {
            "version": "4.0",
            "messageType": MessageType::Publish.name(),
            "id": id.to_string(),
            "messageDescription": {"topic": topic, "action": action},
        },
        "payload": payload,
    })
    .to_string()
}

/// Reads type, topic and action of a frame. The id must be there; more is not asked of it, nor of the version.
pub fn read<'a>(frame: &Fields<'a>) -> Result<(MessageType, &'a str, &'a str), FieldFault> {
    let header = frame.object("header")?;
    header.text("id")?;
    let message_type = header.one_of("messageType", MessageType::read)?;
    let description = header.object("messageDescription")?;
    Ok((
        message_type,
        description.text("topic")?,
        description.text("action")?,
    ))
}
