//! `PhoneCallController` / `CallFailed`. It only goes out, before the IDLE of its call.

use serde_json::json;

use super::message::Printed;
use super::report::CallFailedCode;
use crate::call::CallId;

pub(super) fn print(call: CallId, code: CallFailedCode, message: &str) -> Printed {
    let payload = json!({"callId": call.to_string(), "code": code.name(), "message": message});
    ("PhoneCallController", "CallFailed", payload)
}
