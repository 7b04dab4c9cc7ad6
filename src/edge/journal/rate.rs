//! How many lines one place in the code may write: whatever goes wrong, the journal of a month stays readable. Who asks
//! for `debug` or `trace` gets everything.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::{Allowance, Moment};

/// How many lines may come at once: more than anybody does in a room within minutes.
const BURST: u32 = 60;
/// One more for each of these: six calls a minute (`calls.per_minute`) are all told.
const REFILL: Duration = Duration::from_secs(10);

/// File and line of the source.
pub type Place = (&'static str, u32);

/// What every place has left.
#[derive(Debug, Default)]
pub struct Rates(BTreeMap<Place, Rate>);

#[derive(Debug)]
struct Rate {
    allowance: Allowance,
    held_back: u64,
}

impl Rates {
    /// Whether a line may be written: with how many of its place that were held back before it.
    pub fn admit(&mut self, now: Moment, place: Place) -> Option<u64> {
        let rate = self.0.entry(place).or_insert(Rate {
            allowance: Allowance::new(BURST, REFILL),
            held_back: 0,
        });
        if rate.allowance.take(now) {
            Some(std::mem::take(&mut rate.held_back))
        } else {
            rate.held_back += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = ("here.rs", 1);

    #[test]
    fn a_fault_without_end_leaves_a_bounded_journal_that_counts_what_it_lacks() {
        let mut rates = Rates::default();
        let mut written = 0;
        let mut held_back = 0;
        for millisecond in 0..3_600_000 {
            if let Some(before) = rates.admit(at(millisecond), HERE) {
                written += 1;
                held_back += before;
            }
        }
        assert_eq!(written, 60 + 359);
        assert!(held_back > 3_580_000, "{held_back}");
        assert_eq!(rates.admit(at(1), ("elsewhere.rs", 1)), Some(0));
    }

    #[test]
    fn what_people_do_is_told_to_the_last_line() {
        let mut rates = Rates::default();
        for minute in 0..600 {
            for of_minute in 0..6 {
                let now = at(minute * 60_000 + of_minute);
                assert_eq!(rates.admit(now, HERE), Some(0), "minute {minute}");
            }
        }
    }

    fn at(milliseconds: u64) -> Moment {
        Moment::since_boot(Duration::from_millis(milliseconds))
    }
}
