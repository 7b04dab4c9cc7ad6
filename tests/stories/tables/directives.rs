//! Every directive: what it does, and its one event.

use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::room::Room;

#[test]
fn join_meeting() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    let context = done(&room, &directives::join(&far_end.endpoint()));
    assert_eq!(context, [("connectivity", json!({"value": "OK"}))].map(named));
    far_end.wait_for_phase(Phase::Confirmed);
    room.meetd.stop();
}

#[test]
fn end_meeting() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    done(&room, &directives::end());
    done(&room, &directives::join(&far_end.endpoint()));
    done(&room, &directives::end());
    far_end.wait_for_phase(Phase::TheyLeft);
    room.meetd.stop();
}

/// Without a calendar there is no such directive.
#[test]
fn join_scheduled_meeting() {
    let room = Room::open();
    let join = directives::directive("JoinScheduledMeeting", json!({"calendarEventId": "1"}));
    assert_eq!(outcome(&room.bridge.ask(&join)), "INVALID_DIRECTIVE");
    room.meetd.stop();
}

/// Without a calendar there is no such directive.
#[test]
fn get_current_meeting() {
    let room = Room::open();
    let get = directives::to_the_room("Alexa.Calendar", "GetCurrentMeeting", json!({}));
    assert_eq!(outcome(&room.bridge.ask(&get)), "INVALID_DIRECTIVE");
    room.meetd.stop();
}

#[test]
fn discover() {
    let room = Room::open();
    let mut discover = directives::to_the_room(
        "Alexa.Discovery",
        "Discover",
        json!({"scope": {"type": "BearerToken", "token": directives::SCOPE_TOKEN}}),
    );
    discover["directive"].as_object_mut().unwrap().remove("endpoint");
    let frame = frame_of(&room, &discover);
    assert_eq!(frame["event"]["header"]["namespace"], "Alexa.Discovery");
    assert_eq!(frame["event"]["header"]["name"], "Discover.Response");
    assert!(frame["event"].get("endpoint").is_none() && frame.get("context").is_none());
    let endpoint = &frame["event"]["payload"]["endpoints"][0];
    assert_eq!(endpoint["endpointId"], directives::ROOM);
    let meetings = endpoint["capabilities"]
        .as_array()
        .unwrap()
        .iter()
        .find(|capability| capability["interface"] == "Alexa.MeetingClientController")
        .unwrap();
    assert_eq!(meetings["supportsScheduledMeeting"], false);
    room.meetd.stop();
}

#[test]
fn report_state() {
    let room = Room::open();
    let context = context_of(
        &room,
        &directives::to_the_room("Alexa", "ReportState", json!({})),
        "StateReport",
    );
    assert_eq!(
        context,
        [
            ("connectivity", json!({"value": "OK"})),
            ("powerState", json!("ON")),
            ("volume", json!(100)),
            ("muted", json!(false)),
        ]
        .map(named)
    );
    room.meetd.stop();
}

#[test]
fn turn_on() {
    let room = Room::open();
    for _ in 0..2 {
        let context = done(&room, &directives::power("TurnOn"));
        assert_eq!(context[1], named(("powerState", json!("ON"))));
    }
    room.meetd.stop();
}

#[test]
fn turn_off() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    done(&room, &directives::join(&far_end.endpoint()));
    let context = done(&room, &directives::power("TurnOff"));
    assert_eq!(context[1], named(("powerState", json!("OFF"))));
    far_end.wait_for_phase(Phase::TheyLeft);
    assert_eq!(room.home.status()["power"], "off");
    room.meetd.stop();
}

#[test]
fn set_volume() {
    let room = Room::open();
    for volume in [0, 100, 37] {
        let context = done(
            &room,
            &directives::speaker("SetVolume", json!({"volume": volume})),
        );
        assert_eq!(context[1], named(("volume", json!(volume))));
        assert_eq!(room.home.status()["volume"], volume);
    }
    room.meetd.stop();
}

#[test]
fn adjust_volume() {
    let room = Room::open();
    for (by, volume) in [(-30, 70), (5, 75), (100, 100), (-100, 0), (-1, 0)] {
        let adjust = json!({"volume": by, "volumeDefault": false});
        let context = done(&room, &directives::speaker("AdjustVolume", adjust));
        assert_eq!(context[1], named(("volume", json!(volume))));
    }
    room.meetd.stop();
}

#[test]
fn set_mute() {
    let room = Room::open();
    for muted in [true, true, false] {
        let context = done(&room, &directives::speaker("SetMute", json!({"mute": muted})));
        assert_eq!(context[1], named(("muted", json!(muted))));
        assert_eq!(room.home.status()["muted"], muted);
    }
    room.meetd.stop();
}

/// Sends a directive, and returns the context of its Response.
#[track_caller]
fn done(room: &Room, directive: &Value) -> Vec<(String, Value)> {
    context_of(room, directive, "Response")
}

#[track_caller]
fn context_of(room: &Room, directive: &Value, name: &str) -> Vec<(String, Value)> {
    let frame = frame_of(room, directive);
    let header = &frame["event"]["header"];
    assert_eq!(
        (&header["namespace"], &header["name"]),
        (&json!("Alexa"), &json!(name)),
        "{frame:#}"
    );
    assert_eq!(frame["event"]["payload"], json!({}));
    assert_eq!(
        frame["event"]["endpoint"],
        json!({"endpointId": directives::ROOM})
    );
    let properties = frame["context"]["properties"].as_array().unwrap().iter();
    properties
        .map(|property| {
            (
                property["name"].as_str().unwrap().to_owned(),
                property["value"].clone(),
            )
        })
        .collect()
}

/// Sends a directive, and returns the one frame that answers it: with its token, and a messageId of its own.
#[track_caller]
fn frame_of(room: &Room, directive: &Value) -> Value {
    let event = room.bridge.ask(directive);
    let asked = &directive["directive"]["header"];
    assert_eq!(event["header"]["payloadVersion"], "3");
    assert_ne!(event["header"]["messageId"], asked["messageId"]);
    let frames = room.bridge.frames();
    let answers: Vec<_> = frames
        .iter()
        .filter(|frame| frame["event"]["header"]["correlationToken"] == asked["correlationToken"])
        .collect();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let id = &event["header"]["messageId"];
    let same = frames
        .iter()
        .filter(|frame| frame["event"]["header"]["messageId"] == *id);
    assert_eq!(same.count(), 1, "a messageId is used twice");
    answers[0].clone()
}

fn named((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}
