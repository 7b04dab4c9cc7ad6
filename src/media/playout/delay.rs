//! How long audio must be held back: packets that were late lately say how late the next ones may be.

use crate::media::RATE;

/// Steps of the histogram, in samples: 5 ms.
const STEP: i64 = RATE as i64 / 200;
/// Steps that are told apart: 320 ms.
const STEPS: usize = 64;
/// What each packet leaves of the weight of those before: half of it is forgotten after seven seconds of 20 ms.
const KEPT: f32 = 0.998;
/// The share of packets that may come too late for what is held back.
const TOO_LATE: f32 = 0.02;
/// Supposed before anything is known: 40 ms.
const SUPPOSED: usize = 7;
/// The fastest packet is sought among those of the last one to two of these: ten seconds. Clocks that run apart by
/// 300 ppm are 6 ms apart after the two.
const ROUND: i64 = 10 * RATE as i64;
/// A step of the transit time beyond this is a new clock at the far end, not lateness.
const NEW_CLOCK: i64 = RATE as i64;
/// Later than this, a packet cannot be waited for: 200 ms.
const HOPELESS: i64 = RATE as i64 / 5;
/// Held back at most on account of lateness: 150 ms, so that all delay stays below 200 ms.
const MOST: i64 = RATE as i64 * 150 / 1000;

/// Watches when packets come. All times are in samples at 48 kHz.
pub struct Lateness {
    /// How much weight lies at how many steps of lateness; in sum 1.
    histogram: [f32; STEPS],
    /// The fastest transit of this round and of the one before.
    fastest: Option<i64>,
    fastest_before: Option<i64>,
    round_began: i64,
}

impl Default for Lateness {
    fn default() -> Self {
        let mut histogram = [0.0; STEPS];
        histogram[SUPPOSED] = 1.0;
        Self {
            histogram,
            fastest: None,
            fastest_before: None,
            round_began: 0,
        }
    }
}

impl Lateness {
    /// A packet whose first sample is of `time` came at `now`.
    pub fn note(&mut self, now: i64, time: i64) {
        let transit = now.saturating_sub(time);
        if self
            .transit()
            .is_some_and(|known| known.abs_diff(transit) > NEW_CLOCK as u64)
        {
            self.fastest = None;
            self.fastest_before = None;
        }
        if now.saturating_sub(self.round_began) >= ROUND {
            self.fastest_before = self.fastest.take();
            self.round_began = now;
        }
        self.fastest = Some(self.fastest.map_or(transit, |fastest| fastest.min(transit)));
        let late = transit - self.transit().unwrap_or(transit);
        // What nothing would have saved is no reason to hold back: the network stood still.
        if late > HOPELESS {
            return;
        }
        let step = usize::try_from(late / STEP).map_or(0, |step| step.min(STEPS - 1));
        self.histogram.iter_mut().for_each(|weight| *weight *= KEPT);
        self.histogram[step] += 1.0 - KEPT;
    }

    /// When the sample of this time could have been here at the earliest; `None` before the first packet.
    pub fn earliest(&self, time: i64) -> Option<i64> {
        self.transit().map(|transit| time.saturating_add(transit))
    }

    /// How late nearly all packets are at most.
    pub fn usual(&self) -> i64 {
        let mut beyond = 0.0;
        let late = (0..STEPS).rev().find(|step| {
            beyond += self.histogram[*step];
            beyond > TOO_LATE
        });
        (STEP * (late.unwrap_or(0) as i64 + 1)).min(MOST)
    }

    fn transit(&self) -> Option<i64> {
        match (self.fastest, self.fastest_before) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: i64 = 960;
    const MILLISECOND: i64 = 48;

    #[test]
    fn what_is_supposed_gives_way_to_what_is_seen() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.earliest(0), None);
        assert_eq!(lateness.usual(), 40 * MILLISECOND);
        (0..2000).for_each(|at| lateness.note(1000 + at * PACKET, at * PACKET));
        assert_eq!(lateness.usual(), 5 * MILLISECOND);
        assert_eq!(lateness.earliest(7), Some(1007));
    }

    #[test]
    fn lateness_is_believed_within_a_fraction_of_a_second_and_forgotten_slowly() {
        let mut lateness = Lateness::default();
        (0..2000).for_each(|at| lateness.note(at * PACKET, at * PACKET));
        (2000..2020).for_each(|at| lateness.note(at * PACKET + 60 * MILLISECOND, at * PACKET));
        assert_eq!(lateness.usual(), 65 * MILLISECOND);
        (2020..2120).for_each(|at| lateness.note(at * PACKET, at * PACKET));
        assert_eq!(
            lateness.usual(),
            65 * MILLISECOND,
            "two seconds later it may come again"
        );
        (2120..4000).for_each(|at| lateness.note(at * PACKET, at * PACKET));
        assert_eq!(lateness.usual(), 5 * MILLISECOND);
    }

    #[test]
    fn nothing_makes_it_hold_back_more_than_the_most() {
        let mut lateness = Lateness::default();
        for at in 0..1000 {
            lateness.note(at * PACKET + at % 2 * 190 * MILLISECOND, at * PACKET);
        }
        assert_eq!(lateness.usual(), MOST);
    }

    #[test]
    fn a_new_clock_and_absurd_ones_are_followed() {
        let mut lateness = Lateness::default();
        lateness.note(0, 0);
        for time in [1 << 60, -(1 << 60), 1 << 40, 0] {
            lateness.note(PACKET, time);
            assert_eq!(lateness.earliest(time), Some(PACKET), "{time}");
        }
    }
}
