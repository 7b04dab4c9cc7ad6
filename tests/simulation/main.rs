//! The whole daemon in virtual time: the real agent in a pretend world.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "every function in this binary serves a test"
)]

mod far_end;
mod stories;
mod world;
