//! Where voices come from and go to. To add a device: a file beside this one and an arm in [`open`].

use thiserror::Error;

use crate::media::{FRAME, InputDevice, OutputDevice};

#[cfg(feature = "alsa")]
mod card;
#[cfg(any(feature = "alsa", test))]
mod drift;
mod file;
mod resample;
mod tone;

/// 20 ms at 48 kHz.
pub type Frame = [i16; FRAME];

/// A source of audio. It may block; a call's device thread is its own.
pub trait Microphone {
    /// So many frames have been read and not yet been heard.
    fn note_waiting(&mut self, _frames: usize) {}
    /// The next 20 ms; false when they have not been spoken yet.
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault>;
    /// How often audio was lost since the last time because it was not read in time.
    fn take_slips(&mut self) -> u64 {
        0
    }
}

/// A sink of audio. It may block.
pub trait Loudspeaker {
    /// Takes the next 20 ms.
    fn write(&mut self, frame: &Frame) -> Result<(), DeviceFault>;
    /// Nothing follows.
    fn finish(&mut self) -> Result<(), DeviceFault>;
    /// How often it ran dry since the last time.
    fn take_slips(&mut self) -> u64 {
        0
    }
}

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum DeviceFault {
    /// This build cannot speak to it.
    #[cfg(not(feature = "alsa"))]
    #[error("{0} cannot be used: ALSA is not built in")]
    NotBuiltIn(String),
    /// A sound card that is not there, or not any more.
    #[cfg(feature = "alsa")]
    #[error("{which} cannot be used: {why}")]
    Card {
        /// Which, as configured.
        which: String,
        /// Why.
        why: String,
    },
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

impl DeviceFault {
    /// Whether it may come, or come back, by itself. A recording that broke off is not begun anew: that would wipe it.
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            #[cfg(not(feature = "alsa"))]
            Self::NotBuiltIn(_) => false,
            #[cfg(feature = "alsa")]
            Self::Card { .. } => true,
            Self::Unreadable { .. } | Self::Empty(_) => true,
            Self::Unwritable { .. } => false,
        }
    }
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

/// Opens a sound card as a call would and closes it; why that is not possible, and what to do. Waits for three seconds
/// at most.
#[cfg(feature = "alsa")]
pub fn try_card(name: &str, is_input: bool) -> Result<(), String> {
    use std::sync::mpsc;
    use std::time::Duration;

    const HANGS: Duration = Duration::from_secs(3);
    let (tell, tried) = mpsc::channel();
    let wanted = name.to_owned();
    std::thread::spawn(move || {
        let tried = match is_input {
            true => card::Capture::open(&wanted).map(drop),
            false => card::Playback::open(&wanted).map(drop),
        };
        // Whoever asked may have stopped waiting.
        let _ = tell.send(tried.map_err(|fault| (fault, card::names(is_input))));
    });
    match tried.recv_timeout(HANGS) {
        Ok(Ok(())) => Ok(()),
        Ok(Err((fault, names))) => Err(match names.is_empty() {
            true => format!(
                "{fault}; ALSA knows no card at all: plug one in, then systemctl restart meetd (it sees /dev/snd at its \
                 start only)"
            ),
            false => format!("{fault}; there is: {}", names.join(", ")),
        }),
        Err(_) => Err(format!("alsa:{name} hangs; pull it out and plug it in again")),
    }
}

/// This build has none.
#[cfg(not(feature = "alsa"))]
pub fn try_card(_name: &str, _is_input: bool) -> Result<(), String> {
    Err("this build has no sound cards; install the package, or build with --features alsa".to_owned())
}

fn open_input(input: &InputDevice) -> Result<Box<dyn Microphone>, DeviceFault> {
    Ok(match input {
        #[cfg(feature = "alsa")]
        InputDevice::Alsa(name) => Box::new(card::Capture::open(name)?),
        #[cfg(not(feature = "alsa"))]
        InputDevice::Alsa(name) => return Err(DeviceFault::NotBuiltIn(format!("input alsa:{name}"))),
        InputDevice::File(path) => Box::new(file::Player::open(path)?),
        InputDevice::Tone(hertz) => Box::new(tone::Tone::new(*hertz)),
        InputDevice::Silence => Box::new(Silence),
    })
}

fn open_output(output: &OutputDevice) -> Result<Box<dyn Loudspeaker>, DeviceFault> {
    Ok(match output {
        #[cfg(feature = "alsa")]
        OutputDevice::Alsa(name) => Box::new(card::Playback::open(name)?),
        #[cfg(not(feature = "alsa"))]
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
