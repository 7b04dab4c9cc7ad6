//! linphone as a peer: its auto-answerer, which plays a file to whoever calls.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::peers::directives::{self, outcome};
use crate::peers::programs::{self, Skipped};
use crate::peers::room::Room;
use crate::sipp::Over;

/// What comes with it to be played.
const SPEECH: &str = "/usr/share/sounds/linphone/hello8000.wav";
/// A second of audio.
const ENOUGH: u64 = 50;
/// Speech has samples above this, of 32,767; silence has none.
const AUDIBLE: u16 = 1000;

/// It answers, is heard, and is left. It plays and does not listen: its answer is `sendonly`.
pub fn speaks(over: Over) -> Result<(), Skipped> {
    let linphone = programs::find("lp-auto-answer", "linphone-cli")?;
    let folder = TempDir::with_prefix("meetd-linphone-").unwrap();
    for name in [".local/share/linphone", ".config/linphone"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let port = programs::free_port();
    let uri = format!("sip:127.0.0.1:{port}");
    let mut command = Command::new(linphone);
    command
        .args(["--listening-uri", &uri, "--media-file", SPEECH, "--verbose"])
        .env("HOME", folder.path())
        .current_dir(folder.path());
    let linphone = programs::start(&mut command);
    programs::wait_until_listening(&linphone, port);

    let heard = folder.path().join("heard.wav");
    let output = format!("{:?}", format!("file:{}", heard.display()));
    let room = Room::open_with(&[("media.output", &output)]);
    let join = format!("sip:far@127.0.0.1:{port};transport={}", over.name());
    let event = room.bridge.ask(&directives::join(&join));
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge.wait_for_call_state("ACTIVE");
    let media = room.wait_for_status("its audio", |status| {
        let media = &status["call"]["media"];
        let is_enough = media["rxPackets"]
            .as_u64()
            .is_some_and(|packets| packets >= ENOUGH);
        is_enough.then(|| media.clone())
    });
    assert_eq!(media["txPackets"], 0, "nothing is sent to who does not listen");
    assert_eq!(room.home.status()["call"]["transport"], over.name());
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.bridge.wait_for_call_state("IDLE");
    linphone.wait_for_line("LinphoneCallReleased");
    room.meetd.stop();
    assert!(loudest(&heard) > AUDIBLE, "the room heard nothing of {SPEECH}");
    Ok(())
}

/// The loudest sample of a file of 16-bit PCM (RIFF).
fn loudest(file: &Path) -> u16 {
    let bytes = std::fs::read(file).unwrap();
    let samples = bytes[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    samples.map(i16::unsigned_abs).max().unwrap_or(0)
}
