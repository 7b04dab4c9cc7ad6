//! What the stories do with the booted machine: run programs, wait for what units become.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::peers::HANG_GUARD;

/// Runs a line of shell, and wants it to succeed; what it said on standard output.
#[track_caller]
pub fn sh(line: &str) -> String {
    let output = try_sh(line);
    assert!(
        output.status.success(),
        "{line}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs a line of shell.
pub fn try_sh(line: &str) -> Output {
    Command::new("sh").args(["-c", line]).output().unwrap()
}

/// What the service manager says of the unit.
#[track_caller]
pub fn property(name: &str) -> String {
    sh(&format!("systemctl show --value --property={name} meetd.service"))
}

/// Asks until the answer is the right one.
#[track_caller]
pub fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let until = Instant::now() + HANG_GUARD;
    while !is_true() {
        assert!(Instant::now() < until, "{what}: not within {HANG_GUARD:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
