//! The room's voice made fit for a meeting: without the echo of the loudspeaker, with less noise, and at a level that
//! is heard. The work is that of a library, in builds that have it (the feature `processing`).

#[cfg(not(feature = "processing"))]
mod none;
#[cfg(all(test, feature = "processing"))]
mod tests;
#[cfg(feature = "processing")]
mod webrtc;

#[cfg(not(feature = "processing"))]
pub use none::Processor;
#[cfg(feature = "processing")]
pub use webrtc::Processor;

use super::{InputDevice, Settings};

/// Whether this build can do it.
pub const IS_BUILT_IN: bool = cfg!(feature = "processing");

/// `media.processing`: what is done to the room's voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processing {
    /// Echo, noise and level.
    Full,
    /// Noise alone: there is no loudspeaker near the microphone, or the hardware cancels its echo.
    Noise,
    /// Nothing: the hardware does it.
    Off,
}

impl Settings {
    /// What is done to what comes from the input. A recording, a tone and silence were in no room: they are passed on as they
    /// are.
    pub fn processing_of_input(&self) -> Processing {
        match self.input {
            InputDevice::Alsa(_) => self.processing,
            InputDevice::File(_) | InputDevice::Tone(_) | InputDevice::Silence => Processing::Off,
        }
    }
}
