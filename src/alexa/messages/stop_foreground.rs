//! `AlexaClient` / `StopForegroundActivity`: the one foreground activity stops. No reply.

use serde_json::json;

use super::field::{FieldFault, Fields};
use super::message::{Message, Printed, Row};

const TOPIC: &str = "AlexaClient";
const ACTION: &str = "StopForegroundActivity";

/// Its row in the list.
pub const ROW: Row = Row {
    topic: TOPIC,
    action: ACTION,
    read,
};

pub(super) fn print() -> Printed {
    (TOPIC, ACTION, json!({}))
}

fn read(_payload: &Fields<'_>) -> Result<Message, FieldFault> {
    Ok(Message::StopForegroundActivity)
}
