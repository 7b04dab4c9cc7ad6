//! baresip as a peer: a directory with its configuration, driven and watched by its ctrl_tcp module.

#![allow(dead_code, reason = "the benchmark uses a part of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::peers::netstring::Control;
use crate::peers::programs::{self, Host, Program, Skipped};

/// A running baresip.
pub struct Baresip {
    /// Where it takes calls.
    pub port: u16,
    /// At this address.
    pub host: Host,
    /// Its ctrl_tcp.
    pub control: Control,
    /// The process.
    pub program: Program,
    folder: TempDir,
}

impl Baresip {
    /// Starts one that answers by itself and plays a tone of 600 Hz from a file.
    pub fn start() -> Result<Self, Skipped> {
        Self::start_with("")
    }

    /// The same, with these parameters of its account: `;mediaenc=srtp-mand`.
    pub fn start_with(account: &str) -> Result<Self, Skipped> {
        Self::start_at(Host::V4, account)
    }

    /// The same, there.
    pub fn start_at(host: Host, account: &str) -> Result<Self, Skipped> {
        Self::start_as(host, account, 8000, |folder| {
            let tone = folder.join("tone.wav");
            write_tone(&tone);
            (tone, String::new())
        })
    }

    /// One that speaks a file in this codec alone, and records what it hears. The file is written by `write` at the
    /// codec's own rate: baresip's resampler leaves little of a voice above 1.2 kHz.
    pub fn speaking(codec: &str, write: impl FnOnce(&Path, u32)) -> Result<Self, Skipped> {
        let (its_name, rate) = match codec {
            "opus" => ("opus/48000/2", 48_000),
            "g722" => ("G722/16000/1", 16_000),
            "pcma" => ("PCMA/8000/1", 8000),
            _ => ("PCMU/8000/1", 8000),
        };
        Self::start_as(Host::V4, &format!(";audio_codecs={its_name}"), rate, |folder| {
            let said = folder.join("said.wav");
            write(&said, rate);
            let recorder = format!("module sndfile.so\nsnd_path {}\n", folder.display());
            (said, recorder)
        })
    }

    /// What it says and further lines of its configuration are known once it has a folder.
    fn start_as(
        host: Host,
        account: &str,
        rate: u32,
        more: impl FnOnce(&Path) -> (PathBuf, String),
    ) -> Result<Self, Skipped> {
        let baresip = programs::find("baresip", "baresip-core")?;
        let folder = TempDir::with_prefix("meetd-baresip-").unwrap();
        let (port, control) = (programs::free_port(), programs::free_port());
        let (said, more) = more(folder.path());
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let mut config = configuration(&said, rate, host.at(port), control) + &more;
        for (codec, module) in [("G722", "g722.so"), ("opus", "opus.so")] {
            if account.contains(codec) {
                config.push_str(&format!("module {module}\n"));
            }
        }
        write("config", config);
        write(
            "accounts",
            format!("<sip:far@127.0.0.1>;regint=0;answermode=auto{account}\n"),
        );
        write("contacts", String::new());
        let only = match host {
            Host::V4 => "-4",
            Host::V6 => "-6",
        };
        let program = programs::start(Command::new(baresip).args([only, "-f"]).arg(folder.path()));
        let ready = program.said.wait_for("baresip to be ready", |said| {
            let ready = said.lines.iter().any(|line| line.contains("baresip is ready"));
            (ready || said.is_over()).then_some(ready)
        });
        assert!(ready, "baresip did not start");
        let control = Control::connect(([127, 0, 0, 1], control).into());
        Ok(Self {
            port,
            host,
            control,
            program,
            folder,
        })
    }

    /// What it said and what it heard in the call that is over: files in its folder, as its encoder got the one and its
    /// decoder gave the other.
    pub fn recordings(&self) -> [PathBuf; 2] {
        self.control.wait_for("the end of the call", |heard| {
            let closed = |(_, value): &(_, Value)| value["type"] == "CALL_CLOSED";
            heard.iter().any(closed).then_some(())
        });
        ["-enc.wav", "-dec.wav"].map(|end| {
            let files = std::fs::read_dir(self.folder.path()).unwrap();
            let mut files = files.map(|file| file.unwrap().path());
            let recording = files.find(|file| file.to_string_lossy().ends_with(end));
            recording.expect("a file of baresip's module sndfile")
        })
    }

    /// The digits it heard so far.
    pub fn digits(&self) -> String {
        let events = self.control.events("CALL_DTMF_START");
        events
            .iter()
            .filter_map(|event| event["param"].as_str())
            .collect()
    }

    /// Asks for its RTP counters until it has sent and received this many packets; returns both.
    #[track_caller]
    pub fn wait_for_packets(&mut self, wanted: u64) -> (u64, u64) {
        for asked in 1.. {
            self.control.command("audio_debug", "");
            let shown = self.control.wait_for("the answer to audio_debug", |heard| {
                let answers = heard
                    .iter()
                    .map(|(_, value)| value)
                    .filter(|value| value["token"] == "audio_debug");
                answers
                    .clone()
                    .nth(asked - 1)
                    .map(|answer: &Value| answer["data"].to_string())
            });
            let number = |before: &str| {
                let (_, rest) = shown.rsplit_once(before)?;
                rest.split(|character: char| !character.is_ascii_digit())
                    .next()?
                    .parse::<u64>()
                    .ok()
            };
            if let (Some(sent), Some(received)) = (number("TX: packets="), number("rcvd="))
                && sent >= wanted
                && received >= wanted
            {
                return (sent, received);
            }
            assert!(asked < 100_000, "baresip's audio does not flow: {shown}");
        }
        unreachable!("the loop ends above")
    }
}

/// Ten seconds of a sine wave as 16-bit PCM at 8 kHz (RIFF).
fn write_tone(path: &Path) {
    let sample =
        |index: u32| (16384.0 * (f64::from(index) * 600.0 / 8000.0 * std::f64::consts::TAU).sin()) as i16;
    let samples: Vec<u8> = (0..80_000)
        .flat_map(|index| sample(index).to_le_bytes())
        .collect();
    let size = samples.len() as u32;
    let mut file = [b"RIFF".as_slice(), &(size + 36).to_le_bytes(), b"WAVEfmt "].concat();
    file.extend(16u32.to_le_bytes());
    file.extend([1, 0, 1, 0]);
    file.extend(8000u32.to_le_bytes());
    file.extend(16000u32.to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend([b"data".as_slice(), &size.to_le_bytes(), &samples].concat());
    std::fs::write(path, file).unwrap();
}

fn configuration(said: &Path, rate: u32, listen: SocketAddr, control: u16) -> String {
    let modules = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    let modules = modules
        .iter()
        .find(|path| Path::new(path).is_dir())
        .unwrap_or(&modules[0]);
    format!(
        "sip_listen {listen}
net_interface {address}
audio_source aufile,{said}
audio_player aubridge,far
audio_alert aubridge,far
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
rtp_ports 7000-9999
rtp_stats yes
module_path {modules}
module g711.so
module srtp.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
",
        address = listen.ip(),
        said = said.display()
    )
}
