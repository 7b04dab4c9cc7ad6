//! What people would say of the sound: the E-model (ITU-T G.107) with the default values of its table 2, fed with what
//! was measured here.

use std::time::Duration;

/// The rating of a call without delay or loss (G.107 table 2).
const BEST: f64 = 93.2;
/// How robust G.711 with concealment is against random loss (G.113 appendix I). Ours repeats the last period and fades, as
/// G.711 appendix I does; what other codecs do is taken for no better.
const ROBUSTNESS: f64 = 25.1;
/// Delay up to this does not disturb (G.107 7.4).
const UNNOTICED: f64 = 100.0;

/// The mean opinion score, 1 to 4.5, of audio of which this share never sounded and which arrives this late.
pub fn estimate(lost_percent: f32, delay: Duration) -> f32 {
    let rating =
        BEST - delay_impairment(delay.as_secs_f64() * 1000.0) - loss_impairment(f64::from(lost_percent));
    score(rating) as f32
}

/// G.107 7.5 for loss without bursts; the codec itself impairs nothing.
fn loss_impairment(percent: f64) -> f64 {
    95.0 * percent / (percent + ROBUSTNESS)
}

/// G.107 7.4, pure delay; echo is somebody else's.
fn delay_impairment(milliseconds: f64) -> f64 {
    if milliseconds <= UNNOTICED {
        return 0.0;
    }
    let doublings = (milliseconds / UNNOTICED).log2();
    let bend = |at: f64| (1.0 + at.powi(6)).powf(1.0 / 6.0);
    25.0 * (bend(doublings) - 3.0 * bend(doublings / 3.0) + 2.0)
}

/// G.107 annex B.
fn score(rating: f64) -> f64 {
    let rating = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scores_are_those_of_the_recommendation() {
        // G.107 annex B, table B.1: the lower limits of the ratings and their scores.
        for (rating, expected) in [
            (90.0, 4.34),
            (80.0, 4.03),
            (70.0, 3.60),
            (60.0, 3.10),
            (50.0, 2.58),
        ] {
            assert!(
                (score(rating) - expected).abs() < 0.01,
                "{rating}: {}",
                score(rating)
            );
        }
        assert_eq!((score(-10.0), score(120.0)), (1.0, 4.5));
    }

    #[test]
    fn a_clean_call_scores_as_the_telephone_does_and_worse_never_scores_better() {
        assert!((estimate(0.0, Duration::from_millis(80)) - 4.41).abs() < 0.01);
        let scores = |inputs: [(f32, u64); 5]| {
            inputs.map(|(lost, delay)| estimate(lost, Duration::from_millis(delay)))
        };
        let worse_lost = scores([(0.0, 0), (1.0, 0), (5.0, 0), (20.0, 0), (100.0, 0)]);
        let worse_late = scores([(0.0, 100), (0.0, 150), (0.0, 250), (0.0, 400), (0.0, 1000)]);
        for row in [worse_lost, worse_late] {
            assert!(row.windows(2).all(|pair| pair[0] > pair[1]), "{row:?}");
        }
        // G.107 7.4: 400 ms cost 24 points or so.
        assert!(
            (delay_impairment(400.0) - 24.0).abs() < 1.5,
            "{}",
            delay_impairment(400.0)
        );
    }
}
