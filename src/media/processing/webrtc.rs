//! WebRTC's audio processing, by `sonora`: echo (AEC3), noise, level (AGC2).

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::Processing;
use crate::media::{FRAME, RATE};

/// What the library takes at once: 10 ms.
const STEP: usize = RATE as usize / 100;

/// Works on the room's voice, 20 ms at a time. It finds out by itself how long a sound takes from the loudspeaker to
/// the microphone, up to about half a second.
pub struct Processor {
    engine: AudioProcessing,
    /// Whether it wants to know what is played.
    cancels_echo: bool,
}

impl Processor {
    /// One that has heard nothing yet; `None` where nothing is to be done.
    pub fn new(processing: Processing) -> Option<Self> {
        let cancels_echo = match processing {
            Processing::Off => return None,
            Processing::Noise => false,
            Processing::Full => true,
        };
        let config = Config {
            pipeline: Pipeline {
                maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
                ..Pipeline::default()
            },
            // What is below 100 Hz or so is rumble.
            high_pass_filter: Some(HighPassFilter::default()),
            echo_canceller: cancels_echo.then(EchoCanceller::default),
            noise_suppression: Some(NoiseSuppression {
                level: NoiseSuppressionLevel::High,
                ..NoiseSuppression::default()
            }),
            gain_controller2: cancels_echo.then(level),
            ..Config::default()
        };
        let mono = StreamConfig::new(RATE, 1);
        let engine = AudioProcessing::builder()
            .config(config)
            .capture_config(mono)
            .render_config(mono)
            .build();
        Some(Self { engine, cancels_echo })
    }

    /// Takes what the room is about to hear: its echo is what [`Processor::clean`] removes.
    pub fn played(&mut self, frame: &[i16; FRAME]) {
        if !self.cancels_echo {
            return;
        }
        let mut unchanged = [0; STEP];
        for step in frame.chunks_exact(STEP) {
            // It fails on other rates and channels than it was made for, and there are none.
            let _ = self.engine.process_render_i16(step, &mut unchanged);
        }
    }

    /// Works on what the microphone heard. Its sound comes some milliseconds later than it went in.
    pub fn clean(&mut self, frame: &mut [i16; FRAME]) {
        let mut cleaned = [0; STEP];
        for step in frame.chunks_exact_mut(STEP) {
            if self.engine.process_capture_i16(step, &mut cleaned).is_ok() {
                step.copy_from_slice(&cleaned);
            }
        }
    }
}

/// Raises the quiet as far as the noise of the room allows, and holds the loud below what clips.
fn level() -> GainController2 {
    GainController2 {
        adaptive_digital: Some(AdaptiveDigital {
            // A microphone that is set right stays as it is; one at the other end of the table needs this much.
            initial_gain_db: 0.0,
            max_gain_db: 24.0,
            ..AdaptiveDigital::default()
        }),
        ..GainController2::default()
    }
}
