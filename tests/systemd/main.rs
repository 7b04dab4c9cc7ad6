//! The package on a real systemd: Debian 12 with systemd as PID 1, told as stories from installing to purging.
//!
//! `make test-systemd` makes the package and sets `MEETD_PACKAGE`; this program then boots the machine with itself in
//! it ([`outside`]) and runs the stories there ([`inside`]).

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this binary is its own test harness, on real time, and every story in it is a test"
)]

use std::process::ExitCode;

#[path = "../peers/mod.rs"]
mod peers;

mod inside;
mod machine;
mod outside;

fn main() -> ExitCode {
    match std::env::var_os("MEETD_STORIES") {
        Some(_) => inside::tell(),
        None => outside::run(),
    }
}
