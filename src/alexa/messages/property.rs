//! The properties of a context: what is true of the room at the moment of writing.

use jiff::Timestamp;
use serde_json::{Value, json};

/// A property of the room. `Alexa.EndpointHealth` is none of them: who answers is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// `Alexa.PowerController` powerState: whether the room is on.
    Power(bool),
    /// `Alexa.Speaker` volume, 0 to 100.
    Volume(u8),
    /// `Alexa.Speaker` muted.
    Muted(bool),
}

/// The context with the connectivity and these.
pub(super) fn context(properties: &[Property], at: Timestamp) -> Value {
    let connectivity = sampled("Alexa.EndpointHealth", "connectivity", json!({"value": "OK"}), at);
    let others = properties.iter().map(|property| match property {
        Property::Power(true) => sampled("Alexa.PowerController", "powerState", json!("ON"), at),
        Property::Power(false) => sampled("Alexa.PowerController", "powerState", json!("OFF"), at),
        Property::Volume(volume) => sampled("Alexa.Speaker", "volume", json!(volume), at),
        Property::Muted(muted) => sampled("Alexa.Speaker", "muted", json!(muted), at),
    });
    let properties: Vec<Value> = std::iter::once(connectivity).chain(others).collect();
    json!({"properties": properties})
}

fn sampled(namespace: &str, name: &str, value: Value, at: Timestamp) -> Value {
    json!({
        "namespace": namespace,
        "name": name,
        "value": value,
        "timeOfSample": format!("{at:.3}"),
        // The device knows its own state at the moment of writing it.
        "uncertaintyInMilliseconds": 0,
    })
}
