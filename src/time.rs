//! Time as an argument: what the pure machines know of clocks. Only `edge::clock` reads one.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the clock that never jumps: time since boot, time in suspend included (`CLOCK_BOOTTIME`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The moment this long after boot.
    pub const fn since_boot(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after boot this is.
    pub const fn elapsed_since_boot(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

/// The time from one moment to a later one; zero when it is not later.
impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What every input of a machine carries: when it happened, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub moment: Moment,
    /// For people, meetings and certificates; it jumps when somebody sets the clock.
    pub wall: jiff::Timestamp,
}

/// When a machine wants to be woken, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment from which it is due.
    pub at: Moment,
    /// A few words for logs and for the simulation's "no state waits for ever".
    pub why: &'static str,
}

impl Deadline {
    /// The deadline `after` from `now`.
    pub fn after(now: Now, after: Duration, why: &'static str) -> Self {
        Self {
            at: now.moment + after,
            why,
        }
    }

    /// Whether its moment has come.
    pub fn is_due(&self, now: Now) -> bool {
        self.at <= now.moment
    }

    /// The earliest of several.
    pub fn earliest(of: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        of.into_iter().flatten().min_by_key(|deadline| deadline.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_never_underflow() {
        let early = Moment::since_boot(Duration::from_secs(1));
        let late = early + Duration::from_secs(2);
        assert_eq!(late - early, Duration::from_secs(2));
        assert_eq!(early - late, Duration::ZERO);
    }

    #[test]
    fn the_earliest_deadline_wins() {
        let at = |seconds| Deadline {
            at: Moment::since_boot(Duration::from_secs(seconds)),
            why: "test",
        };
        assert_eq!(Deadline::earliest([Some(at(3)), None, Some(at(2))]), Some(at(2)));
        assert_eq!(Deadline::earliest([None]), None);
    }
}
