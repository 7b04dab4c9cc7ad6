//! Prints the events of Smart Home v3: `Alexa.Response` and `Alexa.ErrorResponse`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::outcome::{DeviceMode, ErrorType, Outcome, Refusal};

/// What an event is made of.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its own id, a fresh one for each event.
    pub message_id: Uuid,
    /// The directive's, byte for byte; `None` when it had none.
    pub correlation_token: Option<&'a str>,
    /// Ours.
    pub endpoint_id: &'a str,
    /// What became of the directive.
    pub outcome: &'a Outcome,
    /// When the context was true.
    pub at: Timestamp,
}

impl Event<'_> {
    /// The whole message, ready to be sent.
    pub fn print(&self) -> String {
        match self.outcome {
            Outcome::Done => json!({
                "event": self.event("Response", json!({})),
                "context": {"properties": [self.connectivity()]},
            }),
            Outcome::Refused(refusal) => json!({
                "event": self.event("ErrorResponse", error(refusal)),
            }),
        }
        .to_string()
    }

    fn event(&self, name: &str, payload: Value) -> Value {
        let mut header = Map::new();
        header.insert("namespace".to_owned(), json!("Alexa"));
        header.insert("name".to_owned(), json!(name));
        header.insert("messageId".to_owned(), json!(self.message_id.to_string()));
        header.insert("payloadVersion".to_owned(), json!("3"));
        if let Some(token) = self.correlation_token {
            header.insert("correlationToken".to_owned(), json!(token));
        }
        json!({
            "header": header,
            "endpoint": {"endpointId": self.endpoint_id},
            "payload": payload,
        })
    }

    fn connectivity(&self) -> Value {
        json!({
            "namespace": "Alexa.EndpointHealth",
            "name": "connectivity",
            "value": {"value": "OK"},
            "timeOfSample": format!("{:.3}", self.at),
            // The device knows its own state at the moment of writing it.
            "uncertaintyInMilliseconds": 0,
        })
    }
}

/// The payload of an `ErrorResponse`.
fn error(refusal: &Refusal) -> Value {
    let (kind, message) = (refusal.kind.name(), &refusal.message);
    match refusal.kind {
        ErrorType::NotSupportedInCurrentMode(mode) => {
            json!({"type": kind, "message": message, "currentDeviceMode": device_mode(mode)})
        }
        ErrorType::ValueOutOfRange => {
            let range = json!({"minimumValue": 0, "maximumValue": 100});
            json!({"type": kind, "message": message, "validRange": range})
        }
        ErrorType::InvalidDirective
        | ErrorType::InvalidValue
        | ErrorType::NoSuchEndpoint
        | ErrorType::EndpointBusy
        | ErrorType::InsufficientPermissions
        | ErrorType::NotInOperation
        | ErrorType::EndpointUnreachable
        | ErrorType::BridgeUnreachable
        | ErrorType::RateLimitExceeded
        | ErrorType::InternalError => json!({"type": kind, "message": message}),
    }
}

fn device_mode(mode: DeviceMode) -> &'static str {
    match mode {
        DeviceMode::Asleep => "ASLEEP",
        DeviceMode::Other => "OTHER",
    }
}
