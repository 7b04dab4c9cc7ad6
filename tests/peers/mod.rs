//! Everything around meetd that tests need, written without a line of meetd's own code: a bridge, a SIP far end with
//! audio, a tap on the wire between the two, guards for the daemon and for foreign programs.
//!
//! All of it waits for conditions, never for durations: [`Watched::wait_for`] gives up after [`HANG_GUARD`], which
//! only a fault can reach.

#![allow(dead_code, reason = "each test binary uses the peers it needs")]
#![allow(
    clippy::disallowed_methods,
    reason = "peers are the world: they read real clocks and wait on real sockets"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a peer that cannot go on fails its test, and says why"
)]

use std::fmt::Debug;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub mod bad_network;
pub mod bridge;
pub mod canaries;
pub mod conduct;
pub mod daemon;
pub mod directives;
pub mod far_end;
pub mod frames;
pub mod hearing;
pub mod local_client;
pub mod netstring;
pub mod programs;
pub mod room;
pub mod sdp;
pub mod sip_text;
pub mod sound;
pub mod speech;
pub mod tap;
pub mod telephone;
pub mod tls_front;

/// How long anything may take before a test says that it hangs.
pub const HANG_GUARD: Duration = Duration::from_secs(30);

/// A value that one thread changes while another waits for what it wants to see in it.
#[derive(Debug, Default)]
pub struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T: Debug> Watched<T> {
    /// Starts with this value.
    pub fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    /// Changes the value and wakes everyone who waits.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Looks at the value as it is.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Waits until the question has an answer; panics with everything seen so far when it never has one.
    #[track_caller]
    pub fn wait_for<R>(&self, what: &str, question: impl FnMut(&T) -> Option<R>) -> R {
        match self.wait_until(Instant::now() + HANG_GUARD, question) {
            Some(answer) => answer,
            None => {
                let seen = self.look(|value| format!("{value:#?}"));
                panic!("{what}: not seen within {HANG_GUARD:?}; seen so far: {seen}")
            }
        }
    }

    /// Waits until the question has an answer or this moment has come.
    pub fn wait_until<R>(&self, until: Instant, mut question: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let mut value = self.lock();
        loop {
            if let Some(answer) = question(&value) {
                return Some(answer);
            }
            let left = until.checked_duration_since(Instant::now())?;
            value = self
                .changed
                .wait_timeout(value, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
