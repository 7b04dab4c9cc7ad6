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

/// How often something may be said: some times at once, then once in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    most: u32,
    every: Duration,
    left: u32,
    /// Up to here the refill has been counted.
    counted: Moment,
}

impl Allowance {
    /// `most` at once, and one more for each `every` that has passed.
    pub const fn new(most: u32, every: Duration) -> Self {
        Self {
            most,
            every,
            left: most,
            counted: Moment::since_boot(Duration::ZERO),
        }
    }

    /// Takes one; whether there was one left.
    pub fn take(&mut self, now: Moment) -> bool {
        let periods = (now - self.counted).as_nanos() / self.every.as_nanos().max(1);
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(periods).min(self.most);
        self.counted = match self.left == self.most {
            true => now,
            false => self.counted + self.every.saturating_mul(periods),
        };
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_spent_and_comes_back_piece_by_piece() {
        let at = |seconds| Moment::since_boot(Duration::from_secs(seconds));
        let mut allowance = Allowance::new(3, Duration::from_secs(10));
        let mut taken = |seconds| allowance.take(at(seconds));
        assert_eq!([100, 100, 100, 100].map(&mut taken), [true, true, true, false]);
        assert_eq!(
            [109, 110, 111, 119, 120].map(&mut taken),
            [false, true, false, false, true]
        );
        assert_eq!(
            [1000, 1000, 1000, 1000].map(&mut taken),
            [true, true, true, false]
        );
        let mut never_refilled = Allowance::new(1, Duration::ZERO);
        assert!(never_refilled.take(at(1)));
    }

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
