//! How loud the room hears a call: volume and mute, changed without a click.

/// What the loudspeaker is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loudspeaker {
    /// 0 to 100; what is above counts as 100.
    pub volume: u8,
    /// Whether nothing is heard, whatever the volume.
    pub is_muted: bool,
}

impl Default for Loudspeaker {
    /// As loud as the far end sent it.
    fn default() -> Self {
        Self {
            volume: 100,
            is_muted: false,
        }
    }
}

impl Loudspeaker {
    /// What each sample is multiplied with. The square of the volume: half the scale is 12 dB less, about half as
    /// loud to an ear, and the lowest tenth is 40 dB less.
    pub fn gain(self) -> f32 {
        match self.is_muted {
            true => 0.0,
            false => (f32::from(self.volume.min(100)) / 100.0).powi(2),
        }
    }
}

/// Applies a [`Loudspeaker`] to audio. A change takes one frame.
pub struct Fader {
    gain: f32,
    wanted: f32,
}

impl Fader {
    /// Set like this from the first sample on.
    pub fn new(loudspeaker: Loudspeaker) -> Self {
        Self {
            gain: loudspeaker.gain(),
            wanted: loudspeaker.gain(),
        }
    }

    /// Goes there within the next frame.
    pub fn set(&mut self, loudspeaker: Loudspeaker) {
        self.wanted = loudspeaker.gain();
    }

    /// Makes a frame as loud as it shall be heard.
    pub fn apply(&mut self, frame: &mut [i16]) {
        if self.gain == 1.0 && self.wanted == 1.0 {
            return;
        }
        let step = (self.wanted - self.gain) / frame.len().max(1) as f32;
        for sample in frame {
            self.gain += step;
            *sample = (f32::from(*sample) * self.gain).round() as i16;
        }
        // The sum of the steps is off by rounding.
        self.gain = self.wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME;

    #[test]
    fn full_volume_changes_no_sample_and_mute_leaves_none() {
        let heard = |volume, is_muted| {
            let mut frame = [i16::MIN, -1, 0, 1, i16::MAX];
            Fader::new(Loudspeaker { volume, is_muted }).apply(&mut frame);
            frame
        };
        assert_eq!(heard(100, false), [i16::MIN, -1, 0, 1, i16::MAX]);
        assert_eq!(heard(255, false), [i16::MIN, -1, 0, 1, i16::MAX]);
        assert_eq!(heard(100, true), [0; 5]);
        assert_eq!(heard(0, false), [0; 5]);
    }

    #[test]
    fn each_step_is_louder_and_half_the_scale_is_twelve_decibels_less() {
        let gain = |volume| {
            Loudspeaker {
                volume,
                is_muted: false,
            }
            .gain()
        };
        assert!((0..100).all(|volume| gain(volume) < gain(volume + 1)));
        assert!((20.0 * gain(50).log10() + 12.04).abs() < 0.01);
        assert!((20.0 * gain(10).log10() + 40.0).abs() < 0.01);
    }

    #[test]
    fn a_change_is_a_slope_and_no_step() {
        let mut fader = Fader::new(Loudspeaker::default());
        fader.set(Loudspeaker {
            volume: 100,
            is_muted: true,
        });
        let mut frame = [20_000; FRAME];
        fader.apply(&mut frame);
        let steepest = frame.windows(2).map(|pair| pair[0] - pair[1]).max().unwrap();
        assert!(
            steepest <= 20_000 / FRAME as i16 + 1 && frame[0] > 19_000,
            "{steepest}"
        );
        assert_eq!(frame[FRAME - 1], 0);
        let mut next = [20_000; FRAME];
        fader.apply(&mut next);
        assert_eq!(next, [0; FRAME]);
    }
}
