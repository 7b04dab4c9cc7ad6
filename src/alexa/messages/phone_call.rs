//! `PhoneCallController`: SendDTMF and Stop, which come in, and SendDTMFSucceeded and SendDTMFFailed, which go out.

use serde_json::{Map, Value, json};

use super::field::{FieldFault, Fields};
use super::message::{Message, Printed, Row};
use super::report::DigitsFailedCode;
use crate::secret::Secret;

const TOPIC: &str = "PhoneCallController";

/// SendDTMF's row in the list.
pub const SEND_DTMF: Row = Row {
    topic: TOPIC,
    action: "SendDTMF",
    read: |payload| unwrapped(payload, read_send_dtmf),
};

/// Stop's row in the list.
pub const STOP: Row = Row {
    topic: TOPIC,
    action: "Stop",
    read: |payload| unwrapped(payload, read_stop),
};

/// Reads a payload that is plain, or JSON text in a field `payload` of its own. That text may hold a PIN: a fault
/// does not quote it.
fn unwrapped(
    payload: &Fields<'_>,
    read: fn(&Fields<'_>) -> Result<Message, FieldFault>,
) -> Result<Message, FieldFault> {
    let Some(text) = payload.optional_text("payload")? else {
        return read(payload);
    };
    let inside: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| payload.unknown("payload", "text that is no JSON object"))?;
    read(&Fields::at_top(&inside))
}

fn read_send_dtmf(payload: &Fields<'_>) -> Result<Message, FieldFault> {
    Ok(Message::SendDigits {
        call: payload.optional_text("callId")?.map(str::to_owned),
        signal: Secret::new(payload.text("signal")?),
    })
}

fn read_stop(payload: &Fields<'_>) -> Result<Message, FieldFault> {
    Ok(Message::StopCall {
        call: payload.optional_text("callId")?.map(str::to_owned),
    })
}

pub(super) fn print_stop(call: Option<&str>) -> Printed {
    let payload = call.map_or_else(|| json!({}), |call| json!({"callId": call}));
    (TOPIC, "Stop", payload)
}

pub(super) fn print_send_dtmf(call: Option<&str>, signal: &Secret) -> Printed {
    let mut payload = json!({"signal": signal.expose()});
    if let Some(call) = call {
        payload["callId"] = json!(call);
    }
    (TOPIC, "SendDTMF", payload)
}

pub(super) fn print_succeeded(call: &str) -> Printed {
    (TOPIC, "SendDTMFSucceeded", json!({"callId": call}))
}

pub(super) fn print_failed(call: &str, code: DigitsFailedCode, message: &str) -> Printed {
    let payload = json!({"callId": call, "code": code.name(), "message": message});
    (TOPIC, "SendDTMFFailed", payload)
}
