//! `Alexa.Discovery.Discover`, and its answer: this room as an endpoint. It is asked of no endpoint, and its scope is
//! the skill's business.

use serde_json::{Value, json};

use super::directive::{Addressed, Directive, Row};
use super::field::{FieldFault, Fields};

/// Its row in the list.
pub const ROW: Row = Row {
    namespace: "Alexa.Discovery",
    name: "Discover",
    addressed: Addressed::ToNobody,
    read,
};

/// The room, as it is discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Its endpointId.
    pub endpoint_id: String,
    /// What people call it.
    pub friendly_name: String,
    /// Who made it.
    pub manufacturer: String,
    /// What it is.
    pub description: String,
}

impl Discovery {
    /// The payload of `Discover.Response`.
    pub fn payload(&self) -> Value {
        json!({"endpoints": [{
            "endpointId": self.endpoint_id,
            "manufacturerName": self.manufacturer,
            "friendlyName": self.friendly_name,
            "description": self.description,
            "displayCategories": ["OTHER"],
            "capabilities": [
                interface("Alexa", "3"),
                meeting_client_controller(),
                stateful("Alexa.EndpointHealth", "3", &["connectivity"]),
                stateful("Alexa.PowerController", "3", &["powerState"]),
                stateful("Alexa.Speaker", "1.0", &["volume", "muted"]),
            ],
        }]})
    }
}

fn interface(name: &str, version: &str) -> Value {
    json!({"type": "AlexaInterface", "interface": name, "version": version})
}

/// A scheduled meeting needs a calendar to be looked up in.
fn meeting_client_controller() -> Value {
    let mut capability = interface("Alexa.MeetingClientController", "1.0");
    capability["supportsScheduledMeeting"] = json!(false);
    capability
}

/// An interface whose properties are told when asked for.
fn stateful(name: &str, version: &str, properties: &[&str]) -> Value {
    let supported: Vec<Value> = properties.iter().map(|name| json!({"name": name})).collect();
    let mut capability = interface(name, version);
    capability["properties"] =
        json!({"supported": supported, "proactivelyReported": false, "retrievable": true});
    capability
}

fn read(payload: &Fields<'_>) -> Result<Directive, FieldFault> {
    payload.optional_object("scope")?;
    Ok(Directive::Discover)
}
