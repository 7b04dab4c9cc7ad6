//! What is said in the place of what never came: the last period of the voice again and again, fading away. For codecs that
//! have nothing better of their own.

use super::stretch::{self, blend};
use crate::media::RATE;

/// How much of what was heard is remembered: enough to find the longest period in.
pub const MEMORY: usize = 2 * stretch::LONGEST + RATE as usize / 100;
/// At full level for 10 ms, then down to nothing at 60 ms (as ITU-T G.711 appendix I).
const FULL: usize = RATE as usize / 100;
/// See [`FULL`].
const GONE: usize = RATE as usize * 60 / 1000;
/// Over this long what was made up and what came again are blended: 5 ms.
const BLEND: usize = RATE as usize / 200;

/// One gap.
pub struct Gap {
    /// What is repeated.
    period: Vec<i16>,
    at: usize,
    made: usize,
    /// By how much the first sample would jump; it is worked off over a few samples.
    step: f64,
}

impl Gap {
    /// After this was heard.
    pub fn after(heard: &[i16]) -> Self {
        // Backwards in time, so that the newest counts.
        let backwards: Vec<i16> = heard.iter().rev().copied().collect();
        let length = stretch::period(&backwards, stretch::LONGEST).map_or(0, |(length, _)| length);
        let begin = heard.len() - length;
        let mut period = heard[begin..].to_vec();
        // Its end is blended into what came before its beginning, so that the rounds join.
        let seam = length / 4;
        for at in 0..seam {
            let place = length - seam + at;
            if let Some(earlier) = (begin + place).checked_sub(length) {
                period[place] = blend(period[place], heard[earlier], at, seam);
            }
        }
        let last = heard.last().copied().unwrap_or(0);
        let before = begin
            .checked_sub(1)
            .and_then(|at| heard.get(at))
            .copied()
            .unwrap_or(last);
        Self {
            period,
            at: 0,
            made: 0,
            step: f64::from(last) - f64::from(before),
        }
    }

    /// Appends so many samples.
    pub fn fill(&mut self, count: usize, samples: &mut Vec<i16>) {
        samples.extend((0..count).map(|_| self.next()));
    }

    /// Blends what goes on into the end of the gap.
    pub fn close(mut self, samples: &mut [i16]) {
        let length = BLEND.min(samples.len());
        for (at, sample) in samples.iter_mut().take(length).enumerate() {
            *sample = blend(self.next(), *sample, at, length);
        }
    }

    fn next(&mut self) -> i16 {
        let repeated = self.period.get(self.at).copied().unwrap_or(0);
        self.at = (self.at + 1) % self.period.len().max(1);
        let left = (GONE.saturating_sub(self.made)).min(GONE - FULL) as f64 / (GONE - FULL) as f64;
        let jump = self.step * (1.0 - self.made as f64 / BLEND as f64).max(0.0);
        self.made = self.made.saturating_add(1);
        ((f64::from(repeated) + jump) * left) as i16
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn a_voice_goes_on_without_a_click_and_is_gone_after_60_ms() {
        let voice = |at: usize| (8000.0 * (TAU * 210.0 * at as f64 / 48_000.0).sin()) as i16;
        for heard in [MEMORY, MEMORY - 77, MEMORY - 113] {
            let mut said: Vec<i16> = (0..heard).map(voice).collect();
            let mut gap = Gap::after(&said);
            gap.fill(480, &mut said);
            let likely: Vec<i16> = (0..heard + 480).map(voice).collect();
            let worst = said
                .iter()
                .zip(&likely)
                .map(|(one, other)| one.abs_diff(*other))
                .max();
            assert!(
                worst.unwrap() < 900,
                "the first 10 ms are what would have come: {worst:?}"
            );
            gap.fill(3000, &mut said);
            let step = said
                .windows(2)
                .map(|pair| pair[1].abs_diff(pair[0]))
                .max()
                .unwrap();
            assert!(step < 300, "{step}");
            assert_eq!(said[heard + GONE..], vec![0; 3480 - GONE]);
        }
    }

    #[test]
    fn what_comes_again_is_blended_in() {
        let mut gap = Gap::after(&[4000; MEMORY]);
        gap.fill(480, &mut Vec::new());
        let mut again = [-4000; 960];
        gap.close(&mut again);
        assert!(
            again
                .windows(2)
                .all(|pair| pair[0] - pair[1] < 60 && pair[0] >= pair[1])
        );
        assert_eq!((again[0] / 100, again[400]), (40, -4000));
    }

    #[test]
    fn without_a_past_there_is_silence() {
        let mut said = Vec::new();
        Gap::after(&[]).fill(100, &mut said);
        assert_eq!(said, [0; 100]);
    }
}
