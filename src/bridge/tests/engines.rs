//! Voice engines and panels on the local link.

use std::time::Duration;

use serde_json::json;

use super::*;

const ENGINE: LinkId = LinkId::Local(1);
const OTHER: LinkId = LinkId::Local(2);

#[test]
fn a_local_client_gets_the_snapshot_in_its_detailed_form_and_every_change() {
    let mut world = World::opened_with_local_link();
    assert_eq!(
        world.link(OTHER, LinkEvent::Opened),
        [
            "local2 ConnectionStatusChanged CONNECTED/SUCCESS avs CONNECTED/SUCCESS local DISCONNECTED/NONE",
            "local2 AuthStateChanged REFRESHED/NO_ERROR",
            "local2 DialogStateChanged 2 IDLE",
            "local2 CallStateChanged IDLE  ",
        ]
    );
    let told = world.input(Input::Report(call(1, CallStateName::Dialing)));
    assert_eq!(
        told[..2],
        [
            "bridge1 CallStateChanged DIALING call-1 1.***@x",
            "local2 CallStateChanged DIALING call-1 1.***@x",
        ]
    );
}

#[test]
fn an_engine_is_one_by_its_first_word_until_it_goes() {
    let mut world = World::opened_with_local_link();
    world.link(ENGINE, LinkEvent::Opened);
    assert_eq!(
        world.dialog(ENGINE, 2, "LISTENING"),
        [
            "assistant listens true",
            "bridge1 DialogStateChanged 2 LISTENING",
            "local1 DialogStateChanged 2 LISTENING",
            "bridge1 ConnectionStatusChanged CONNECTED/SUCCESS avs CONNECTED/SUCCESS local CONNECTED/SUCCESS",
            "local1 ConnectionStatusChanged CONNECTED/SUCCESS avs CONNECTED/SUCCESS local CONNECTED/SUCCESS",
        ]
    );
    assert_eq!(world.dialog(ENGINE, 2, "LISTENING"), [""; 0]);
    assert_eq!(
        world.lose(ENGINE, ended()),
        [
            "assistant listens false",
            "bridge1 DialogStateChanged 2 IDLE",
            "bridge1 ConnectionStatusChanged CONNECTED/SUCCESS avs CONNECTED/SUCCESS local DISCONNECTED/NONE",
        ]
    );
}

#[test]
fn with_an_engine_its_word_counts_and_no_directive_makes_it_think() {
    let mut world = World::opened_with_local_link();
    world.frame(BRIDGE, JOIN);
    assert!(
        world.last[0].ends_with("DialogStateChanged 2 THINKING"),
        "{:?}",
        world.last
    );
    world.link(ENGINE, LinkEvent::Opened);
    world.dialog(ENGINE, 2, "SPEAKING");
    assert!(
        world.last[0].ends_with("DialogStateChanged 2 SPEAKING"),
        "{:?}",
        world.last
    );
    assert_eq!(world.done(1), ["bridge1 Response"]);
    assert_eq!(world.frame(BRIDGE, END), ["directive 2 end"]);
    assert_eq!(world.done(2), ["bridge1 Response"]);
}

#[test]
fn an_engine_without_a_word_leaves_no_dialog_hanging() {
    let mut world = World::opened_with_local_link();
    world.link(ENGINE, LinkEvent::Opened);
    world.dialog(ENGINE, 3, "THINKING");
    world.pass(Duration::from_secs(20));
    world.dialog(ENGINE, 3, "THINKING");
    world.pass(Duration::from_millis(29_999));
    assert!(
        !world
            .input(Input::Deadline)
            .iter()
            .any(|said| said.contains("IDLE"))
    );
    world.pass(Duration::from_millis(1));
    assert_eq!(
        world.input(Input::Deadline),
        [
            "bridge1 DialogStateChanged 3 IDLE",
            "local1 DialogStateChanged 3 IDLE"
        ]
    );
    world.dialog(ENGINE, 3, "SPEAKING");
    assert_eq!(world.last[0], "bridge1 DialogStateChanged 3 SPEAKING");
}

#[test]
fn the_newest_client_speaks_for_an_assistant_and_the_former_one_is_not_heard() {
    let mut world = World::opened_with_local_link();
    for link in [ENGINE, OTHER] {
        world.link(link, LinkEvent::Opened);
    }
    world.dialog(ENGINE, 2, "LISTENING");
    world.dialog(OTHER, 2, "SPEAKING");
    assert_eq!(world.last[0], "bridge1 DialogStateChanged 2 SPEAKING");
    assert_eq!(world.dialog(ENGINE, 2, "IDLE"), [""; 0]);
    assert_eq!(world.lose(ENGINE, ended()), [""; 0]);
    world.lose(OTHER, ended());
    assert_eq!(
        world.last[..2],
        ["assistant listens false", "bridge1 DialogStateChanged 2 IDLE"]
    );
}

#[test]
fn an_engine_reports_its_own_connection_in_either_form_and_is_forgotten_with_it() {
    let mut world = World::opened_with_local_link();
    world.link(ENGINE, LinkEvent::Opened);
    let plain = json!({"status": "pending", "reason": "PING_TIMEDOUT"});
    world.alexa_client(ENGINE, "ConnectionStatusChanged", &plain);
    let said =
        "bridge1 ConnectionStatusChanged CONNECTED/SUCCESS avs PENDING/PING_TIMEDOUT local CONNECTED/SUCCESS";
    assert_eq!(world.last[0], said);
    let detailed = json!({
        "status": "CONNECTED",
        "reason": "SUCCESS",
        "detailed": {"avs": {"status": "DISCONNECTED", "reason": "INVALID_AUTH"}},
    });
    world.alexa_client(ENGINE, "ConnectionStatusChanged", &detailed);
    let said = "bridge1 ConnectionStatusChanged CONNECTED/SUCCESS avs DISCONNECTED/INVALID_AUTH local CONNECTED/SUCCESS";
    assert_eq!(world.last[0], said);
    let auth = json!({"state": "EXPIRED", "error": "AUTHORIZATION_EXPIRED"});
    world.alexa_client(ENGINE, "AuthStateChanged", &auth);
    assert_eq!(
        world.last[0],
        "bridge1 AuthStateChanged EXPIRED/AUTHORIZATION_EXPIRED"
    );
    assert_eq!(
        world.lose(ENGINE, ended()),
        [
            "bridge1 ConnectionStatusChanged CONNECTED/SUCCESS avs CONNECTED/SUCCESS local DISCONNECTED/NONE",
            "bridge1 AuthStateChanged REFRESHED/NO_ERROR",
        ]
    );
}

#[test]
fn the_aggregate_is_the_best_of_both() {
    let mut world = World::opened_with_local_link();
    world.link(ENGINE, LinkEvent::Opened);
    world.dialog(ENGINE, 3, "IDLE");
    world.lose(BRIDGE, ended());
    assert_eq!(
        world.last,
        [
            "local1 ConnectionStatusChanged CONNECTED/SUCCESS avs PENDING/SERVER_SIDE_DISCONNECT local CONNECTED/SUCCESS"
        ]
    );
    world.link(OTHER, LinkEvent::Opened);
    world.lose(ENGINE, ended());
    let said = "local2 ConnectionStatusChanged PENDING/SERVER_SIDE_DISCONNECT \
                avs PENDING/SERVER_SIDE_DISCONNECT local DISCONNECTED/NONE";
    assert_eq!(world.last, [said]);
}

#[test]
fn a_stop_goes_to_the_dialog_then_to_nobody_then_to_the_call() {
    let mut world = World::opened_with_local_link();
    world.link(ENGINE, LinkEvent::Opened);
    world.dialog(ENGINE, 2, "SPEAKING");
    assert_eq!(world.frame(BRIDGE, STOP), ["local1 StopForegroundActivity"]);
    world.dialog(ENGINE, 2, "IDLE");
    world.pass(Duration::from_millis(1_999));
    assert_eq!(world.frame(OTHER, STOP), [""; 0], "it came late");
    world.pass(Duration::from_millis(1));
    assert_eq!(world.frame(OTHER, STOP), ["stop foreground"]);
}

#[test]
fn of_several_dialogs_the_one_that_spoke_last_stops() {
    let mut world = World::opened_with_local_link();
    for link in [ENGINE, OTHER] {
        world.link(link, LinkEvent::Opened);
    }
    world.dialog(ENGINE, 2, "SPEAKING");
    world.pass(Duration::from_millis(10));
    world.dialog(OTHER, 3, "LISTENING");
    assert_eq!(world.frame(BRIDGE, STOP), ["local2 StopForegroundActivity"]);
    world.dialog(OTHER, 3, "IDLE");
    assert_eq!(world.frame(BRIDGE, STOP), ["local1 StopForegroundActivity"]);
}

#[test]
fn without_an_engine_no_dialog_counts() {
    let mut world = World::opened_with_local_link();
    world.frame(BRIDGE, JOIN);
    assert_eq!(world.frame(BRIDGE, STOP), ["stop foreground"]);
}

#[test]
fn nobody_and_everybody_are_no_assistants_and_the_bridge_is_no_engine() {
    let mut world = World::opened_with_local_link();
    world.link(ENGINE, LinkEvent::Opened);
    assert_eq!(world.dialog(ENGINE, 0, "LISTENING"), [""; 0]);
    assert_eq!(world.dialog(ENGINE, 1, "LISTENING"), [""; 0]);
    assert_eq!(world.dialog(BRIDGE, 2, "LISTENING"), [""; 0]);
    for assistant in 2..1000 {
        world.dialog(ENGINE, assistant, "LISTENING");
    }
    assert!(world.bridge.dialogs().count() <= 16, "memory is bounded");
}

#[test]
fn a_panels_directive_is_answered_to_the_panel_and_forgotten_with_it() {
    let mut world = World::opened_with_local_link();
    world.link(OTHER, LinkEvent::Opened);
    world.frame(OTHER, JOIN);
    assert_eq!(world.last.last().unwrap(), "directive 1 join");
    let answers = world.done(1);
    assert_eq!(answers[0], "local2 Response");
    assert!(!answers.contains(&"bridge1 Response".to_owned()), "{answers:?}");
    world.frame(OTHER, END);
    world.lose(OTHER, ended());
    assert!(!world.done(2).iter().any(|said| said.contains("Response")));
}

impl World {
    fn dialog(&mut self, link: LinkId, assistant: u32, state: &str) -> Vec<String> {
        let payload = json!({"state": state, "assistantId": assistant});
        self.alexa_client(link, "DialogStateChanged", &payload)
    }

    fn alexa_client(&mut self, link: LinkId, action: &str, payload: &serde_json::Value) -> Vec<String> {
        let message = json!({
            "header": {
                "version": "4.0",
                "messageType": "Publish",
                "id": "7",
                "messageDescription": {"topic": "AlexaClient", "action": action},
            },
            "payload": payload,
        });
        self.frame(link, &message.to_string())
    }
}
