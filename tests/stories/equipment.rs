//! What a skill does to the room beside meetings: discovery, state, power and the loudspeaker.

use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::bridge::Bridge;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::room::Room;

#[test]
fn volume_mute_and_power_are_told_and_kept_over_a_restart() {
    let Room { meetd, bridge, home } = Room::open_with(&[("power.join_wakes", "false")]);
    let set = directives::speaker("SetVolume", json!({"volume": 30}));
    let context = context_of(&bridge, &set);
    assert_eq!(
        context,
        [("connectivity", json!({"value": "OK"})), ("volume", json!(30))].map(named)
    );
    let adjust = directives::speaker("AdjustVolume", json!({"volume": -50, "volumeDefault": false}));
    assert_eq!(context_of(&bridge, &adjust)[1], named(("volume", json!(0))));
    let louder = home.run(&["volume", "45"]);
    assert_eq!(louder.status.code(), Some(0), "{louder:?}");
    let mute = directives::speaker("SetMute", json!({"mute": true}));
    assert_eq!(context_of(&bridge, &mute)[1], named(("muted", json!(true))));
    assert_eq!(
        context_of(&bridge, &directives::power("TurnOff"))[1],
        named(("powerState", json!("OFF")))
    );
    meetd.stop();

    let meetd = home.start();
    bridge.wait_for_snapshot(2);
    let status = home.status();
    assert_eq!(
        (&status["power"], &status["volume"], &status["muted"]),
        (&json!("off"), &json!(45), &json!(true))
    );
    let report = directives::to_the_room("Alexa", "ReportState", json!({}));
    assert_eq!(
        context_of(&bridge, &report),
        [
            ("connectivity", json!({"value": "OK"})),
            ("powerState", json!("OFF")),
            ("volume", json!(45)),
            ("muted", json!(true)),
        ]
        .map(named)
    );
    let refused = bridge.ask(&directives::join("127.0.0.1:9"));
    assert_eq!(outcome(&refused), "NOT_SUPPORTED_IN_CURRENT_MODE");
    assert_eq!(refused["payload"]["currentDeviceMode"], "ASLEEP");
    meetd.stop();
}

#[test]
fn a_volume_out_of_range_names_the_range() {
    let room = Room::open();
    for volume in [json!(101), json!(-1), json!(1e30)] {
        let event = room
            .bridge
            .ask(&directives::speaker("SetVolume", json!({"volume": volume})));
        assert_eq!(outcome(&event), "VALUE_OUT_OF_RANGE");
        let range = json!({"minimumValue": 0, "maximumValue": 100});
        assert_eq!(event["payload"]["validRange"], range);
    }
    let usage = room.home.run(&["volume", "101"]);
    assert_eq!(usage.status.code(), Some(2), "{usage:?}");
    room.meetd.stop();
}

#[test]
fn power_off_hangs_up_and_a_join_turns_the_room_on() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    let join = directives::join(&far_end.endpoint());
    assert_eq!(outcome(&room.bridge.ask(&join)), "Response");
    room.bridge.wait_for_call_state("ACTIVE");
    let off = context_of(&room.bridge, &directives::power("TurnOff"));
    assert_eq!(off[1], named(("powerState", json!("OFF"))));
    far_end.wait_for_phase(Phase::TheyLeft);
    let again = context_of(&room.bridge, &directives::join(&far_end.endpoint()));
    assert_eq!(again[1], named(("powerState", json!("ON"))));
    assert_eq!(room.home.status()["power"], "on");
    room.meetd.stop();
}

#[test]
fn the_room_is_discovered_with_what_it_can_do() {
    let room = Room::open();
    let discover = json!({"directive": {
        "header": {
            "namespace": "Alexa.Discovery",
            "name": "Discover",
            "payloadVersion": "3",
            "messageId": "00000000-0000-4000-8000-00000000d15c",
        },
        "payload": {"scope": {"type": "BearerToken", "token": directives::SCOPE_TOKEN}},
    }});
    room.bridge.send(&discover);
    let answer = room.bridge.wait_for_frames("the Discover.Response", |frames| {
        let mut events = frames
            .iter()
            .filter(|frame| frame["event"]["header"]["name"] == "Discover.Response");
        events.next().cloned()
    });
    assert!(answer.get("context").is_none(), "{answer:#}");
    let event = &answer["event"];
    assert!(event.get("endpoint").is_none(), "{event:#}");
    assert!(event["header"].get("correlationToken").is_none(), "{event:#}");
    let endpoint = &event["payload"]["endpoints"][0];
    assert_eq!(endpoint["endpointId"], directives::ROOM);
    let capabilities: Vec<_> = endpoint["capabilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|capability| {
            (
                capability["interface"].as_str().unwrap(),
                capability["version"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        capabilities,
        [
            ("Alexa", "3"),
            ("Alexa.MeetingClientController", "1.0"),
            ("Alexa.EndpointHealth", "3"),
            ("Alexa.PowerController", "3"),
            ("Alexa.Speaker", "1.0"),
        ]
    );
    let log = room.meetd.stop();
    assert!(
        !log.contains(directives::SCOPE_TOKEN),
        "the scope's token is in the log"
    );
}

/// Sends a directive and returns the properties of its event's context.
#[track_caller]
fn context_of(bridge: &Bridge, directive: &Value) -> Vec<(String, Value)> {
    bridge.send(directive);
    let token = &directive["directive"]["header"]["correlationToken"];
    let frame = bridge.wait_for_frames("the event of a directive", |frames| {
        let mut events = frames
            .iter()
            .filter(|frame| frame["event"]["header"]["correlationToken"] == *token);
        events.next().cloned()
    });
    assert!(
        ["Response", "StateReport"].contains(&outcome(&frame["event"])),
        "{frame:#}"
    );
    frame["context"]["properties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|property| {
            (
                property["name"].as_str().unwrap().to_owned(),
                property["value"].clone(),
            )
        })
        .collect()
}

fn named((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}
