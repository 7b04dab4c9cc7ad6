//! The pacer: one thread a call that keeps the beat, from its first sound to its last. Each 20 ms it takes the
//! microphone's frame, sends what is due and feeds the loudspeaker; in between it receives. It touches no device and
//! waits for nobody.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use super::beat::{self, Beat};
use super::device::Device;
use super::devices::Devices;
use super::outbox::Outbox;
use super::ports;
use super::pulse::Pulse;
use crate::call::{CallId, DigitScript};
use crate::chance::Chance;
use crate::media::call_tones::Playing;
use crate::media::loudspeaker::Fader;
use crate::media::quality::Level;
use crate::media::{CallTone, Event, FRAME, Leaving, Loudspeaker, Plan, Processing, Processor, Stream};

/// Orders that may wait; the pacer takes all of them every 20 ms.
const MOST_ORDERS: usize = 64;
/// Datagrams taken in one beat; a far end sends one or two, and a flood shall cost no more than this.
const MOST_DATAGRAMS: usize = 64;
/// Larger than any packet of voice; what is longer is cut, and then is no audio of ours.
const LONGEST_DATAGRAM: usize = 2048;
/// How often a pacer that panicked goes on with a stream made anew.
const MOST_RESTARTS: usize = 3;
/// From the end of the voices to the order of the tone that tells it: the loop gives both in one turn.
const TONE_COMES_WITHIN: Duration = Duration::from_millis(200);

/// What the loop tells a pacer. That it hung up, it tells by dropping its end.
pub enum Order {
    /// Let voices go both ways.
    Start(UdpSocket, Box<Plan>),
    /// Go on with this plan.
    Change(Box<Plan>),
    /// Send silence in the place of the microphone, or the microphone again.
    Mute(bool),
    /// Send these digits.
    SendDigits(DigitScript),
    /// No more voices; the tone that follows is the last sound.
    Stop,
    /// Let the room hear this tone in place of the one that sounds.
    Play(Option<CallTone>),
    /// The loudspeaker was set.
    Set(Loudspeaker),
    /// Panic, to see what it costs.
    #[cfg(test)]
    Panic,
}

/// All that the thread owns.
pub struct Pacer {
    orders: Receiver<Order>,
    state: State,
    is_muted: bool,
    tone: Option<Playing>,
    fader: Fader,
    device: Device,
    /// How loud the microphone is, before anything is done to it.
    microphone: Level,
    processing: Processing,
    /// While voices go both ways.
    processor: Option<Processor>,
    outbox: Outbox,
    pulse: Pulse,
    chance: Chance,
    beat: Beat,
    /// Datagrams that may still be taken in this beat.
    patience: usize,
}

/// Where the call's sound stands.
///
/// ```text
/// Before ─Start─> Talking ─Stop─> After ─tone over, or none─> (the thread ends)
///    └─────────────Stop─────────────^
/// ```
enum State {
    /// It may ring.
    Before,
    Talking(Box<Talk>),
    /// A tone may be the last that is heard; it is waited for until then.
    After {
        until: Duration,
    },
}

struct Talk {
    socket: UdpSocket,
    /// For reports that do not travel with the audio; none when the port beside it is taken.
    report_socket: Option<UdpSocket>,
    stream: Stream,
    send_failed: bool,
}

impl Talk {
    fn new(socket: UdpSocket, stream: Stream) -> Self {
        Self {
            report_socket: ports::beside(&socket)
                .inspect_err(|error| tracing::debug!("no port for RTCP: {error}"))
                .ok(),
            socket,
            stream,
            send_failed: false,
        }
    }

    /// Sends all that is due.
    fn send(&mut self, call: CallId) {
        while let Some(Leaving { to, bytes, is_report }) = self.stream.poll_packet() {
            if is_report {
                // One that is lost is followed by the next.
                let _ = self
                    .report_socket
                    .as_ref()
                    .map(|socket| socket.send_to(&bytes, to));
                continue;
            }
            let Err(error) = self.socket.send_to(&bytes, to) else {
                self.send_failed = false;
                continue;
            };
            self.stream.not_sent();
            if !self.send_failed {
                tracing::debug!(call_id = %call, remote = %to, "RTP cannot be sent: {error}");
            }
            self.send_failed = true;
        }
    }

    fn sockets(&self) -> impl Iterator<Item = &UdpSocket> + Clone {
        std::iter::once(&self.socket).chain(&self.report_socket)
    }
}

impl Pacer {
    /// Starts the thread and its loudspeaker; orders wake it.
    pub fn spawn(
        devices: impl Devices + Send + 'static,
        processing: Processing,
        loudspeaker: Loudspeaker,
        outbox: Outbox,
        pulse: Pulse,
        chance: Chance,
    ) -> io::Result<SyncSender<Order>> {
        let (orders, taken) = sync_channel(MOST_ORDERS);
        thread::Builder::new()
            .name("audio-pacer".to_owned())
            .spawn(move || {
                let pacer = Self {
                    orders: taken,
                    state: State::Before,
                    is_muted: false,
                    tone: None,
                    fader: Fader::new(loudspeaker),
                    device: Device::start(devices),
                    microphone: Level::default(),
                    processing,
                    processor: None,
                    outbox,
                    pulse,
                    chance,
                    beat: Beat::begin(beat::now()),
                    patience: MOST_DATAGRAMS,
                };
                pacer.live();
            })?;
        Ok(orders)
    }

    /// Runs until the loop hangs up or the last tone is over. A panic costs this call a moment, never the daemon.
    fn live(mut self) {
        for restarts_left in (0..=MOST_RESTARTS).rev() {
            if catch_unwind(AssertUnwindSafe(|| self.run())).is_ok() {
                break;
            }
            let why = match restarts_left {
                0 => "faults in the audio thread again and again; this call has no more audio",
                _ => "a fault in the audio thread; it starts anew",
            };
            self.outbox.push(Event::DeviceLost { why: why.to_owned() });
            self.begin_anew();
        }
        let call = self.outbox.call();
        // The port is free before the device is waited for.
        drop(self.state);
        if !self.device.end() {
            tracing::warn!(call_id = %call, "the audio device hangs, its thread is left behind");
        }
    }

    fn begin_anew(&mut self) {
        let now = beat::now();
        self.beat = Beat::begin(now);
        self.tone = None;
        // It may be what panicked.
        self.processor = None;
        if let State::Talking(talk) = &mut self.state {
            for _ in 0..talk.stream.digits_waiting() {
                self.outbox.push(Event::DigitsFailed {
                    why: "a fault in the audio thread".to_owned(),
                });
            }
            talk.stream = Stream::new(now, talk.stream.plan().clone(), &mut self.chance);
            talk.stream.mute(self.is_muted);
            self.processor = Processor::new(self.processing);
        }
    }

    fn run(&mut self) {
        // Nothing is heard before the first order.
        if let State::Before = self.state {
            if !self.wait_for_order(None) {
                return;
            }
            self.beat = Beat::begin(beat::now());
        }
        while self.obey() {
            self.pulse.beat();
            self.tick();
            if self.is_over() {
                return;
            }
            if let Some(news) = self.device.news() {
                self.outbox.push(news);
            }
            self.outbox.flush();
            let missed = self.beat.next(beat::now());
            if let State::Talking(talk) = &mut self.state {
                talk.stream.skip_missed(missed);
            }
            if !self.wait() {
                return;
            }
        }
    }

    /// Takes all orders; false when the loop hung up.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.take(order),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, order: Order) {
        match (order, &mut self.state) {
            (Order::Start(socket, plan), State::Before) => self.start(socket, *plan),
            (Order::Change(plan), State::Talking(talk)) => talk.stream.apply(beat::now(), *plan),
            (Order::Mute(is_muted), state) => {
                self.is_muted = is_muted;
                if let State::Talking(talk) = state {
                    talk.stream.mute(is_muted);
                }
            }
            (Order::SendDigits(script), State::Talking(talk)) => talk.stream.send_digits(script),
            (Order::Stop, State::Before | State::Talking(_)) => self.stop(),
            (Order::Play(tone), _) => self.tone = tone.map(Playing::new),
            (Order::Set(loudspeaker), _) => self.fader.set(loudspeaker),
            // A call starts and stops once, and after that nobody speaks.
            (Order::Start(..) | Order::Change(_) | Order::SendDigits(_) | Order::Stop, _) => {}
            #[cfg(test)]
            (Order::Panic, _) => panic!("a test of panics"),
        }
    }

    /// The first packet leaves at once, whenever the next beat of a tone would have been.
    fn start(&mut self, socket: UdpSocket, plan: Plan) {
        let now = beat::now();
        let mut stream = Stream::new(now, plan, &mut self.chance);
        stream.mute(self.is_muted);
        self.tone = None;
        self.beat = Beat::begin(now);
        self.patience = MOST_DATAGRAMS;
        self.device.open_microphone(true);
        self.processor = Processor::new(self.processing);
        self.enter(State::Talking(Box::new(Talk::new(socket, stream))));
    }

    fn stop(&mut self) {
        if let State::Talking(talk) = &mut self.state {
            talk.stream.leave(beat::now());
            talk.send(self.outbox.call());
        }
        self.tone = None;
        self.device.open_microphone(false);
        self.processor = None;
        let until = beat::now() + TONE_COMES_WITHIN;
        self.enter(State::After { until });
    }

    fn enter(&mut self, state: State) {
        tracing::debug!(call_id = %self.outbox.call(), "audio: {} -> {}", self.state.name(), state.name());
        self.state = state;
    }

    fn is_over(&self) -> bool {
        match self.state {
            State::Before | State::Talking(_) => false,
            State::After { until } => self.tone.is_none() && beat::now() >= until,
        }
    }

    fn tick(&mut self) {
        let mut frame = [0; FRAME];
        self.receive();
        if let State::Talking(talk) = &mut self.state {
            let mut microphone = self.device.listen();
            self.microphone.hear(&microphone);
            if let Some(processor) = &mut self.processor {
                processor.clean(&mut microphone);
            }
            talk.stream.tick(beat::now(), &microphone);
            talk.send(self.outbox.call());
            talk.stream.play(self.beat.due(), &mut frame);
            while let Some(mut event) = talk.stream.poll_output() {
                if let Event::Figures(figures) = &mut event {
                    figures.device_slips = self.device.slips();
                    figures.microphone_level_dbfs = self.microphone.dbfs();
                }
                self.outbox.push(event);
            }
        }
        if !self.tone.as_mut().is_none_or(|tone| tone.add_to(&mut frame)) {
            self.tone = None;
            if let State::After { until } = &mut self.state {
                *until = Duration::ZERO;
            }
        }
        self.fader.apply(&mut frame);
        if let Some(processor) = &mut self.processor {
            processor.played(&frame);
        }
        self.device.say(frame);
    }

    /// Waits for the next tick, and receives meanwhile, so that jitter is measured by when packets come; false when
    /// the loop hung up.
    fn wait(&mut self) -> bool {
        let due = self.beat.due();
        match self.state {
            State::Talking(_) => {
                self.patience = MOST_DATAGRAMS;
                while self.patience > 0 && self.is_readable_before(due) {
                    self.receive();
                }
                beat::sleep_until(due);
                true
            }
            State::Before | State::After { .. } => self.wait_for_order(Some(due)),
        }
    }

    /// Takes the orders that come until then; at once when it was one that starts voices. False when the loop hung up.
    fn wait_for_order(&mut self, until: Option<Duration>) -> bool {
        loop {
            let order = match until {
                Some(until) => self.orders.recv_timeout(until.saturating_sub(beat::now())),
                None => self.orders.recv().map_err(RecvTimeoutError::from),
            };
            match order {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
            if until.is_none() || matches!(self.state, State::Talking(_)) {
                return true;
            }
        }
    }

    fn is_readable_before(&self, due: Duration) -> bool {
        match &self.state {
            State::Talking(talk) => beat::readable_before(talk.sockets(), due),
            State::Before | State::After { .. } => false,
        }
    }

    fn receive(&mut self) {
        let State::Talking(talk) = &mut self.state else {
            return;
        };
        let mut datagram = [0; LONGEST_DATAGRAM];
        while self.patience > 0 {
            self.patience -= 1;
            let received: io::Result<(usize, SocketAddr)> = talk.socket.recv_from(&mut datagram);
            match received {
                Ok((length, from)) => {
                    let bytes = datagram.get(..length).unwrap_or_default();
                    talk.stream.received(beat::now(), from, bytes);
                }
                Err(_) => break,
            }
        }
        let Some(socket) = &talk.report_socket else {
            return;
        };
        while self.patience > 0 {
            self.patience -= 1;
            let Ok((length, from)) = socket.recv_from(&mut datagram) else {
                return;
            };
            let bytes = datagram.get(..length).unwrap_or_default();
            talk.stream.received_report(beat::now(), from, bytes);
        }
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Talking(_) => "talking",
            Self::After { .. } => "after",
        }
    }
}
