//! What a person at the machine does.

use std::time::Duration;

use crate::peers::daemon::Home;
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::room::Room;

#[test]
fn join_and_end_from_the_command_line() {
    let far_end = FarEnd::asking_for("4321987");
    let room = Room::open();
    let endpoint = far_end.endpoint();
    let joined = room.home.run_with(
        &[
            "join",
            "--endpoint",
            &endpoint,
            "--protocol",
            "SIP",
            "--id",
            "standup",
            "--pin-stdin",
        ],
        "4321987\n",
    );
    assert_eq!(joined.status.code(), Some(0), "{joined:?}");
    far_end.wait_for("the PIN", |seen| seen.calls.last()?.pin_at);
    let ended = room.home.run(&["end"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    far_end.wait_for_phase(Phase::TheyLeft);
    room.meetd.stop();
}

#[test]
fn a_refused_join_says_why_in_one_line_and_exits_with_1() {
    let far_end = FarEnd::start(Manner::Refuse(486, "Busy Here"));
    let room = Room::open();
    let refused = room
        .home
        .run(&["join", "--endpoint", &far_end.endpoint(), "--protocol", "sip"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = [refused.stdout, refused.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("ENDPOINT_BUSY") && said.trim().lines().count() == 1,
        "{said:?}"
    );
    room.meetd.stop();
}

#[test]
fn status_tells_everything_the_contract_names() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    let idle = room.home.status();
    let keys = [
        "version",
        "endpointId",
        "connection",
        "local",
        "auth",
        "dialogs",
        "call",
        "lastCall",
        "registered",
        "power",
        "volume",
        "muted",
        "lastError",
    ];
    for key in keys {
        assert!(idle.get(key).is_some(), "status --json has no {key}: {idle:#}");
    }
    assert_eq!(
        (
            idle["connection"]["status"].as_str(),
            idle["connection"]["reason"].as_str()
        ),
        (Some("CONNECTED"), Some("SUCCESS"))
    );
    assert!(idle["call"].is_null() && idle["lastCall"].is_null());
    room.bridge
        .ask(&crate::peers::directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("ACTIVE");
    let call = room.home.status()["call"].clone();
    for key in [
        "callId",
        "state",
        "protocol",
        "remote",
        "provider",
        "since",
        "transport",
        "codec",
        "srtp",
        "microphone",
        "media",
    ] {
        assert!(call.get(key).is_some(), "call has no {key}: {call:#}");
    }
    for key in [
        "rxPackets",
        "txPackets",
        "lossPercent",
        "jitterMs",
        "rttMs",
        "concealedPercent",
        "mos",
    ] {
        assert!(
            call["media"].get(key).is_some(),
            "call.media has no {key}: {call:#}"
        );
    }
    assert_eq!(
        (call["srtp"].as_bool(), call["transport"].as_str()),
        (Some(false), Some("udp"))
    );
    let words = room.home.run(&["status"]);
    assert!(words.status.success() && !words.stdout.is_empty(), "{words:?}");
    room.meetd.stop();
    far_end.wait_until_all_is_over();
}

#[test]
fn a_status_that_is_watched_tells_each_change_once() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    let mut command = room.home.command(&["status", "--watch", "--json"]);
    let watch = crate::peers::programs::start(&mut command);
    watch.wait_for_line("\"call\":null");
    room.bridge
        .ask(&crate::peers::directives::join(&far_end.endpoint()));
    watch.wait_for_line("\"state\":\"ACTIVE\"");
    room.bridge.ask(&crate::peers::directives::end());
    let over = "\"call\":null,\"lastCall\":{";
    watch.wait_for_line(over);
    let words = room.home.command(&["status", "--watch"]);
    let words = crate::peers::programs::start(&mut { words });
    words.wait_for_line("last call");

    room.meetd.stop();
    let (mut watch, mut words) = (watch, words);
    assert_eq!(watch.wait().code(), Some(1), "{}", watch.log());
    assert_eq!(words.wait().code(), Some(1));
    let lines: Vec<serde_json::Value> = watch
        .log()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let states: Vec<_> = lines
        .iter()
        .map(|line| line["call"]["state"].as_str().unwrap_or("none"))
        // Some far ends ring before they answer at once.
        .filter(|state| *state != "OUTBOUND_RINGING")
        .collect();
    let mut changes = states.clone();
    changes.dedup();
    assert_eq!(changes, ["none", "DIALING", "ACTIVE", "none"], "{states:?}");
    let mut different = lines.clone();
    different.dedup();
    assert_eq!(different.len(), lines.len(), "a line came twice");
}

#[test]
fn commands_without_a_daemon_exit_with_3() {
    let home = Home::empty();
    for arguments in [
        &["status", "--json"][..],
        &["status", "--watch"],
        &["end"],
        &["join", "--endpoint", "127.0.0.1", "--protocol", "sip"],
    ] {
        let output = home.run(arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
fn a_wrong_configuration_is_named_by_check_and_by_run_with_78() {
    let home = Home::empty();
    let file = home.write(
        "meetd.toml",
        "[room]\nendpoint_id = \"room\"\n\n[bridge]\nurl = \"ws://127.0.0.1:1/\"\nping_intervall = \"5s\"\n",
    );
    let file = file.to_str().unwrap();
    for command in ["check", "run"] {
        let output = home.run(&[command, "--config", file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{command}: {said}");
        let named = said.contains(&format!("{file}:6: bridge.ping_intervall: ")) || command == "run";
        assert!(named && said.contains("ping_interval"), "{command}: {said}");
    }
    let missing = home.run(&["check", "--config", "/nowhere/meetd.toml"]);
    assert_eq!(missing.status.code(), Some(78), "{missing:?}");
}

#[test]
fn a_right_configuration_passes_check() {
    let bridge = crate::peers::bridge::Bridge::start();
    let home = Home::new(&bridge);
    let file = home.write("meetd.toml", &home.text());
    let output = home.run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn wrong_usage_exits_with_2_and_version_with_0() {
    let home = Home::empty();
    assert_eq!(home.run(&["dance"]).status.code(), Some(2));
    let version = home.run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&version.stdout).trim(),
        format!("meetd {}", env!("CARGO_PKG_VERSION"))
    );
}
