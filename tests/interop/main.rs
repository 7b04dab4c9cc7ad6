//! meetd and its test peers with programs that others wrote: sipp, baresip, tshark, Python's websockets.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this binary is its own test harness, on real time, and every story in it is a test"
)]

#[path = "../peers/mod.rs"]
mod peers;

mod far_end_itself;
mod runner;
mod sipp;

use runner::Story;

const STORIES: &[Story] = &[
    ("far_end_itself::sipp_can_call_our_far_end_over_udp", far_end_itself::sipp_can_call_our_far_end_over_udp),
    ("far_end_itself::sipp_can_call_our_far_end_over_tcp", far_end_itself::sipp_can_call_our_far_end_over_tcp),
];

fn main() -> std::process::ExitCode {
    runner::run(STORIES)
}
