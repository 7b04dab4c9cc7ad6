//! Bridges that misbehave, refuse, or go away.

use std::time::Duration;

use crate::peers::bridge::{Bridge, Happened, Welcome};
use crate::peers::daemon::Home;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

const LARGE: usize = 1024 * 1024;

/// The daemon connects anew and is as good as before.
#[track_caller]
fn recovers(room: Room, connection: usize) -> String {
    room.bridge.wait_for_snapshot(connection);
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.meetd.stop()
}

#[track_caller]
fn wait_for_close(room: &Room, code: Option<u16>) {
    let seen = room.bridge.wait_for("the end of the first connection", |events| {
        events.iter().find_map(|event| match event.what {
            Happened::Over(with) if event.connection == 1 => Some(with),
            _ => None,
        })
    });
    assert_eq!(seen, code);
}

#[test]
fn a_binary_message_is_refused_with_1003() {
    let room = Room::open();
    room.bridge.send_binary(b"\x00\x01\x02");
    wait_for_close(&room, Some(1003));
    recovers(room, 2);
}

#[test]
fn a_message_of_1_mib_is_refused_with_1009() {
    let room = Room::open();
    room.bridge
        .send_text(&format!("{{\"directive\": \"{}\"}}", "x".repeat(LARGE)));
    wait_for_close(&room, Some(1009));
    recovers(room, 2);
}

#[test]
fn frames_that_are_no_directive_are_dropped_and_the_connection_stays() {
    let room = Room::open();
    for text in [
        "{\"directive\": {\"header\"",
        "",
        "null",
        "[]",
        "17",
        "{}",
        "{\"directive\": []}",
        "{\"header\": 3}",
        "\u{0}",
    ] {
        room.bridge.send_text(text);
    }
    room.bridge.send_text(&"[".repeat(60_000));
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    let events = room.bridge.events();
    assert!(
        events
            .iter()
            .all(|event| event.connection == 1 && !matches!(event.what, Happened::Over(_)))
    );
    room.meetd.stop();
}

#[test]
fn an_empty_directive_is_answered_as_invalid() {
    let room = Room::open();
    room.bridge.send_text("{\"directive\": {}}");
    room.bridge.wait_for_frames("an INVALID_DIRECTIVE", |frames| {
        frames
            .iter()
            .any(|frame| outcome(&frame["event"]) == "INVALID_DIRECTIVE")
            .then_some(())
    });
    room.meetd.stop();
}

#[test]
fn a_bridge_that_closes_in_the_middle_of_a_frame_is_connected_anew() {
    let room = Room::open();
    // A text frame that announces 100 bytes (RFC 6455 5.2) and brings 11.
    room.bridge.send_raw(b"\x81\x64{\"directive");
    room.bridge.cut();
    recovers(room, 2);
}

#[test]
fn a_frame_that_breaks_the_websockets_rules_is_survived() {
    let room = Room::open();
    // Reserved bits, a reserved opcode, a mask and an absurd length, whole.
    room.bridge.send_raw(&[0xff; 32]);
    recovers(room, 2);
}

#[test]
fn a_bridge_that_stops_in_the_middle_of_a_frame_is_given_up_by_its_ping() {
    let room = Room::open_with(&[
        ("bridge.ping_interval", "\"0.5s\""),
        ("bridge.ping_timeout", "\"0.5s\""),
    ]);
    // The start of a header that announces 8 more bytes of length.
    room.bridge.send_raw(b"\x81\x7f\x00");
    let log = recovers(room, 2);
    assert!(log.contains("PING_TIMEDOUT"), "given up for another reason");
}

#[test]
fn a_bridge_that_closes_orderly_is_connected_anew() {
    for code in [1000, 1001, 1011, 1012] {
        let room = Room::open();
        room.bridge.close(code);
        recovers(room, 2);
    }
}

#[test]
fn a_rejected_token_is_read_anew_and_told() {
    let bridge = Bridge::start_with(Welcome::Accept, Some("the-right-token"));
    let mut home = Home::new(&bridge);
    home.set("bridge.token_file", "\"bridge-token\"");
    home.write("bridge-token", "an-old-token\n");
    let meetd = home.start();
    bridge.wait_for("a 401", |events| {
        events
            .iter()
            .any(|event| matches!(event.what, Happened::Turned(401)))
            .then_some(())
    });
    let until = std::time::Instant::now() + crate::peers::HANG_GUARD;
    loop {
        let auth = home.status()["auth"].clone();
        if auth["state"] == "EXPIRED" && auth["error"] == "AUTHORIZATION_EXPIRED" {
            break;
        }
        assert!(std::time::Instant::now() < until, "{auth}");
    }
    home.write("bridge-token", "the-right-token\n");
    bridge.wait_for_snapshot(1);
    assert_eq!(home.status()["auth"]["state"], "REFRESHED");
    let log = meetd.stop();
    assert!(
        !log.contains("an-old-token") && !log.contains("the-right-token"),
        "a token is in the log"
    );
}

#[test]
fn a_bridge_that_is_overloaded_or_silent_is_tried_again() {
    for welcome in [
        Welcome::Refuse(503),
        Welcome::Refuse(500),
        Welcome::Refuse(404),
        Welcome::Silent,
    ] {
        let bridge = Bridge::start_with(welcome.clone(), None);
        let mut home = Home::new(&bridge);
        home.set("bridge.handshake_timeout", "\"0.5s\"");
        let meetd = home.start();
        bridge.wait_for(&format!("a second try after {welcome:?}"), |events| {
            let turned = events
                .iter()
                .filter(|event| matches!(event.what, Happened::Turned(_)));
            (turned.count() >= 2).then_some(())
        });
        bridge.welcome(Welcome::Accept);
        bridge.wait_for_snapshot(1);
        assert_eq!(outcome(&bridge.ask(&directives::end())), "Response");
        meetd.stop();
    }
}

#[test]
fn a_call_survives_the_loss_of_the_bridge_and_the_snapshot_tells_of_it() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::from_millis(300),
    });
    let room = Room::open();
    let join = directives::join(&far_end.endpoint());
    room.bridge.send(&join);
    room.bridge.wait_for_call_state("DIALING");
    room.bridge.cut();
    let snapshot = room.bridge.wait_for_snapshot(2);
    let call = &snapshot.last().unwrap()["payload"];
    assert_ne!(call["state"], "IDLE", "{call}");
    assert_eq!(
        outcome(&room.bridge.answer_to(&join)),
        "Response",
        "the event comes after the snapshot"
    );
    far_end.wait_for("the room's tone", |seen| {
        seen.calls.last()?.ear.hears(440).then_some(())
    });
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end.wait_until_all_is_over();
    far_end.seen.look(|seen| assert_eq!(seen.calls.len(), 1));
    room.meetd.stop();
}
