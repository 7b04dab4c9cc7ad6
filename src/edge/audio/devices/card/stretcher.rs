//! The rate of a card and ours, and how they run apart.

use std::collections::VecDeque;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, ResampleError, Resampler, SincInterpolationParameters, WindowFunction,
};

/// What is resampled at once, in samples: 2.5 ms at the usual rate of a card.
pub(super) const CHUNK: usize = 120;

/// From one rate to another, a little more or less.
pub(super) struct Stretcher {
    inner: Async<f32>,
    ratio: f64,
    pending: Vec<f32>,
    out: Vec<f32>,
}

impl Stretcher {
    /// Between these rates, in samples a second.
    pub(super) fn new(from: u32, to: u32) -> Result<Self, rubato::ResamplerConstructionError> {
        let ratio = f64::from(to) / f64::from(from);
        // 64 points are flat to 85 % of the band, and more than enough of what a telephone carries.
        let quality = SincInterpolationParameters::new(64, WindowFunction::BlackmanHarris2);
        let inner = Async::new_sinc(ratio, 1.01, &quality, CHUNK, 1, FixedAsync::Input)?;
        Ok(Self {
            ratio,
            pending: Vec::with_capacity(CHUNK),
            out: vec![0.0; inner.output_frames_max()],
            inner,
        })
    }

    /// Appends what these samples become, `stretch` times as long as the rates alone would have it.
    pub(super) fn pass(
        &mut self,
        samples: impl Iterator<Item = i16>,
        stretch: f64,
        to: &mut VecDeque<i16>,
    ) -> Result<(), ResampleError> {
        if let Some(adjustable) = self.inner.as_adjustable() {
            adjustable.set_resample_ratio(self.ratio * stretch, true)?;
        }
        for sample in samples {
            self.pending.push(f32::from(sample));
            if self.pending.len() == CHUNK {
                self.pass_chunk(to)?;
            }
        }
        Ok(())
    }

    fn pass_chunk(&mut self, to: &mut VecDeque<i16>) -> Result<(), ResampleError> {
        let room = self.out.len();
        // Neither can fail: both slices are as long as they say.
        let (Ok(input), Ok(mut output)) = (
            InterleavedSlice::new(&self.pending, 1, CHUNK),
            InterleavedSlice::new_mut(&mut self.out, 1, room),
        ) else {
            return Ok(());
        };
        let (_, written) = self
            .inner
            .process_into_buffer(&input, &mut output, Some(&Indexing::new()))?;
        to.extend(self.out[..written].iter().map(|sample| sample.round() as i16));
        self.pending.clear();
        Ok(())
    }
}
