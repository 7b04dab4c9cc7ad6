//! Everything the daemon says to the bridges and local clients of a test, held against our JSON schema by Python's
//! jsonschema: one that we did not write. Where there is no such Python, nothing is held against anything; the interop
//! tests say so, and with `MEETD_REQUIRE_PEERS=1` it is a fault.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use serde_json::Value;

use super::programs::{self, Skipped};

/// What the schema says to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fits this definition.
    Fits(String),
    /// It fits none, because of this.
    Breaks(String),
}

/// Holds frames against the schema, and panics at the first that does not fit. Called when a bridge or a local client of a
/// test goes; a test that fails already is left alone.
pub fn all_fit(frames: &[Value]) {
    if thread::panicking() {
        return;
    }
    let Ok(verdicts) = judge(frames) else { return };
    for (frame, verdict) in frames.iter().zip(verdicts) {
        if let Verdict::Breaks(why) = verdict {
            panic!("meetd sent what the schema does not know: {why}: {frame:#}");
        }
    }
}

/// What the schema says to each of these frames.
pub fn judge(frames: &[Value]) -> Result<Vec<Verdict>, Skipped> {
    static CHECKER: OnceLock<Result<Mutex<Checker>, String>> = OnceLock::new();
    let checker = CHECKER.get_or_init(|| match programs::python() {
        Ok(python) => Ok(Mutex::new(Checker::start(&python))),
        Err(Skipped(why)) => Err(why),
    });
    match checker {
        Ok(checker) => {
            let mut checker = checker.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(frames.iter().map(|frame| checker.judge(frame)).collect())
        }
        Err(why) => Err(Skipped(why.clone())),
    }
}

/// Where the schema is.
pub fn schema() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schemas/frames.json")
}

/// One Python for all tests of this process; it ends with its standard input.
struct Checker {
    frames: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl Checker {
    #[expect(
        clippy::zombie_processes,
        reason = "it serves until this process ends, and ends with it"
    )]
    fn start(python: &Path) -> Self {
        let mut child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/check_frames.py"))
            .arg(schema())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            frames: child.stdin.take().unwrap(),
            verdicts: BufReader::new(child.stdout.take().unwrap()),
        }
    }

    fn judge(&mut self, frame: &Value) -> Verdict {
        let mut line = String::new();
        let asked = writeln!(self.frames, "{frame}").and_then(|()| self.verdicts.read_line(&mut line));
        let read = asked.expect("the checker of frames has ended");
        assert!(read > 0, "the checker of frames has ended");
        match line.trim_end().split_once(' ') {
            Some(("ok", kind)) => Verdict::Fits(kind.to_owned()),
            Some(("bad", why)) => Verdict::Breaks(why.to_owned()),
            _ => panic!("the checker of frames said {line:?}"),
        }
    }
}
