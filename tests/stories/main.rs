//! What meetd promises, told with the real process, a bridge and a far end around it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "stories run on real time, and every function in this binary serves a test"
)]

#[path = "../peers/mod.rs"]
mod peers;

mod bad_bridges;
mod bad_disks;
mod bad_far_ends;
mod bad_input;
mod commands;
mod deadlines;
mod digits;
mod doctor;
mod endings;
mod equipment;
mod joining;
mod local_link;
mod metrics;
mod microphone;
mod refusals;
mod reload;
mod secrets;
mod strangers;
mod tables;
