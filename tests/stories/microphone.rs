//! What the meeting hears of the room: heard at the far end, and shown by `meetd status`.

use std::time::Duration;

use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::local_client::LocalClient;
use crate::peers::room::Room;

/// G.711 has no exact zero; this is below its smallest step.
const SILENCE_DBFS: f64 = -70.0;

#[test]
fn a_muted_microphone_sends_silence_until_it_is_opened_or_the_call_ends() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    let nothing_to_mute = room.home.run(&["mute", "on"]);
    assert_eq!(nothing_to_mute.status.code(), Some(1), "{nothing_to_mute:?}");
    let join = || room.bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&join()), "Response");
    hears_the_room(&far_end);
    say(&room, &["mute", "on"]);
    assert_eq!(microphone(&room), "muted");
    hears_silence(&far_end);
    say(&room, &["hold", "on"]);
    assert_eq!(microphone(&room), "hold");
    say(&room, &["hold", "off"]);
    assert_eq!(microphone(&room), "muted");
    say(&room, &["mute", "off"]);
    assert_eq!(microphone(&room), "on");
    hears_the_room(&far_end);

    say(&room, &["mute", "on"]);
    say(&room, &["end"]);
    assert_eq!(outcome(&join()), "Response");
    assert_eq!(microphone(&room), "on");
    hears_the_room(&far_end);
    room.meetd.stop();
    far_end.wait_until_all_is_over();
}

#[test]
fn the_meeting_does_not_hear_what_the_room_says_to_its_assistant() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let directory = tempfile::TempDir::with_prefix("meetd-test-").unwrap();
    let socket = directory.path().join("meetd.sock");
    let listen = format!("{socket:?}");
    let room = Room::open_with(&[("local.listen", &listen)]);
    let engine = LocalClient::unix(&socket, &[]);
    // "Alexa, join my meeting": the dialog goes on while the call is answered.
    engine.dialog(2, "LISTENING");
    engine.dialog(2, "THINKING");
    room.bridge
        .wait_for_message("DialogStateChanged", |dialog| dialog["state"] == "THINKING");
    let joined = room.bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&joined), "Response");
    hears_silence(&far_end);
    assert_eq!(microphone(&room), "dialog");
    engine.dialog(2, "SPEAKING");
    engine.dialog(2, "IDLE");
    hears_the_room(&far_end);
    assert_eq!(microphone(&room), "on");
    engine.dialog(3, "LISTENING");
    hears_silence(&far_end);
    // An engine that is gone gives the microphone back.
    drop(engine);
    hears_the_room(&far_end);
    let heard = far_end.seen.look(|seen| seen.calls[0].ear.clone());
    assert_eq!(heard.gaps, 0, "silence is sent, not nothing");
    room.meetd.stop();
    far_end.wait_until_all_is_over();
}

#[track_caller]
fn hears_the_room(far_end: &FarEnd) {
    far_end.wait_for("the room's voice", |seen| {
        seen.calls.last()?.ear.hears(440).then_some(())
    });
}

/// Packets go on, and nothing is in them.
#[track_caller]
fn hears_silence(far_end: &FarEnd) {
    far_end.wait_for("silence", |seen| {
        let ear = &seen.calls.last()?.ear;
        (ear.packets > 0 && ear.level_dbfs() < SILENCE_DBFS).then_some(())
    });
    let packets = |seen: &crate::peers::far_end::Seen| Some(seen.calls.last()?.ear.packets);
    let before = far_end.seen.look(packets);
    far_end.wait_for("the packets go on", |seen| {
        (packets(seen) > before.map(|count| count + 20)).then_some(())
    });
}

#[track_caller]
fn say(room: &Room, arguments: &[&str]) {
    let output = room.home.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn microphone(room: &Room) -> String {
    room.home.status()["call"]["microphone"]
        .as_str()
        .unwrap_or("no call")
        .to_owned()
}
