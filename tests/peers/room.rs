//! A whole room for one test: a bridge, a home and the daemon in it, up to the first snapshot.

use std::time::Instant;

use serde_json::Value;

use super::HANG_GUARD;
use super::bridge::Bridge;
use super::daemon::{Home, Meetd};

/// A daemon that is connected to its bridge and waits for directives.
pub struct Room {
    /// The running daemon; killed first when the test ends.
    pub meetd: Meetd,
    /// Its bridge.
    pub bridge: Bridge,
    /// Where it lives.
    pub home: Home,
}

impl Room {
    /// The usual one.
    #[track_caller]
    pub fn open() -> Self {
        Self::open_with(&[])
    }

    /// One whose configuration has these keys beside the usual ones.
    #[track_caller]
    pub fn open_with(keys: &[(&str, &str)]) -> Self {
        let bridge = Bridge::start();
        let mut home = Home::new(&bridge);
        for (key, value) in keys {
            home.set(key, value);
        }
        home.write("sip-password", "password-canary-88c1\n");
        let meetd = home.start();
        bridge.wait_for_snapshot(1);
        Self { meetd, bridge, home }
    }

    /// Asks `meetd status --json` until it shows what is wanted.
    #[track_caller]
    pub fn wait_for_status<R>(&self, what: &str, mut question: impl FnMut(&Value) -> Option<R>) -> R {
        let until = Instant::now() + HANG_GUARD;
        loop {
            let status = self.home.status();
            match question(&status) {
                Some(answer) => return answer,
                None if Instant::now() > until => panic!("{what}: not in the status: {status:#}"),
                None => {}
            }
        }
    }
}
