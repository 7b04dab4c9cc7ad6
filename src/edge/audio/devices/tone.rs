//! `tone:HZ`: a sine at −12 dBFS, to hear whether a line works.

use std::f64::consts::TAU;

use super::{DeviceFault, Frame, Microphone};
use crate::media::RATE;

/// The peak of a sine whose level is −12 dBFS on the scale where the loudest square wave is 0.
const PEAK: f64 = 32768.0 * 0.3548;

/// A tone without end.
pub struct Tone {
    step: f64,
    /// In turns, 0 to 1.
    phase: f64,
}

impl Tone {
    /// Of this frequency; above 24 kHz it is heard as another.
    pub fn new(hertz: u32) -> Self {
        Self {
            step: f64::from(hertz) / f64::from(RATE),
            phase: 0.0,
        }
    }
}

impl Microphone for Tone {
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        for sample in frame {
            *sample = (PEAK * (self.phase * TAU).sin()) as i16;
            self.phase = (self.phase + self.step).fract();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME;
    use crate::media::quality::Level;

    #[test]
    fn a_tone_has_its_level_and_frequency() {
        let mut tone = Tone::new(1000);
        let mut level = Level::default();
        let mut rises = 0;
        let mut before = 1;
        for _ in 0..100 {
            let mut frame = [0; FRAME];
            tone.read(&mut frame).unwrap();
            level.hear(&frame);
            for sample in frame {
                rises += u32::from(before < 0 && sample >= 0);
                before = sample;
            }
        }
        assert!((level.dbfs() + 12.0).abs() < 0.1, "{}", level.dbfs());
        assert!((1998..=2000).contains(&rises), "{rises}");
    }
}
