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
fn digits_and_stop_are_read_plain_and_as_text() {
    let call = CallId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002)).to_string();
    let digits = |call: Option<&str>| Message::SendDigits {
        call: call.map(str::to_owned),
        signal: Secret::new("12#"),
    };
    for text in [SEND_DTMF, SEND_DTMF_AS_TEXT] {
        assert_eq!(read(text), Incoming::Message(digits(Some(&call))));
    }
    for absent in [None, Some(json!(null)), Some(json!(""))] {
        let text = changed(SEND_DTMF, "/payload/callId", absent.clone());
        assert_eq!(read(&text), Incoming::Message(digits(None)));
        let text = changed(STOP_CALL, "/payload/callId", absent);
        assert_eq!(read(&text), Incoming::Message(Message::StopCall { call: None }));
    }
    let stop = Message::StopCall { call: Some(call) };
    assert_eq!(read(STOP_CALL), Incoming::Message(stop.clone()));
    for message in [stop, digits(None)] {
        assert_eq!(read(&message.print(id())), Incoming::Message(message));
    }
    for (pointer, value) in [
        ("/payload/signal", None),
        ("/payload/signal", Some(json!(1234))),
        ("/payload/callId", Some(json!({}))),
        ("/payload/payload", Some(json!("{\"signal\": 4711"))),
        ("/payload/payload", Some(json!("[]"))),
        ("/payload/payload", Some(json!({"signal": "1"}))),
    ] {
        let unusable = read(&changed(SEND_DTMF, pointer, value));
        assert!(matches!(&unusable, Incoming::Unusable(_)), "{unusable:?}");
        assert!(!format!("{unusable:?}").contains("4711"), "{unusable:?}");
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
fn what_cannot_be_answered_is_told_apart() {
    for text in [
        "",
        " ",
        "hello",
        "{",
        "{\"directive\": {}",
        "\u{feff}{}",
        "{'a': 1}",
        "NaN",
        "{\"a\":1}x",
    ] {
        let incoming = read(text);
        let no_json = matches!(incoming, Incoming::Unanswerable(Unanswerable::NoJson(_)));
        assert!(no_json, "{text:?}: {incoming:?}");
    }
    for text in [
        "null",
        "true",
        "1",
        "\"directive\"",
        "[]",
        "[{\"directive\": {}}]",
    ] {
        assert_eq!(
            read(text),
            Incoming::Unanswerable(Unanswerable::NoObject),
            "{text}"
        );
    }
    for text in [
        "{}",
        r#"{"directive": null}"#,
        r#"{"directive": 1}"#,
        r#"{"directive": []}"#,
        r#"{"directive": "{}"}"#,
        r#"{"header": null}"#,
        r#"{"header": []}"#,
        r#"{"event": {}}"#,
    ] {
        let neither = Incoming::Unanswerable(Unanswerable::NeitherDirectiveNorHeader);
        assert_eq!(read(text), neither, "{text}");
    }
}

#[test]
fn json_that_cannot_be_held_is_still_answered_when_it_is_a_directive() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deeper = format!("{}{}", "{\"a\":".repeat(100_000), "1") + &"}".repeat(100_000);
    for value in [
        "1e999",
        "-1E+400",
        r#""\ud800""#,
        r#"{"\udc00": 1}"#,
        &deep,
        &deeper,
    ] {
        let text = format!(
            r#"{{"directive": {{"header": {{"messageId": "m", "correlationToken": "t"}}, "x": {value}}}}}"#
        );
        let invalid = invalid(&text);
        assert_eq!(invalid.correlation_token.as_deref(), Some("t"));
        assert_eq!(invalid.message_id.as_deref(), Some("m"));
        let sentence = invalid.fault.to_string();
        assert!(
            sentence.starts_with("the directive cannot be read: "),
            "{sentence}"
        );
        let text = format!(r#"{{"header": {{"id": "i"}}, "payload": {value}}}"#);
        assert!(
            matches!(read(&text), Incoming::Unanswerable(Unanswerable::NoJson(_))),
            "{value:.20}"
        );
    }
    let token_lost = invalid(r#"{"directive": {"header": {"correlationToken": "\ud800"}}}"#);
    assert_eq!(token_lost.correlation_token, None);
}

#[test]
fn numbers_of_any_size_in_unknown_fields_do_no_harm() {
    for number in ["1e308", "123456789012345678901234567890", "-0.0", "1E-999"] {
        let text = END.replacen("\"payload\": {}", &format!("\"payload\": {{\"n\": {number}}}"), 1);
        assert_ne!(text, END);
        assert_eq!(directive(&text).directive, Directive::EndMeeting);
    }
}

#[test]
fn of_equal_keys_the_last_counts() {
    let twice = END.replacen(
        "\"name\": \"EndMeeting\"",
        "\"name\": \"JoinMeeting\", \"name\": \"EndMeeting\"",
        1,
    );
    assert_ne!(twice, END);
    assert_eq!(directive(&twice), directive(END));
    let gone = END.replacen("{\n", "{\n\"directive\": {},", 1);
    assert_eq!(directive(&gone), directive(END));
}

#[test]
fn a_frame_with_directive_and_header_is_a_directive() {
    let mut both: Value = serde_json::from_str(END).unwrap();
    both["header"] = json!({"id": "x"});
    assert_eq!(directive(&both.to_string()).directive, Directive::EndMeeting);
    both["directive"] = json!(5);
    assert!(matches!(read(&both.to_string()), Incoming::Unusable(_)));
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

#[test]
fn stop_foreground_activity_is_read_with_and_without_payload() {
    let stop = Incoming::Message(Message::StopForegroundActivity);
    assert_eq!(read(STOP), stop);
    assert_eq!(read(&changed(STOP, "/payload", None)), stop);
    assert_eq!(read(&changed(STOP, "/payload", Some(Value::Null))), stop);
    assert_eq!(read(&changed(STOP, "/payload", Some(json!({"x": 1})))), stop);
    assert_eq!(
        read(&changed(STOP, "/header/messageType", Some(json!("PUBLISH")))),
        stop
    );
    assert_eq!(read(&changed(STOP, "/header/version", None)), stop);
}

#[test]
fn replies_are_ignored() {
    let reply = changed(STOP, "/header/messageType", Some(json!("Reply")));
    assert_eq!(read(&reply), Incoming::Reply);
}

#[test]
fn messages_that_cannot_be_used_say_why() {
    for (field, value, sentence) in [
        ("/header/id", None, "header.id is missing"),
        (
            "/header/id",
            Some(json!(1)),
            "header.id must be a string and is a number",
        ),
        ("/header/messageType", None, "header.messageType is missing"),
        (
            "/header/messageType",
            Some(json!("Shout")),
            "header.messageType is Shout, which is not known",
        ),
        (
            "/header/messageDescription",
            None,
            "header.messageDescription is missing",
        ),
        (
            "/header/messageDescription/topic",
            None,
            "header.messageDescription.topic is missing",
        ),
        (
            "/header/messageDescription/action",
            Some(json!("Dance")),
            "the message AlexaClient/Dance is not known",
        ),
        (
            "/payload",
            Some(json!(1)),
            "payload must be an object and is a number",
        ),
    ] {
        let Incoming::Unusable(fault) = read(&changed(STOP, field, value)) else {
            panic!("{field} was taken");
        };
        assert_eq!(fault.to_string(), sentence);
    }
}

#[test]
fn unknown_enumeration_values_are_dropped() {
    let text = Message::DialogState(dialog())
        .print(id())
        .replace("THINKING", "DREAMING");
    let Incoming::Unusable(UnusableMessage::Field(fault)) = read(&text) else {
        panic!("{text} was taken");
    };
    assert_eq!(fault.to_string(), "payload.state is DREAMING, which is not known");
}

#[test]
fn print_and_read_agree_for_every_value_without_regard_to_case() {
    let mut messages = vec![Message::StopForegroundActivity];
    for &status in Status::ALL {
        let all = Reason::ALL.iter();
        messages.extend(all.map(|&reason| Message::ConnectionStatus(ConnectionStatus { status, reason })));
    }
    for &state in AuthState::ALL {
        let all = AuthError::ALL.iter();
        messages.extend(all.map(|&error| Message::AuthState(AuthStatus { state, error })));
    }
    let assistant = AssistantId(3);
    let all = DialogState::ALL.iter();
    messages.extend(all.map(|&state| Message::DialogState(Dialog { assistant, state })));
    assert_eq!(messages.len(), 1 + 3 * 17 + 4 * 14 + 6);
    for message in messages {
        let text = message.print(id());
        assert_eq!(read(&text), Incoming::Message(message.clone()), "{text}");
        let mut lower: Value = serde_json::from_str(&text).unwrap();
        for value in lower["payload"].as_object_mut().unwrap().values_mut() {
            if let Value::String(text) = value {
                text.make_ascii_lowercase();
            }
        }
        assert_eq!(read(&lower.to_string()), Incoming::Message(message));
    }
}

#[test]
fn each_row_of_incoming_messages_is_there_once() {
    for row in ACTIONS {
        let same = |other: &&super::message::Row| other.topic == row.topic && other.action == row.action;
        assert_eq!(
            ACTIONS.iter().filter(same).count(),
            1,
            "{}/{}",
            row.topic,
            row.action
        );
    }
}

#[test]
fn messages_are_printed_as_the_fixtures_show() {
    let call = CallId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002));
    let state = |state, call, caller_id: &str| {
        let caller_id = caller_id.to_owned();
        Message::Call(Report::CallState(CallState {
            state,
            call,
            caller_id,
        }))
    };
    for (message, fixture) in [
        (
            Message::ConnectionStatus(ConnectionStatus {
                status: Status::Pending,
                reason: Reason::DnsTimedout,
            }),
            include_str!("../../../tests/data/events/connection_status_changed.json"),
        ),
        (
            Message::AuthState(AuthStatus {
                state: AuthState::Expired,
                error: AuthError::AuthorizationExpired,
            }),
            include_str!("../../../tests/data/events/auth_state_changed.json"),
        ),
        (
            Message::DialogState(dialog()),
            include_str!("../../../tests/data/events/dialog_state_changed.json"),
        ),
        (Message::StopForegroundActivity, STOP),
        (
            state(
                CallStateName::OutboundRinging,
                Some(call),
                "123456789.***@zoomcrc.com",
            ),
            include_str!("../../../tests/data/events/call_state_changed.json"),
        ),
        (
            state(CallStateName::Idle, None, ""),
            include_str!("../../../tests/data/events/call_state_changed_without_a_call.json"),
        ),
        (
            Message::Call(Report::CallFailed {
                call,
                code: CallFailedCode::NoAnswer,
                message: "nobody answered".to_owned(),
            }),
            include_str!("../../../tests/data/events/call_failed.json"),
        ),
        (
            Message::Call(Report::DigitsSent {
                call: call.to_string(),
            }),
            include_str!("../../../tests/data/events/send_dtmf_succeeded.json"),
        ),
        (
            Message::Call(Report::DigitsFailed {
                call: call.to_string(),
                code: DigitsFailedCode::CallNotInProgress,
                message: "there is no such call in progress".to_owned(),
            }),
            include_str!("../../../tests/data/events/send_dtmf_failed.json"),
        ),
    ] {
        let printed: Value = serde_json::from_str(&message.print(id())).unwrap();
        assert_eq!(printed, serde_json::from_str::<Value>(fixture).unwrap());
    }
}

#[test]
fn events_are_printed_as_the_fixtures_show() {
    let refused = |kind, message: &str| Outcome::Refused(Refusal::new(kind, message));
    for (outcome, token, fixture) in [
        (
            Outcome::Done,
            Some(TOKEN),
            include_str!("../../../tests/data/events/response.json"),
        ),
        (
            Outcome::Done,
            None,
            include_str!("../../../tests/data/events/response_without_token.json"),
        ),
        (
            Outcome::Changed(vec![Property::Power(true)]),
            Some(TOKEN),
            include_str!("../../../tests/data/events/response_with_power.json"),
        ),
        (
            Outcome::State(vec![
                Property::Power(false),
                Property::Volume(40),
                Property::Muted(true),
            ]),
            Some(TOKEN),
            include_str!("../../../tests/data/events/state_report.json"),
        ),
        (
            Outcome::Discovered(Box::new(Discovery {
                endpoint_id: "room-15-104".to_owned(),
                friendly_name: "Room 15.104".to_owned(),
                manufacturer: "Example".to_owned(),
                description: "Conferencing equipment in meeting room 15.104".to_owned(),
            })),
            None,
            include_str!("../../../tests/data/events/discover_response.json"),
        ),
        (
            refused(ErrorType::EndpointBusy, "the far end is busy"),
            Some(TOKEN),
            include_str!("../../../tests/data/events/error_response.json"),
        ),
        (
            refused(
                ErrorType::NotSupportedInCurrentMode(DeviceMode::Other),
                "no common codec",
            ),
            Some(TOKEN),
            include_str!("../../../tests/data/events/error_response_other_mode.json"),
        ),
        (
            refused(
                ErrorType::NotSupportedInCurrentMode(DeviceMode::Asleep),
                "the room is off",
            ),
            Some(TOKEN),
            include_str!("../../../tests/data/events/error_response_asleep.json"),
        ),
        (
            refused(ErrorType::ValueOutOfRange, "101 is too loud"),
            Some(TOKEN),
            include_str!("../../../tests/data/events/error_response_out_of_range.json"),
        ),
    ] {
        assert_eq!(
            printed(&outcome, token),
            serde_json::from_str::<Value>(fixture).unwrap()
        );
    }
}

#[test]
fn broken_frames_of_any_kind_are_read_without_panic() {
    let mut chance = Chance::from_seed([3; 32]);
    let scraps = [
        "null",
        "{}",
        "[]",
        "1e999",
        "\"",
        "\\u",
        "\\ud8",
        "{\"directive\":",
        ",",
        "\u{0}",
        "€",
        "-",
    ];
    for _ in 0..20_000 {
        let mut text = [JOIN, END, STOP][chance.below(3) as usize].to_owned();
        for _ in 0..=chance.below(3) {
            let from = boundary(&text, chance.below(text.len() as u64 + 1) as usize);
            let to = boundary(&text, (from + chance.below(40) as usize).min(text.len())).max(from);
            let scrap = scraps[chance.below(scraps.len() as u64) as usize];
            text.replace_range(from..to, scrap);
        }
        let _ = read(&text);
    }
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap()
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

fn id() -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001)
}
