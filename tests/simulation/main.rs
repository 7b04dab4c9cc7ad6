//! The whole daemon in virtual time: the real agent in a pretend world.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "every function in this binary serves a test, and the figures are printed"
)]

mod checks;
mod disk;
mod far_end;
mod frames;
mod log;
mod names;
mod network;
mod once;
#[path = "../peers/mod.rs"]
mod peers;
mod plan;
mod reference;
mod run;
mod seeds;
mod stories;
mod world;
