//! AASB messages that come in.

use super::*;

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
        let same = |other: &&crate::alexa::messages::message::Row| {
            other.topic == row.topic && other.action == row.action
        };
        assert_eq!(
            ACTIONS.iter().filter(same).count(),
            1,
            "{}/{}",
            row.topic,
            row.action
        );
    }
}
