//! The device thread of a call: reads the microphone, writes the loudspeaker, and may hang or panic without anybody
//! waiting for it. Bounded rings lie between it and the pacer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::beat;
use super::devices::{DeviceFault, Devices, Discard, Frame, Loudspeaker, Microphone, Silence};
use crate::media::{Event, FRAME};

/// Frames from the microphone that may wait: 80 ms.
const MICROPHONE_FRAMES: usize = 4;
/// Frames for the loudspeaker that may wait: 200 ms.
const LOUDSPEAKER_FRAMES: usize = 10;
/// Without a frame for this many ticks, three seconds, the microphone is lost.
const MOST_GAPS: u32 = 150;
/// How long a device may take to end before it is left behind.
const PATIENCE: Duration = Duration::from_secs(1);
/// News that may wait: a loss and a return of each side, one of the thread, and some to spare.
const MOST_NEWS: usize = 8;
/// How often a device that was lost is tried again: someone who plugs it in waits no longer.
const TRIES_EVERY: Duration = Duration::from_secs(1);
/// The pacer wakes the thread each tick; should it not, the thread looks by itself.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// The pacer's end.
pub struct Device {
    microphone: Consumer<Frame>,
    loudspeaker: Producer<Frame>,
    news: Receiver<Event>,
    slips: Arc<AtomicU64>,
    wanted: Arc<Wanted>,
    thread: Option<JoinHandle<()>>,
    gaps: u32,
    /// Frames come again after a hang that was told.
    is_back: bool,
}

impl Device {
    /// Starts the thread, which opens the loudspeaker by itself. Cannot fail: without a device there is silence, and a
    /// fault.
    pub fn start(devices: impl Devices + Send + 'static) -> Self {
        let (heard, microphone) = RingBuffer::new(MICROPHONE_FRAMES);
        let (loudspeaker, said) = RingBuffer::new(LOUDSPEAKER_FRAMES);
        let (tell, news) = sync_channel(MOST_NEWS);
        let slips = Arc::default();
        let wanted = Arc::new(Wanted::default());
        let ends = Ends {
            devices,
            heard,
            said,
            news: tell.clone(),
            slips: Arc::clone(&slips),
            wanted: Arc::clone(&wanted),
        };
        let run = move || {
            let news = ends.news.clone();
            if catch_unwind(AssertUnwindSafe(|| ends.run())).is_err() {
                lost(&news, "a fault in the device thread".to_owned());
            }
        };
        let spawned = thread::Builder::new().name("audio-device".to_owned()).spawn(run);
        let thread = spawned
            .map_err(|error| lost(&tell, format!("no thread for the audio device: {error}")))
            .ok();
        Self {
            microphone,
            loudspeaker,
            news,
            slips,
            wanted,
            thread,
            gaps: 0,
            is_back: false,
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
                self.is_back |= self.gaps > MOST_GAPS;
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

    /// What was lost and what is back, once each.
    pub fn news(&mut self) -> Option<Event> {
        if self.gaps == MOST_GAPS && !self.microphone.is_abandoned() {
            // Counted on, so that it is told once.
            self.gaps += 1;
            return Some(Event::DeviceLost {
                why: "the audio device hangs".to_owned(),
            });
        }
        if std::mem::take(&mut self.is_back) {
            return Some(Event::DeviceBack {
                which: "the audio device",
            });
        }
        self.news.try_recv().ok()
    }

    /// How often a card ran dry or over.
    pub fn slips(&self) -> u64 {
        self.slips.load(Ordering::Relaxed)
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
    news: SyncSender<Event>,
    slips: Arc<AtomicU64>,
    wanted: Arc<Wanted>,
}

/// A device, or what takes its place until it is tried again then; never where that is no use.
struct Held<D: ?Sized> {
    device: Box<D>,
    again_at: Option<Duration>,
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
            self.speak(&mut loudspeaker);
            if is_ending {
                break;
            }
            thread::park_timeout(LOOKS_EVERY);
        }
        if let Err(fault) = loudspeaker.device.finish() {
            tracing::warn!("the audio output did not end well: {fault}");
        }
    }

    fn open_microphone(&mut self) -> Held<dyn Microphone> {
        match self.devices.microphone() {
            Ok(device) => Held::working(device),
            Err(fault) => self.lose(Box::new(Silence), &fault),
        }
    }

    fn open_loudspeaker(&mut self) -> Held<dyn Loudspeaker> {
        match self.devices.loudspeaker() {
            Ok(device) => Held::working(device),
            Err(fault) => self.lose(Box::new(Discard), &fault),
        }
    }

    fn lose<Side: ?Sized>(&self, device: Box<Side>, fault: &DeviceFault) -> Held<Side> {
        lost(&self.news, fault.to_string());
        let again_at = fault.is_worth_a_retry().then(|| beat::now() + TRIES_EVERY);
        Held { device, again_at }
    }

    /// Takes what was spoken, as long as there is room for it.
    fn hear(&mut self, microphone: &mut Held<dyn Microphone>) {
        if microphone.is_tried_again() {
            microphone.take_its_place(self.devices.microphone(), "the microphone", &self.news);
        }
        while !self.heard.is_full() {
            let mut frame = [0; FRAME];
            let waiting = MICROPHONE_FRAMES - self.heard.slots();
            microphone.device.note_waiting(waiting);
            match microphone.device.read(&mut frame) {
                // There is room: this is the only one that fills it.
                Ok(true) => drop(self.heard.push(frame)),
                Ok(false) => break,
                Err(fault) => *microphone = self.lose(Box::new(Silence), &fault),
            }
        }
        let slips = microphone.device.take_slips();
        self.slips.fetch_add(slips, Ordering::Relaxed);
    }

    /// Gives the loudspeaker what was said.
    fn speak(&mut self, loudspeaker: &mut Held<dyn Loudspeaker>) {
        if loudspeaker.is_tried_again() {
            loudspeaker.take_its_place(self.devices.loudspeaker(), "the loudspeaker", &self.news);
        }
        while let Ok(frame) = self.said.pop() {
            if let Err(fault) = loudspeaker.device.write(&frame) {
                *loudspeaker = self.lose(Box::new(Discard), &fault);
            }
        }
        let slips = loudspeaker.device.take_slips();
        self.slips.fetch_add(slips, Ordering::Relaxed);
    }
}

impl<D: ?Sized> Held<D> {
    fn working(device: Box<D>) -> Self {
        Self {
            device,
            again_at: None,
        }
    }

    fn is_tried_again(&self) -> bool {
        self.again_at.is_some_and(|at| beat::now() >= at)
    }

    fn take_its_place(
        &mut self,
        opened: Result<Box<D>, DeviceFault>,
        which: &'static str,
        news: &SyncSender<Event>,
    ) {
        match opened {
            Ok(device) => {
                *self = Self::working(device);
                let _ = news.try_send(Event::DeviceBack { which });
            }
            // It has been told.
            Err(fault) => self.again_at = fault.is_worth_a_retry().then(|| beat::now() + TRIES_EVERY),
        }
    }
}

/// A pacer that does not listen has enough to tell already.
fn lost(news: &SyncSender<Event>, why: String) {
    let _ = news.try_send(Event::DeviceLost { why });
}

#[cfg(test)]
mod tests {
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
}
