//! Who is called: a far end of the tests' own, or sipp with a scenario whose log tells which calls are alive.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::peers::far_end::{FarEnd, Manner, Seen};
use crate::peers::programs::{self, Program, Skipped};

/// How often sipp's log is looked at: a file wakes nobody.
const LOOK: Duration = Duration::from_millis(5);

/// A far end that knows which of its calls are alive.
pub enum Conference {
    Ours(FarEnd),
    Sipp(Sipp),
}

/// A sipp that takes one call after the other.
pub struct Sipp {
    port: u16,
    program: Program,
    folder: TempDir,
}

impl Conference {
    pub fn ours() -> Self {
        Self::Ours(FarEnd::start(Manner::Answer {
            after: Duration::ZERO,
        }))
    }

    pub fn sipp() -> Result<Self, Skipped> {
        let sipp = programs::find("sipp", "sip-tester")?;
        let folder = TempDir::with_prefix("meetd-chaos-").unwrap();
        let port = programs::free_port();
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/conference.xml");
        let mut command = Command::new(sipp);
        command
            .arg("-sf")
            .arg(scenario)
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"])
            .args(["-default_behaviors", "none", "-trace_logs"])
            .args(["-log_file", "calls.log"])
            .args(["-trace_msg", "-message_file", "messages.log"])
            .current_dir(folder.path())
            .env("TERM", "dumb");
        let program = programs::start(&mut command);
        programs::wait_until_listening(&program, port);
        Ok(Self::Sipp(Sipp {
            port,
            program,
            folder,
        }))
    }

    pub fn endpoint(&self) -> String {
        match self {
            Self::Ours(far_end) => far_end.endpoint(),
            Self::Sipp(sipp) => format!("sip:conference@127.0.0.1:{}", sipp.port),
        }
    }

    /// Where it keeps what it saw, if it keeps anything.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Ours(_) => None,
            Self::Sipp(sipp) => Some(sipp.folder.path()),
        }
    }

    /// How the next calls are treated; sipp throws its own dice.
    pub fn behave(&self, manner: Manner) {
        match self {
            Self::Ours(far_end) => far_end.behave(manner),
            Self::Sipp(_) => {}
        }
    }

    /// How many calls came, by their Call-ID.
    pub fn calls(&self) -> usize {
        match self {
            Self::Ours(far_end) => far_end.seen.look(|seen| seen.calls.len()),
            Self::Sipp(sipp) => sipp.calls().len(),
        }
    }

    pub fn alive(&self) -> usize {
        match self {
            Self::Ours(far_end) => far_end.seen.look(alive),
            Self::Sipp(sipp) => sipp.calls().values().filter(|is_alive| **is_alive).count(),
        }
    }

    /// What broke the rules of SIP, as far as it would say so.
    pub fn complaints(&self) -> Vec<String> {
        match self {
            Self::Ours(far_end) => far_end.seen.look(|seen| seen.complaints.clone()),
            Self::Sipp(_) => Vec::new(),
        }
    }

    /// Waits until none of its calls is alive, or until then.
    pub fn wait_until_over(&self, until: Instant) {
        match self {
            Self::Ours(far_end) => {
                far_end
                    .seen
                    .wait_until(until, |seen| (alive(seen) == 0).then_some(()));
            }
            Self::Sipp(sipp) => {
                while self.alive() > 0 && Instant::now() < until {
                    sipp.pause(until.min(Instant::now() + LOOK));
                }
            }
        }
    }

    /// Lets the calls go on until then.
    pub fn pause(&self, until: Instant) {
        match self {
            Self::Ours(far_end) => {
                far_end.seen.wait_until(until, |_| None::<()>);
            }
            Self::Sipp(sipp) => sipp.pause(until),
        }
    }
}

fn alive(seen: &Seen) -> usize {
    seen.calls.iter().filter(|call| !call.phase.is_over()).count()
}

impl Sipp {
    fn pause(&self, until: Instant) {
        let said = &self.program.said;
        let is_over = said.wait_until(until, |said| said.is_over().then_some(()));
        assert!(is_over.is_none(), "sipp is gone");
    }

    /// Every Call-ID, and whether its call is alive.
    fn calls(&self) -> BTreeMap<String, bool> {
        let log = std::fs::read_to_string(self.folder.path().join("calls.log")).unwrap_or_default();
        let words = log.lines().filter_map(|line| line.split_once(' '));
        words
            .map(|(word, call)| (call.to_owned(), word == "begun"))
            .collect()
    }
}
