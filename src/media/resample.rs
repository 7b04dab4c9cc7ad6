//! Between the rate of all audio here, 48 kHz, and that of a codec: a whole number of times slower. Windowed sinc filters
//! that let pass what the slower rate can carry.

use std::collections::VecDeque;
use std::f64::consts::PI;

/// Coefficients for each sample of the slower rate: between 85 and 115 % of its band 60 dB go. A multiple of 8.
const REACH: usize = 24;
/// The window's shape: side lobes 60 dB down (Kaiser).
const SHAPE: f64 = 5.65;

/// To the slower rate.
pub struct Down {
    factor: usize,
    coefficients: Vec<f32>,
    /// What the next output still needs of what came, the oldest first.
    past: Vec<f32>,
}

impl Down {
    /// By this factor, 1 or more.
    pub fn by(factor: usize) -> Self {
        let factor = factor.max(1);
        let coefficients = low_pass(factor, 1.0);
        Self {
            factor,
            past: vec![0.0; coefficients.len() - factor],
            coefficients,
        }
    }

    /// Appends a sample for each `factor` of these; an incomplete rest is kept.
    pub fn run(&mut self, samples: &[i16], slower: &mut Vec<i16>) {
        if self.factor == 1 {
            slower.extend(samples);
            return;
        }
        self.past.extend(samples.iter().map(|sample| f32::from(*sample)));
        let windows = self.past.windows(self.coefficients.len()).step_by(self.factor);
        let count = windows.len();
        slower.extend(windows.map(|window| nearest(dot(window, &self.coefficients))));
        self.past.drain(..count * self.factor);
    }
}

/// To the faster rate.
pub struct Up {
    /// For each sample between two of the slower rate its own coefficients.
    phases: Vec<Vec<f32>>,
    past: VecDeque<f32>,
}

impl Up {
    /// By this factor, 1 or more.
    pub fn by(factor: usize) -> Self {
        let factor = factor.max(1);
        let coefficients = low_pass(factor, factor as f64);
        let phase = |first: usize| {
            // The newest sample meets the first coefficient.
            let mut phase: Vec<f32> = coefficients.iter().skip(first).step_by(factor).copied().collect();
            phase.reverse();
            phase
        };
        Self {
            phases: (0..factor).map(phase).collect(),
            past: VecDeque::from(vec![0.0; REACH]),
        }
    }

    /// Appends `factor` samples for each of these.
    pub fn run(&mut self, samples: &[i16], faster: &mut Vec<i16>) {
        if self.phases.len() == 1 {
            faster.extend(samples);
            return;
        }
        for sample in samples {
            self.past.pop_front();
            self.past.push_back(f32::from(*sample));
            let past = self.past.make_contiguous();
            faster.extend(self.phases.iter().map(|phase| nearest(dot(past, phase))));
        }
    }
}

/// Both are whole eights long: [`REACH`] is.
fn dot(samples: &[f32], coefficients: &[f32]) -> f32 {
    let eights = samples.as_chunks::<8>().0.iter();
    let mut sum = 0.0;
    for (one, other) in eights.zip(coefficients.as_chunks::<8>().0) {
        sum += one[0] * other[0] + one[1] * other[1] + one[2] * other[2] + one[3] * other[3];
        sum += one[4] * other[4] + one[5] * other[5] + one[6] * other[6] + one[7] * other[7];
    }
    sum
}

fn nearest(sample: f32) -> i16 {
    // A float becomes the nearest that fits, and no number becomes 0.
    sample.round() as i16
}

/// Half the slower rate is where half the amplitude is left; the sum is `gain`.
fn low_pass(factor: usize, gain: f64) -> Vec<f32> {
    if factor == 1 {
        return vec![1.0];
    }
    let length = REACH * factor;
    let middle = (length - 1) as f64 / 2.0;
    let raw: Vec<f64> = (0..length)
        .map(|at| {
            let from_middle = at as f64 - middle;
            let turn = PI * from_middle / factor as f64;
            let sinc = if turn == 0.0 { 1.0 } else { turn.sin() / turn };
            let edge = from_middle / (middle + 0.5);
            sinc * bessel(SHAPE * (1.0 - edge * edge).max(0.0).sqrt())
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|weight| (weight * gain / sum) as f32).collect()
}

/// The modified Bessel function of order 0, by its series.
fn bessel(argument: f64) -> f64 {
    let quarter = argument * argument / 4.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for at in 1..40 {
        term *= quarter / f64::from(at * at);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn speech_passes_both_ways_as_loud_as_it_was() {
        for (factor, hertz) in [
            (6, 300.0),
            (6, 1000.0),
            (6, 3200.0),
            (3, 300.0),
            (3, 6500.0),
            (1, 12_000.0),
        ] {
            let (mut down, mut up) = (Down::by(factor), Up::by(factor));
            let (mut slower, mut faster) = (Vec::new(), Vec::new());
            // In pieces, as they come.
            for piece in tone(hertz).chunks(480) {
                down.run(piece, &mut slower);
            }
            for piece in slower.chunks(80) {
                up.run(piece, &mut faster);
            }
            assert_eq!((slower.len() * factor, faster.len()), (48_000, 48_000));
            let loss = level(&tone(hertz)) - level(&faster[4800..]);
            assert!(loss.abs() < 0.3, "{factor} at {hertz}: {loss} dB");
        }
    }

    #[test]
    fn what_the_slower_rate_cannot_carry_does_not_come_back_as_something_else() {
        for (factor, hertz) in [
            (6, 4800.0),
            (6, 7000.0),
            (6, 15_000.0),
            (3, 9500.0),
            (3, 20_000.0),
        ] {
            let mut slower = Vec::new();
            Down::by(factor).run(&tone(hertz), &mut slower);
            let left = level(&slower[1000..]) - level(&tone(hertz));
            assert!(left < -50.0, "{factor} at {hertz}: {left} dB");
        }
        // And up: nothing above the slower band.
        let slow: Vec<i16> = (0..8000)
            .map(|at| (8000.0 * (TAU * 1000.0 * f64::from(at) / 8000.0).sin()) as i16)
            .collect();
        let mut faster = Vec::new();
        Up::by(6).run(&slow, &mut faster);
        for hertz in [7000.0, 9000.0, 15_000.0] {
            let strength = strength(&faster[4800..], hertz);
            assert!(strength < 8.0, "{hertz}: {strength}");
        }
    }

    #[test]
    fn the_loudest_is_not_turned_over() {
        let (mut slower, mut faster) = (Vec::new(), Vec::new());
        let square: Vec<i16> = (0..4800)
            .map(|at| if at / 60 % 2 == 0 { i16::MAX } else { i16::MIN })
            .collect();
        Down::by(6).run(&square, &mut slower);
        Up::by(6).run(&slower, &mut faster);
        for (at, sample) in faster.iter().enumerate().skip(300) {
            let middle = (at + 60 * 2 - 143) % 60;
            if (20..40).contains(&middle) {
                assert!(sample.unsigned_abs() > 25_000, "{at}: {sample}");
            }
        }
    }

    fn tone(hertz: f64) -> Vec<i16> {
        (0..48_000)
            .map(|at| (8000.0 * (TAU * hertz * f64::from(at) / 48_000.0).sin()) as i16)
            .collect()
    }

    fn level(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        10.0 * (sum / samples.len() as f64).log10()
    }

    fn strength(samples: &[i16], hertz: f64) -> f64 {
        let part = |phase: f64| -> f64 {
            let wave = |at: usize| (TAU * hertz * at as f64 / 48_000.0 + phase).sin();
            samples
                .iter()
                .enumerate()
                .map(|(at, sample)| f64::from(*sample) * wave(at))
                .sum()
        };
        part(0.0).hypot(part(TAU / 4.0)) * 2.0 / samples.len() as f64
    }
}
