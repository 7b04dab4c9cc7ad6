//! Comfort noise (RFC 3389): what a far end that pauses wants heard in its place.

use crate::media::RATE;

/// Noise of a level, without end.
pub struct Noise {
    /// The peak of each random number.
    peak: f64,
    state: u32,
    last: f64,
}

/// How much of the sample before stays: the soft hiss of a room, not that of a radio.
const SOFTNESS: f64 = 0.8;
/// Louder than −30 dBFS no background is.
const LOUDEST: u8 = 30;

impl Noise {
    /// As the payload says: the level in −dBov, then the spectrum, which is left to [`SOFTNESS`]. Nothing is silence.
    pub fn of(payload: &[u8]) -> Self {
        let below = payload.first().map_or(127, |level| level & 0x7F).max(LOUDEST);
        let mean = 32_768.0 * 10_f64.powf(-f64::from(below) / 20.0);
        let peak = match below {
            127 => 0.0,
            // A uniform number has a third of its peak's power, and the filter leaves (1 − s) / (1 + s) of that.
            _ => mean * (3.0 * (1.0 + SOFTNESS) / (1.0 - SOFTNESS)).sqrt(),
        };
        Self {
            peak,
            state: RATE,
            last: 0.0,
        }
    }

    /// Appends so many samples.
    pub fn fill(&mut self, count: usize, samples: &mut Vec<i16>) {
        samples.extend((0..count).map(|_| {
            // Numerical Recipes' generator: noise needs no better.
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = f64::from(self.state >> 16) / 32_768.0 - 1.0;
            self.last = self.last * SOFTNESS + random * self.peak * (1.0 - SOFTNESS);
            self.last as i16
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_level_that_was_asked_for() {
        for (payload, expected) in [
            (&[60_u8][..], -60.0),
            (&[45, 200, 3], -45.0),
            (&[0], -30.0),
            (&[0xB2], -50.0),
        ] {
            let mut samples = Vec::new();
            Noise::of(payload).fill(48_000, &mut samples);
            let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            let level = 10.0 * (sum / 48_000.0 / 32_768.0_f64.powi(2)).log10();
            assert!((level - expected).abs() < 1.5, "{payload:?}: {level}");
        }
        for payload in [&[][..], &[127], &[255]] {
            let mut samples = Vec::new();
            Noise::of(payload).fill(100, &mut samples);
            assert_eq!(samples, [0; 100]);
        }
    }
}
