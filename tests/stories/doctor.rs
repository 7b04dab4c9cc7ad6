//! Rooms broken in the usual ways: `meetd doctor` names each cause, and what to do.

use std::process::Output;

use crate::peers::bridge::{Bridge, Welcome};
use crate::peers::daemon::Home;
use crate::peers::room::Room;

const TOKEN: &str = "bridge-token-canary-51fe";

#[test]
fn a_running_daemon_is_asked_and_not_disturbed() {
    let room = Room::open();
    let (lines, code) = told(&examine(&room.home));
    assert!(
        has(&lines, "ok bridge: the daemon is connected to ws://127.0.0.1:"),
        "{lines}"
    );
    assert!(has(&lines, "ok sip: entries in calls.allow: 1"), "{lines}");
    assert_eq!(lines.lines().count(), 7, "{lines}");
    assert_eq!(code, 0, "{lines}");
    let connections = room.bridge.events().iter().map(|event| event.connection).max();
    assert_eq!(connections, Some(1), "the doctor connected a second time");
    room.meetd.stop();
}

#[test]
fn without_a_daemon_the_bridge_is_tried_once() {
    let bridge = Bridge::start_with(Welcome::Accept, Some(TOKEN));
    let mut home = Home::new(&bridge);
    home.set("bridge.token_file", "\"token\"");
    home.write("token", TOKEN);
    let (lines, code) = told(&examine(&home));
    assert!(
        has(&lines, "warn bridge: ") && lines.contains("let us in"),
        "{lines}"
    );
    assert_eq!(code, 0, "{lines}");
    bridge.wait_for_connection(1);
}

#[test]
fn a_wrong_token_is_named_and_not_shown() {
    let bridge = Bridge::start_with(Welcome::Accept, Some("another-token-canary-19b0"));
    let mut home = Home::new(&bridge);
    home.set("bridge.token_file", "\"token\"");
    home.write("token", TOKEN);
    let (lines, code) = told(&examine(&home));
    assert!(has(&lines, "fail bridge: "), "{lines}");
    assert!(
        lines.contains("HTTP 401") && lines.contains("bridge.token_file"),
        "{lines}"
    );
    assert!(!lines.contains(TOKEN), "{lines}");
    assert_eq!(code, 1);
}

#[test]
fn a_wrong_host_an_empty_dial_list_and_a_missing_voice_are_found_at_once() {
    let bridge = Bridge::start();
    let mut home = Home::new(&bridge);
    home.set("bridge.url", "\"wss://bridge.invalid/rooms/1\"")
        .set("calls.allow", "[]")
        .set("media.input", "\"file:/nowhere/voice.wav\"");
    let (lines, code) = told(&examine(&home));
    for line in [
        "fail dns: bridge.url names bridge.invalid",
        "fail bridge: wss://bridge.invalid/rooms/1",
        "fail sip: calls.allow is empty",
        "fail audio: media.input is \"file:/nowhere/voice.wav\"",
    ] {
        assert!(has(&lines, line), "{line:?} is not in:\n{lines}");
    }
    assert_eq!(code, 1);
}

fn examine(home: &Home) -> Output {
    let config = home.write("meetd.toml", &home.text());
    home.run(&["--config", &config.to_string_lossy(), "doctor"])
}

fn told(output: &Output) -> (String, i32) {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    (lines, output.status.code().unwrap())
}

fn has(lines: &str, beginning: &str) -> bool {
    lines.lines().any(|line| line.starts_with(beginning))
}
