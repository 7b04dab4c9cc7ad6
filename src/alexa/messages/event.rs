//! Prints the events of Smart Home v3: `Alexa.Response`, `StateReport`, `Discover.Response` and
//! `Alexa.ErrorResponse`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::outcome::{DeviceMode, ErrorType, Outcome, Refusal};
use super::property;

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
                "context": property::context(&[], self.at),
            }),
            Outcome::Changed(properties) => json!({
                "event": self.event("Response", json!({})),
                "context": property::context(properties, self.at),
            }),
            Outcome::State(properties) => json!({
                "event": self.event("StateReport", json!({})),
                "context": property::context(properties, self.at),
            }),
            Outcome::Discovered(discovery) => json!({"event": {
                "header": self.header("Alexa.Discovery", "Discover.Response"),
                "payload": discovery.payload(),
            }}),
            Outcome::Refused(refusal) => json!({
                "event": self.event("ErrorResponse", error(refusal)),
            }),
        }
        .to_string()
    }

    fn event(&self, name: &str, payload: Value) -> Value {
        json!({
            "header": self.header("Alexa", name),
            "endpoint": {"endpointId": self.endpoint_id},
            "payload": payload,
        })
    }

    fn header(&self, namespace: &str, name: &str) -> Value {
        let mut header = Map::new();
        header.insert("namespace".to_owned(), json!(namespace));
        header.insert("name".to_owned(), json!(name));
        header.insert("messageId".to_owned(), json!(self.message_id.to_string()));
        header.insert("payloadVersion".to_owned(), json!("3"));
        if let Some(token) = self.correlation_token {
            header.insert("correlationToken".to_owned(), json!(token));
        }
        Value::Object(header)
    }
}

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
