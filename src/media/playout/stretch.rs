//! A little more or less time for the same sound: a period of the voice is taken out or put in, blended with its
//! neighbour, so that neither pitch nor level change.

use crate::media::RATE;

/// The shortest and longest period sought: 2.5 ms and 12.5 ms, the pitch of nearly all voices.
pub const SHORTEST: usize = RATE as usize / 400;
/// See [`SHORTEST`].
pub const LONGEST: usize = RATE as usize / 80;
/// The first look is at every so manieth sample.
const COARSE: usize = 6;
/// Root mean square below which any place is as good as another: −50 dBFS.
const QUIET: f64 = 100.0;

/// The length after which `samples` repeat best, up to `most`, and how well: 1 is the very same, also for near silence.
/// `None` when there are fewer than two of the shortest.
pub fn period(samples: &[i16], most: usize) -> Option<(usize, f64)> {
    let most = most.min(LONGEST).min(samples.len() / 2);
    if most < SHORTEST {
        return None;
    }
    let energy: f64 = samples
        .iter()
        .take(2 * most)
        .step_by(COARSE)
        .map(|sample| f64::from(*sample).powi(2))
        .sum();
    if (energy * COARSE as f64 / (2 * most) as f64).sqrt() < QUIET {
        return Some((most, 1.0));
    }
    let best = |mut candidates: Vec<(usize, f64)>| {
        candidates.sort_by(|one, other| one.1.total_cmp(&other.1));
        candidates.pop()
    };
    let coarse = (SHORTEST..=most)
        .step_by(COARSE)
        .map(|length| (length, likeness(samples, length, COARSE)));
    let (near, _) = best(coarse.collect())?;
    let fine = near.saturating_sub(COARSE).max(SHORTEST)..=(near + COARSE).min(most);
    best(
        fine.map(|length| (length, likeness(samples, length, 1)))
            .collect(),
    )
}

/// How much the first `length` samples are like the next: their normalized correlation.
fn likeness(samples: &[i16], length: usize, step: usize) -> f64 {
    let (mut both, mut first, mut second) = (0.0, 1.0, 1.0);
    let pairs = samples
        .iter()
        .zip(samples.iter().skip(length))
        .take(length)
        .step_by(step);
    for (one, other) in pairs {
        let (one, other) = (f64::from(*one), f64::from(*other));
        both += one * other;
        first += one * one;
        second += other * other;
    }
    both / (first * second).sqrt()
}

/// Takes the first `length` of at least two times as many out, blended into the next.
pub fn shorten(samples: &mut Vec<i16>, length: usize) {
    for at in 0..length {
        samples[length + at] = blend(samples[at], samples[length + at], at, length);
    }
    samples.drain(..length);
}

/// Says the first `length` of at least two times as many twice, blended from the next.
pub fn lengthen(samples: &mut Vec<i16>, length: usize) {
    let again: Vec<i16> = (0..length)
        .map(|at| blend(samples[length + at], samples[at], at, length))
        .collect();
    samples.splice(length..length, again);
}

/// From one to the other, `at` of `length`.
pub fn blend(from: i16, to: i16, at: usize, length: usize) -> i16 {
    let (at, length) = (at as i64, length.max(1) as i64);
    ((i64::from(from) * (length - at) + i64::from(to) * at) / length) as i16
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn a_period_is_found_and_taken_out_and_put_in_without_a_trace() {
        for hertz in [100.0, 150.0, 233.0, 440.0, 1000.0] {
            let voice: Vec<i16> = (0..4800).map(|at| wave(hertz, at)).collect();
            let (length, likeness) = period(&voice, LONGEST).unwrap();
            let periods = length as f64 * hertz / 48_000.0;
            assert!(
                (periods - periods.round()).abs() < 0.03 && likeness > 0.99,
                "{hertz}: {length}"
            );
            for change in [shorten, lengthen] {
                let mut changed = voice.clone();
                change(&mut changed, length);
                assert_eq!(changed.len().abs_diff(voice.len()), length);
                let steps = changed
                    .windows(2)
                    .map(|pair| pair[1].abs_diff(pair[0]))
                    .max()
                    .unwrap();
                let natural = voice
                    .windows(2)
                    .map(|pair| pair[1].abs_diff(pair[0]))
                    .max()
                    .unwrap();
                assert!(steps <= natural + natural / 10 + 20, "{hertz}: {steps} {natural}");
            }
        }
    }

    #[test]
    fn noise_is_like_nothing_and_silence_like_itself() {
        let mut state = 1_u32;
        let noise: Vec<i16> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 18) as i16 - 8192
        })
        .take(2000)
        .collect();
        assert!(period(&noise, LONGEST).unwrap().1 < 0.7);
        assert_eq!(period(&[3; 2000], 500), Some((500, 1.0)));
        assert_eq!(period(&[9; 100], 500), None);
        assert_eq!(period(&[], 500), None);
    }

    fn wave(hertz: f64, at: usize) -> i16 {
        let turn = TAU * hertz * at as f64 / 48_000.0;
        (6000.0 * turn.sin() + 2000.0 * (2.0 * turn).sin()) as i16
    }
}
