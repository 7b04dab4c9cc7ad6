//! Where voices come from and go to. To add a device: a file beside this one and an arm in [`open`].

use thiserror::Error;

use crate::media::{FRAME, InputDevice, OutputDevice};

mod file;
mod resample;
mod tone;

/// 20 ms at 48 kHz.
pub type Frame = [i16; FRAME];

/// A source of audio. It may block; a call's device thread is its own.
pub trait Microphone {
    /// The next 20 ms; false when they have not been spoken yet.
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault>;
}

/// A sink of audio. It may block.
pub trait Loudspeaker {
    /// Takes the next 20 ms.
    fn write(&mut self, frame: &Frame) -> Result<(), DeviceFault>;
    /// Nothing follows.
    fn finish(&mut self) -> Result<(), DeviceFault>;
}

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum DeviceFault {
    /// This build cannot speak to it.
    #[error("{0} cannot be used: ALSA is not built in")]
    NotBuiltIn(String),
    /// A file that cannot be read.
    #[error("audio file {path} cannot be read: {error}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        error: hound::Error,
    },
    /// A file without a sample.
    #[error("audio file {0} holds no audio")]
    Empty(String),
    /// A file that cannot be written.
    #[error("audio file {path} cannot be written: {error}")]
    Unwritable {
        /// Which.
        path: String,
        /// Why.
        error: hound::Error,
    },
}

/// Opens what a call needs, when it needs it.
pub trait Devices {
    /// The room's voice.
    fn microphone(&mut self) -> Result<Box<dyn Microphone>, DeviceFault>;
    /// The meeting's voice.
    fn loudspeaker(&mut self) -> Result<Box<dyn Loudspeaker>, DeviceFault>;
}

/// Those that the configuration names.
pub struct Configured {
    /// `media.input`.
    pub input: InputDevice,
    /// `media.output`.
    pub output: OutputDevice,
}

impl Devices for Configured {
    fn microphone(&mut self) -> Result<Box<dyn Microphone>, DeviceFault> {
        open_input(&self.input)
    }

    fn loudspeaker(&mut self) -> Result<Box<dyn Loudspeaker>, DeviceFault> {
        open_output(&self.output)
    }
}

fn open_input(input: &InputDevice) -> Result<Box<dyn Microphone>, DeviceFault> {
    Ok(match input {
        InputDevice::Alsa(name) => return Err(DeviceFault::NotBuiltIn(format!("input alsa:{name}"))),
        InputDevice::File(path) => Box::new(file::Player::open(path)?),
        InputDevice::Tone(hertz) => Box::new(tone::Tone::new(*hertz)),
        InputDevice::Silence => Box::new(Silence),
    })
}

fn open_output(output: &OutputDevice) -> Result<Box<dyn Loudspeaker>, DeviceFault> {
    Ok(match output {
        OutputDevice::Alsa(name) => return Err(DeviceFault::NotBuiltIn(format!("output alsa:{name}"))),
        OutputDevice::File(path) => Box::new(file::Recorder::create(path)?),
        OutputDevice::Discard => Box::new(Discard),
    })
}

/// `silence`.
pub struct Silence;

impl Microphone for Silence {
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        frame.fill(0);
        Ok(true)
    }
}

/// `discard`.
pub struct Discard;

impl Loudspeaker for Discard {
    fn write(&mut self, _frame: &Frame) -> Result<(), DeviceFault> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DeviceFault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_is_named() {
        let mut devices = Configured {
            input: InputDevice::Alsa("default".to_owned()),
            output: OutputDevice::File("/nonexistent/far.wav".to_owned()),
        };
        let input = devices.microphone().err().unwrap().to_string();
        assert!(input.contains("alsa:default"), "{input}");
        let output = devices.loudspeaker().err().unwrap().to_string();
        assert!(output.contains("/nonexistent/far.wav"), "{output}");
    }
}
