//! Directives that are not done, each with the reason that the contract names.

use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::bridge::action;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

fn meeting(endpoint: &str, protocol: &str) -> Value {
    directives::directive(
        "JoinMeeting",
        json!({"meeting": {"endpoint": endpoint, "protocol": protocol, "provider": "CUSTOM"}}),
    )
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let room = Room::open();
    let mut elsewhere = directives::join("127.0.0.1:5060");
    elsewhere["directive"]["endpoint"]["endpointId"] = "another-room".into();
    let mut unnamed = directives::join("127.0.0.1:5060");
    unnamed["directive"]["payload"]["meeting"]["provider"] = "".into();
    let mut old = directives::join("127.0.0.1:5060");
    old["directive"]["header"]["payloadVersion"] = "2".into();
    let mut wordy = directives::join_with("127.0.0.1:5060", "standup", "not a PIN");
    wordy["directive"]["payload"]["meeting"]["pin"] = "12x4".into();
    let table = [
        ("another endpointId", elsewhere, "NO_SUCH_ENDPOINT"),
        (
            "an unknown protocol",
            meeting("127.0.0.1:5060", "SMOKE"),
            "INVALID_VALUE",
        ),
        (
            "a protocol that is empty",
            meeting("127.0.0.1:5060", ""),
            "INVALID_DIRECTIVE",
        ),
        ("no provider", unnamed, "INVALID_DIRECTIVE"),
        ("an old payloadVersion", old, "INVALID_DIRECTIVE"),
        (
            "an unknown name",
            directives::directive("DanceMeeting", json!({})),
            "INVALID_DIRECTIVE",
        ),
        (
            "no meeting",
            directives::directive("JoinMeeting", json!({})),
            "INVALID_DIRECTIVE",
        ),
        (
            "a meeting that is text",
            directives::directive("JoinMeeting", json!({"meeting": "now"})),
            "INVALID_DIRECTIVE",
        ),
        (
            "an address that is not allowed",
            meeting("192.0.2.7:5060", "SIP"),
            "INVALID_VALUE",
        ),
        (
            "an emergency number",
            meeting("sip:112@127.0.0.1:5060", "SIP"),
            "INVALID_VALUE",
        ),
        (
            "URI headers",
            meeting("sip:far@127.0.0.1:5060?Subject=hi", "SIP"),
            "INVALID_VALUE",
        ),
        ("letters in the PIN", wordy, "INVALID_VALUE"),
        (
            "no calendar",
            directives::directive("JoinScheduledMeeting", json!({"calendarEventId": "1"})),
            "INVALID_DIRECTIVE",
        ),
    ];
    for (what, directive, expected) in table {
        let event = room.bridge.ask(&directive);
        assert_eq!(outcome(&event), expected, "{what}: {event}");
        assert!(
            event["payload"]["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{what}: {event}"
        );
    }
    assert_eq!(room.bridge.call_states(), Vec::<String>::new());
    room.meetd.stop();
}

#[test]
fn the_refusal_of_an_address_names_the_line_to_add() {
    let room = Room::open_with(&[("calls.allow", "[]")]);
    let event = room.bridge.ask(&directives::join("198.51.100.9"));
    assert_eq!(outcome(&event), "INVALID_VALUE");
    let message = event["payload"]["message"].as_str().unwrap();
    assert!(
        message.contains("calls.allow") && message.contains("198.51.100.9"),
        "{message}"
    );
    room.meetd.stop();
}

#[test]
fn each_refusal_of_the_far_end_has_its_error_type() {
    let table = [
        (486, "Busy Here", "ENDPOINT_BUSY", "BUSY"),
        (600, "Busy Everywhere", "ENDPOINT_BUSY", "BUSY"),
        (603, "Decline", "ENDPOINT_BUSY", "BUSY"),
        (403, "Forbidden", "INSUFFICIENT_PERMISSIONS", "OTHER"),
        (404, "Not Found", "ENDPOINT_UNREACHABLE", "OTHER"),
        (
            480,
            "Temporarily Unavailable",
            "ENDPOINT_UNREACHABLE",
            "NO_ANSWER",
        ),
        (
            488,
            "Not Acceptable Here",
            "NOT_SUPPORTED_IN_CURRENT_MODE",
            "OTHER",
        ),
        (503, "Service Unavailable", "ENDPOINT_UNREACHABLE", "NO_CARRIER"),
    ];
    let far_end = FarEnd::start(Manner::Silent);
    let room = Room::open();
    for (number, (status, phrase, kind, code)) in table.into_iter().enumerate() {
        far_end.behave(Manner::Refuse(status, phrase));
        let event = room.bridge.ask(&directives::join(&far_end.endpoint()));
        assert_eq!(outcome(&event), kind, "{status}: {event}");
        let failed = room
            .bridge
            .wait_for_frames(&format!("CallFailed for {status}"), |frames| {
                let mut failed = frames.iter().filter(|frame| action(frame) == "CallFailed");
                failed.nth(number).map(|frame| frame["payload"].clone())
            });
        assert_eq!(failed["code"], code, "{status}: {failed}");
        assert_eq!(room.home.status()["lastCall"]["sipStatus"], status);
    }
    far_end.wait_until_all_is_over();
    far_end
        .seen
        .look(|seen| assert!(seen.count("ACK") >= 8, "each refusal is acknowledged"));
    room.meetd.stop();
}

#[test]
fn a_second_meeting_is_refused_while_the_first_lasts() {
    let (first, second) = (FarEnd::start(answering()), FarEnd::start(answering()));
    let room = Room::open();
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&first.endpoint()))),
        "Response"
    );
    let event = room.bridge.ask(&directives::join(&second.endpoint()));
    assert_eq!(outcome(&event), "ENDPOINT_BUSY", "{event}");
    second.seen.look(|seen| assert_eq!(seen.calls.len(), 0));
    room.meetd.stop();
    first.wait_until_all_is_over();
}

#[test]
fn a_second_meeting_takes_the_place_of_the_first_where_configured() {
    let (first, second) = (FarEnd::start(answering()), FarEnd::start(answering()));
    let room = Room::open_with(&[("calls.when_busy", "\"replace\"")]);
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&first.endpoint()))),
        "Response"
    );
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&second.endpoint()))),
        "Response"
    );
    first.wait_until_all_is_over();
    second.wait_for("the room's tone", |seen| {
        seen.calls.last()?.ear.hears(440).then_some(())
    });
    room.meetd.stop();
    second.wait_until_all_is_over();
}

#[test]
fn more_calls_than_allowed_in_a_minute_are_refused() {
    let far_end = FarEnd::start(Manner::Refuse(486, "Busy Here"));
    let room = Room::open_with(&[("calls.per_minute", "2")]);
    let outcomes: Vec<_> = (0..3)
        .map(|_| outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))).to_owned())
        .collect();
    assert_eq!(
        outcomes,
        ["ENDPOINT_BUSY", "ENDPOINT_BUSY", "RATE_LIMIT_EXCEEDED"]
    );
    room.meetd.stop();
}

fn answering() -> Manner {
    Manner::Answer {
        after: Duration::ZERO,
    }
}
