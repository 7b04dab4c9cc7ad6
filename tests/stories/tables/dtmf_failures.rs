//! The codes of SendDTMFFailed.

use std::time::Duration;

use serde_json::json;

use crate::peers::directives::{self, outcome, phone_call};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

#[test]
fn call_not_in_progress() {
    let far_end = FarEnd::start(Manner::RingForEver);
    let room = Room::open();
    // Without a call, in a call that only rings, and in one of another name.
    fails(&room, json!({"signal": "1"}), "", "CALL_NOT_IN_PROGRESS");
    room.bridge.send(&directives::join(&far_end.endpoint()));
    let call = room.bridge.wait_for_call_state("OUTBOUND_RINGING")["callId"].clone();
    let call = call.as_str().unwrap();
    fails(
        &room,
        json!({"callId": call, "signal": "1"}),
        call,
        "CALL_NOT_IN_PROGRESS",
    );
    fails(
        &room,
        json!({"callId": "another call", "signal": "1"}),
        "another call",
        "CALL_NOT_IN_PROGRESS",
    );
    room.meetd.stop();
}

#[test]
fn dtmf_failed() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    let call = room.bridge.wait_for_call_state("ACTIVE")["callId"].clone();
    let call = call.as_str().unwrap();
    for signal in ["x", "1-2", ",,ww", "1,,,,,,,,,,,,,,,,,,,,"] {
        fails(
            &room,
            json!({"callId": call, "signal": signal}),
            call,
            "DTMF_FAILED",
        );
    }
    // The call ends before the digits have left.
    room.bridge
        .send(&phone_call("SendDTMF", json!({"signal": ",,,1"})));
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.bridge.wait_for_message("SendDTMFFailed", |failed| {
        failed["message"]
            .as_str()
            .is_some_and(|message| message.contains("ended"))
    });
    room.meetd.stop();
}

/// Sends digits, and is told this; the digits are not in it.
#[track_caller]
fn fails(room: &Room, payload: serde_json::Value, call: &str, code: &str) {
    let count = |frames: &[serde_json::Value]| {
        let failed = frames
            .iter()
            .filter(|frame| crate::peers::bridge::action(frame) == "SendDTMFFailed");
        failed.count()
    };
    let before = count(&room.bridge.frames());
    room.bridge.send(&phone_call("SendDTMF", payload.clone()));
    let failed = room.bridge.wait_for_frames("one more SendDTMFFailed", |frames| {
        (count(frames) > before).then(|| frames.last().cloned())?
    });
    let failed = &failed["payload"];
    assert_eq!(failed["callId"], call, "{payload}");
    assert_eq!(failed["code"], code, "{payload}");
    let fields: Vec<&String> = failed.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["callId", "code", "message"]);
}
