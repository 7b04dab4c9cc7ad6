//! Any rate and any channels to 48 kHz mono: means of what a sample spans going down, straight lines going up. Good
//! enough for announcements and tests; a device needs a real resampler.

use crate::media;

const RATE: u64 = media::RATE as u64;

/// Mixes channels and changes the rate. Samples are −1 to 1, interleaved; nothing comes of no channel or no rate.
pub fn to_mono(samples: &[f32], channels: u16, rate: u32) -> Vec<i16> {
    let channels = usize::from(channels);
    if channels == 0 || rate == 0 {
        return Vec::new();
    }
    let mono: Vec<f32> = samples
        .chunks_exact(channels)
        .map(|moment| moment.iter().sum::<f32>() / channels as f32)
        .collect();
    let rate = u64::from(rate);
    let count = mono.len() as u64 * RATE / rate;
    (0..count)
        .map(|at| {
            if rate > RATE {
                mean(&mono, at, rate)
            } else {
                between(&mono, at, rate)
            }
        })
        // A float becomes the nearest that fits, and no number becomes 0.
        .map(|sample| (sample * 32768.0).round() as i16)
        .collect()
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
            let samples: Vec<f32> = (0..rate)
                .flat_map(|at| {
                    let sample = (TAU * 300.0 * f64::from(at) / f64::from(rate)).sin() as f32 / 2.0;
                    std::iter::repeat_n(sample, usize::from(channels))
                })
                .collect();
            let heard = to_mono(&samples, channels, rate);
            assert!(
                (47_999..=48_000).contains(&heard.len()),
                "{rate}: {}",
                heard.len()
            );
            let rises = heard
                .windows(2)
                .filter(|pair| pair[0] < 0 && pair[1] >= 0)
                .count();
            assert!((298..=300).contains(&rises), "{rate}: {rises}");
            let peak = heard.iter().max().copied().unwrap_or_default();
            assert!((15_000..=16_400).contains(&peak), "{rate}: {peak}");
        }
    }

    #[test]
    fn nonsense_becomes_silence_or_the_loudest() {
        assert_eq!(to_mono(&[1.0; 8], 0, 8000), Vec::<i16>::new());
        assert_eq!(to_mono(&[1.0; 8], 1, 0), Vec::<i16>::new());
        assert_eq!(
            to_mono(&[f32::NAN, 9.0, -9.0], 1, 48_000),
            [0, i16::MAX, i16::MIN]
        );
    }
}
