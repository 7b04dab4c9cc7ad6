//! Stories of the whole bridge, in virtual time.

use std::time::Duration;

use world::{BRIDGE, END, JOIN, STOP, World, call, ended, event_of, failed};

use super::link::{LinkEvent, LinkFault, LinkId};
use super::*;
use crate::alexa::messages::connection_status::{Reason, Status};
use crate::alexa::messages::outcome::{ErrorType, Refusal};
use crate::alexa::messages::report::CallStateName;
use crate::network::ConnectFault;

mod engines;
mod journal;
mod model;
mod world;

#[test]
fn the_first_words_are_where_the_device_stands() {
    let mut world = World::started();
    assert_eq!(
        world.link(BRIDGE, LinkEvent::Opened),
        [
            "bridge1 ConnectionStatusChanged CONNECTED/SUCCESS",
            "bridge1 AuthStateChanged REFRESHED/NO_ERROR",
            "bridge1 DialogStateChanged 2 IDLE",
            "bridge1 CallStateChanged IDLE  ",
        ]
    );
}

#[test]
fn nothing_is_said_while_offline_and_the_snapshot_tells_the_present() {
    let mut world = World::opened();
    assert_eq!(world.lose(BRIDGE, ended()), [""; 0]);
    for state in [
        CallStateName::Dialing,
        CallStateName::OutboundRinging,
        CallStateName::Active,
    ] {
        assert_eq!(world.input(Input::Report(call(1, state))), [""; 0]);
    }
    assert_eq!(world.input(Input::Report(failed(2))), [""; 0]);
    world.until_reopened(2);
    assert_eq!(
        world.last.last().unwrap(),
        "bridge2 CallStateChanged ACTIVE call-1 1.***@x"
    );
    assert_eq!(world.last.len(), 4, "what changed meanwhile is not replayed");
}

#[test]
fn each_change_of_a_call_is_told_once_and_in_order() {
    let mut world = World::opened();
    let mut told = Vec::new();
    for report in [
        call(1, CallStateName::Dialing),
        call(1, CallStateName::Dialing),
        call(1, CallStateName::Active),
        failed(1),
        call(1, CallStateName::Idle),
        call(1, CallStateName::Idle),
    ] {
        told.extend(world.input(Input::Report(report)));
    }
    assert_eq!(
        told,
        [
            "bridge1 CallStateChanged DIALING call-1 1.***@x",
            "bridge1 CallStateChanged ACTIVE call-1 1.***@x",
            "bridge1 CallFailed call-1 OTHER",
            "bridge1 CallStateChanged IDLE call-1 1.***@x",
        ]
    );
    world.lose(BRIDGE, ended());
    world.until_reopened(2);
    assert_eq!(
        world.last.last().unwrap(),
        "bridge2 CallStateChanged IDLE  ",
        "a call that is over is none"
    );
}

#[test]
fn a_directive_makes_alexa_think_until_its_event() {
    let mut world = World::opened();
    assert_eq!(
        world.frame(BRIDGE, JOIN),
        ["bridge1 DialogStateChanged 2 THINKING", "directive 1 join"]
    );
    assert_eq!(
        world.done(1),
        ["bridge1 Response", "bridge1 DialogStateChanged 2 IDLE"]
    );
    assert_eq!(world.done(1), [""; 0], "a second outcome says nothing");
}

#[test]
fn alexa_thinks_until_the_last_of_several_directives_is_answered() {
    let mut world = World::opened();
    world.frame(BRIDGE, JOIN);
    assert_eq!(world.frame(BRIDGE, END), ["directive 2 end"]);
    assert_eq!(world.done(2), ["bridge1 Response"]);
    let refused = Outcome::Refused(Refusal::new(ErrorType::NotInOperation, "ended here"));
    let outputs = world.input(Input::Outcome {
        ask: AskId(1),
        outcome: refused,
    });
    let expected = [
        "bridge1 ErrorResponse NOT_IN_OPERATION",
        "bridge1 DialogStateChanged 2 IDLE",
    ];
    assert_eq!(outputs, expected);
}

#[test]
fn commands_are_answered_and_leave_the_dialog_alone() {
    let mut world = World::opened();
    let link = LinkId::Control(7);
    let directive = Directive::EndMeeting;
    assert_eq!(world.input(Input::Ask { link, directive }), ["directive 1 end"]);
    assert_eq!(world.done(1), ["answered control7 Done"]);
    let directive = Directive::EndMeeting;
    world.input(Input::Ask { link, directive });
    world.link(link, LinkEvent::Lost(ended()));
    assert_eq!(world.done(2), [""; 0]);
}

#[test]
fn another_endpoint_is_not_here() {
    let mut world = World::opened();
    let text = JOIN.replace("room-15-104", "room-1");
    assert_eq!(
        world.frame(BRIDGE, &text),
        ["bridge1 ErrorResponse NO_SUCH_ENDPOINT"]
    );
    assert_eq!(world.event()["endpoint"]["endpointId"], "room-15-104");
}

#[test]
fn an_invalid_directive_is_answered_with_the_name_of_the_field() {
    let mut world = World::opened();
    let text = JOIN.replace("\"zoomcrc.com\"", "42");
    assert_eq!(
        world.frame(BRIDGE, &text),
        ["bridge1 ErrorResponse INVALID_DIRECTIVE"]
    );
    let message = world.event()["payload"]["message"].clone();
    assert_eq!(
        message,
        "payload.meeting.endpoint must be a string and is a number"
    );
    assert_eq!(
        world.frame(BRIDGE, r#"{"directive": {}}"#),
        ["bridge1 ErrorResponse INVALID_DIRECTIVE"]
    );
}

#[test]
fn frames_of_every_wrong_shape_are_dropped_and_counted_and_the_bridge_stays() {
    let mut world = World::opened();
    let wrong = [
        "",
        "x",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"directive": 1}"#,
        r#"{"header": 1}"#,
    ];
    for text in wrong {
        assert_eq!(world.frame(BRIDGE, text), [""; 0], "{text}");
    }
    assert_eq!(world.bridge.dropped_frames(), wrong.len() as u64);
    for text in [
        r#"{"header": {}}"#.to_owned(),
        STOP.replace("Publish", "Reply"),
        STOP.replace("Stop", "Go"),
    ] {
        assert_eq!(world.frame(BRIDGE, &text), [""; 0], "{text}");
    }
    assert_eq!(
        world.bridge.dropped_frames(),
        wrong.len() as u64,
        "AASB messages are not counted"
    );
    assert_eq!(world.bridge.connection().current().status, Status::Connected);
    assert_eq!(world.frame(BRIDGE, END).last().unwrap(), "directive 1 end");
}

#[test]
fn without_a_dialog_the_call_is_the_activity_in_the_foreground() {
    let mut world = World::opened();
    assert_eq!(world.frame(BRIDGE, STOP), ["stop foreground"]);
}

#[test]
fn an_event_is_sent_after_the_snapshot_of_the_next_connection() {
    let mut world = World::opened();
    world.frame(BRIDGE, JOIN);
    world.lose(BRIDGE, ended());
    assert_eq!(world.done(1), [""; 0]);
    world.until_reopened(2);
    let expected = [
        "bridge2 ConnectionStatusChanged CONNECTED/SUCCESS",
        "bridge2 AuthStateChanged REFRESHED/NO_ERROR",
        "bridge2 DialogStateChanged 2 IDLE",
        "bridge2 CallStateChanged IDLE  ",
        "bridge2 Response",
    ];
    assert_eq!(world.last, expected);
}

#[test]
fn an_event_for_which_nobody_waits_is_not_sent() {
    let mut world = World::opened();
    world.frame(BRIDGE, JOIN);
    world.lose(BRIDGE, ended());
    world.done(1);
    world.pass(Duration::from_secs(8));
    world.until_reopened(2);
    assert_eq!(world.last.len(), 4, "{:?}", world.last);
}

#[test]
fn a_directive_that_is_worked_on_over_a_reconnect_shows_in_the_snapshot() {
    let mut world = World::opened();
    world.frame(BRIDGE, JOIN);
    world.lose(BRIDGE, ended());
    world.until_reopened(2);
    assert_eq!(world.last[2], "bridge2 DialogStateChanged 2 THINKING");
    let expected = ["bridge2 Response", "bridge2 DialogStateChanged 2 IDLE"];
    assert_eq!(world.done(1), expected);
}

#[test]
fn a_repeat_is_answered_alike_with_its_own_token_and_a_fresh_id() {
    let mut world = World::opened();
    world.frame(BRIDGE, JOIN);
    world.done(1);
    let first = world.frames.iter().rev().find_map(event_of).unwrap();
    let repeat = JOIN.replace("dFMb0z", "other");
    assert_eq!(world.frame(BRIDGE, &repeat), ["bridge1 Response"]);
    let second = world.event();
    let token = second["header"]["correlationToken"].as_str().unwrap();
    assert!(token.starts_with("other"), "{token}");
    assert_ne!(second["header"]["messageId"], first["header"]["messageId"]);
    assert_eq!(second["payload"], first["payload"]);
}

#[test]
fn local_clients_are_told_the_same_and_answered_themselves() {
    let mut world = World::started();
    let panel = LinkId::Local(3);
    assert_eq!(
        world.link(panel, LinkEvent::Opened),
        [
            "local3 ConnectionStatusChanged PENDING/NONE",
            "local3 AuthStateChanged UNINITIALIZED/NO_ERROR",
            "local3 DialogStateChanged 2 IDLE",
            "local3 CallStateChanged IDLE  ",
        ]
    );
    let outputs = world.link(BRIDGE, LinkEvent::Opened);
    assert_eq!(
        outputs[..2],
        [
            "local3 AuthStateChanged REFRESHED/NO_ERROR",
            "local3 ConnectionStatusChanged CONNECTED/SUCCESS"
        ]
    );
    let thinking = [
        "bridge1 DialogStateChanged 2 THINKING",
        "local3 DialogStateChanged 2 THINKING",
    ];
    assert_eq!(world.frame(panel, END)[..2], thinking);
    assert_eq!(world.done(1)[0], "local3 Response");
    world.lose(panel, ended());
    assert_eq!(
        world.input(Input::Report(call(1, CallStateName::Dialing))).len(),
        1
    );
}

#[test]
fn only_the_open_attempt_is_heard() {
    let mut world = World::started();
    assert_eq!(world.frame(BRIDGE, JOIN), [""; 0], "not open yet");
    world.link(BRIDGE, LinkEvent::Opened);
    world.lose(BRIDGE, ended());
    world.until_reopened(2);
    assert_eq!(world.frame(BRIDGE, JOIN), [""; 0], "an older attempt");
    assert_eq!(
        world.frame(LinkId::Control(1), JOIN),
        [""; 0],
        "commands speak otherwise"
    );
}

#[test]
fn the_stop_of_the_daemon_is_the_last_frame() {
    let mut world = World::opened();
    let expected = [
        "bridge1 ConnectionStatusChanged DISCONNECTED/ACL_CLIENT_REQUEST",
        "close bridge1 1001",
    ];
    assert_eq!(world.input(Input::Leave), expected);
    assert_eq!(world.input(Input::Report(call(1, CallStateName::Idle))), [""; 0]);
    assert_eq!(world.bridge.next_deadline(), None);
}

#[test]
fn an_equal_reason_is_not_told_again() {
    let mut world = World::started();
    let panel = LinkId::Local(1);
    world.link(panel, LinkEvent::Opened);
    let refused = || LinkFault::Connect(ConnectFault::Refused("192.0.2.1:1".parse().unwrap()));
    let told = "local1 ConnectionStatusChanged PENDING/CONNECTION_TIMEDOUT";
    assert_eq!(world.lose(BRIDGE, refused()), [told]);
    for attempt in 2..10 {
        world.next_deadline();
        assert_eq!(world.last, [format!("open bridge{attempt}")]);
        assert_eq!(world.lose(LinkId::Bridge(attempt), refused()), [""; 0]);
    }
    world.next_deadline();
    let other = world.lose(LinkId::Bridge(10), LinkFault::HandshakeSlow);
    assert_eq!(other, ["local1 ConnectionStatusChanged PENDING/READ_TIMEDOUT"]);
}

#[test]
fn a_refused_token_is_told_with_the_connection() {
    let mut world = World::started();
    world.link(LinkId::Local(1), LinkEvent::Opened);
    let outputs = world.lose(
        BRIDGE,
        LinkFault::Http {
            status: 401,
            retry_after: None,
            location: None,
        },
    );
    let expected = [
        "local1 AuthStateChanged EXPIRED/AUTHORIZATION_EXPIRED",
        "local1 ConnectionStatusChanged PENDING/INVALID_AUTH",
    ];
    assert_eq!(outputs, expected);
    let fault = world.bridge.last_fault().unwrap();
    assert_eq!(fault.sentence, "the bridge answered HTTP 401");
    assert_eq!(fault.at, world.now.wall);
    world.until_reopened(2);
    assert_eq!(world.bridge.auth().state.name(), "REFRESHED");
}

#[test]
fn status_knows_since_when_the_connection_is_as_it_is() {
    let mut world = World::opened();
    let opened_at = world.now.wall;
    world.pass(Duration::from_secs(5));
    world.input(Input::Deadline);
    let connection = world.bridge.connection();
    assert_eq!(
        (connection.current().reason, connection.since()),
        (Reason::Success, opened_at)
    );
    let dialogs: Vec<Dialog> = world.bridge.dialogs().collect();
    assert_eq!(dialogs.len(), 1);
}

#[test]
fn pings_are_quicker_while_a_call_is_up() {
    let mut world = World::opened();
    world.input(Input::Report(call(1, CallStateName::Dialing)));
    assert_eq!(world.next_deadline(), Duration::from_secs(5));
    assert_eq!(world.last, ["ping bridge1"]);
    world.link(BRIDGE, LinkEvent::Pong);
    world.input(Input::Report(call(1, CallStateName::Idle)));
    world.next_deadline();
    world.link(BRIDGE, LinkEvent::Pong);
    assert_eq!(world.next_deadline(), Duration::from_secs(20));
}

#[test]
fn a_directive_that_the_room_forgets_is_answered_all_the_same() {
    let mut world = World::opened();
    world.frame(BRIDGE, END);
    let mut answers = Vec::new();
    for _ in 0..20 {
        world.next_deadline();
        answers.append(&mut world.last);
        world.link(BRIDGE, LinkEvent::Pong);
    }
    answers.retain(|output| !output.starts_with("ping"));
    let expected = [
        "bridge1 ErrorResponse INTERNAL_ERROR",
        "bridge1 DialogStateChanged 2 IDLE",
    ];
    assert_eq!(answers, expected);
}

/// The defaults of the contract.
pub(crate) fn settings() -> Settings {
    let seconds = Duration::from_secs;
    Settings {
        enabled: true,
        url: "wss://bridge.example.com/rooms/one".to_owned(),
        token_file: Some("bridge-token".to_owned()),
        ca_file: None,
        pin_sha256: Vec::new(),
        allow_plaintext: false,
        ping_interval: seconds(20),
        ping_timeout: seconds(10),
        connect_timeout: seconds(10),
        handshake_timeout: seconds(10),
        write_timeout: seconds(10),
        reconnect_min: seconds(1),
        reconnect_max: seconds(120),
        redirect_allow: Vec::new(),
        proxy: None,
        local: LocalSettings {
            listen: None,
            tcp: None,
            token_file: None,
            origins: Vec::new(),
            dialog_timeout: seconds(30),
        },
    }
}
