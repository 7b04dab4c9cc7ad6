//! What `call.microphone` says, and what brings it about; what the meeting hears then, `microphone.rs` tells.

use std::time::Duration;

use super::Watched;
use crate::peers::bridge::Welcome;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};

#[test]
fn on() {
    says("on", |room| run(room, &["mute", "off"]));
}

#[test]
fn muted() {
    says("muted", |room| run(room, &["mute", "on"]));
}

#[test]
fn dialog() {
    says("dialog", |room| {
        room.panel.dialog(3, "LISTENING");
        room.panel
            .wait_for("DialogStateChanged", |dialog| dialog["state"] == "LISTENING");
    });
}

#[test]
fn hold() {
    says("hold", |room| run(room, &["hold", "on"]));
}

#[track_caller]
fn says(microphone: &str, bring_about: impl Fn(&Watched)) {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    bring_about(&room);
    assert_eq!(room.home.status()["call"]["microphone"], microphone);
    let words = room.home.run(&["status"]);
    let words = String::from_utf8(words.stdout).unwrap();
    let word = match microphone {
        "dialog" => "assistant",
        other => other,
    };
    assert!(words.contains("microphone") && words.contains(word), "{words}");
    room.meetd.stop();
}

#[track_caller]
fn run(room: &Watched, arguments: &[&str]) {
    let output = room.home.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
