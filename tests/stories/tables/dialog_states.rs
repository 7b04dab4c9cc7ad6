//! The states of DialogStateChanged, as an engine reports them for Alexa and for a co-assistant.

use serde_json::json;

use super::Watched;
use crate::peers::bridge::{Welcome, action};
use crate::peers::directives;
use crate::peers::far_end::{FarEnd, Manner};

#[test]
fn idle() {
    is_passed_on("IDLE", "SPEAKING");
}

#[test]
fn listening() {
    is_passed_on("LISTENING", "IDLE");
}

#[test]
fn expecting() {
    is_passed_on("EXPECTING", "SPEAKING");
}

#[test]
fn thinking() {
    is_passed_on("THINKING", "LISTENING");
    // Without an engine: while a directive is being worked on.
    let far_end = FarEnd::start(Manner::Silent);
    let room = Watched::with(Welcome::Accept, &[("calls.response_deadline", "\"0.5s\"")]);
    room.bridge.wait_for_snapshot(1);
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    for state in ["THINKING", "IDLE"] {
        let told = json!({"state": state, "assistantId": 2});
        room.bridge
            .wait_for_message("DialogStateChanged", |dialog| *dialog == told);
    }
    room.meetd.stop();
}

#[test]
fn speaking() {
    is_passed_on("SPEAKING", "THINKING");
}

#[test]
fn finished() {
    is_passed_on("FINISHED", "SPEAKING");
}

/// After `before`, for each assistant, in lower case; the same again is not told again.
#[track_caller]
fn is_passed_on(state: &str, before: &str) {
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    for assistant in [2, 3, 4711] {
        room.panel.dialog(assistant, before);
        room.panel.dialog(assistant, &state.to_lowercase());
        room.panel.dialog(assistant, state);
        let told = json!({"state": state, "assistantId": assistant});
        // Alexa's IDLE of the snapshot is not the one that is meant.
        room.bridge.wait_for_frames("the state", |frames| {
            let mut told_of: Vec<_> = frames
                .iter()
                .filter(|frame| {
                    action(frame) == "DialogStateChanged" && frame["payload"]["assistantId"] == assistant
                })
                .map(|frame| frame["payload"]["state"].as_str().unwrap())
                .collect();
            told_of.retain(|state| *state != "IDLE" || assistant != 2 || before != "IDLE");
            (told_of.last() == Some(&state) && told_of.len() > usize::from(before != "IDLE")).then_some(())
        });
        let dialogs = room.home.status()["dialogs"].clone();
        assert!(dialogs.as_array().unwrap().contains(&told), "{dialogs}");
    }
    // A client that comes later is told of all of them at once.
    let late = crate::peers::local_client::LocalClient::unix(&room.home.path().join("meetd.sock"), &[]);
    assert_eq!(
        late.wait_for_snapshot(),
        [
            "ConnectionStatusChanged",
            "AuthStateChanged",
            "DialogStateChanged",
            "DialogStateChanged",
            "DialogStateChanged",
            "CallStateChanged"
        ]
    );
    room.meetd.stop();
}
