//! The directives that a skill sends (Smart Home v3).

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

/// The endpointId of the room in tests.
pub const ROOM: &str = "room-15-104";

/// A token inside a directive, which must not be seen anywhere.
pub const SCOPE_TOKEN: &str = "scope-token-canary-7d21";

static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A directive of the meeting controller, with ids of its own.
pub fn directive(name: &str, payload: Value) -> Value {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    json!({"directive": {
        "header": {
            "namespace": "Alexa.MeetingClientController",
            "name": name,
            "payloadVersion": "3",
            "messageId": format!("00000000-0000-4000-8000-{number:012}"),
            "correlationToken": format!("correlation {number} ==\u{e9}"),
        },
        "endpoint": {"scope": {"type": "BearerToken", "token": SCOPE_TOKEN}, "endpointId": ROOM},
        "payload": payload,
    }})
}

/// A join of what this endpoint names, over SIP.
pub fn join(endpoint: &str) -> Value {
    directive(
        "JoinMeeting",
        json!({"meeting": {"endpoint": endpoint, "protocol": "SIP", "provider": "CUSTOM"}}),
    )
}

/// A join of a meeting with an id and a PIN.
pub fn join_with(endpoint: &str, id: &str, pin: &str) -> Value {
    let mut directive = join(endpoint);
    directive["directive"]["payload"]["meeting"]["id"] = id.into();
    super::canaries::hand_out(pin);
    directive["directive"]["payload"]["meeting"]["pin"] = pin.into();
    directive
}

/// The end of the meeting.
pub fn end() -> Value {
    directive("EndMeeting", json!({}))
}

/// AASB's word for "Alexa, stop".
pub fn stop_foreground_activity() -> Value {
    let mut message = message("AlexaClient", "StopForegroundActivity", Value::Null);
    message.as_object_mut().unwrap().remove("payload");
    message
}

/// A message of a `PhoneCallController`.
pub fn phone_call(action: &str, payload: Value) -> Value {
    message("PhoneCallController", action, payload)
}

/// An AASB message.
pub fn message(topic: &str, action: &str, payload: Value) -> Value {
    json!({
        "header": {
            "version": "4.0",
            "messageType": "Publish",
            "id": "5f1a8a0e-6a0c-4b53-9d0f-0d8e6c1f5a11",
            "messageDescription": {"topic": topic, "action": action},
        },
        "payload": payload,
    })
}

/// The kind of an event: `Response`, or the type of an ErrorResponse.
pub fn outcome(event: &Value) -> &str {
    match event["header"]["name"].as_str() {
        Some("ErrorResponse") => event["payload"]["type"]
            .as_str()
            .unwrap_or("an error without a type"),
        name => name.unwrap_or("an event without a name"),
    }
}

/// A directive of any namespace to the room, with ids of its own.
pub fn to_the_room(namespace: &str, name: &str, payload: Value) -> Value {
    let mut directive = directive(name, payload);
    directive["directive"]["header"]["namespace"] = namespace.into();
    directive
}

/// A directive of the loudspeaker.
pub fn speaker(name: &str, payload: Value) -> Value {
    to_the_room("Alexa.Speaker", name, payload)
}

/// The power: `TurnOn` or `TurnOff`.
pub fn power(name: &str) -> Value {
    to_the_room("Alexa.PowerController", name, json!({}))
}
