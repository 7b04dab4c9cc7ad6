//! A card's clock and ours differ by some parts in a million: without correction what waits between them runs dry or
//! over every few minutes, and each time is a click. So the card's audio is stretched by as little.

/// How far audio is stretched at most: a hundredth of a semitone is heard by nobody, this by few.
const MOST: f64 = 0.005;
/// What is too much is worn down in ten seconds.
const PULL_A_SECOND: f64 = 0.1;
/// The level is looked at fifty times a second and jumps by a period of the card; the mean over two seconds counts.
const SMOOTHING: f64 = 0.01;

/// Watches how much audio waits, and says how to stretch what comes.
pub struct Drift {
    /// What shall wait, in seconds.
    target: f64,
    /// What waits, smoothed; `None` before the first look.
    level: Option<f64>,
}

impl Drift {
    /// So much shall wait.
    pub fn new(target: f64) -> Self {
        Self { target, level: None }
    }

    /// So much waits; by what what comes is to be multiplied in length.
    pub fn stretch(&mut self, level: f64) -> f64 {
        let smoothed = self.level.get_or_insert(level);
        *smoothed += (level - *smoothed) * SMOOTHING;
        let correction = (*smoothed - self.target) * PULL_A_SECOND;
        1.0 - correction.clamp(-MOST, MOST)
    }

    /// There was a gap: what waited before says nothing.
    #[cfg(feature = "alsa")]
    pub fn forget(&mut self) {
        self.level = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: f64 = 0.02;
    const TARGET: f64 = 0.03;

    #[test]
    fn an_hour_of_drift_neither_runs_dry_nor_over() {
        for parts_in_a_million in [-300.0, -50.0, 0.0, 300.0] {
            let mut drift = Drift::new(TARGET);
            let mut level = TARGET;
            let mut farthest = 0.0_f64;
            for _ in 0..(3600.0 / TICK) as u32 {
                level += TICK * (1.0 + parts_in_a_million / 1e6) * drift.stretch(level) - TICK;
                farthest = farthest.max((level - TARGET).abs());
            }
            assert!(farthest < 0.005, "{parts_in_a_million}: {farthest}");
        }
    }

    #[test]
    fn what_waits_too_long_after_a_stall_is_worn_down_and_never_by_much() {
        let mut drift = Drift::new(TARGET);
        let mut level = 0.2;
        for _ in 0..(120.0 / TICK) as u32 {
            let stretch = drift.stretch(level);
            assert!((1.0 - MOST..=1.0 + MOST).contains(&stretch));
            level += TICK * stretch - TICK;
        }
        assert!((level - TARGET).abs() < 0.002, "{level}");
    }

    #[test]
    fn a_jittering_level_does_not_wobble() {
        let mut drift = Drift::new(TARGET);
        let stretches: Vec<f64> = (0..5000)
            .map(|at| drift.stretch(TARGET + if at % 2 == 0 { 0.01 } else { -0.01 }))
            .collect();
        let widest = stretches[1000..]
            .iter()
            .map(|stretch| (stretch - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(widest < 0.0001, "{widest}");
    }
}
