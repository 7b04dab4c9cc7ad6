//! What the room hears of a call besides voices: that it rings, that it ended, that it failed (ITU-T E.180).

use std::f64::consts::TAU;
use std::time::Duration;

use super::RATE;

/// The peak of a tone: a sine of −20 dBFS on the scale where the loudest square wave is 0. Heard, and no fright.
const PEAK: f64 = 32768.0 * 0.1414;
/// From nothing to the peak and back: without it each beginning and end is a click.
const SLOPE: Duration = Duration::from_millis(5);

/// A tone of a call's progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallTone {
    /// It rings at the far end: 425 Hz, a second in five, until something else is heard.
    RingBack,
    /// The call is over: 425 Hz, twice.
    Ended,
    /// It failed: the three rising tones of E.180, table 2.
    Failed,
}

/// A stretch of one tone, or of silence at 0 Hz.
type Stretch = (u32, Duration);

const RING_BACK: &[Stretch] = &[(425, millis(1000)), (0, millis(4000))];
const ENDED: &[Stretch] = &[(425, millis(200)), (0, millis(200)), (425, millis(200))];
const FAILED: &[Stretch] = &[(950, millis(330)), (1400, millis(330)), (1800, millis(330))];

const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl CallTone {
    fn stretches(self) -> &'static [Stretch] {
        match self {
            Self::RingBack => RING_BACK,
            Self::Ended => ENDED,
            Self::Failed => FAILED,
        }
    }

    fn is_repeated(self) -> bool {
        match self {
            Self::RingBack => true,
            Self::Ended | Self::Failed => false,
        }
    }
}

/// A tone that is being played.
pub struct Playing {
    tone: CallTone,
    /// Samples since it began.
    at: u64,
}

impl Playing {
    /// From its beginning.
    pub fn new(tone: CallTone) -> Self {
        Self { tone, at: 0 }
    }

    /// Adds the next of it to a frame; false when it is over.
    pub fn add_to(&mut self, frame: &mut [i16]) -> bool {
        let stretches = self.tone.stretches();
        let total: u64 = stretches.iter().map(|(_, lasts)| samples(*lasts)).sum();
        for sample in frame {
            if self.at >= total && !self.tone.is_repeated() {
                return false;
            }
            *sample = sample.saturating_add(sample_at(stretches, self.at % total));
            self.at += 1;
        }
        true
    }
}

fn sample_at(stretches: &[Stretch], mut at: u64) -> i16 {
    for (hertz, lasts) in stretches {
        let count = samples(*lasts);
        if at < count {
            let turns = f64::from(*hertz) * at as f64 / f64::from(RATE);
            let from_an_end = at.min(count - 1 - at) as f64;
            let slope = (from_an_end / samples(SLOPE) as f64).min(1.0);
            return (PEAK * slope * (turns.fract() * TAU).sin()) as i16;
        }
        at -= count;
    }
    0
}

fn samples(lasts: Duration) -> u64 {
    lasts.as_millis() as u64 * u64::from(RATE) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME;
    use crate::media::quality::Level;

    #[test]
    fn ring_back_sounds_one_second_in_five_for_as_long_as_it_is_asked() {
        let mut playing = Playing::new(CallTone::RingBack);
        let loud: Vec<bool> = (0..500).map(|_| is_loud(&next(&mut playing).0)).collect();
        for (second, ticks) in loud.chunks(50).enumerate() {
            let expected = second % 5 == 0;
            assert!(ticks.iter().all(|loud| *loud == expected), "second {second}");
        }
    }

    #[test]
    fn the_other_tones_end_and_are_told_apart() {
        for (tone, expected) in [
            (CallTone::Ended, "++++++++++----------++++++++++"),
            (
                CallTone::Failed,
                "++++++++++++++++++++++++++++++++++++++++++++++++++",
            ),
        ] {
            let mut playing = Playing::new(tone);
            let mut heard = String::new();
            while heard.len() < 100 {
                let (frame, goes_on) = next(&mut playing);
                if !goes_on && frame == [0; FRAME] {
                    break;
                }
                heard.push(if is_loud(&frame) { '+' } else { '-' });
            }
            assert_eq!(heard, expected, "{tone:?}");
            let (frame, goes_on) = next(&mut playing);
            assert!(!goes_on && frame == [0; FRAME]);
        }
    }

    #[test]
    fn a_tone_has_its_level_its_pitch_and_no_click() {
        let mut playing = Playing::new(CallTone::RingBack);
        let samples: Vec<i16> = (0..60).flat_map(|_| next(&mut playing).0).collect();
        let (sounding, silent) = samples.split_at(50 * FRAME);
        let mut level = Level::default();
        sounding.chunks(FRAME).for_each(|frame| level.hear(frame));
        assert!((level.dbfs() + 20.0).abs() < 0.5, "{}", level.dbfs());
        let rises = sounding
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count();
        assert!((423..=425).contains(&rises), "{rises}");
        assert!(sounding[0] == 0 && sounding[50 * FRAME - 1] == 0);
        assert!(silent.iter().all(|sample| *sample == 0));
    }

    #[test]
    fn a_tone_is_added_to_what_is_there() {
        let mut frame = [i16::MAX; FRAME];
        assert!(Playing::new(CallTone::Failed).add_to(&mut frame));
        assert!(frame.iter().all(|sample| *sample > 20_000));
    }

    fn next(playing: &mut Playing) -> ([i16; FRAME], bool) {
        let mut frame = [0; FRAME];
        let goes_on = playing.add_to(&mut frame);
        (frame, goes_on)
    }

    fn is_loud(frame: &[i16]) -> bool {
        frame.iter().any(|sample| sample.abs() > 3000)
    }
}
