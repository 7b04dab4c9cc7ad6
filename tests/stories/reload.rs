//! SIGHUP: a changed configuration counts, and no call notices.

use std::time::Duration;

use serde_json::Value;

use crate::peers::bridge::{Bridge, Happened, action};
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::room::Room;

#[test]
fn a_reload_in_a_call_changes_what_can_change_and_says_what_needs_a_restart() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let mut room = Room::open();
    let elsewhere = directives::join("192.0.2.99");
    assert_eq!(outcome(&room.bridge.ask(&elsewhere)), "INVALID_VALUE");
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("ACTIVE");

    room.home
        .set("calls.allow", "[\"127.0.0.0/8\", \"192.0.2.0/24\"]")
        .set("room.friendly_name", "\"Room with a new name\"")
        .set("log.level", "\"info\"")
        .set("sip.listen", "[\"127.0.0.1:0\", \"127.0.0.2:0\"]");
    room.home.write("meetd.toml", &room.home.text());
    room.meetd.reload();
    let line = room.meetd.wait_for_line("event=config-reloaded");
    for words in [
        "at once: room.friendly_name, log.level;",
        "from the next call on: calls.allow;",
        "only after a restart (systemctl restart meetd): sip.listen",
    ] {
        assert!(line.contains(words), "{words:?} is not in {line}");
    }

    let status = room.home.status();
    assert_eq!(status["call"]["state"], "ACTIVE", "{status:#}");
    assert_eq!(status["needsRestart"], serde_json::json!(["sip.listen"]));
    let found = room.bridge.ask(&directives::to_the_room(
        "Alexa.Discovery",
        "Discover",
        serde_json::json!({}),
    ));
    assert!(found.to_string().contains("Room with a new name"), "{found:#}");
    let connections = room.bridge.events().iter().map(|event| event.connection).max();
    assert_eq!(connections, Some(1), "the bridge was not touched");
    let traces = |log: &str| log.lines().filter(|line| line.contains(" TRACE ")).count();
    let before = traces(&room.meetd.log());
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end.wait_for_phase(Phase::TheyLeft);

    // The new entry counts: it is dialled now, and nobody answers there.
    let allowed = room.home.run(&[
        "join",
        "--endpoint",
        "192.0.2.99",
        "--protocol",
        "sip",
        "--dry-run",
    ]);
    assert!(allowed.status.success(), "{allowed:?}");
    let log = room.meetd.stop();
    assert_eq!(traces(&log), before, "the level counts at once");
}

#[test]
fn a_wrong_file_is_named_and_the_former_configuration_stays() {
    let room = Room::open();
    let wrong = room.home.text() + "\n[power]\njoin_wake = true\n[calendar]\nsource = \"fax\"\n";
    let file = room.home.write("meetd.toml", &wrong);
    room.meetd.reload();
    room.meetd.wait_for_line("event=config-refused");
    let log = room.meetd.log();
    for problem in ["power.join_wake: ", "calendar.source: "] {
        let named = log
            .lines()
            .find(|line| line.contains("event=config-wrong") && line.contains(problem));
        assert!(
            named.is_some_and(|line| line.contains(file.to_str().unwrap())),
            "{problem}\n{log}"
        );
    }
    let status = room.home.status();
    assert_eq!(status["connection"]["status"], "CONNECTED");
    let why = status["lastError"]["message"].as_str().unwrap();
    assert!(
        why.starts_with("the changed configuration is wrong, the former one stays: "),
        "{why}"
    );
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");

    room.home.write("meetd.toml", &room.home.text());
    room.meetd.reload();
    room.meetd.wait_for_line("nothing changed");
    room.meetd.stop();
}

#[test]
fn another_bridge_is_connected_to_at_once_and_the_call_goes_on() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let mut room = Room::open();
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("ACTIVE");
    let other = Bridge::start();
    room.home.set("bridge.url", &format!("{:?}", other.url()));
    room.home.write("meetd.toml", &room.home.text());
    room.meetd.reload();

    room.bridge.wait_for("the end of the old connection", |events| {
        events
            .iter()
            .any(|event| matches!(event.what, Happened::Over(_)))
            .then_some(())
    });
    let last = last_connection(&room.bridge.frames()).unwrap();
    assert_eq!(last, ("DISCONNECTED".to_owned(), "ACL_CLIENT_REQUEST".to_owned()));
    let snapshot = other.wait_for_snapshot(1);
    assert_eq!(snapshot[0]["payload"]["status"], "CONNECTED");
    assert_eq!(snapshot[3]["payload"]["state"], "ACTIVE");
    assert_eq!(outcome(&other.ask(&directives::end())), "Response");
    far_end.wait_for_phase(Phase::TheyLeft);
    assert_eq!(
        room.bridge.events().iter().map(|event| event.connection).max(),
        Some(1)
    );
    room.meetd.stop();
}

fn last_connection(frames: &[Value]) -> Option<(String, String)> {
    let last = frames
        .iter()
        .rfind(|frame| action(frame) == "ConnectionStatusChanged")?;
    let text = |name: &str| last["payload"][name].as_str().map(str::to_owned);
    Some((text("status")?, text("reason")?))
}
