//! Three stories that must stay true from the first day on.

use std::time::Duration;

use meetd::agent::{Readiness, Signal};
use serde_json::{Value, json};

use crate::far_end::{Leg, Manners};
use crate::world::World;

pub const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_meeting_is_joined_and_ended() {
    let mut world = connected(1);
    world.bridge_sends(join("m-1"));
    world.until(SOON, "the join is answered", |world| {
        !events_of(world, "Response").is_empty()
    });
    world.until(SOON, "the PIN is entered", |world| world.digits == "98765#");
    assert_eq!(
        states(&world, "CallStateChanged"),
        ["IDLE", "DIALING", "OUTBOUND_RINGING", "ACTIVE"]
    );
    assert_eq!(states(&world, "DialogStateChanged"), ["IDLE", "THINKING", "IDLE"]);
    assert_eq!(world.audio.len(), 1, "audio goes both ways");

    world.bridge_sends(end("m-2"));
    world.until(SOON, "the end is answered", |world| {
        events_of(world, "Response").len() == 2
    });
    world.until(SOON, "the far end is free", |world| world.far.alive().is_empty());
    world.run(Duration::from_secs(40));
    assert_eq!(
        states(&world, "CallStateChanged").last().map(String::as_str),
        Some("IDLE")
    );
    assert_eq!(states(&world, "CallFailed").len(), 0);
    assert_eq!(tokens(&world), ["token-m-1", "token-m-2"]);
    assert!(world.audio.is_empty(), "no audio is left running");
    assert_eq!(world.far.complaints, Vec::<String>::new());
    assert_eq!(world.far.invites(), 1);
    let said: String = world
        .bridge
        .frames
        .iter()
        .map(|(_, _, frame)| frame.to_string())
        .collect();
    assert!(!said.contains("98765"), "the PIN was said");
}

#[test]
fn a_far_end_that_hangs_up_brings_idle() {
    let mut world = connected(2);
    world.bridge_sends(join("m-1"));
    let confirmed = |world: &World| world.far.alive().iter().any(|(_, leg)| *leg == Leg::Confirmed);
    world.until(SOON, "the call is up at both ends", confirmed);
    world.far_hangs_up();
    world.until(SOON, "it is over", |world| last_state(world) == "IDLE");
    assert_eq!(states(&world, "CallFailed").len(), 0);
    world.until(SOON, "its BYE is answered", |world| {
        world
            .far
            .heard
            .last()
            .is_some_and(|last| last == "SIP/2.0 200 OK")
    });
}

#[test]
fn a_bridge_lost_in_mid_dial_learns_the_truth_when_it_is_back() {
    let mut world = connected(3);
    world.bridge_sends(join("m-1"));
    world.until(SOON, "it rings", |world| last_state(world) == "OUTBOUND_RINGING");
    let before = world.bridge.frames.len();
    world.lose_bridge();
    world.until(SOON, "it is answered meanwhile", |world| {
        world.far.alive().iter().any(|(_, leg)| *leg == Leg::Confirmed)
    });
    assert_eq!(world.bridge.frames.len(), before);
    world.bridge.is_down = false;
    world.until(Duration::from_secs(6), "the answer arrives", |world| {
        !events_of(world, "Response").is_empty()
    });

    let after: Vec<String> = world.bridge.frames[before..]
        .iter()
        .map(|(_, _, frame)| name_of(frame))
        .collect();
    assert_eq!(
        after[..5],
        [
            "ConnectionStatusChanged",
            "AuthStateChanged",
            "DialogStateChanged",
            "CallStateChanged",
            "Response"
        ],
        "the snapshot comes first, then what waited: {after:?}"
    );
    assert_eq!(last_state(&world), "ACTIVE");
    assert_eq!(events_of(&world, "Response").len(), 1, "answered once");
    assert_eq!(world.far.invites(), 1, "the call was not touched");
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_is_not_sent() {
    let mut world = connected(4);
    world.bridge_sends(join("m-1"));
    world.until(SOON, "it rings", |world| last_state(world) == "OUTBOUND_RINGING");
    world.lose_bridge();
    world.run(Duration::from_secs(9));
    world.bridge.is_down = false;
    world.until(Duration::from_secs(130), "the bridge is back", |world| {
        world.bridge_is_connected()
    });
    world.run(Duration::from_secs(3));
    assert_eq!(events_of(&world, "Response").len(), 0);
    assert_eq!(last_state(&world), "ACTIVE");
}

#[test]
fn a_process_killed_between_any_two_effects_leaves_no_call_behind() {
    let whole = whole_meeting(None, Manners::default()).effects;
    assert!(whole > 30, "only {whole} effects: the story has shrunk");
    let slow = Manners {
        answers_after: Some(Duration::from_secs(3)),
        ..Manners::default()
    };
    for manners in [Manners::default(), slow] {
        for kill_at in 0..whole {
            let mut world = whole_meeting(Some(kill_at), manners);
            if !world.is_running() {
                world.start();
            }
            let limit = Duration::from_secs(2);
            let what = format!("killed at effect {kill_at} of {whole}: the far end is free");
            world.until(limit, &what, |world| world.far.alive().is_empty());
            // What was on its way may still arrive; nothing may rise again.
            world.run(Duration::from_secs(70));
            assert!(
                world.far.alive().is_empty(),
                "killed at {kill_at}: {:?}",
                world.far.alive()
            );
            assert_eq!(world.far.complaints, Vec::<String>::new(), "killed at {kill_at}");
            if world.exit.is_none() {
                assert_eq!(last_state(&world), "IDLE", "killed at {kill_at}");
                world.bridge_sends(join("m-again"));
                world.until(SOON, "a new meeting is taken", |world| {
                    last_state(world) == "ACTIVE"
                });
            }
        }
    }
}

#[test]
fn a_stop_ends_the_call_and_says_so() {
    let mut world = connected(6);
    world.bridge_sends(join("m-1"));
    world.until(SOON, "the call is up", |world| last_state(world) == "ACTIVE");
    world.signal(Signal::Terminate);
    world.until(Duration::from_secs(2), "it has left", |world| {
        world.exit == Some(0)
    });
    world.run(Duration::from_millis(10));
    assert!(world.far.alive().is_empty());
    let names: Vec<String> = world
        .bridge
        .frames
        .iter()
        .map(|(_, _, frame)| name_of(frame))
        .collect();
    assert_eq!(
        names[names.len() - 2..],
        ["CallStateChanged", "ConnectionStatusChanged"]
    );
    assert_eq!(world.notices.last(), Some(&Readiness::Stopping));
}

/// One meeting from start to stop, killed on the way when `kill_at` says so.
fn whole_meeting(kill_at: Option<usize>, manners: Manners) -> World {
    let mut world = World::new(crate::world::config(), 5);
    world.far.manners = manners;
    world.kill_at = kill_at;
    world.start();
    let alive = |world: &World| !world.is_running();
    world.until(SOON, "connected", |world| {
        alive(world) || events_of(world, "CallStateChanged").len() == 1
    });
    if world.is_running() {
        world.bridge_sends(join("m-1"));
        world.until(SOON, "active", |world| {
            alive(world) || last_state(world) == "ACTIVE"
        });
        world.until(SOON, "PIN", |world| alive(world) || world.digits == "98765#");
    }
    if world.is_running() {
        world.bridge_sends(end("m-2"));
        world.until(SOON, "idle", |world| alive(world) || last_state(world) == "IDLE");
        world.until(SOON, "free", |world| alive(world) || world.far.alive().is_empty());
    }
    if world.is_running() {
        world.run(Duration::from_secs(1));
    }
    world
}

pub fn connected(seed: u8) -> World {
    let mut world = World::new(crate::world::config(), seed);
    world.start();
    world.until(SOON, "the snapshot is published", |world| {
        events_of(world, "CallStateChanged").len() == 1
    });
    let names: Vec<String> = world
        .bridge
        .frames
        .iter()
        .map(|(_, _, frame)| name_of(frame))
        .collect();
    assert_eq!(
        names,
        [
            "ConnectionStatusChanged",
            "AuthStateChanged",
            "DialogStateChanged",
            "CallStateChanged"
        ]
    );
    assert!(world.notices.contains(&Readiness::Ready));
    world
}

pub fn join(id: &str) -> Value {
    let meeting = json!({
        "endpoint": "192.0.2.20", "id": "1234567890", "pin": "98765", "protocol": "SIP", "provider": "EXAMPLE",
    });
    directive("JoinMeeting", id, json!({ "meeting": meeting }))
}

pub fn with_token(mut directive: Value, token: &str) -> Value {
    directive["directive"]["header"]["correlationToken"] = token.into();
    directive
}

pub fn end(id: &str) -> Value {
    directive("EndMeeting", id, json!({}))
}

pub fn directive(name: &str, id: &str, payload: Value) -> Value {
    json!({ "directive": {
        "header": {
            "namespace": "Alexa.MeetingClientController", "name": name, "payloadVersion": "3",
            "messageId": id, "correlationToken": format!("token-{id}"),
        },
        "endpoint": { "endpointId": "room-15-104" },
        "payload": payload,
    }})
}

pub fn name_of(frame: &Value) -> String {
    let event = &frame["event"]["header"]["name"];
    let action = &frame["header"]["messageDescription"]["action"];
    event.as_str().or(action.as_str()).unwrap_or("?").to_owned()
}

pub fn events_of<'a>(world: &'a World, name: &str) -> Vec<&'a Value> {
    world
        .bridge
        .frames
        .iter()
        .map(|(_, _, frame)| frame)
        .filter(|frame| name_of(frame) == name)
        .collect()
}

fn states(world: &World, action: &str) -> Vec<String> {
    let text = |frame: &&Value| frame["payload"]["state"].as_str().unwrap_or("?").to_owned();
    events_of(world, action).iter().map(text).collect()
}

pub fn last_state(world: &World) -> String {
    states(world, "CallStateChanged").pop().unwrap_or_default()
}

fn tokens(world: &World) -> Vec<String> {
    let token = |frame: &&Value| {
        frame["event"]["header"]["correlationToken"]
            .as_str()
            .unwrap_or("?")
            .to_owned()
    };
    events_of(world, "Response").iter().map(token).collect()
}
