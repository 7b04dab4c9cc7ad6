//! baresip as a peer: a directory with its configuration, driven and watched by its ctrl_tcp module.

#![allow(dead_code, reason = "the benchmark uses a part of it")]

use std::net::SocketAddr;
use std::path::Path;
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
    /// How often its counters were asked for.
    asked: usize,
    _folder: TempDir,
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
        let baresip = programs::find("baresip", "baresip-core")?;
        let folder = TempDir::with_prefix("meetd-baresip-").unwrap();
        let (port, control) = (programs::free_port(), programs::free_port());
        write_tone(&folder.path().join("tone.wav"));
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let mut config = configuration(folder.path(), host.at(port), control);
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
            asked: 0,
            _folder: folder,
        })
    }

    /// Asks for its RTP counters; how many packets it has sent and received, or `None` without a call that is up.
    fn packets(&mut self) -> Option<(u64, u64)> {
        self.asked += 1;
        self.control.command("audio_debug", "");
        let asked = self.asked;
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
        Some((number("TX: packets=")?, number("rcvd=")?))
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
        for _ in 0..100_000 {
            if let Some((sent, received)) = self.packets()
                && sent >= wanted
                && received >= wanted
            {
                return (sent, received);
            }
        }
        panic!("baresip's audio does not flow");
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

fn configuration(folder: &Path, listen: SocketAddr, control: u16) -> String {
    let modules = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    let modules = modules
        .iter()
        .find(|path| Path::new(path).is_dir())
        .unwrap_or(&modules[0]);
    let tone = folder.join("tone.wav");
    format!(
        "sip_listen {listen}
net_interface {address}
audio_source aufile,{tone}
audio_player aubridge,far
audio_alert aubridge,far
ausrc_srate 8000
auplay_srate 8000
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
        tone = tone.display()
    )
}
