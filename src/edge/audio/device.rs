//! The device thread of a call: reads the microphone, writes the loudspeaker, and may hang or panic without anybody
//! waiting for it. Bounded rings lie between it and the pacer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::beat;
use super::devices::{Devices, Discard, Frame, Loudspeaker, Microphone, Silence};
use crate::media::FRAME;

/// Frames from the microphone that may wait: 80 ms.
const MICROPHONE_FRAMES: usize = 4;
/// Frames for the loudspeaker that may wait: 200 ms.
const LOUDSPEAKER_FRAMES: usize = 10;
/// Without a frame for this many ticks, three seconds, the microphone is lost.
const MOST_GAPS: u32 = 150;
/// How long a device may take to end before it is left behind.
const PATIENCE: Duration = Duration::from_secs(1);
/// Faults that may wait: one of each side, one of the thread, and one to spare.
const MOST_FAULTS: usize = 4;
/// The pacer wakes the thread each tick; should it not, the thread looks by itself.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// The pacer's end.
pub struct Device {
    microphone: Consumer<Frame>,
    loudspeaker: Producer<Frame>,
    faults: Receiver<String>,
    wanted: Arc<Wanted>,
    thread: Option<JoinHandle<()>>,
    gaps: u32,
}

impl Device {
    /// Starts the thread, which opens the loudspeaker by itself. Cannot fail: without a device there is silence, and a
    /// fault.
    pub fn start(devices: impl Devices + Send + 'static) -> Self {
        let (heard, microphone) = RingBuffer::new(MICROPHONE_FRAMES);
        let (loudspeaker, said) = RingBuffer::new(LOUDSPEAKER_FRAMES);
        let (tell, faults) = sync_channel(MOST_FAULTS);
        let wanted = Arc::new(Wanted::default());
        let ends = Ends {
            devices,
            heard,
            said,
            faults: tell.clone(),
            wanted: Arc::clone(&wanted),
        };
        let run = move || {
            let faults = ends.faults.clone();
            if catch_unwind(AssertUnwindSafe(|| ends.run())).is_err() {
                report(&faults, "a fault in the device thread".to_owned());
            }
        };
        let spawned = thread::Builder::new().name("audio-device".to_owned()).spawn(run);
        let thread = spawned
            .map_err(|error| report(&tell, format!("no thread for the audio device: {error}")))
            .ok();
        Self {
            microphone,
            loudspeaker,
            faults,
            wanted,
            thread,
            gaps: 0,
        }
    }

    /// Has the microphone opened, or closed: it is open only while somebody may hear it.
    pub fn open_microphone(&self, is_open: bool) {
        self.wanted.microphone.store(is_open, Ordering::Release);
        self.wake();
    }

    /// The next frame of the microphone; silence when there is none.
    pub fn listen(&mut self) -> Frame {
        match self.microphone.pop() {
            Ok(frame) => {
                self.gaps = 0;
                frame
            }
            Err(_) => {
                self.gaps = self.gaps.saturating_add(1);
                [0; FRAME]
            }
        }
    }

    /// Gives a frame to the loudspeaker. One that does not keep up loses it.
    pub fn say(&mut self, frame: Frame) {
        // A full ring is a loudspeaker that hangs; so does its microphone, and that is told.
        let _ = self.loudspeaker.push(frame);
        self.wake();
    }

    /// What went wrong, once each.
    pub fn fault(&mut self) -> Option<String> {
        if self.gaps == MOST_GAPS && !self.microphone.is_abandoned() {
            // Counted on, so that it is told once.
            self.gaps += 1;
            return Some("the input device gives no audio".to_owned());
        }
        self.faults.try_recv().ok()
    }

    /// Ends the thread and waits for it for a second; false when it is left behind.
    pub fn end(self) -> bool {
        self.tell_to_end();
        let deadline = beat::now() + PATIENCE;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if beat::now() >= deadline {
                return false;
            }
            beat::sleep_until(beat::now() + Duration::from_millis(5));
        }
        true
    }

    fn tell_to_end(&self) {
        self.wanted.end.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.tell_to_end();
    }
}

/// What the pacer wants of the thread.
#[derive(Default)]
struct Wanted {
    microphone: AtomicBool,
    end: AtomicBool,
}

/// The thread's end.
struct Ends<D> {
    devices: D,
    heard: Producer<Frame>,
    said: Consumer<Frame>,
    faults: SyncSender<String>,
    wanted: Arc<Wanted>,
}

impl<D: Devices> Ends<D> {
    fn run(mut self) {
        let mut loudspeaker = self.open_loudspeaker();
        let mut microphone = None;
        loop {
            // Read first, so that what was said before the end is still written.
            let is_ending = self.wanted.end.load(Ordering::Acquire);
            if !is_ending && self.wanted.microphone.load(Ordering::Acquire) {
                let mut opened = microphone.take().unwrap_or_else(|| self.open_microphone());
                self.hear(&mut opened);
                microphone = Some(opened);
            } else {
                microphone = None;
            }
            while let Ok(frame) = self.said.pop() {
                self.speak(&mut loudspeaker, &frame);
            }
            if is_ending {
                break;
            }
            thread::park_timeout(LOOKS_EVERY);
        }
        if let Err(fault) = loudspeaker.finish() {
            tracing::warn!("the audio output did not end well: {fault}");
        }
    }

    fn open_loudspeaker(&mut self) -> Box<dyn Loudspeaker> {
        self.devices.loudspeaker().unwrap_or_else(|fault| {
            report(&self.faults, fault.to_string());
            Box::new(Discard)
        })
    }

    fn open_microphone(&mut self) -> Box<dyn Microphone> {
        self.devices.microphone().unwrap_or_else(|fault| {
            report(&self.faults, fault.to_string());
            Box::new(Silence)
        })
    }

    /// Takes what was spoken, as long as there is room for it.
    fn hear(&mut self, microphone: &mut Box<dyn Microphone>) {
        while !self.heard.is_full() {
            let mut frame = [0; FRAME];
            match microphone.read(&mut frame) {
                // There is room: this is the only one that fills it.
                Ok(true) => drop(self.heard.push(frame)),
                Ok(false) => return,
                Err(fault) => {
                    report(&self.faults, fault.to_string());
                    *microphone = Box::new(Silence);
                }
            }
        }
    }

    fn speak(&mut self, loudspeaker: &mut Box<dyn Loudspeaker>, frame: &Frame) {
        if let Err(fault) = loudspeaker.write(frame) {
            report(&self.faults, fault.to_string());
            *loudspeaker = Box::new(Discard);
        }
    }
}

/// A pacer that does not listen has enough to tell already.
fn report(faults: &SyncSender<String>, why: String) {
    let _ = faults.try_send(why);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::audio::devices::DeviceFault;

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
        let microphone = move || -> Box<dyn Microphone> {
            let _ = opened.send(());
            Box::new(Sevens)
        };
        let mut device = Device::start(Pair(microphone, Some(Tell(written))));
        device.say([3; FRAME]);
        eventually(|| seen.try_recv().is_ok());
        assert!(count.try_recv().is_err() && device.listen() == [0; FRAME]);
        for _ in 0..2 {
            device.open_microphone(true);
            eventually(|| device.listen() == [7; FRAME]);
            device.open_microphone(false);
            // What had been heard before is no longer given when it is opened again much later.
            eventually(|| {
                device.wake();
                device.listen() == [0; FRAME]
            });
        }
        assert_eq!(count.try_iter().count(), 2);
        assert!(device.end());
    }

    #[test]
    fn a_panic_in_a_device_is_a_fault_and_silence() {
        let mut device = start(|| Box::new(Panics), Discard);
        let mut fault = None;
        eventually(|| {
            fault = fault.take().or_else(|| device.fault());
            fault.is_some()
        });
        assert_eq!(fault.as_deref(), Some("a fault in the device thread"));
        assert_eq!(device.listen(), [0; FRAME]);
        assert!(device.end());
    }

    #[test]
    fn a_device_that_fails_is_told_once_and_replaced_by_silence() {
        let mut device = start(|| Box::new(Fails), Fails);
        let mut faults = Vec::new();
        eventually(|| {
            device.say([1; FRAME]);
            faults.extend(device.fault());
            faults.len() == 2
        });
        (0..100).for_each(|_| device.say([1; FRAME]));
        assert_eq!(device.fault(), None);
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
        assert_eq!(device.fault().as_deref(), Some("the input device gives no audio"));
        assert_eq!(device.fault(), None);
        entered.recv_timeout(Duration::from_secs(10)).unwrap();
        let begun = beat::now();
        assert!(!device.end());
        assert!(beat::now() - begun >= PATIENCE);
        drop(release);
    }

    const FINISHED: Frame = [-1; FRAME];

    struct Sevens;
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
            Err(DeviceFault::NotBuiltIn("alsa:test".to_owned()))
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
            Err(DeviceFault::NotBuiltIn("alsa:test".to_owned()))
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
            thread::yield_now();
        }
    }
}
