//! A card's clock and ours differ by some parts in a million: without correction what waits between them runs dry or
//! over every few minutes, and each time is a click. So the card's audio is stretched by as little.

/// How far audio is stretched at most: a hundredth of a semitone is heard by nobody, this by few.
const MOST: f64 = 0.005;
/// What is too much is worn down in ten seconds.
const PULL_A_SECOND: f64 = 0.1;
/// Looks between two judgements; there are fifty a second or more. The least that waited counts: a card may give and take in
/// pieces of any size, and what waits between two of them waits for nothing.
const LOOKS: u32 = 100;
/// So much too much is no drift: it came from a stall, is let go at once, and not over minutes in which the voice is late and
/// no echo can be cancelled, since its delay changes all the time.
const STALL: f64 = 0.05;

/// Watches how much audio waits, and says how to stretch what comes.
pub struct Drift {
    /// What shall wait, in seconds.
    target: f64,
    /// The least that waited since the last judgement.
    least: f64,
    looks: u32,
    stretch: f64,
}

impl Drift {
    /// So much shall wait.
    pub fn new(target: f64) -> Self {
        Self {
            target,
            least: f64::INFINITY,
            looks: 0,
            stretch: 1.0,
        }
    }

    /// So much waits; what is to be done with what comes.
    pub fn look(&mut self, level: f64) -> Advice {
        self.least = self.least.min(level);
        self.looks += 1;
        let mut skip = 0.0;
        if self.looks >= LOOKS {
            let excess = self.least - self.target;
            self.forget();
            if excess > STALL {
                skip = excess;
            } else {
                self.stretch = 1.0 - (excess * PULL_A_SECOND).clamp(-MOST, MOST);
            }
        }
        Advice {
            stretch: self.stretch,
            skip,
        }
    }

    /// There was a gap: what waited before says nothing.
    pub fn forget(&mut self) {
        (self.least, self.looks) = (f64::INFINITY, 0);
    }
}

/// What is to be done with what comes.
pub struct Advice {
    /// By what it is to be multiplied in length.
    pub stretch: f64,
    /// How much of it is to be left out first, in seconds.
    pub skip: f64,
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
                let advice = drift.look(level);
                assert_eq!(advice.skip, 0.0);
                level += TICK * (1.0 + parts_in_a_million / 1e6) * advice.stretch - TICK;
                farthest = farthest.max((level - TARGET).abs());
            }
            assert!(farthest < 0.005, "{parts_in_a_million}: {farthest}");
        }
    }

    #[test]
    fn a_little_too_much_is_worn_down_unheard_and_what_a_stall_left_is_let_go_within_seconds() {
        for (begin, most_skips) in [(0.07, 0), (0.5, 1)] {
            let mut drift = Drift::new(TARGET);
            let (mut level, mut skips, mut settled) = (begin, 0, 0.0);
            for tick in 0..(120.0 / TICK) as u32 {
                let advice = drift.look(level);
                assert!((1.0 - MOST..=1.0 + MOST).contains(&advice.stretch));
                skips += u32::from(advice.skip > 0.0);
                level += TICK * advice.stretch - TICK - advice.skip;
                if (level - TARGET).abs() > 0.05 {
                    settled = f64::from(tick) * TICK;
                }
            }
            assert!((level - TARGET).abs() < 0.002, "{level}");
            assert!(
                skips == most_skips && settled < 3.0,
                "{begin}: {skips}, {settled}"
            );
        }
    }

    #[test]
    fn a_card_that_gives_and_takes_in_large_pieces_is_left_alone() {
        let mut drift = Drift::new(TARGET);
        for at in 0..5000 {
            let advice = drift.look(TARGET + f64::from(at % 7) * 0.02);
            assert!((advice.stretch - 1.0).abs() < 1e-9 && advice.skip == 0.0);
        }
    }
}
