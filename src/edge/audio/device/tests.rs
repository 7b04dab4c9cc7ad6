//! The thread of a device with devices that work, fail, panic, hang, and are pulled out.

use super::*;
use crate::media::TICK;

#[test]
fn frames_go_both_ways_and_the_last_is_written_before_the_end() {
    let (written, seen) = std::sync::mpsc::channel();
    let mut device = start(|| Box::new(Sevens), Tell(written));
    eventually(|| device.listen() == [7; FRAME]);
    device.say([3; FRAME]);
    assert!(device.end());
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [[3; FRAME], FINISHED]);
}

#[test]
fn the_microphone_is_open_only_while_it_is_wanted() {
    let (opened, count) = std::sync::mpsc::channel();
    let (written, seen) = std::sync::mpsc::channel();
    let alive = Arc::new(());
    let given = Arc::clone(&alive);
    let microphone = move || -> Box<dyn Microphone> {
        let _ = opened.send(());
        Box::new(Alive(Arc::clone(&given)))
    };
    let mut device = Device::start(Pair(microphone, Some(Tell(written))));
    device.say([3; FRAME]);
    eventually(|| seen.try_recv().is_ok());
    assert!(count.try_recv().is_err() && device.listen() == [0; FRAME]);
    for _ in 0..2 {
        device.open_microphone(true);
        eventually(|| device.listen() == [7; FRAME]);
        device.open_microphone(false);
        // This test and the closure hold one each.
        eventually(|| Arc::strong_count(&alive) == 2);
        // What had been heard before is no longer given when it is opened again much later.
        eventually(|| device.listen() == [0; FRAME]);
    }
    assert_eq!(count.try_iter().count(), 2);
    assert!(device.end());
}

#[test]
fn a_panic_in_a_device_is_a_fault_and_silence() {
    let mut device = start(|| Box::new(Panics), Discard);
    let mut news = None;
    eventually(|| {
        news = news.take().or_else(|| device.news());
        news.is_some()
    });
    assert_eq!(news, lost("a fault in the device thread"));
    assert_eq!(device.listen(), [0; FRAME]);
    assert!(device.end());
}

#[test]
fn a_device_that_fails_is_told_once_and_replaced_by_silence() {
    let mut device = start(|| Box::new(Fails), Fails);
    let mut faults = Vec::new();
    eventually(|| {
        device.say([1; FRAME]);
        faults.extend(device.news());
        faults.len() == 2
    });
    (0..100).for_each(|_| device.say([1; FRAME]));
    assert_eq!(device.news(), None);
    assert!(device.end());
}

#[test]
fn a_device_that_hangs_is_told_and_left_behind() {
    let (release, hung) = std::sync::mpsc::channel();
    let (enter, entered) = std::sync::mpsc::channel();
    let mut device = start(|| Box::new(Hangs { enter, hung }), Discard);
    for _ in 0..MOST_GAPS {
        assert_eq!(device.listen(), [0; FRAME]);
    }
    assert_eq!(device.news(), lost("the audio device hangs"));
    assert_eq!(device.news(), None);
    entered.recv_timeout(Duration::from_secs(10)).unwrap();
    let begun = beat::now();
    assert!(!device.end());
    assert!(beat::now() - begun >= PATIENCE);
    drop(release);
}

#[test]
fn a_device_that_is_plugged_in_again_is_heard_again() {
    let pulls = Arc::new(AtomicBool::new(false));
    let pulled = Arc::clone(&pulls);
    let (written, seen) = std::sync::mpsc::channel();
    let plugs = Plugs { pulled, written };
    let mut device = Device::start(plugs);
    device.open_microphone(true);
    eventually(|| device.listen() == [7; FRAME]);
    pulls.store(true, Ordering::Release);
    let mut news = Vec::new();
    eventually(|| {
        device.say([3; FRAME]);
        device.listen();
        news.extend(device.news());
        news.len() == 2
    });
    eventually(|| {
        device.wake();
        device.listen() == [0; FRAME]
    });
    pulls.store(false, Ordering::Release);
    eventually(|| {
        device.say([3; FRAME]);
        device.listen();
        news.extend(device.news());
        news.len() == 4
    });
    let told: Vec<String> = news.iter().map(|news| format!("{news:?}")).collect();
    assert!(told[..2].iter().all(|told| told.contains("Lost")), "{told:?}");
    assert!(told[2..].iter().all(|told| told.contains("Back")), "{told:?}");
    eventually(|| device.listen() == [7; FRAME]);
    assert!(seen.try_iter().any(|frame| frame == [3; FRAME]));
    assert_eq!(device.slips(), 2);
    assert!(device.end());
}

/// Both devices hang on one cable; each time they are plugged in, the microphone slips.
struct Plugs {
    pulled: Arc<AtomicBool>,
    written: std::sync::mpsc::Sender<Frame>,
}

struct Plugged(Arc<AtomicBool>, Option<std::sync::mpsc::Sender<Frame>>, u64);

impl Devices for Plugs {
    fn microphone(&mut self) -> Result<Box<dyn Microphone>, DeviceFault> {
        match self.pulled.load(Ordering::Acquire) {
            true => Err(unplugged()),
            false => Ok(Box::new(Plugged(Arc::clone(&self.pulled), None, 1))),
        }
    }

    fn loudspeaker(&mut self) -> Result<Box<dyn Loudspeaker>, DeviceFault> {
        match self.pulled.load(Ordering::Acquire) {
            true => Err(unplugged()),
            false => {
                let written = Some(self.written.clone());
                Ok(Box::new(Plugged(Arc::clone(&self.pulled), written, 0)))
            }
        }
    }
}

impl Microphone for Plugged {
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        frame.fill(7);
        match self.0.load(Ordering::Acquire) {
            true => Err(unplugged()),
            false => Ok(true),
        }
    }

    fn take_slips(&mut self) -> u64 {
        std::mem::take(&mut self.2)
    }
}

impl Loudspeaker for Plugged {
    fn write(&mut self, frame: &Frame) -> Result<(), DeviceFault> {
        if let Some(written) = &self.1 {
            let _ = written.send(*frame);
        }
        match self.0.load(Ordering::Acquire) {
            true => Err(unplugged()),
            false => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), DeviceFault> {
        Ok(())
    }
}

fn unplugged() -> DeviceFault {
    DeviceFault::Empty("unplugged.wav".to_owned())
}

fn lost(why: &str) -> Option<Event> {
    let why = why.to_owned();
    Some(Event::DeviceLost { why })
}

const FINISHED: Frame = [-1; FRAME];

struct Sevens;

/// Gives sevens while it is held.
struct Alive(#[expect(dead_code, reason = "its count tells who holds it")] Arc<()>);

impl Microphone for Alive {
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        Sevens.read(frame)
    }
}
struct Panics;
struct Fails;
struct Hangs {
    enter: std::sync::mpsc::Sender<()>,
    hung: std::sync::mpsc::Receiver<()>,
}
struct Tell(std::sync::mpsc::Sender<Frame>);

impl Microphone for Sevens {
    fn read(&mut self, frame: &mut Frame) -> Result<bool, DeviceFault> {
        frame.fill(7);
        Ok(true)
    }
}

impl Microphone for Panics {
    fn read(&mut self, _frame: &mut Frame) -> Result<bool, DeviceFault> {
        panic!("a test of panics")
    }
}

impl Microphone for Fails {
    fn read(&mut self, _frame: &mut Frame) -> Result<bool, DeviceFault> {
        Err(unplugged())
    }
}

impl Microphone for Hangs {
    fn read(&mut self, _frame: &mut Frame) -> Result<bool, DeviceFault> {
        let _ = self.enter.send(());
        let _ = self.hung.recv();
        Ok(true)
    }
}

impl Loudspeaker for Fails {
    fn write(&mut self, _frame: &Frame) -> Result<(), DeviceFault> {
        Err(unplugged())
    }

    fn finish(&mut self) -> Result<(), DeviceFault> {
        Ok(())
    }
}

impl Loudspeaker for Tell {
    fn write(&mut self, frame: &Frame) -> Result<(), DeviceFault> {
        let _ = self.0.send(*frame);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DeviceFault> {
        let _ = self.0.send(FINISHED);
        Ok(())
    }
}

/// Devices made by a test: the microphone as often as it is wanted, the loudspeaker once.
struct Pair<M, L>(M, Option<L>);

impl<M: FnMut() -> Box<dyn Microphone>, L: Loudspeaker + 'static> Devices for Pair<M, L> {
    fn microphone(&mut self) -> Result<Box<dyn Microphone>, DeviceFault> {
        Ok((self.0)())
    }

    fn loudspeaker(&mut self) -> Result<Box<dyn Loudspeaker>, DeviceFault> {
        Ok(Box::new(self.1.take().expect("it is opened once")))
    }
}

/// A device whose microphone is opened at once.
fn start(
    microphone: impl FnOnce() -> Box<dyn Microphone> + Send + 'static,
    loudspeaker: impl Loudspeaker + Send + 'static,
) -> Device {
    let mut microphone = Some(microphone);
    let open = move || (microphone.take().expect("it is opened once"))();
    let device = Device::start(Pair(open, Some(loudspeaker)));
    device.open_microphone(true);
    device
}

/// Waits for a condition, for ten seconds at most.
fn eventually(mut condition: impl FnMut() -> bool) {
    let guard = beat::now() + Duration::from_secs(10);
    while !condition() {
        assert!(beat::now() < guard, "waited for ten seconds");
        // As the pacer asks: who asks more often finds a device that hangs.
        beat::sleep_until(beat::now() + TICK);
    }
}
