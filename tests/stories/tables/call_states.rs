//! The states of CallStateChanged, in a real call.

use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

#[test]
fn dialing() {
    let far_end = FarEnd::start(Manner::Silent);
    let room = Room::open_with(&[("calls.response_deadline", "\"0.5s\"")]);
    room.bridge.send(&directives::join_with(
        &format!("sip:far.4711@{}", far_end.endpoint()),
        "",
        "4711",
    ));
    let call = room.bridge.wait_for_call_state("DIALING");
    let fields: Vec<&String> = call.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["callId", "callerId", "state"]);
    let caller_id = call["callerId"].as_str().unwrap();
    assert!(
        caller_id.contains("***") && !caller_id.contains("4711"),
        "{caller_id}"
    );
    room.meetd.stop();
}

#[test]
fn outbound_ringing() {
    let far_end = FarEnd::start(Manner::RingForEver);
    let room = Room::open();
    room.bridge.send(&directives::join(&far_end.endpoint()));
    let ringing = room.bridge.wait_for_call_state("OUTBOUND_RINGING");
    assert_eq!(room.home.status()["call"]["callId"], ringing["callId"]);
    room.meetd.stop();
    far_end.wait_until_all_is_over();
}

#[test]
fn active() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    let active = room.bridge.wait_for_call_state("ACTIVE");
    assert_eq!(room.home.status()["call"]["state"], "ACTIVE");
    // Who connects in the middle of the call is told of it.
    room.bridge.cut();
    let snapshot = room.bridge.wait_for_snapshot(2);
    assert_eq!(snapshot.last().unwrap()["payload"], active);
    room.meetd.stop();
}

#[test]
fn idle() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    let snapshot = room.bridge.wait_for_snapshot(1);
    let none = json!({"state": "IDLE", "callId": "", "callerId": ""});
    assert_eq!(snapshot.last().unwrap()["payload"], none);
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    let active = room.bridge.wait_for_call_state("ACTIVE");
    far_end.hang_up();
    let idle = room.bridge.wait_for_call_state("IDLE");
    assert_eq!(
        (&idle["callId"], &idle["callerId"]),
        (&active["callId"], &active["callerId"])
    );
    assert_eq!(room.home.status()["call"], Value::Null);
    assert_eq!(
        room.bridge.call_states(),
        ["DIALING", "OUTBOUND_RINGING", "ACTIVE", "IDLE"]
    );
    room.meetd.stop();
}
