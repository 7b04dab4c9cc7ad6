//! A bad network: which packets it loses, delays, brings in another order or twice follows from a seed.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::speech::Dice;

/// How bad.
#[derive(Clone, Copy, Debug, Default)]
pub struct BadNetwork {
    /// Packets that are lost, in percent.
    pub lost: f64,
    /// How many are lost in a row, in the mean; 0 when each has its own fate.
    pub burst: f64,
    /// Packets come late by anything up to this.
    pub jitter: Duration,
    /// Packets that are held back behind the next two, in percent.
    pub overtaken: f64,
    /// Packets that come twice, in percent.
    pub doubled: f64,
}

/// Later than two packets of 20 ms that follow.
const OVERTAKEN: Duration = Duration::from_millis(45);

/// Deals one packet after the other its fate.
#[derive(Debug)]
pub struct Fates {
    network: BadNetwork,
    dice: Dice,
    /// The last one was lost.
    is_losing: bool,
}

impl Fates {
    /// The same for the same seed.
    pub fn new(network: BadNetwork, seed: u64) -> Self {
        Self {
            network,
            dice: Dice(seed),
            is_losing: false,
        }
    }

    /// How late each copy of the next packet comes; none of a lost one.
    pub fn deal(&mut self) -> Vec<Duration> {
        let BadNetwork { lost, burst, .. } = self.network;
        // Two states (Gilbert): the way in keeps the share, the way out the length.
        let chance = match self.is_losing && burst > 0.0 {
            true => 1.0 - 1.0 / burst,
            false if burst > 0.0 => lost / (burst * (100.0 - lost)),
            false => lost / 100.0,
        };
        self.is_losing = self.dice.fraction() < chance;
        let late = self.network.jitter.mul_f64(self.dice.fraction());
        let is_overtaken = self.is_of(self.network.overtaken);
        let is_doubled = self.is_of(self.network.doubled);
        if self.is_losing {
            return Vec::new();
        }
        let late = late + if is_overtaken { OVERTAKEN } else { Duration::ZERO };
        vec![late; 1 + usize::from(is_doubled)]
    }

    fn is_of(&mut self, percent: f64) -> bool {
        self.dice.fraction() < percent / 100.0
    }
}

/// Carries each packet to its end when it is due, whatever the order. It lives as long as packets can come.
pub fn carrier(carry: impl Fn(&[u8]) + Send + 'static) -> Sender<(Instant, Vec<u8>)> {
    let (give, taken) = channel();
    thread::spawn(move || carry_all(&taken, carry));
    give
}

fn carry_all(taken: &Receiver<(Instant, Vec<u8>)>, carry: impl Fn(&[u8])) {
    let mut waiting: Vec<(Instant, Vec<u8>)> = Vec::new();
    loop {
        let next = waiting.iter().map(|(due, _)| *due).min();
        let left = next.map_or(Duration::from_secs(3600), |due| {
            due.saturating_duration_since(Instant::now())
        });
        match taken.recv_timeout(left) {
            Ok(packet) => waiting.push(packet),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        let (due, later) = waiting.into_iter().partition(|(due, _)| *due <= now);
        waiting = later;
        let mut due: Vec<(Instant, Vec<u8>)> = due;
        due.sort_by_key(|(at, _)| *at);
        due.iter().for_each(|(_, packet)| carry(packet));
    }
}
