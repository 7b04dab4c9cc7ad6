//! `file:PATH.wav`: a room's voice from a file, repeated for ever, and the meeting's voice into one.

use std::fs::File;
use std::io::{BufReader, BufWriter};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::resample::ToMono;
use super::{DeviceFault, Frame, Loudspeaker, Microphone};
use crate::media::{FRAME, RATE};

/// More than any file of a voice has: what a frame needs of it stays below 40,000 moments.
const FASTEST: u32 = 1_920_000;
/// The header is brought up to date once a second, so that a file is whole even when the process dies.
const FRAMES_A_FLUSH: u32 = 50;

/// Plays a file again and again. It is read as it is played: a long one would hold up what is heard meanwhile.
pub struct Player {
    path: String,
    reader: WavReader<BufReader<File>>,
    to_mono: ToMono,
    channels: Vec<f32>,
}

impl Player {
    /// Opens the file: any rate and channels, whole numbers or floats.
    pub fn open(path: &str) -> Result<Self, DeviceFault> {
        let reader = WavReader::open(path).map_err(|error| unreadable(path, error))?;
        let spec = reader.spec();
        if spec.sample_rate > FASTEST {
            return Err(unreadable(path, hound::Error::Unsupported));
        }
        if reader.duration() == 0 || spec.sample_rate == 0 {
            return Err(DeviceFault::Empty(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            reader,
            to_mono: ToMono::from(spec.sample_rate),
            channels: vec![0.0; spec.channels.into()],
        })
    }

    /// The channels of the next moment; after the last comes the first.
    fn next_moment(&mut self) -> Result<(), hound::Error> {
        for channel in 0..self.channels.len() {
            let sample = match next_sample(&mut self.reader) {
                Some(sample) => sample,
                None => {
                    self.reader.seek(0)?;
                    next_sample(&mut self.reader).ok_or(hound::Error::UnfinishedSample)?
                }
            };
            self.channels[channel] = sample?;
        }
        Ok(())
    }
}

impl Microphone for Player {
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        for _ in 0..self.to_mono.missing(FRAME) {
            self.next_moment()
                .map_err(|error| unreadable(&self.path, error))?;
            self.to_mono.put(&self.channels);
        }
        self.to_mono.take(frame);
        Ok(true)
    }
}

fn next_sample(reader: &mut WavReader<BufReader<File>>) -> Option<Result<f32, hound::Error>> {
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().next(),
        SampleFormat::Int => {
            let full_scale = 2.0_f32.powi(i32::from(spec.bits_per_sample) - 1);
            let sample = reader.samples::<i32>().next()?;
            Some(sample.map(|sample| sample as f32 / full_scale))
        }
    }
}

fn unreadable(path: &str, error: hound::Error) -> DeviceFault {
    DeviceFault::Unreadable {
        path: path.to_owned(),
        error,
    }
}

/// Writes 48 kHz mono.
pub struct Recorder {
    path: String,
    writer: Option<WavWriter<BufWriter<File>>>,
    frames: u32,
}

impl Recorder {
    /// Writes the file anew.
    pub fn create(path: &str) -> Result<Self, DeviceFault> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let writer = WavWriter::create(path, spec).map_err(|error| unwritable(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            writer: Some(writer),
            frames: 0,
        })
    }

    fn append(&mut self, frame: &Frame) -> Result<(), hound::Error> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let mut samples = writer.get_i16_writer(FRAME as u32);
        frame.iter().for_each(|sample| samples.write_sample(*sample));
        samples.flush()?;
        self.frames = (self.frames + 1) % FRAMES_A_FLUSH;
        if self.frames == 0 { writer.flush() } else { Ok(()) }
    }
}

impl Loudspeaker for Recorder {
    fn write(&mut self, frame: &Frame) -> Result<(), DeviceFault> {
        self.append(frame).map_err(|error| unwritable(&self.path, error))
    }

    fn finish(&mut self) -> Result<(), DeviceFault> {
        match self.writer.take() {
            Some(writer) => writer.finalize().map_err(|error| unwritable(&self.path, error)),
            None => Ok(()),
        }
    }
}

fn unwritable(path: &str, error: hound::Error) -> DeviceFault {
    DeviceFault::Unwritable {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_plays_again_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voice.wav");
        let path = path.to_str().unwrap();
        let spoken: Frame = std::array::from_fn(|at| at as i16 * 30);
        let mut recorder = Recorder::create(path).unwrap();
        recorder.write(&spoken).unwrap();
        recorder.write(&[-5; FRAME]).unwrap();
        recorder.finish().unwrap();
        let mut player = Player::open(path).unwrap();
        for expected in [spoken, [-5; FRAME], spoken, [-5; FRAME]] {
            let mut heard = [0; FRAME];
            player.read(&mut heard).unwrap();
            assert_eq!(heard, expected);
        }
    }

    #[test]
    fn a_recording_is_whole_up_to_the_last_second_when_nobody_finishes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.wav");
        let mut recorder = Recorder::create(path.to_str().unwrap()).unwrap();
        (0..FRAMES_A_FLUSH + 10).for_each(|_| recorder.write(&[1; FRAME]).unwrap());
        let samples = WavReader::open(&path).unwrap().len();
        std::mem::forget(recorder);
        assert_eq!(samples, FRAMES_A_FLUSH * FRAME as u32);
    }

    #[test]
    fn every_format_plays_at_its_level() {
        let folder = tempfile::tempdir().unwrap();
        for (bits_per_sample, sample_format) in [
            (8, SampleFormat::Int),
            (16, SampleFormat::Int),
            (24, SampleFormat::Int),
            (32, SampleFormat::Float),
        ] {
            let path = folder.path().join(format!("{bits_per_sample}.wav"));
            let spec = WavSpec {
                channels: 2,
                sample_rate: 48_000,
                bits_per_sample,
                sample_format,
            };
            let mut writer = WavWriter::create(&path, spec).unwrap();
            for _ in 0..2 * 960 {
                match sample_format {
                    SampleFormat::Float => writer.write_sample(0.5_f32).unwrap(),
                    SampleFormat::Int => writer.write_sample(1_i32 << (bits_per_sample - 2)).unwrap(),
                }
            }
            writer.finalize().unwrap();
            let mut frame = [0; FRAME];
            Player::open(path.to_str().unwrap())
                .unwrap()
                .read(&mut frame)
                .unwrap();
            assert_eq!(frame, [16_384; FRAME], "{bits_per_sample} bits");
        }
    }

    #[test]
    fn files_that_are_no_audio_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.wav");
        std::fs::write(&path, b"RIFF\xff\xff\xff\xffWAVEfmt ").unwrap();
        for path in [path.to_str().unwrap(), "/nonexistent.wav"] {
            let fault = Player::open(path).err().unwrap();
            assert!(fault.to_string().contains(path), "{fault}");
        }
        let path = folder.path().join("empty.wav");
        Recorder::create(path.to_str().unwrap())
            .unwrap()
            .finish()
            .unwrap();
        let fault = Player::open(path.to_str().unwrap()).err().unwrap();
        assert!(matches!(fault, DeviceFault::Empty(_)), "{fault}");
    }
}
