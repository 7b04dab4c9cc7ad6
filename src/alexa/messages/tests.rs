//! What is read and printed, against the fixtures in `tests/data`, and what is said of everything else.

use serde_json::{Value, json};
use uuid::Uuid;

use super::auth_state::{AuthError, AuthState, AuthStatus};
use super::connection_status::{ConnectionStatus, Reason, Status};
use super::dialog_state::{AssistantId, Dialog, DialogState};
use super::directive::{DIRECTIVES, Directive, JoinMeeting};
use super::discover::Discovery;
use super::event::Event;
use super::incoming::{Identity, Incoming, InvalidDirective, Received, Unanswerable, read};
use super::message::{ACTIONS, Message, UnusableMessage};
use super::outcome::{DeviceMode, ErrorType, Outcome, Refusal};
use super::property::Property;
use super::report::{CallFailedCode, CallState, CallStateName, DigitsFailedCode, Report};
use crate::call::CallId;
use crate::chance::Chance;
use crate::secret::Secret;

mod aasb;
mod broken;
mod fixtures;

const TOKEN: &str = "dFMb0z+PgpgdDmluhJ1LddFvSqZ/jCc8ptlAKulUj90jSqg==";
const JOIN: &str = include_str!("../../../tests/data/directives/join_meeting.json");
const JOIN_WITHOUT: &str =
    include_str!("../../../tests/data/directives/join_meeting_without_id_and_pin.json");
const END: &str = include_str!("../../../tests/data/directives/end_meeting.json");
const DISCOVER: &str = include_str!("../../../tests/data/directives/discover.json");
const REPORT_STATE: &str = include_str!("../../../tests/data/directives/report_state.json");
const TURN_ON: &str = include_str!("../../../tests/data/directives/turn_on.json");
const TURN_OFF: &str = include_str!("../../../tests/data/directives/turn_off.json");
const SET_VOLUME: &str = include_str!("../../../tests/data/directives/set_volume.json");
const ADJUST_VOLUME: &str = include_str!("../../../tests/data/directives/adjust_volume.json");
const SET_MUTE: &str = include_str!("../../../tests/data/directives/set_mute.json");
const SEND_DTMF: &str = include_str!("../../../tests/data/directives/send_dtmf.json");
const SEND_DTMF_AS_TEXT: &str = include_str!("../../../tests/data/directives/send_dtmf_as_text.json");
const STOP_CALL: &str = include_str!("../../../tests/data/directives/stop_call.json");
const STOP: &str = include_str!("../../../tests/data/directives/stop_foreground_activity.json");

#[test]
fn join_meeting_is_read() {
    let received = directive(JOIN);
    assert_eq!(received.message_id, "5f8a426e-01e4-4cc9-8b79-65f8bd0fd8a4");
    assert_eq!(received.correlation_token.as_deref(), Some(TOKEN));
    assert_eq!(received.endpoint_id.as_deref(), Some("room-15-104"));
    let meeting = JoinMeeting {
        endpoint: "zoomcrc.com".to_owned(),
        protocol: "SIP".to_owned(),
        provider: "ZOOM".to_owned(),
        id: Some("123456789".to_owned()),
        pin: Some(Secret::new("0012345")),
    };
    assert_eq!(received.directive, Directive::JoinMeeting(meeting));
}

#[test]
fn join_meeting_is_read_without_id_and_pin() {
    let received = directive(JOIN_WITHOUT);
    let meeting = JoinMeeting {
        endpoint: "sip:room@192.0.2.7".to_owned(),
        protocol: "sips".to_owned(),
        provider: "CUSTOM".to_owned(),
        id: None,
        pin: None,
    };
    assert_eq!(received.directive, Directive::JoinMeeting(meeting));
}

#[test]
fn end_meeting_is_read_with_any_object_as_payload_and_without() {
    assert_eq!(directive(END).directive, Directive::EndMeeting);
    for payload in [json!({"why": 1}), Value::Null] {
        let text = changed(END, "/directive/payload", Some(payload));
        assert_eq!(directive(&text).directive, Directive::EndMeeting);
    }
    let text = changed(END, "/directive/payload", None);
    assert_eq!(directive(&text).directive, Directive::EndMeeting);
}

#[test]
fn the_rooms_own_directives_are_read() {
    for (text, expected) in [
        (REPORT_STATE, Directive::ReportState),
        (TURN_ON, Directive::TurnOn),
        (TURN_OFF, Directive::TurnOff),
        (SET_VOLUME, Directive::SetVolume(40)),
        (ADJUST_VOLUME, Directive::AdjustVolume(-20)),
        (SET_MUTE, Directive::SetMute(true)),
    ] {
        assert_eq!(directive(text).directive, expected);
        let nowhere = changed(text, "/directive/endpoint", None);
        assert_eq!(sentence_for(&nowhere), "endpoint is missing");
    }
    for (text, field) in [
        (SET_VOLUME, "volume"),
        (ADJUST_VOLUME, "volume"),
        (SET_MUTE, "mute"),
    ] {
        let pointer = format!("/directive/payload/{field}");
        let missing = sentence_for(&changed(text, &pointer, None));
        assert_eq!(missing, format!("payload.{field} is missing"));
        let mistyped = sentence_for(&changed(text, &pointer, Some(json!("40"))));
        assert!(
            mistyped.starts_with(&format!("payload.{field} must be a ")),
            "{mistyped}"
        );
    }
}

#[test]
fn discover_is_asked_of_no_endpoint() {
    let received = directive(DISCOVER);
    assert_eq!(received.directive, Directive::Discover);
    assert_eq!((received.endpoint_id, received.correlation_token), (None, None));
    let elsewhere = changed(
        DISCOVER,
        "/directive/endpoint",
        Some(json!({"endpointId": "other"})),
    );
    assert_eq!(directive(&elsewhere).endpoint_id, None);
    let bare = changed(DISCOVER, "/directive/payload", None);
    assert_eq!(directive(&bare).directive, Directive::Discover);
    let wrong = changed(DISCOVER, "/directive/payload/scope", Some(json!("token")));
    assert_eq!(
        sentence_for(&wrong),
        "payload.scope must be an object and is a string"
    );
}

#[test]
fn every_directive_that_we_know_has_a_fixture() {
    let fixtures = [
        JOIN,
        JOIN_WITHOUT,
        END,
        DISCOVER,
        REPORT_STATE,
        TURN_ON,
        TURN_OFF,
        SET_VOLUME,
        ADJUST_VOLUME,
        SET_MUTE,
    ]
    .map(directive);
    for row in DIRECTIVES {
        let has_one = fixtures
            .iter()
            .any(|fixture| fixture.namespace == row.namespace && fixture.name == row.name);
        assert!(has_one, "{}.{}", row.namespace, row.name);
    }
}

#[test]
fn each_missing_field_is_named() {
    for (field, sentence) in [
        ("/directive/header", "header is missing"),
        ("/directive/header/messageId", "header.messageId is missing"),
        ("/directive/header/namespace", "header.namespace is missing"),
        ("/directive/header/name", "header.name is missing"),
        (
            "/directive/header/payloadVersion",
            "header.payloadVersion is missing",
        ),
        ("/directive/endpoint", "endpoint is missing"),
        ("/directive/endpoint/endpointId", "endpoint.endpointId is missing"),
        ("/directive/payload", "payload.meeting is missing"),
        ("/directive/payload/meeting", "payload.meeting is missing"),
        (
            "/directive/payload/meeting/endpoint",
            "payload.meeting.endpoint is missing",
        ),
        (
            "/directive/payload/meeting/protocol",
            "payload.meeting.protocol is missing",
        ),
        (
            "/directive/payload/meeting/provider",
            "payload.meeting.provider is missing",
        ),
    ] {
        assert_eq!(sentence_for(&changed(JOIN, field, None)), sentence);
        assert_eq!(sentence_for(&changed(JOIN, field, Some(Value::Null))), sentence);
    }
    for field in ["endpoint", "protocol", "provider"] {
        let text = changed(
            JOIN,
            &format!("/directive/payload/meeting/{field}"),
            Some(json!("")),
        );
        assert_eq!(sentence_for(&text), format!("payload.meeting.{field} is missing"));
    }
}

#[test]
fn each_mistyped_field_is_named() {
    for field in [
        "messageId",
        "namespace",
        "name",
        "payloadVersion",
        "correlationToken",
    ] {
        let text = changed(JOIN, &format!("/directive/header/{field}"), Some(json!(3)));
        assert_eq!(
            sentence_for(&text),
            format!("header.{field} must be a string and is a number")
        );
    }
    for field in ["endpoint", "protocol", "provider", "id", "pin"] {
        let text = changed(
            JOIN,
            &format!("/directive/payload/meeting/{field}"),
            Some(json!(7)),
        );
        assert_eq!(
            sentence_for(&text),
            format!("payload.meeting.{field} must be a string and is a number")
        );
    }
    for (field, path) in [
        ("/directive/header", "header"),
        ("/directive/endpoint", "endpoint"),
        ("/directive/payload", "payload"),
        ("/directive/payload/meeting", "payload.meeting"),
    ] {
        let text = changed(JOIN, field, Some(json!([])));
        assert_eq!(
            sentence_for(&text),
            format!("{path} must be an object and is an array")
        );
    }
}

#[test]
fn other_versions_and_directives_are_not_known() {
    let text = changed(JOIN, "/directive/header/payloadVersion", Some(json!("2")));
    assert_eq!(
        sentence_for(&text),
        "header.payloadVersion is 2, which is not known"
    );
    let text = changed(JOIN, "/directive/header/name", Some(json!("LeaveMeeting")));
    let sentence = "the directive Alexa.MeetingClientController.LeaveMeeting is not known";
    assert_eq!(sentence_for(&text), sentence);
    let text = changed(
        JOIN,
        "/directive/header/namespace",
        Some(json!("Alexa.\u{1b}[2J")),
    );
    assert_eq!(
        sentence_for(&text),
        "the directive Alexa.\u{fffd}[2J.JoinMeeting is not known"
    );
}

#[test]
fn an_invalid_directive_keeps_what_its_event_needs() {
    let InvalidDirective {
        message_id,
        correlation_token,
        ..
    } = invalid(&changed(JOIN, "/directive/payload", Some(json!(1))));
    assert_eq!(
        message_id.as_deref(),
        Some("5f8a426e-01e4-4cc9-8b79-65f8bd0fd8a4")
    );
    assert_eq!(correlation_token.as_deref(), Some(TOKEN));
    assert_eq!(invalid(r#"{"directive": {}}"#).correlation_token, None);
    assert_eq!(sentence_for(r#"{"directive": {}}"#), "header is missing");
}

#[test]
fn correlation_tokens_come_through_byte_for_byte() {
    for token in [
        "",
        " ",
        "a\"b\\c/\u{0}\n\u{7f}",
        "ünï·𝄞\u{202e}",
        &"x".repeat(10_000),
    ] {
        let text = changed(END, "/directive/header/correlationToken", Some(json!(token)));
        let received = directive(&text);
        assert_eq!(received.correlation_token.as_deref(), Some(token));
        let event = printed(&Outcome::Done, received.correlation_token.as_deref());
        assert_eq!(
            event.pointer("/event/header/correlationToken"),
            Some(&json!(token))
        );
    }
}

#[test]
fn an_identity_tells_repeats_from_all_others() {
    let first = directive(JOIN).identity;
    let other_token = changed(JOIN, "/directive/header/correlationToken", Some(json!("other")));
    assert_eq!(
        directive(&other_token).identity,
        first,
        "the token is not part of it"
    );
    for (field, value) in [
        ("/directive/endpoint/endpointId", json!("room-1")),
        ("/directive/payload/meeting/pin", json!("1")),
        ("/directive/payload/extra", json!(null)),
    ] {
        let other = directive(&changed(JOIN, field, Some(value))).identity;
        assert_ne!(other.whole, first.whole, "{field}");
        assert_eq!(other.message, first.message, "{field}");
    }
    let other = changed(JOIN, "/directive/header/messageId", Some(json!("m")));
    assert_ne!(directive(&other).identity.message, first.message);
    let shifted = Identity::of("a", "b", "cd", "e", "");
    assert_ne!(shifted.whole, Identity::of("a", "bc", "d", "e", "").whole);
}

#[test]
fn neither_pin_nor_id_nor_dial_string_is_in_debug() {
    let text = changed(
        JOIN,
        "/directive/payload/meeting/endpoint",
        Some(json!("987654321.778899@bjn.vc")),
    );
    let shown = format!("{:?}", read(&text));
    for secret in ["0012345", "123456789", "778899", "access-token"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn directive(text: &str) -> Received {
    match read(text) {
        Incoming::Directive(received) => *received,
        other => panic!("{other:?} is no directive"),
    }
}

fn invalid(text: &str) -> InvalidDirective {
    match read(text) {
        Incoming::Invalid(invalid) => *invalid,
        other => panic!("{other:?} is no invalid directive"),
    }
}

fn sentence_for(text: &str) -> String {
    invalid(text).fault.to_string()
}

/// The fixture with one field set, or removed.
fn changed(fixture: &str, pointer: &str, value: Option<Value>) -> String {
    let mut message: Value = serde_json::from_str(fixture).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = message.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    message.to_string()
}

fn id() -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001)
}

fn printed(outcome: &Outcome, correlation_token: Option<&str>) -> Value {
    let event = Event {
        message_id: id(),
        correlation_token,
        endpoint_id: "room-15-104",
        outcome,
        at: "2026-11-21T08:49:37.25Z".parse().unwrap(),
    };
    serde_json::from_str(&event.print()).unwrap()
}

fn dialog() -> Dialog {
    Dialog {
        assistant: AssistantId::ALEXA,
        state: DialogState::Thinking,
    }
}
