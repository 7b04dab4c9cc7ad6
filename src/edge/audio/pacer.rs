//! The pacer: one thread a call that keeps the beat. Each 20 ms it takes the microphone's frame, sends what is due
//! and feeds the loudspeaker; in between it receives. It touches no device and waits for nobody.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use super::beat::{self, Beat};
use super::device::Device;
use super::devices;
use super::outbox::Outbox;
use crate::call::DigitScript;
use crate::chance::Chance;
use crate::media::{Event, FRAME, Plan, Settings, Stream};

/// Orders that may wait; the pacer takes all of them every 20 ms.
const MOST_ORDERS: usize = 64;
/// Datagrams taken in one beat; a far end sends one or two, and a flood shall cost no more than this.
const MOST_DATAGRAMS: usize = 64;
/// Larger than any packet of voice; what is longer is cut, and then is no audio of ours.
const LONGEST_DATAGRAM: usize = 2048;
/// How often a pacer that panicked goes on with a stream made anew.
const MOST_RESTARTS: usize = 3;

/// What the loop tells a pacer. That it hung up, it tells by dropping its end.
pub enum Order {
    /// Go on with this plan.
    Change(Box<Plan>),
    /// Send silence in the place of the microphone, or the microphone again.
    Mute(bool),
    /// Send these digits.
    SendDigits(DigitScript),
    /// Panic, to see what it costs.
    #[cfg(test)]
    Panic,
}

/// All that the thread owns.
pub struct Pacer {
    socket: UdpSocket,
    orders: Receiver<Order>,
    stream: Stream,
    device: Device,
    outbox: Outbox,
    chance: Chance,
    beat: Beat,
    /// Datagrams that may still be taken in this beat.
    patience: usize,
    send_failed: bool,
}

impl Pacer {
    /// Starts the thread; its first packet leaves at once.
    pub fn spawn(
        socket: UdpSocket,
        (plan, is_muted): (Plan, bool),
        settings: &Settings,
        outbox: Outbox,
        mut chance: Chance,
    ) -> io::Result<SyncSender<Order>> {
        let (orders, taken) = sync_channel(MOST_ORDERS);
        let (input, output) = (settings.input.clone(), settings.output.clone());
        thread::Builder::new()
            .name("audio-pacer".to_owned())
            .spawn(move || {
                let now = beat::now();
                let mut stream = Stream::new(now, plan, &mut chance);
                stream.mute(is_muted);
                let pacer = Self {
                    socket,
                    orders: taken,
                    stream,
                    device: Device::start(move || devices::open(&input, &output)),
                    outbox,
                    chance,
                    beat: Beat::begin(now),
                    patience: MOST_DATAGRAMS,
                    send_failed: false,
                };
                pacer.live();
            })?;
        Ok(orders)
    }

    /// Runs until the loop hangs up. A panic costs this call a moment, never the daemon.
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
        drop(self.socket);
        if !self.device.end() {
            tracing::warn!(call_id = %call, "the audio device hangs, its thread is left behind");
        }
    }

    fn begin_anew(&mut self) {
        for _ in 0..self.stream.digits_waiting() {
            self.outbox.push(Event::DigitsFailed {
                why: "a fault in the audio thread".to_owned(),
            });
        }
        let now = beat::now();
        let is_muted = self.stream.is_muted();
        self.stream = Stream::new(now, self.stream.plan().clone(), &mut self.chance);
        self.stream.mute(is_muted);
        self.beat = Beat::begin(now);
    }

    fn run(&mut self) {
        while self.obey() {
            self.receive();
            self.tick();
            while let Some(event) = self.stream.poll_output() {
                self.outbox.push(event);
            }
            if let Some(why) = self.device.fault() {
                self.outbox.push(Event::DeviceLost { why });
            }
            self.outbox.flush();
            let missed = self.beat.next(beat::now());
            self.stream.skip_missed(missed);
            self.wait();
        }
    }

    /// Takes all orders; false when the loop hung up.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Change(plan)) => self.stream.apply(beat::now(), *plan),
                Ok(Order::Mute(is_muted)) => self.stream.mute(is_muted),
                Ok(Order::SendDigits(script)) => self.stream.send_digits(script),
                #[cfg(test)]
                Ok(Order::Panic) => panic!("a test of panics"),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn tick(&mut self) {
        let microphone = self.device.listen();
        self.stream.tick(beat::now(), &microphone);
        while let Some((to, packet)) = self.stream.poll_packet() {
            self.send(to, &packet);
        }
        let mut frame = [0; FRAME];
        self.stream.play(self.beat.due(), &mut frame);
        self.device.say(frame);
    }

    fn send(&mut self, to: SocketAddr, packet: &[u8]) {
        match self.socket.send_to(packet, to) {
            Ok(_) => self.send_failed = false,
            Err(error) => {
                self.stream.not_sent();
                if !self.send_failed {
                    tracing::debug!(call_id = %self.outbox.call(), remote = %to, "RTP cannot be sent: {error}");
                }
                self.send_failed = true;
            }
        }
    }

    /// Waits for the next tick and receives meanwhile, so that jitter is measured by when packets come.
    fn wait(&mut self) {
        self.patience = MOST_DATAGRAMS;
        while self.patience > 0 && beat::readable_before(&self.socket, self.beat.due()) {
            self.receive();
        }
        beat::sleep_until(self.beat.due());
    }

    fn receive(&mut self) {
        let mut datagram = [0; LONGEST_DATAGRAM];
        while self.patience > 0 {
            self.patience -= 1;
            let received: io::Result<(usize, SocketAddr)> = self.socket.recv_from(&mut datagram);
            match received {
                Ok((length, from)) => {
                    let bytes = datagram.get(..length).unwrap_or_default();
                    self.stream.received(beat::now(), from, bytes);
                }
                Err(_) => return,
            }
        }
    }
}
