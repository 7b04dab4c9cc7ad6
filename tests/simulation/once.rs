//! Exactly once over restarts: what was answered is answered again and not done again, wherever the process died.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stories::{SOON, connected, directive, end, events_of, join, last_state, name_of, with_token};
use crate::world::World;

#[test]
fn a_settled_join_is_answered_from_memory_after_a_restart_and_not_placed_again() {
    let mut world = connected(11);
    world.bridge_sends(join("m-1"));
    world.until(SOON, "it is up", |world| last_state(world) == "ACTIVE");
    world.bridge_sends(end("m-2"));
    world.until(SOON, "it is over", |world| last_state(world) == "IDLE");
    world.run(Duration::from_secs(1));
    restart(&mut world);
    for (directive, token) in [(join("m-1"), "again-1"), (end("m-2"), "again-2")] {
        world.bridge_sends(with_token(directive, token));
        world.until(SOON, "it is answered", |world| kind_of(world, token).is_some());
        assert_eq!(kind_of(&world, token).as_deref(), Some("Response"));
    }
    world.run(Duration::from_secs(10));
    assert_eq!(world.far.called.len(), 1, "nothing was placed again");
    assert_eq!(last_state(&world), "IDLE");
}

#[test]
fn a_refused_join_is_refused_in_the_same_words_after_a_restart() {
    let mut world = connected(12);
    let mut refused = join("m-1");
    refused["directive"]["payload"]["meeting"]["protocol"] = "MORSE".into();
    world.bridge_sends(&refused);
    world.until(SOON, "it is refused", |world| {
        kind_of(world, "token-m-1").is_some()
    });
    let before = event_with(&world, "token-m-1").unwrap()["event"]["payload"].clone();
    restart(&mut world);
    world.bridge_sends(with_token(refused, "again"));
    world.until(SOON, "it is refused again", |world| {
        kind_of(world, "again").is_some()
    });
    let after = event_with(&world, "again").unwrap()["event"]["payload"].clone();
    assert_eq!(before["type"], after["type"]);
    let (before, after) = (
        before["message"].as_str().unwrap(),
        after["message"].as_str().unwrap(),
    );
    assert!(
        before.starts_with(after.trim_end_matches('\u{2026}')),
        "{before:?} became {after:?}"
    );
}

#[test]
fn a_join_is_done_anew_only_when_it_died_with_the_process() {
    let whole = joined_and_ended(None).effects;
    for kill_at in 0..whole {
        let mut world = joined_and_ended(Some(kill_at));
        let was_over = world.is_running() || last_state(&world) == "IDLE" && was_answered(&world);
        if world.is_running() {
            world.kill();
        }
        world.start();
        world.until(SOON, "connected again", |world| world.bridge_link().is_some());
        // What left the dead process is there by then.
        let calls = world.far.called.len();
        world.bridge_sends(with_token(join("m-1"), "again"));
        world.until(SOON, "the repeat is answered", |world| {
            kind_of(world, "again").is_some()
        });
        assert_eq!(
            kind_of(&world, "again").as_deref(),
            Some("Response"),
            "killed at {kill_at}"
        );
        world.run(Duration::from_secs(10));
        let placed = world.far.called.len() - calls;
        if was_over {
            assert_eq!(
                placed, 0,
                "killed at {kill_at} of {whole}: a join that was over is placed again"
            );
        }
        let alive = world.far.alive().len();
        assert_eq!(alive, placed, "killed at {kill_at}: one call, or none");
        assert_eq!(last_state(&world) == "ACTIVE", placed == 1, "killed at {kill_at}");
    }
}

#[test]
fn a_volume_that_is_adjusted_is_adjusted_once_wherever_the_process_dies() {
    let louder = || {
        let mut directive = directive("AdjustVolume", "m-louder", json!({ "volume": -30 }));
        directive["directive"]["header"]["namespace"] = "Alexa.Speaker".into();
        directive
    };
    let adjusted = |kill_at: Option<usize>| {
        let mut world = connected(14);
        world.kill_at = kill_at.map(|effects| world.effects + effects);
        let before = world.effects;
        world.bridge_sends(louder());
        world.run(Duration::from_secs(1));
        (world.effects - before, world)
    };
    let (whole, _) = adjusted(None);
    assert!(whole >= 4, "two records, a sync, an event: {whole}");
    for kill_at in 0..whole {
        let (_, mut world) = adjusted(Some(kill_at));
        assert!(!world.is_running(), "killed at {kill_at}");
        world.start();
        world.until(SOON, "connected again", |world| world.bridge_link().is_some());
        world.bridge_sends(with_token(louder(), "again"));
        world.until(SOON, "the repeat is answered", |world| {
            kind_of(world, "again").is_some()
        });
        let event = event_with(&world, "again").unwrap();
        let volume = |event: &Value| {
            let properties = event["context"]["properties"].as_array().unwrap().iter();
            let volume = properties.clone().find(|property| property["name"] == "volume");
            volume.map(|property| property["value"].clone())
        };
        assert_eq!(volume(event), Some(70.into()), "killed at {kill_at} of {whole}");
    }
}

/// Joined, answered, ended; killed on the way when `kill_at` says so.
fn joined_and_ended(kill_at: Option<usize>) -> World {
    let mut world = World::new(crate::world::config(), 13);
    world.kill_at = kill_at;
    world.start();
    let gone = |world: &World| !world.is_running();
    world.until(SOON, "connected", |world| {
        gone(world) || world.bridge_link().is_some()
    });
    if world.is_running() {
        world.bridge_sends(join("m-1"));
        world.until(SOON, "up", |world| gone(world) || last_state(world) == "ACTIVE");
    }
    if world.is_running() {
        world.bridge_sends(end("m-2"));
        world.until(SOON, "over", |world| {
            gone(world) || last_state(world) == "IDLE" && kind_of(world, "token-m-2").is_some()
        });
    }
    if world.is_running() {
        world.run(Duration::from_secs(1));
    }
    world
}

fn restart(world: &mut World) {
    world.kill();
    world.start();
    world.until(SOON, "connected again", |world| world.bridge_link().is_some());
}

fn was_answered(world: &World) -> bool {
    kind_of(world, "token-m-1").is_some()
}

fn event_with<'a>(world: &'a World, token: &str) -> Option<&'a Value> {
    let all = events_of(world, "Response").into_iter();
    all.chain(events_of(world, "ErrorResponse"))
        .find(|frame| frame["event"]["header"]["correlationToken"] == token)
}

fn kind_of(world: &World, token: &str) -> Option<String> {
    event_with(world, token).map(name_of)
}
