//! Every AASB message, in the direction in which it goes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Watched;
use crate::peers::bridge::{Bridge, Welcome, action};
use crate::peers::directives::{self, outcome, phone_call};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::local_client::LocalClient;
use crate::peers::room::Room;

#[test]
fn connection_status_changed_out() {
    let room = Room::open();
    let told = first(&room.bridge, "AlexaClient", "ConnectionStatusChanged");
    assert_eq!(told, json!({"status": "CONNECTED", "reason": "SUCCESS"}));
    room.meetd.stop();
}

#[test]
fn connection_status_changed_from_engine() {
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    let avs = json!({"status": "DISCONNECTED", "reason": "ACL_DISABLED"});
    room.panel.alexa_client("ConnectionStatusChanged", avs.clone());
    room.is_told("DISCONNECTED", "ACL_DISABLED");
    room.bridge
        .wait_for_message("ConnectionStatusChanged", |told| told["detailed"]["avs"] == avs);
    room.meetd.stop();
}

#[test]
fn dialog_state_changed_out() {
    let room = Room::open();
    let told = first(&room.bridge, "AlexaClient", "DialogStateChanged");
    assert_eq!(told, json!({"state": "IDLE", "assistantId": 2}));
    room.meetd.stop();
}

#[test]
fn dialog_state_changed_from_engine() {
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    room.panel.dialog(7, "SPEAKING");
    let told = json!({"state": "SPEAKING", "assistantId": 7});
    room.bridge
        .wait_for_message("DialogStateChanged", |dialog| *dialog == told);
    // 0 is nobody and 1 is all: neither is in one state.
    for nobody in [0, 1] {
        room.panel.dialog(nobody, "SPEAKING");
    }
    room.panel.dialog(7, "IDLE");
    room.bridge.wait_for_message("DialogStateChanged", |dialog| {
        *dialog == json!({"state": "IDLE", "assistantId": 7})
    });
    assert!(
        room.bridge
            .frames()
            .iter()
            .all(|frame| action(frame) != "DialogStateChanged"
                || frame["payload"]["assistantId"].as_u64() > Some(1))
    );
    room.meetd.stop();
}

#[test]
fn auth_state_changed_out() {
    let room = Room::open();
    let told = first(&room.bridge, "AlexaClient", "AuthStateChanged");
    assert_eq!(told, json!({"state": "REFRESHED", "error": "NO_ERROR"}));
    room.meetd.stop();
}

#[test]
fn auth_state_changed_from_engine() {
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    let said = json!({"state": "EXPIRED", "error": "SLOW_DOWN"});
    room.panel.alexa_client("AuthStateChanged", said.clone());
    room.bridge
        .wait_for_message("AuthStateChanged", |auth| *auth == said);
    room.meetd.stop();
}

#[test]
fn stop_foreground_activity_in() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    let engine = LocalClient::unix(&room.home.path().join("meetd.sock"), &[]);
    let join = || {
        assert_eq!(
            outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
            "Response"
        );
    };
    join();
    // A dialog is in the foreground: its engine gets the stop, nobody else, and the call goes on.
    engine.dialog(2, "SPEAKING");
    room.bridge
        .wait_for_message("DialogStateChanged", |dialog| dialog["state"] == "SPEAKING");
    room.bridge.send(&directives::stop_foreground_activity());
    engine.wait_for("StopForegroundActivity", |_| true);
    engine.dialog(2, "IDLE");
    room.bridge.wait_for_frames("the end of the dialog", |frames| {
        let mut of_dialog = frames
            .iter()
            .filter(|frame| action(frame) == "DialogStateChanged");
        (of_dialog.next_back()?["payload"]["state"] == "IDLE").then_some(())
    });
    // For 2 s a stop is late. It has no reply: an answer to a directive behind it shows that it was heard.
    let over = Instant::now();
    room.bridge.send(&directives::stop_foreground_activity());
    room.bridge
        .ask(&directives::to_the_room("Alexa", "ReportState", json!({})));
    assert_eq!(
        room.home.status()["call"]["state"],
        "ACTIVE",
        "a late stop hung up"
    );
    // Then it is the call's, with any payload.
    for payload in [None, Some(Value::Null), Some(json!({}))] {
        let mut stop = directives::stop_foreground_activity();
        if let Some(payload) = payload {
            stop["payload"] = payload;
        }
        std::thread::sleep(Duration::from_millis(2_050).saturating_sub(over.elapsed()));
        room.bridge.send(&stop);
        far_end.wait_for_phase(Phase::TheyLeft);
        room.bridge.wait_for_frames("the end of the call", |frames| {
            let states = crate::peers::bridge::call_states(frames);
            (states.last()? == "IDLE").then_some(())
        });
        join();
    }
    let passed_on = room.panel.heard.look(|heard| {
        heard
            .frames
            .iter()
            .any(|frame| action(frame) == "StopForegroundActivity")
    });
    assert!(!passed_on, "a stop went to somebody who is no engine");
    room.meetd.stop();
}

#[test]
fn call_state_changed_out() {
    let room = Room::open();
    let told = first(&room.bridge, "PhoneCallController", "CallStateChanged");
    assert_eq!(told, json!({"state": "IDLE", "callId": "", "callerId": ""}));
    room.meetd.stop();
}

#[test]
fn call_failed_out() {
    let far_end = FarEnd::start(Manner::Refuse(486, "Busy Here"));
    let room = Room::open();
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("IDLE");
    let told = first(&room.bridge, "PhoneCallController", "CallFailed");
    assert_eq!(
        (&told["code"], &told["message"]),
        (&json!("BUSY"), &json!("the far end is busy (486 Busy Here)"))
    );
    room.meetd.stop();
}

#[test]
fn send_dtmf_in() {
    let (room, far_end, call) = in_a_call();
    // Plain, as text, without a callId, with one in capitals.
    room.bridge.send(&phone_call("SendDTMF", json!({"signal": "1"})));
    let inside = json!({"callId": call, "signal": "2"}).to_string();
    room.bridge
        .send(&phone_call("SendDTMF", json!({"payload": inside})));
    let capitals = call.to_uppercase();
    room.bridge.send(&phone_call(
        "SendDTMF",
        json!({"callId": capitals, "signal": "#"}),
    ));
    far_end.wait_for("the digits", |seen| {
        (seen.calls.last()?.ear.digits == "12#").then_some(())
    });
    room.meetd.stop();
}

#[test]
fn stop_in() {
    for plain in [true, false] {
        let (room, far_end, call) = in_a_call();
        room.bridge
            .send(&phone_call("Stop", json!({"callId": "another call"})));
        room.bridge
            .ask(&directives::to_the_room("Alexa", "ReportState", json!({})));
        assert_eq!(room.home.status()["call"]["state"], "ACTIVE");
        let payload = match plain {
            true => json!({"callId": call}),
            false => json!({"payload": "{}"}),
        };
        room.bridge.send(&phone_call("Stop", payload));
        far_end.wait_for_phase(Phase::TheyLeft);
        room.bridge.wait_for_call_state("IDLE");
        room.meetd.stop();
    }
}

#[test]
fn send_dtmf_succeeded_out() {
    let (room, _far_end, call) = in_a_call();
    room.bridge.send(&phone_call("SendDTMF", json!({"signal": "5"})));
    let told = room.bridge.wait_for_message("SendDTMFSucceeded", |_| true);
    assert_eq!(told, json!({"callId": call}));
    room.meetd.stop();
}

#[test]
fn send_dtmf_failed_out() {
    let room = Room::open();
    room.bridge.send(&phone_call("SendDTMF", json!({"signal": "5"})));
    let told = room.bridge.wait_for_message("SendDTMFFailed", |_| true);
    assert_eq!(told["code"], "CALL_NOT_IN_PROGRESS");
    room.meetd.stop();
}

fn in_a_call() -> (Room, FarEnd, String) {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    let call = room.bridge.wait_for_call_state("ACTIVE")["callId"].clone();
    (room, far_end, call.as_str().unwrap().to_owned())
}

/// The payload of the first message of this action, whose envelope is AASB's.
#[track_caller]
fn first(bridge: &Bridge, topic: &str, of: &str) -> Value {
    let frames = bridge.frames();
    let frame = frames.iter().find(|frame| action(frame) == of).unwrap();
    let header = &frame["header"];
    assert_eq!(
        (&header["version"], &header["messageType"]),
        (&json!("4.0"), &json!("Publish"))
    );
    assert_eq!(
        header["messageDescription"],
        json!({"topic": topic, "action": of})
    );
    let ids: Vec<_> = frames
        .iter()
        .filter_map(|frame| frame["header"]["id"].as_str())
        .collect();
    let id = header["id"].as_str().unwrap();
    assert_eq!(ids.iter().filter(|other| **other == id).count(), 1);
    frame["payload"].clone()
}
