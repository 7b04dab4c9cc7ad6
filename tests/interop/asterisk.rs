//! Asterisk with a conference that asks for a PIN: what most of the world's meetings are made of.
//!
//! Debian 12 has no package of it: `make asterisk` puts that of Debian 11 into a root of its own, in the cache, and
//! says where it is in `MEETD_ASTERISK_ROOT`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::peers::HANG_GUARD;
use crate::peers::directives::{self, outcome};
use crate::peers::programs::{self, Program, Skipped};
use crate::peers::room::Room;
use crate::sipp::Over;
use crate::speech_stories::Speaker;

const PIN: &str = "4321";
const FILES: [&str; 7] = [
    "asterisk.conf",
    "modules.conf",
    "sip.conf",
    "extensions.conf",
    "confbridge.conf",
    "rtp.conf",
    "logger.conf",
];

/// A running Asterisk in that root.
pub struct Asterisk {
    /// Where it takes calls.
    pub port: u16,
    root: PathBuf,
    /// Its configuration, as it is called inside.
    configuration: String,
    /// The process.
    pub program: Program,
    folder: TempDir,
}

impl Asterisk {
    /// Starts one.
    pub fn start() -> Result<Self, Skipped> {
        let root = std::env::var_os("MEETD_ASTERISK_ROOT").map(PathBuf::from);
        let root = root
            .filter(|root| root.join("usr/sbin/asterisk").is_file())
            .ok_or_else(|| {
                Skipped(
                    "there is no root with Asterisk in MEETD_ASTERISK_ROOT (`make asterisk` makes one)"
                        .to_owned(),
                )
            })?;
        let folder = TempDir::with_prefix_in("meetd-asterisk-", root.join("tmp")).unwrap();
        let inside = Path::new("/tmp").join(folder.path().file_name().unwrap());
        let inside = inside.display().to_string();
        let port = programs::free_port();
        for name in FILES {
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/interop/asterisk")
                .join(name);
            let text = std::fs::read_to_string(file)
                .unwrap()
                .replace("@FOLDER@", &inside)
                .replace("@PORT@", &port.to_string())
                .replace("@PIN@", PIN);
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let configuration = format!("{inside}/asterisk.conf");
        let mut command = Command::new("chroot");
        command
            .arg(&root)
            .args(["asterisk", "-f", "-vvv", "-C", &configuration]);
        let program = programs::start(&mut command);
        // It listens before it takes calls.
        program.wait_for_line("Asterisk Ready.");
        Ok(Self {
            port,
            root,
            configuration,
            program,
            folder,
        })
    }

    /// One whose extension 200 speaks what `write` writes and records what it hears.
    pub fn speaking(write: impl FnOnce(&Path, u32)) -> Result<Self, Skipped> {
        let asterisk = Self::start()?;
        write(&asterisk.folder.path().join("said.wav16"), 16_000);
        Ok(asterisk)
    }

    /// What its console says to a command.
    fn ask(&self, question: &str) -> String {
        let mut command = Command::new("chroot");
        command
            .arg(&self.root)
            .args(["asterisk", "-C", &self.configuration, "-rx", question]);
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    }

    /// Waits until the conference has this many people in it.
    #[track_caller]
    fn wait_for_people(&self, wanted: usize) {
        let until = Instant::now() + HANG_GUARD;
        loop {
            let list = self.ask("confbridge list standup");
            let people = list.lines().filter(|line| line.contains("SIP/")).count();
            if people == wanted {
                return;
            }
            assert!(Instant::now() < until, "{people} people, not {wanted}: {list}");
        }
    }
}

impl Speaker for Asterisk {
    fn port(&self) -> u16 {
        self.port
    }

    fn user(&self) -> &'static str {
        "200"
    }

    fn recording(&mut self) -> PathBuf {
        self.program.wait_for_line("End MixMonitor Recording");
        self.folder.path().join("heard.wav16")
    }
}

/// The room gets in by its PIN, and is out again when it leaves.
pub fn a_conference_with_a_pin(over: Over) -> Result<(), Skipped> {
    let asterisk = Asterisk::start()?;
    let room = Room::open_with(&[
        ("calls.dtmf_delay", "\"1s\""),
        ("calls.allow", "[\"100@127.0.0.1\"]"),
    ]);
    let endpoint = format!("sip:100@127.0.0.1:{};transport={}", asterisk.port, over.name());
    let mut join = directives::join(&endpoint);
    join["directive"]["payload"]["meeting"]["pin"] = PIN.into();
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "Response", "{event}");
    asterisk.wait_for_people(1);
    room.wait_for_status("audio both ways", |status| {
        let media = &status["call"]["media"];
        let enough = |name: &str| media[name].as_u64().is_some_and(|packets| packets >= 50);
        (enough("rxPackets") && enough("txPackets")).then_some(())
    });
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.bridge.wait_for_call_state("IDLE");
    asterisk.wait_for_people(0);
    let log = room.meetd.stop();
    assert!(!log.contains(PIN), "the PIN is in the log");
    asterisk.program.terminate();
    Ok(())
}
