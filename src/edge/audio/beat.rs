//! The beat of the pacer: deadlines that do not drift, and waiting for them. Sleeping and reading must be on one
//! clock, so this is the one place beside the clock's own that reads one.

use std::net::UdpSocket;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, clock_gettime};

use crate::media::TICK;

/// Up to this much is caught up by ticking faster; more is skipped. Five packets at once do no far end harm.
const CATCH_UP: Duration = Duration::from_millis(100);

/// `CLOCK_MONOTONIC`.
pub fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// A row of moments, [`TICK`] apart.
pub struct Beat {
    due: Duration,
}

impl Beat {
    /// The first is now.
    pub fn begin(now: Duration) -> Self {
        Self { due: now }
    }

    /// When the next tick is due.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Goes on to the next; how many are over already and shall be skipped.
    pub fn next(&mut self, now: Duration) -> u32 {
        self.due += TICK;
        let late = now.saturating_sub(self.due);
        if late <= CATCH_UP {
            return 0;
        }
        let missed = u32::try_from(late.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX);
        self.due += TICK * missed;
        missed
    }
}

/// Sleeps until then.
pub fn sleep_until(at: Duration) {
    let at = timespec(at);
    // A signal ends the sleep early; the deadline stands.
    while clock_nanosleep_absolute(ClockId::Monotonic, &at) == Err(rustix::io::Errno::INTR) {}
}

/// Waits for a datagram on one of these, at most until then. Whether one is there.
pub fn readable_before<'a>(sockets: impl Iterator<Item = &'a UdpSocket> + Clone, until: Duration) -> bool {
    loop {
        let left = until.saturating_sub(now());
        if left.is_zero() {
            return false;
        }
        let mut watched: Vec<_> = sockets
            .clone()
            .map(|socket| PollFd::new(socket, PollFlags::IN))
            .collect();
        match poll(&mut watched, Some(&timespec(left))) {
            Ok(ready) if ready > 0 => return true,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                sleep_until(until);
                return false;
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_delays_are_caught_up_without_drift() {
        let mut beat = Beat::begin(Duration::from_secs(5));
        for at in 1..=1000 {
            let late = Duration::from_millis(at % 100);
            assert_eq!(beat.next(Duration::from_secs(5) + TICK * at as u32 + late), 0);
        }
        assert_eq!(beat.due(), Duration::from_secs(25));
    }

    #[test]
    fn after_a_long_stop_the_missed_ticks_are_skipped() {
        let mut beat = Beat::begin(Duration::ZERO);
        let now = Duration::from_millis(5007);
        assert_eq!(beat.next(now), 249);
        assert_eq!(beat.due(), Duration::from_secs(5));
    }

    #[test]
    fn waiting_ends_at_its_deadline_and_not_before() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let until = now() + TICK;
        assert!(!readable_before([&socket].into_iter(), until));
        assert!(now() >= until);
        let until = now() + TICK;
        sleep_until(until);
        assert!(now() >= until);
    }

    #[test]
    fn a_datagram_ends_the_waiting() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        assert!(readable_before(
            [&socket].into_iter(),
            now() + Duration::from_secs(10)
        ));
    }
}
