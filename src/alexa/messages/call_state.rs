//! `PhoneCallController` / `CallStateChanged`. It only goes out.

use serde_json::json;

use super::message::Printed;
use super::report::CallState;

pub(super) fn print(call: &CallState) -> Printed {
    let payload = json!({
        "state": call.state.name(),
        "callId": call.call.map(|call| call.to_string()).unwrap_or_default(),
        "callerId": call.caller_id,
    });
    ("PhoneCallController", "CallStateChanged", payload)
}
