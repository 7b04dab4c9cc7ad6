//! The playout buffer: packets come unevenly, in any order or not at all; samples go out evenly.

use std::collections::VecDeque;
use std::time::Duration;

use super::{FRAME, TICK};

/// What is held back at first, so that packets may be late: 60 ms.
pub const TARGET: usize = 3 * FRAME;
/// What is held at most: 200 ms.
pub const MOST: usize = 10 * FRAME;
/// A frame more than the target and a half for the hop of the packets: what lies beyond for long is delay for nothing.
const COMFORTABLE: usize = TARGET + FRAME + FRAME / 2;
/// How long it must lie beyond: a second of frames.
const PATIENCE: u32 = 50;
/// Taken out at once when too much is held: 10 ms, hardly to be heard.
const STRIDE: usize = FRAME / 2;
/// A gap fades out over this many samples: 60 ms.
const FADE: u32 = 3 * FRAME as u32;

/// What is missing for longer is a pause of the far end, not loss: a second.
const LONGEST_GAP: u64 = 50 * FRAME as u64;

/// Holds samples by their timestamps.
pub struct Playout {
    /// The timestamp of the next sample to go out, once anything came.
    front: Option<u32>,
    /// From there on; `None` is not here yet.
    held: VecDeque<Option<i16>>,
    /// What went out last, to hide gaps with.
    last: [i16; FRAME],
    at: usize,
    /// How many samples in a row have been missing.
    missing: u32,
    tally: Tally,
    lowest: usize,
    takes: u32,
}

impl Default for Playout {
    fn default() -> Self {
        Self {
            front: None,
            held: VecDeque::with_capacity(2 * MOST),
            last: [0; FRAME],
            at: 0,
            missing: 0,
            tally: Tally::default(),
            lowest: usize::MAX,
            takes: 0,
        }
    }
}

/// Counts what was made up. A gap counts when audio goes on after it; a far end that pauses loses nothing.
#[derive(Default)]
struct Tally {
    /// Samples missing since the last that was real; `None` before there was one.
    gap: Option<u64>,
    real: u64,
    concealed: u64,
}

impl Tally {
    fn note_real(&mut self) {
        let gap = self.gap.replace(0).unwrap_or(0);
        if gap <= LONGEST_GAP {
            self.concealed += gap;
        }
        self.real += 1;
    }

    fn note_missing(&mut self) {
        self.gap = self.gap.map(|gap| gap.saturating_add(1));
    }
}

impl Playout {
    /// The share of samples that had to be made up, in percent.
    pub fn concealed_percent(&self) -> f32 {
        let Tally { real, concealed, .. } = self.tally;
        match real + concealed {
            0 => 0.0,
            all => (concealed as f64 / all as f64 * 100.0) as f32,
        }
    }

    /// How long the newest sample waits until it goes out.
    pub fn delay(&self) -> Duration {
        TICK * self.held.len() as u32 / FRAME as u32
    }

    /// What comes next does not go on from what came before: another source, another clock.
    pub fn restart(&mut self) {
        self.front = None;
        self.tally.gap = None;
        self.held.clear();
    }

    /// Takes the samples of a packet. Those that are too late for their place are left out.
    pub fn put(&mut self, timestamp: u32, samples: &[i16]) {
        if samples.is_empty() || samples.len() > MOST - TARGET {
            return;
        }
        let front = match self.front {
            Some(front) if self.has_place(timestamp, front, samples.len()) => front,
            Some(front) if self.is_late(timestamp, front, samples.len()) && !self.held.is_empty() => return,
            Some(_) | None => self.begin_at(timestamp),
        };
        let mut offset = timestamp.wrapping_sub(front) as i32 as isize;
        let excess = (offset + samples.len() as isize - MOST as isize).max(0);
        if excess > 0 {
            self.drop_front(excess as usize);
            offset -= excess;
        }
        let skipped = offset.min(0).unsigned_abs();
        let place = offset.max(0) as usize;
        let needed = place + samples.len() - skipped;
        if self.held.len() < needed {
            self.held.resize(needed, None);
        }
        for (slot, sample) in self.held.range_mut(place..needed).zip(&samples[skipped..]) {
            *slot = Some(*sample);
        }
    }

    /// Fills `out` with what is next; gaps are hidden by fading what was heard last.
    pub fn take(&mut self, out: &mut [i16]) {
        self.shorten_when_long(out.len());
        for sample in out.iter_mut() {
            *sample = match self.held.pop_front().flatten() {
                Some(real) => {
                    self.missing = 0;
                    self.tally.note_real();
                    self.last[self.at] = real;
                    real
                }
                None => {
                    self.missing = self.missing.saturating_add(1);
                    self.tally.note_missing();
                    let left = i64::from(FADE.saturating_sub(self.missing));
                    (i64::from(self.last[self.at]) * left / i64::from(FADE)) as i16
                }
            };
            self.at = (self.at + 1) % FRAME;
        }
        self.front = self.front.map(|front| front.wrapping_add(out.len() as u32));
    }

    /// Whether at least a sample has its place ahead, without letting go of all that is held.
    fn has_place(&self, timestamp: u32, front: u32, length: usize) -> bool {
        let end = timestamp.wrapping_sub(front) as i32 as i64 + length as i64;
        (1..(MOST + self.held.len().max(1)) as i64).contains(&end)
    }

    fn is_late(&self, timestamp: u32, front: u32, length: usize) -> bool {
        timestamp.wrapping_sub(front) as i32 as i64 + length as i64 <= 0
    }

    fn begin_at(&mut self, timestamp: u32) -> u32 {
        let front = timestamp.wrapping_sub(TARGET as u32);
        self.held.clear();
        self.held.resize(TARGET, None);
        self.front = Some(front);
        self.lowest = usize::MAX;
        self.takes = 0;
        front
    }

    fn drop_front(&mut self, count: usize) {
        self.held.drain(..count.min(self.held.len()));
        self.front = self.front.map(|front| front.wrapping_add(count as u32));
    }

    fn shorten_when_long(&mut self, wanted: usize) {
        self.lowest = self.lowest.min(self.held.len());
        self.takes += 1;
        if self.takes < PATIENCE {
            return;
        }
        if self.lowest > COMFORTABLE && self.held.len() >= wanted + STRIDE {
            self.shorten(wanted);
        }
        self.takes = 0;
        self.lowest = usize::MAX;
    }

    /// Takes [`STRIDE`] samples out of the next `wanted` by blending from those before into those after.
    fn shorten(&mut self, wanted: usize) {
        // Downwards, so that what is read has not been blended yet.
        for at in (0..wanted).rev() {
            let (Some(before), Some(after)) = (self.held[at], self.held[at + STRIDE]) else {
                continue;
            };
            let (at_weight, whole) = (at as i64, wanted as i64);
            let blended = (i64::from(before) * (whole - at_weight) + i64::from(after) * at_weight) / whole;
            self.held[at + STRIDE] = Some(blended as i16);
        }
        self.drop_front(STRIDE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_order_goes_out_whole_after_the_target_delay() {
        let mut playout = Playout::default();
        let mut heard = Vec::new();
        for at in 0..100 {
            playout.put(at * FRAME as u32, &ramp(at * FRAME as u32));
            heard.extend(take(&mut playout));
        }
        assert_eq!(heard[..TARGET], [0; TARGET]);
        let expected: Vec<i16> = (0..97).flat_map(|at| ramp(at * FRAME as u32)).collect();
        assert_eq!(heard[TARGET..], expected);
    }

    #[test]
    fn order_does_not_matter_while_there_is_time() {
        let (mut straight, mut mixed) = (Playout::default(), Playout::default());
        for at in [0, 1, 2, 3] {
            straight.put(at * FRAME as u32, &ramp(at * FRAME as u32));
        }
        for at in [0, 3, 1, 2] {
            mixed.put(at * FRAME as u32, &ramp(at * FRAME as u32));
        }
        for _ in 0..7 {
            assert_eq!(take(&mut straight), take(&mut mixed));
        }
    }

    #[test]
    fn a_gap_fades_and_ends_in_silence() {
        let mut playout = Playout::default();
        playout.put(0, &[8000; FRAME]);
        skip(&mut playout, 3);
        assert_eq!(take(&mut playout), [8000; FRAME]);
        let faded: Vec<i16> = (0..4).flat_map(|_| take(&mut playout)).collect();
        assert!(faded.windows(2).all(|pair| pair[0] >= pair[1]));
        assert!(faded[0] > 7900);
        assert_eq!(faded[FADE as usize..], [0; FRAME]);
    }

    #[test]
    fn what_is_made_up_is_counted_and_a_pause_is_not() {
        let mut playout = Playout::default();
        let play = |playout: &mut Playout, sequence: std::ops::Range<u32>, lost: &[u32]| {
            for at in sequence {
                if !lost.contains(&at) {
                    playout.put(at * FRAME as u32, &[1000; FRAME]);
                }
                take(playout);
            }
        };
        play(&mut playout, 0..103, &[10, 20, 21, 50]);
        assert_eq!(
            playout.concealed_percent(),
            4.0,
            "four frames of a hundred that were played"
        );
        skip(&mut playout, 500);
        play(&mut playout, 603..703, &[]);
        let percent = playout.concealed_percent();
        assert!((1.9..2.1).contains(&percent), "{percent}");
    }

    #[test]
    fn a_late_packet_does_not_disturb_those_that_wait() {
        let mut playout = Playout::default();
        for at in 1..4 {
            playout.put(at * FRAME as u32, &ramp(at * FRAME as u32));
        }
        skip(&mut playout, 3);
        playout.put(0, &[1; FRAME]);
        assert_eq!(take(&mut playout), ramp(FRAME as u32));
    }

    #[test]
    fn after_a_stall_of_the_network_it_plays_on_with_a_delay_anew() {
        let mut playout = Playout::default();
        playout.put(0, &ramp(0));
        skip(&mut playout, 20);
        playout.put(FRAME as u32, &ramp(FRAME as u32));
        skip(&mut playout, 3);
        assert_eq!(take(&mut playout), ramp(FRAME as u32));
    }

    #[test]
    fn a_burst_is_cut_to_the_newest_and_never_holds_more_than_the_most() {
        let mut playout = Playout::default();
        for at in 0..50 {
            playout.put(at * FRAME as u32, &ramp(at * FRAME as u32));
            assert!(playout.held.len() <= MOST);
        }
        assert_eq!(take(&mut playout), ramp(40 * FRAME as u32));
    }

    #[test]
    fn too_much_delay_is_worked_off() {
        let mut playout = Playout::default();
        for at in 0..8 {
            playout.put(at * FRAME as u32, &[1000; FRAME]);
        }
        let begun = playout.held.len();
        for at in 8..2000 {
            playout.put(at * FRAME as u32, &[1000; FRAME]);
            take(&mut playout);
        }
        assert!(begun >= MOST - FRAME, "{begun}");
        assert!(playout.held.len() <= COMFORTABLE, "{}", playout.held.len());
        assert_eq!(take(&mut playout), [1000; FRAME], "blended without a dent");
    }

    #[test]
    fn samples_are_taken_out_without_a_step() {
        let mut playout = Playout::default();
        playout.held.extend((0..2 * FRAME as i16).map(|at| Some(4 * at)));
        playout.shorten(FRAME);
        let expected = std::array::from_fn(|at| 6 * at as i16);
        assert_eq!(take(&mut playout), expected, "a slope of 4 is run through at 6");
        assert_eq!(playout.held.len(), 2 * FRAME - STRIDE - FRAME);
    }

    #[test]
    fn a_clock_that_jumps_is_followed() {
        for jump in [1_000_000, u32::MAX / 2, u32::MAX - 100_000] {
            let mut playout = Playout::default();
            playout.put(0, &ramp(0));
            skip(&mut playout, 10);
            playout.put(jump, &ramp(7));
            skip(&mut playout, 3);
            assert_eq!(take(&mut playout), ramp(7), "jump by {jump}");
        }
    }

    #[test]
    fn timestamps_wrap_without_notice() {
        let mut playout = Playout::default();
        let first = u32::MAX - 1200;
        for at in 0..4 {
            playout.put(first.wrapping_add(at * FRAME as u32), &ramp(at));
        }
        skip(&mut playout, 3);
        for at in 0..4 {
            assert_eq!(take(&mut playout), ramp(at));
        }
    }

    #[test]
    fn absurd_lengths_are_left_out() {
        let mut playout = Playout::default();
        playout.put(0, &[]);
        playout.put(0, &[1; MOST]);
        assert_eq!(playout.held.len(), 0);
    }

    fn ramp(from: u32) -> [i16; FRAME] {
        std::array::from_fn(|at| ((from + at as u32) % 30_000) as i16)
    }

    fn take(playout: &mut Playout) -> [i16; FRAME] {
        let mut out = [0; FRAME];
        playout.take(&mut out);
        out
    }

    fn skip(playout: &mut Playout, frames: usize) {
        for _ in 0..frames {
            take(playout);
        }
    }
}
