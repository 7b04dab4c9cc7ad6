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
    /// The next 20 ms.
    fn read(&mut self, frame: &mut Frame) -> Result<(), DeviceFault>;
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

/// Both devices of a call.
pub struct Opened {
    /// The room's voice.
    pub microphone: Box<dyn Microphone>,
    /// The meeting's voice.
    pub loudspeaker: Box<dyn Loudspeaker>,
    /// Why one of them is only silence.
    pub faults: Vec<String>,
}

/// Opens both; silence takes the place of one that cannot be.
pub fn open(input: &InputDevice, output: &OutputDevice) -> Opened {
    let mut faults = Vec::new();
    let mut note = |fault: DeviceFault| faults.push(fault.to_string());
    let microphone = open_input(input).unwrap_or_else(|fault| {
        note(fault);
        Box::new(Silence)
    });
    let loudspeaker = open_output(output).unwrap_or_else(|fault| {
        note(fault);
        Box::new(Discard)
    });
    Opened {
        microphone,
        loudspeaker,
        faults,
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
    fn read(&mut self, frame: &mut Frame) -> Result<(), DeviceFault> {
        frame.fill(0);
        Ok(())
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
    fn what_cannot_be_opened_is_silence_and_named() {
        let mut opened = open(
            &InputDevice::Alsa("default".to_owned()),
            &OutputDevice::File("/nonexistent/far.wav".to_owned()),
        );
        let mut frame = [1; FRAME];
        opened.microphone.read(&mut frame).unwrap();
        opened.loudspeaker.write(&frame).unwrap();
        assert_eq!(frame, [0; FRAME]);
        assert_eq!(opened.faults.len(), 2);
        assert!(opened.faults[0].contains("alsa:default"), "{:?}", opened.faults);
        assert!(
            opened.faults[1].contains("/nonexistent/far.wav"),
            "{:?}",
            opened.faults
        );
    }
}
