//! A meeting from the directive to its end.

use std::time::Duration;

use serde_json::Value;

use crate::peers::bridge::action;
use crate::peers::directives::{self, ROOM, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

const AT_ONCE: Manner = Manner::Answer {
    after: Duration::ZERO,
};

#[test]
fn a_meeting_is_joined_with_its_pin_and_ended() {
    let far_end = FarEnd::asking_for("4321987");
    let room = Room::open();
    let join = directives::join_with(&far_end.endpoint(), "standup", "4321987");
    let event = room.bridge.ask(&join);

    assert_eq!(outcome(&event), "Response", "{event}");
    assert_eq!(event["header"]["namespace"], "Alexa");
    assert_eq!(event["header"]["payloadVersion"], "3");
    assert_eq!(event["endpoint"]["endpointId"], ROOM);
    assert_eq!(event["payload"], serde_json::json!({}));
    assert_ne!(
        event["header"]["messageId"],
        join["directive"]["header"]["messageId"]
    );
    let active = room.bridge.wait_for_call_state("ACTIVE");
    far_end.wait_for("the PIN and a second of the room's tone", |seen| {
        let call = seen.calls.last()?;
        (call.pin_at.is_some() && call.ear.packets >= 50 && call.ear.hears(440)).then_some(())
    });
    let media = room.wait_for_status("a second of audio from the far end", |status| {
        let call = &status["call"];
        let heard = call["media"]["rxPackets"].as_u64()? >= 50;
        heard.then(|| call.clone())
    });
    assert_eq!(media["callId"], active["callId"]);
    assert_eq!(
        (media["state"].as_str(), media["codec"].as_str()),
        (Some("ACTIVE"), Some("pcmu"))
    );

    let ended = room.bridge.ask(&directives::end());
    assert_eq!(outcome(&ended), "Response", "{ended}");
    assert!(
        ended["context"].is_null(),
        "the context stands beside the event, not in it"
    );
    room.bridge.wait_for_call_state("IDLE");
    far_end.wait_until_all_is_over();
    assert_eq!(
        room.bridge.call_states(),
        ["DIALING", "OUTBOUND_RINGING", "ACTIVE", "IDLE"]
    );
    far_end.seen.look(|seen| {
        assert_eq!(seen.calls[0].ear.digits, "4321987#");
        assert_eq!(seen.calls[0].wrong_pins, 0);
        assert!(
            seen.calls[0]
                .invite
                .start
                .starts_with("INVITE sip:standup@127.0.0.1:"),
            "{}",
            seen.calls[0].invite.start
        );
    });
    room.meetd.stop();
}

#[test]
fn a_meeting_is_joined_and_ended_over_tcp() {
    let far_end = FarEnd::start(AT_ONCE);
    let room = Room::open();
    let uri = format!("sip:standup@{};transport=tcp", far_end.endpoint());
    assert_eq!(outcome(&room.bridge.ask(&directives::join(&uri))), "Response");
    far_end.wait_for("the room's tone", |seen| {
        seen.calls.last()?.ear.hears(440).then_some(())
    });
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end.wait_until_all_is_over();
    far_end.seen.look(|seen| {
        assert!(
            seen.calls[0]
                .invite
                .header("Via")
                .unwrap()
                .starts_with("SIP/2.0/TCP ")
        )
    });
    room.meetd.stop();
}

#[test]
fn the_first_frames_say_where_the_room_stands() {
    let room = Room::open();
    let snapshot = room.bridge.wait_for_snapshot(1);
    let shown: Vec<_> = snapshot
        .iter()
        .map(|frame| (action(frame), frame["payload"].clone()))
        .collect();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(
        shown,
        [
            (
                "ConnectionStatusChanged",
                json(r#"{"status": "CONNECTED", "reason": "SUCCESS"}"#)
            ),
            (
                "AuthStateChanged",
                json(r#"{"state": "REFRESHED", "error": "NO_ERROR"}"#)
            ),
            (
                "DialogStateChanged",
                json(r#"{"state": "IDLE", "assistantId": 2}"#)
            ),
            (
                "CallStateChanged",
                json(r#"{"state": "IDLE", "callId": "", "callerId": ""}"#)
            ),
        ]
    );
    for frame in &snapshot {
        assert_eq!(
            (
                frame["header"]["version"].as_str(),
                frame["header"]["messageType"].as_str()
            ),
            (Some("4.0"), Some("Publish"))
        );
    }
    room.meetd.stop();
}

#[test]
fn a_directive_is_thinking_until_its_event() {
    let far_end = FarEnd::start(AT_ONCE);
    let room = Room::open();
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("ACTIVE");
    let dialog = room.bridge.wait_for("THINKING and then IDLE", |events| {
        let frames = events.iter().filter_map(|event| match &event.what {
            crate::peers::bridge::Happened::Frame(frame) if action(frame) == "DialogStateChanged" => {
                Some(frame["payload"]["state"].as_str().unwrap_or_default().to_owned())
            }
            _ => None,
        });
        let states: Vec<_> = frames.collect();
        (states.len() >= 3).then_some(states)
    });
    assert_eq!(dialog, ["IDLE", "THINKING", "IDLE"]);
    room.meetd.stop();
}

#[test]
fn joining_the_same_meeting_again_places_no_second_call() {
    let far_end = FarEnd::start(AT_ONCE);
    let room = Room::open();
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    far_end.seen.look(|seen| assert_eq!(seen.calls.len(), 1));
    room.meetd.stop();
    far_end.wait_until_all_is_over();
}

#[test]
fn a_repeated_directive_is_answered_again_and_does_nothing_again() {
    let far_end = FarEnd::start(AT_ONCE);
    let room = Room::open();
    let join = directives::join(&far_end.endpoint());
    let first = room.bridge.ask(&join);
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end.wait_until_all_is_over();
    let mut repeat = join.clone();
    repeat["directive"]["header"]["correlationToken"] = "the repeat's own".into();
    let again = room.bridge.ask(&repeat);
    assert_eq!(outcome(&again), outcome(&first));
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end
        .seen
        .look(|seen| assert_eq!(seen.calls.len(), 1, "the repeat dialled"));
    room.meetd.stop();
}
