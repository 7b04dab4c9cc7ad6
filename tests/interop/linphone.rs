//! linphone as a peer: its auto-answerer, which plays a file to whoever calls, and its shell, which records as well.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};

use tempfile::TempDir;

use crate::peers::directives::{self, outcome};
use crate::peers::programs::{self, Program, Skipped};
use crate::peers::room::Room;
use crate::sipp::Over;
use crate::speech_stories::Speaker;

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

/// linphone's shell with files in the place of a sound card: it speaks one and records into another.
pub struct Linphone {
    port: u16,
    said: PathBuf,
    recording: PathBuf,
    program: Program,
    told: ChildStdin,
    _folder: TempDir,
}

impl Linphone {
    /// Starts one that answers by itself in this codec alone.
    pub fn speaking(codec: &str, write: impl FnOnce(&Path, u32)) -> Result<Self, Skipped> {
        let linphone = programs::find("linphonec", "linphone-cli")?;
        let folder = TempDir::with_prefix("meetd-linphone-").unwrap();
        let (home, said) = (folder.path(), folder.path().join("said.wav"));
        write(&said, 16_000);
        for name in [".local/share/linphone", ".config/linphone"] {
            std::fs::create_dir_all(home.join(name)).unwrap();
        }
        let (port, recording) = (programs::free_port(), home.join("heard.wav"));
        let rtp = programs::free_port();
        std::fs::write(home.join("linphonerc"), configuration(codec, port, rtp)).unwrap();
        let mut command = Command::new(linphone);
        command
            .args(["-a", "-c"])
            .arg(home.join("linphonerc"))
            .env("HOME", home)
            .current_dir(home);
        let (program, told) = programs::start_told(&mut command);
        let mut linphone = Self {
            port,
            said,
            recording,
            program,
            told,
            _folder: folder,
        };
        linphone.tell("soundcard use files");
        let recording = linphone.recording.display().to_string();
        linphone.tell(&format!("record {recording}"));
        programs::wait_until_listening(&linphone.program, port);
        Ok(linphone)
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.told, "{command}").unwrap();
    }
}

impl Speaker for Linphone {
    fn port(&self) -> u16 {
        self.port
    }

    fn begin(&mut self) {
        let said = self.said.display().to_string();
        self.tell(&format!("play {said}"));
    }

    fn recording(&mut self) -> PathBuf {
        self.tell("quit");
        self.program.wait();
        self.recording.clone()
    }
}

fn configuration(codec: &str, port: u16, rtp: u16) -> String {
    let codecs = [("opus", 48_000), ("PCMU", 8000), ("PCMA", 8000), ("G722", 8000)];
    let codecs: String = codecs
        .iter()
        .enumerate()
        .map(|(at, (mime, rate))| {
            let is_enabled = u8::from(mime.eq_ignore_ascii_case(codec));
            format!("[audio_codec_{at}]\nmime={mime}\nrate={rate}\nchannels=1\nenabled={is_enabled}\n")
        })
        .collect();
    format!(
        "[sip]\nsip_port={port}\nsip_tcp_port=0\nsip_tls_port=0\nuse_ipv6=0\nbind_address=127.0.0.1\n\
         [rtp]\naudio_rtp_port={rtp}\nbind_address=127.0.0.1\n[sound]\nechocancellation=0\n[video]\nenabled=0\n{codecs}"
    )
}

/// The loudest sample of a file of 16-bit PCM (RIFF).
fn loudest(file: &Path) -> u16 {
    let bytes = std::fs::read(file).unwrap();
    let samples = bytes[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    samples.map(i16::unsigned_abs).max().unwrap_or(0)
}
