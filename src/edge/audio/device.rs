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

#[cfg(test)]
mod tests;

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
