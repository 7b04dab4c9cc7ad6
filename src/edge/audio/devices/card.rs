//! `alsa:PCM`: a sound card, by the name that ALSA knows it by. Nothing here waits for the card on purpose; a driver
//! may hang all the same, and takes the device thread with it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use ::alsa::device_name::HintIter;
use ::alsa::pcm::{Access, Format, HwParams, PCM};
use ::alsa::{Direction, Error, Output, ValueOr};

use super::drift::Drift;
use super::{DeviceFault, Frame, Loudspeaker, Microphone};
use crate::edge::audio::beat;
use crate::media::{FRAME, RATE, TICK};

mod stretcher;
#[cfg(test)]
mod tests;

use stretcher::{CHUNK, Stretcher};

/// What nearly every card has.
const CARD_RATE: u32 = 48_000;
/// How often the card moves on, in microseconds: short against a frame.
const PERIOD: u32 = 5_000;
/// What the card may hold, in microseconds: a device thread that is late by less is not heard.
const BUFFER: u32 = 120_000;
/// What shall wait between the card and us, in seconds: a frame, and half a frame for lateness.
const WAITING: f64 = 0.03;
/// So many frames in a row that the card neither gave nor took, two seconds: it is gone.
const MOST_STALLS: u32 = 100;

/// The room's voice from a card.
pub struct Capture {
    card: Card,
    stretcher: Stretcher,
    drift: Drift,
    buffer: Vec<i16>,
    /// At our rate, not yet asked for.
    ready: VecDeque<i16>,
    /// Frames that wait behind us.
    waiting: usize,
    /// Samples of the card that shall not be heard.
    left_out: usize,
}

impl Capture {
    /// Opens it and lets it run.
    pub fn open(name: &str) -> Result<Self, DeviceFault> {
        let card = Card::open(name, Direction::Capture)?;
        let stretcher = Stretcher::new(card.rate, RATE).map_err(|error| card.fault(&error))?;
        card.pcm.start().map_err(|error| card.fault(&error))?;
        Ok(Self {
            buffer: vec![0; CHUNK * card.channels],
            card,
            stretcher,
            drift: Drift::new(WAITING),
            ready: VecDeque::new(),
            waiting: 0,
            left_out: 0,
        })
    }

    fn skip(&mut self, seconds: f64) {
        if seconds > 0.0 {
            self.left_out = (seconds * f64::from(self.card.rate)) as usize;
            self.card.slips += 1;
        }
    }

    /// Reads until a frame is ready or the card has no more.
    fn fetch(&mut self) -> Result<(), DeviceFault> {
        let held = self.card.pcm.avail_update().unwrap_or(0).max(0) as f64;
        let level = (self.waiting * FRAME + self.ready.len()) as f64 / f64::from(RATE)
            + held / f64::from(self.card.rate);
        let advice = self.drift.look(level);
        self.skip(advice.skip);
        while self.ready.len() < FRAME {
            let read = self
                .card
                .pcm
                .io_i16()
                .and_then(|card| card.readi(&mut self.buffer));
            match read {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.card.stalls = 0;
                    let channels = self.card.channels;
                    let left_out = count.min(self.left_out);
                    self.left_out -= left_out;
                    let samples = self.buffer[left_out * channels..count * channels].chunks_exact(channels);
                    let mono = samples.map(|moment| {
                        let sum: i32 = moment.iter().copied().map(i32::from).sum();
                        (sum / channels as i32) as i16
                    });
                    self.stretcher
                        .pass(mono, advice.stretch, &mut self.ready)
                        .map_err(|error| self.card.fault(&error))?;
                }
                Err(error) if is_nothing_yet(error) => return self.card.stall(),
                Err(error) if is_slip(error) => {
                    self.card.recover()?;
                    self.card.pcm.start().map_err(|error| self.card.fault(&error))?;
                    self.drift.forget();
                    return Ok(());
                }
                Err(error) => return Err(self.card.fault(&error)),
            }
        }
        Ok(())
    }
}

impl Microphone for Capture {
    fn note_waiting(&mut self, frames: usize) {
        self.waiting = frames;
    }

    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        self.fetch()?;
        if self.ready.len() < FRAME {
            return Ok(false);
        }
        for (sample, ready) in frame.iter_mut().zip(self.ready.drain(..FRAME)) {
            *sample = ready;
        }
        Ok(true)
    }

    fn take_slips(&mut self) -> u64 {
        std::mem::take(&mut self.card.slips)
    }
}

/// The meeting's voice to a card.
pub struct Playback {
    card: Card,
    stretcher: Stretcher,
    drift: Drift,
    /// At the card's rate, not yet taken by it.
    queue: VecDeque<i16>,
    interleaved: Vec<i16>,
    runs: bool,
    /// Frames that shall not be heard.
    left_out: usize,
}

impl Playback {
    /// Opens it; it runs from the first frame on.
    pub fn open(name: &str) -> Result<Self, DeviceFault> {
        let card = Card::open(name, Direction::Playback)?;
        let stretcher = Stretcher::new(RATE, card.rate).map_err(|error| card.fault(&error))?;
        Ok(Self {
            card,
            stretcher,
            drift: Drift::new(WAITING),
            queue: VecDeque::new(),
            interleaved: Vec::new(),
            runs: false,
            left_out: 0,
        })
    }

    fn skip(&mut self, seconds: f64) {
        if seconds > 0.0 {
            self.left_out = (seconds / TICK.as_secs_f64()) as usize;
            self.card.slips += 1;
        }
    }

    fn flush(&mut self) -> Result<(), DeviceFault> {
        while !self.queue.is_empty() {
            self.interleaved.clear();
            let channels = self.card.channels;
            let next = self.queue.iter().take(CHUNK);
            self.interleaved
                .extend(next.flat_map(|sample| std::iter::repeat_n(*sample, channels)));
            let written = self
                .card
                .pcm
                .io_i16()
                .and_then(|card| card.writei(&self.interleaved));
            match written {
                Ok(0) => return self.card.stall(),
                Ok(count) => {
                    self.card.stalls = 0;
                    self.queue.drain(..count);
                }
                Err(error) if is_nothing_yet(error) => {
                    // What it cannot take within its buffer's time is too old to be heard.
                    let most = self.card.rate as usize * BUFFER as usize / 1_000_000;
                    let excess = self.queue.len().saturating_sub(most);
                    self.queue.drain(..excess);
                    return self.card.stall();
                }
                Err(error) if is_slip(error) => {
                    self.card.recover()?;
                    self.runs = false;
                    self.prime();
                }
                Err(error) => return Err(self.card.fault(&error)),
            }
        }
        Ok(())
    }

    /// A little silence goes first, so that a frame that is late is not heard.
    fn prime(&mut self) {
        if !self.runs {
            self.runs = true;
            self.drift.forget();
            let silence = (WAITING * f64::from(self.card.rate)) as usize;
            (0..silence).for_each(|_| self.queue.push_front(0));
        }
    }
}

impl Loudspeaker for Playback {
    fn write(&mut self, frame: &Frame) -> Result<(), DeviceFault> {
        let held = match self.card.pcm.avail_update() {
            // Not how long it takes to be heard: that is the card's own affair, and it may be long.
            Ok(free) => self.card.size.saturating_sub(free.max(0) as usize),
            Err(error) if is_slip(error) => {
                self.card.recover()?;
                self.runs = false;
                0
            }
            Err(error) => return Err(self.card.fault(&error)),
        };
        let stretch = match self.runs {
            true => {
                let waits = (held + self.queue.len()) as f64 / f64::from(self.card.rate);
                let advice = self.drift.look(waits);
                self.skip(advice.skip);
                advice.stretch
            }
            false => 1.0,
        };
        if self.left_out > 0 {
            self.left_out -= 1;
            return self.flush();
        }
        self.stretcher
            .pass(frame.iter().copied(), stretch, &mut self.queue)
            .map_err(|error| self.card.fault(&error))?;
        self.prime();
        self.flush()
    }

    fn finish(&mut self) -> Result<(), DeviceFault> {
        let give_up = beat::now() + TICK * 10;
        while beat::now() < give_up && self.card.pcm.delay().is_ok_and(|held| held > 0) {
            self.flush()?;
            beat::sleep_until(beat::now() + TICK / 4);
        }
        Ok(())
    }

    fn take_slips(&mut self) -> u64 {
        std::mem::take(&mut self.card.slips)
    }
}

/// An open PCM.
struct Card {
    pcm: PCM,
    /// As the configuration names it.
    shown: String,
    channels: usize,
    rate: u32,
    /// What it may hold, in moments of all channels.
    size: usize,
    /// How often it ran dry or over, not yet told.
    slips: u64,
    stalls: u32,
    /// What ALSA would print on standard error, where it is no line of the journal.
    _errors: Option<Rc<RefCell<Output>>>,
}

impl Card {
    fn open(name: &str, direction: Direction) -> Result<Self, DeviceFault> {
        let side = match direction {
            Direction::Capture => "input",
            Direction::Playback => "output",
        };
        let shown = format!("{side} alsa:{name}");
        let errors = Output::local_error_handler().ok();
        let set_up = || {
            let pcm = PCM::new(name, direction, true)?;
            let (channels, rate) = agree(&pcm, direction)?;
            let (size, _) = pcm.get_params()?;
            Ok((pcm, channels, rate, size))
        };
        match set_up() {
            Ok((pcm, channels, rate, size)) => Ok(Self {
                pcm,
                shown,
                channels: channels as usize,
                rate,
                size: size as usize,
                slips: 0,
                stalls: 0,
                _errors: errors,
            }),
            Err(error) => Err(fault(&shown, &error)),
        }
    }

    /// It gave or took nothing; from time to time that is so.
    fn stall(&mut self) -> Result<(), DeviceFault> {
        self.stalls += 1;
        match self.stalls >= MOST_STALLS {
            true => Err(DeviceFault::Card {
                which: self.shown.clone(),
                why: "it has stood still for two seconds".to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// Goes on after it ran dry or over.
    fn recover(&mut self) -> Result<(), DeviceFault> {
        self.slips += 1;
        self.pcm.prepare().map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &dyn std::fmt::Display) -> DeviceFault {
        DeviceFault::Card {
            which: self.shown.clone(),
            why: error.to_string(),
        }
    }
}

/// How many channels and samples a second there will be.
fn agree(pcm: &PCM, direction: Direction) -> Result<(u32, u32), Error> {
    let hardware = HwParams::any(pcm)?;
    hardware.set_rate_resample(true)?;
    hardware.set_access(Access::RWInterleaved)?;
    hardware.set_format(Format::s16())?;
    let channels = hardware.set_channels_near(1)?;
    let rate = hardware.set_rate_near(CARD_RATE, ValueOr::Nearest)?;
    hardware.set_period_time_near(PERIOD, ValueOr::Nearest)?;
    hardware.set_buffer_time_near(BUFFER, ValueOr::Nearest)?;
    pcm.hw_params(&hardware)?;
    if direction == Direction::Playback {
        let software = pcm.sw_params_current()?;
        software.set_start_threshold((WAITING * f64::from(rate)) as _)?;
        pcm.sw_params(&software)?;
    }
    Ok((channels, rate))
}

/// The names under which a call may use the cards that there are, those that convert formats; for people who look for
/// the right one. A name with CARD= stays the same over unplugging and restarts.
pub fn names(is_input: bool) -> Vec<String> {
    let wanted = match is_input {
        true => Direction::Capture,
        false => Direction::Playback,
    };
    let Ok(hints) = HintIter::new_str(None, "pcm") else {
        return Vec::new();
    };
    hints
        .filter(|hint| hint.direction.is_none_or(|direction| direction == wanted))
        .filter_map(|hint| hint.name)
        .filter(|name| {
            ["plughw:", "dsnoop:", "dmix:", "pulse", "pipewire"]
                .iter()
                .any(|kind| name.starts_with(kind))
        })
        .collect()
}

fn fault(which: &str, error: &Error) -> DeviceFault {
    use rustix::io::Errno;
    let why = match Errno::from_raw_os_error(error.errno()) {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => "there is no such card".to_owned(),
        Errno::BUSY => "another program has it".to_owned(),
        Errno::ACCESS | Errno::PERM => "access is denied; the service is in the group audio".to_owned(),
        Errno::INVAL => "it has no 16 bit samples; try the same name with plughw".to_owned(),
        other => other.to_string(),
    };
    DeviceFault::Card {
        which: which.to_owned(),
        why,
    }
}

fn is_nothing_yet(error: Error) -> bool {
    error.errno() == rustix::io::Errno::AGAIN.raw_os_error()
}

/// It ran dry or over, or the machine slept.
fn is_slip(error: Error) -> bool {
    use rustix::io::Errno;
    [Errno::PIPE, Errno::STRPIPE]
        .map(Errno::raw_os_error)
        .contains(&error.errno())
}
