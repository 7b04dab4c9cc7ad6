//! A call in a room whose microphone hears nothing but its loudspeaker.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::edge::audio::devices::{DeviceFault, Devices, Frame, Loudspeaker, Microphone};
use crate::media::RATE;

#[tokio::test]
async fn the_echo_of_the_room_does_not_leave_in_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("bursts.wav");
    record_bursts(&recording);
    let said = InputDevice::File(recording.to_str().unwrap().to_owned());
    for (processing, least, most) in [(Processing::Off, -1.0, 1.0), (Processing::Full, -127.0, -30.0)] {
        let mut meeting = Room::new(said.clone(), OutputDevice::Discard);
        let mut room = Room::new(InputDevice::Silence, OutputDevice::Discard);
        let (there, here) = (meeting.reserve(), room.reserve());
        room.spawn_with(Echo::default(), processing);
        meeting.start(plan(there, here));
        room.start(plan(here, there));
        room.figures_until(|figures| {
            let left = figures.near_level_dbfs - figures.microphone_level_dbfs;
            figures.microphone_level_dbfs > -30.0 && (least..most).contains(&left)
        })
        .await;
    }
}

/// What the loudspeaker said and the microphone has not heard yet.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<VecDeque<Frame>>>);

impl Devices for Echo {
    fn microphone(&mut self) -> Result<Box<dyn Microphone>, DeviceFault> {
        Ok(Box::new(self.clone()))
    }

    fn loudspeaker(&mut self) -> Result<Box<dyn Loudspeaker>, DeviceFault> {
        Ok(Box::new(self.clone()))
    }
}

impl Microphone for Echo {
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        let heard = self.0.lock().unwrap().pop_front();
        *frame = heard.unwrap_or([0; FRAME]);
        Ok(heard.is_some())
    }
}

impl Loudspeaker for Echo {
    fn write(&mut self, frame: &Frame) -> Result<(), DeviceFault> {
        let mut air = self.0.lock().unwrap();
        air.push_back(frame.map(|sample| sample / 2));
        // Nobody listened: it was long ago.
        while air.len() > 10 {
            air.pop_front();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DeviceFault> {
        Ok(())
    }
}

/// Three seconds of noise that comes and goes, as syllables do.
fn record_bursts(path: &std::path::Path) {
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut chance = Chance::from_seed([6; 32]);
    let mut file = hound::WavWriter::create(path, format).unwrap();
    for at in 0..3 * RATE {
        let is_loud = at % (RATE / 4) < RATE / 5;
        let sample = (chance.u32() as u16).cast_signed() / 2;
        file.write_sample(if is_loud { sample } else { 0 }).unwrap();
    }
    file.finalize().unwrap();
}
