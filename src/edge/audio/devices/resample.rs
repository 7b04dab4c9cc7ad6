//! Any rate and any channels to 48 kHz mono: means of what a sample spans going down, straight lines going up. Good
//! enough for announcements and tests; a device needs a real resampler.

use crate::media;

const RATE: u64 = media::RATE as u64;

/// Mixes channels and changes the rate, piece by piece. Samples are −1 to 1.
pub struct ToMono {
    rate: u64,
    /// What came and is still needed, mixed.
    moments: Vec<f32>,
    /// The next to give, counted from the one that the first of those belongs to.
    at: u64,
}

impl ToMono {
    /// From this rate.
    pub fn from(rate: u32) -> Self {
        Self {
            rate: rate.into(),
            moments: Vec::new(),
            at: 0,
        }
    }

    /// How many moments must still come before so many samples can be given.
    pub fn missing(&self, count: usize) -> usize {
        // One more for the line to it, one for what is left of the division.
        let needed = (self.at + count as u64) * self.rate / RATE + 2;
        usize::try_from(needed).map_or(0, |needed| needed.saturating_sub(self.moments.len()))
    }

    /// Takes the channels of one moment.
    pub fn put(&mut self, channels: &[f32]) {
        let sum: f32 = channels.iter().sum();
        self.moments.push(sum / channels.len().max(1) as f32);
    }

    /// Gives the next samples; the last moment goes on where some are missing.
    pub fn take(&mut self, samples: &mut [i16]) {
        for sample in samples {
            let value = match self.rate > RATE {
                true => mean(&self.moments, self.at, self.rate),
                false => between(&self.moments, self.at, self.rate),
            };
            // A float becomes the nearest that fits, and no number becomes 0.
            *sample = (value * 32768.0).round() as i16;
            self.at += 1;
        }
        // After a second both rates are at a whole number.
        while self.at >= RATE && self.moments.len() as u64 >= self.rate {
            self.moments.drain(..self.rate as usize);
            self.at -= RATE;
        }
    }
}

/// The mean of the input that output sample `at` spans.
fn mean(mono: &[f32], at: u64, rate: u64) -> f32 {
    let from = (at * rate / RATE) as usize;
    let to = ((at + 1) * rate / RATE) as usize;
    let span = mono.get(from..to.min(mono.len())).unwrap_or_default();
    span.iter().sum::<f32>() / span.len().max(1) as f32
}

/// The point on the line between the input's neighbours of output sample `at`.
fn between(mono: &[f32], at: u64, rate: u64) -> f32 {
    let (whole, rest) = ((at * rate / RATE) as usize, at * rate % RATE);
    let before = mono.get(whole).copied().unwrap_or_default();
    let after = mono.get(whole + 1).copied().unwrap_or(before);
    before + (after - before) * rest as f32 / RATE as f32
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::media::FRAME;

    #[test]
    fn a_second_stays_a_second_and_a_tone_stays_a_tone() {
        for (rate, channels) in [
            (8000, 1),
            (44_100, 2),
            (48_000, 1),
            (16_000, 2),
            (4000, 1),
            (96_000, 1),
            (11_025, 3),
        ] {
            let mut spoken =
                (0..).map(|at| (TAU * 300.0 * f64::from(at) / f64::from(rate)).sin() as f32 / 2.0);
            let mut to_mono = ToMono::from(rate);
            let mut heard = vec![0; 3 * 48_000];
            for frame in heard.chunks_mut(FRAME) {
                while to_mono.missing(frame.len()) > 0 {
                    to_mono.put(&vec![spoken.next().unwrap(); channels]);
                }
                to_mono.take(frame);
            }
            assert!(
                to_mono.moments.len() <= rate as usize + 2,
                "what was given is kept"
            );
            let steepest = heard.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max();
            assert!(steepest.unwrap() < 1400, "{rate}: a click of {steepest:?}");
            let rises = heard
                .windows(2)
                .filter(|pair| pair[0] < 0 && pair[1] >= 0)
                .count();
            assert!((898..=900).contains(&rises), "{rate}: {rises}");
            let peak = heard.iter().max().copied().unwrap_or_default();
            assert!((15_000..=16_400).contains(&peak), "{rate}: {peak}");
        }
    }

    #[test]
    fn nonsense_becomes_silence_or_the_loudest() {
        let mut samples = [7; 3];
        let mut to_mono = ToMono::from(48_000);
        [f32::NAN, 9.0, -9.0]
            .iter()
            .for_each(|sample| to_mono.put(&[*sample]));
        to_mono.take(&mut samples);
        assert_eq!(samples, [0, i16::MAX, i16::MIN]);
        let mut to_mono = ToMono::from(0);
        to_mono.put(&[]);
        to_mono.take(&mut samples);
        assert_eq!(samples, [0; 3]);
    }
}
