//! On the machine of whoever runs the tests: may a container be booted here, and what did it tell?

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What `boot` exits with when no machine can be booted here (EX_TEMPFAIL of sysexits.h).
const NO_MACHINE: i32 = 75;

/// Boots the machine and shows what its stories told; without the means it says which are missing.
pub fn run() -> ExitCode {
    let Some(package) = std::env::var_os("MEETD_PACKAGE") else {
        println!("systemd: skipped: make test-systemd makes the package and boots a machine for it");
        return ExitCode::SUCCESS;
    };
    if let Some(why) = what_is_missing() {
        println!("systemd: skipped: {why}");
        return ExitCode::SUCCESS;
    }
    let share = tempfile::Builder::new()
        .prefix("meetd-systemd-")
        .tempdir()
        .unwrap();
    let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/boot");
    let status = Command::new(boot)
        .arg(std::env::current_exe().unwrap())
        .arg(package)
        .arg(share.path())
        .status()
        .unwrap();
    if status.code() == Some(NO_MACHINE) {
        println!("systemd: skipped: see the line before");
        return ExitCode::SUCCESS;
    }
    let told = fs::read_to_string(share.path().join("told")).unwrap_or_default();
    print!("{told}");
    if told.lines().last() == Some("systemd: all stories are true") {
        return ExitCode::SUCCESS;
    }
    println!("systemd: failed; the machine ended with {status}");
    ExitCode::FAILURE
}

fn what_is_missing() -> Option<String> {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    if !is_root {
        return Some("systemd-nspawn needs root".to_owned());
    }
    let programs = ["systemd-nspawn", "mmdebstrap", "unshare"];
    let missing = programs.iter().find(|program| {
        !Command::new(program)
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success())
    });
    if let Some(program) = missing {
        return Some(format!("there is no {program}"));
    }
    // In a container that may not mount there is no booting another one.
    let may_mount = Command::new("unshare")
        .args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"])
        .output()
        .is_ok_and(|output| output.status.success());
    (!may_mount).then(|| "this machine lets nobody mount, not even root".to_owned())
}
