//! The playout buffer: packets come unevenly, in any order or not at all; samples go out evenly. How much is held back
//! follows how late packets are, and the far end's clock, by a period of the voice more or less at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::codec::Decoder;
use super::plan::CodecName;
use super::{FRAME, RATE};

mod conceal;
mod delay;
mod noise;
mod stretch;
#[cfg(test)]
mod tests;

use conceal::Gap;
use delay::Lateness;
use noise::Noise;

/// Packets held at most: two seconds of 20 ms, or as much as a burst may bring.
const MOST_PACKETS: usize = 100;
/// Kept beyond what lateness asks for: the pacer, too, may be late.
const MARGIN: i64 = milliseconds(10);
/// More than wanted by this much is too long: a period is taken out.
const TOO_LONG: i64 = milliseconds(10);
/// Less than wanted by this much is too short: a period is put in.
const TOO_SHORT: i64 = milliseconds(5);
/// From here on it is urgent, and the voice may be heard to hurry.
const URGENT: i64 = milliseconds(40);
/// Held back for longer than this, the oldest is dropped.
const MOST_DELAY: i64 = milliseconds(190);
/// What is missing for longer is a pause of the far end, unless the sequence says that packets were lost: a second.
const LONGEST_GAP: i64 = RATE as i64;
/// Looks at the delay between two changes of it: 100 ms; when urgent each.
const LOOKS_BETWEEN: u32 = 5;
/// How alike two periods must be for one to go: else it waits for a better place, but not for ever.
const ALIKE: f64 = 0.8;
/// Looks without a good place after which any will do: two seconds.
const PATIENCE: u32 = 100;

const fn milliseconds(count: i64) -> i64 {
    RATE as i64 / 1000 * count
}

/// A packet of the far end.
pub enum Arrived<'a> {
    /// Its voice.
    Voice(CodecName, &'a [u8]),
    /// Comfort noise from here on.
    Noise(&'a [u8]),
    /// Something without sound, such as a digit: not lost, and not heard.
    Other,
}

enum Held {
    Voice(CodecName, Vec<u8>),
    Noise(Vec<u8>),
    Other,
}

/// ```text
/// Waiting ─held back long enough─> Playing ─nothing for 1 s, a pause, another clock─> Waiting
/// ```
enum State {
    /// For voice, with the far end's noise meanwhile.
    Waiting(Option<Noise>),
    /// The next sample to decode is of this time.
    Playing { next: i64 },
}

/// Holds packets and gives samples. Times are in samples at 48 kHz.
pub struct Playout {
    state: State,
    held: BTreeMap<i64, (i64, Held)>,
    /// Of the packet that comes next.
    next_sequence: Option<i64>,
    sequences: Unwrapped,
    times: Unwrapped,
    clock_rate: u32,
    lateness: Lateness,
    decoder: Option<Decoder>,
    /// Decoded, not yet heard.
    ready: Vec<i16>,
    /// Heard lately.
    heard: Vec<i16>,
    gap: Option<Gap>,
    /// Made up since the last that was real.
    made_up: i64,
    real: u64,
    concealed: u64,
    /// Looks since the last change of the delay.
    looks: u32,
    delay: i64,
}

impl Default for Playout {
    fn default() -> Self {
        Self {
            state: State::Waiting(None),
            held: BTreeMap::new(),
            next_sequence: None,
            sequences: Unwrapped::default(),
            times: Unwrapped::default(),
            clock_rate: 0,
            lateness: Lateness::default(),
            decoder: None,
            ready: Vec::new(),
            heard: Vec::new(),
            gap: None,
            made_up: 0,
            real: 0,
            concealed: 0,
            looks: 0,
            delay: 0,
        }
    }
}

/// Numbers that begin anew at their end, counted on.
#[derive(Default)]
struct Unwrapped {
    last: u32,
    total: i64,
}

impl Unwrapped {
    fn follow(&mut self, number: u32, step: i64, factor: i64) -> i64 {
        self.last = number;
        self.total = self.total.saturating_add(step.saturating_mul(factor));
        self.total
    }
}

impl Playout {
    /// The share of samples that had to be made up, in percent. A gap counts when audio goes on after it; a far end that
    /// pauses loses nothing.
    pub fn concealed_percent(&self) -> f32 {
        match self.real + self.concealed {
            0 => 0.0,
            all => (self.concealed as f64 / all as f64 * 100.0) as f32,
        }
    }

    /// How long what is heard was held back, when it was looked at last.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay.max(0) as u64 * 1000 / (RATE as u64 / 1000))
    }

    /// What comes next does not go on from what came before: another source.
    pub fn restart(&mut self) {
        self.held.clear();
        self.next_sequence = None;
        self.gap = None;
        self.made_up = 0;
        self.enter(State::Waiting(None));
    }

    /// Takes a packet that came at `now`. What is too late for its place is left out.
    pub fn put(
        &mut self,
        now: Duration,
        sequence: u16,
        timestamp: u32,
        clock_rate: u32,
        packet: Arrived<'_>,
    ) {
        let step = sequence.wrapping_sub(self.sequences.last as u16) as i16;
        let order = self.sequences.follow(sequence.into(), step.into(), 1);
        let time = self.time_of(timestamp, clock_rate);
        let held = match packet {
            Arrived::Voice(codec, payload) => {
                self.lateness.note(in_samples(now), time);
                Held::Voice(codec, payload.to_vec())
            }
            Arrived::Noise(payload) => Held::Noise(payload.to_vec()),
            Arrived::Other => Held::Other,
        };
        if self.next_sequence.is_some_and(|next| order < next) {
            return;
        }
        self.held.entry(order).or_insert((time, held));
        if self.held.len() > MOST_PACKETS
            && let Some((oldest, _)) = self.held.pop_first()
        {
            self.next_sequence = Some(oldest + 1);
        }
    }

    /// Fills `out` with what is next at `now`.
    pub fn take(&mut self, now: Duration, out: &mut [i16]) {
        let now = in_samples(now);
        if let State::Playing { next } = self.state {
            self.adapt(now, next);
        }
        // Each round makes samples or comes nearer to a packet that does; the bound is for what nobody thought of.
        for _ in 0..2 * MOST_PACKETS {
            if self.ready.len() >= out.len() {
                break;
            }
            self.make(now, out.len() - self.ready.len());
        }
        self.ready.resize(self.ready.len().max(out.len()), 0);
        out.copy_from_slice(&self.ready[..out.len()]);
        self.ready.drain(..out.len());
        self.heard.extend_from_slice(out);
        let forgotten = self.heard.len().saturating_sub(conceal::MEMORY);
        self.heard.drain(..forgotten);
    }

    fn time_of(&mut self, timestamp: u32, clock_rate: u32) -> i64 {
        let factor = i64::from(RATE / clock_rate.max(1));
        let step = timestamp.wrapping_sub(self.times.last) as i32;
        // RFC 7160: with another clock rate the number goes on, and what it counts does not.
        let step = match std::mem::replace(&mut self.clock_rate, clock_rate) == clock_rate {
            true => step.into(),
            false => i64::from(clock_rate / 50),
        };
        self.times.follow(timestamp, step, factor)
    }

    /// Makes some of what is missing: from a packet, or up.
    fn make(&mut self, now: i64, missing: usize) {
        let Some((&order, &(time, ref held))) = self.held.first_key_value() else {
            return self.go_without(missing);
        };
        let is_voice = match held {
            Held::Voice(..) => true,
            Held::Noise(payload) => {
                let noise = Noise::of(payload);
                self.pass_over(order);
                return self.enter(State::Waiting(Some(noise)));
            }
            Held::Other => false,
        };
        let lost = self.lost_before(order);
        match self.state {
            _ if !is_voice => self.pass_over(order),
            State::Waiting(_) => self.wait(now, order, time, missing),
            // Its place is here, or a little before.
            State::Playing { next } if (next - milliseconds(60)..=next).contains(&time) => self.play(order),
            State::Playing { next } if lost > 0 && time > next && time - next <= LONGEST_GAP => {
                let gap = time - next - self.made_up;
                if gap <= 0 || self.made_up > milliseconds(200) {
                    self.state = State::Playing { next: time };
                } else {
                    // The packet after the lost one may repeat it, but only as a whole.
                    let after = (lost == 1).then_some(order);
                    let count = if after.is_some() {
                        gap
                    } else {
                        gap.min(FRAME as i64)
                    };
                    self.fill(count as usize, after);
                }
            }
            // The far end paused, or its clock jumped.
            State::Playing { .. } => self.enter(State::Waiting(None)),
        }
    }

    fn lost_before(&self, order: i64) -> i64 {
        self.next_sequence.map_or(0, |next| order - next)
    }

    /// Nothing is here: the voice goes on for a while, then the far end counts as silent.
    fn go_without(&mut self, missing: usize) {
        match &mut self.state {
            State::Waiting(Some(noise)) => noise.fill(missing, &mut self.ready),
            State::Waiting(None) => self.ready.resize(self.ready.len() + missing, 0),
            State::Playing { .. } if self.made_up > LONGEST_GAP => self.enter(State::Waiting(None)),
            State::Playing { .. } => self.fill(missing, None),
        }
    }

    /// A packet is here whose time may not have come.
    fn wait(&mut self, now: i64, order: i64, time: i64, missing: usize) {
        let earliest = self.lateness.earliest(time).unwrap_or(now);
        let left = earliest + self.lateness.usual() + MARGIN - now;
        if left >= missing as i64 {
            return self.silence(missing);
        }
        if left > 0 {
            self.silence(left as usize);
        }
        let lost = self.lost_before(order);
        if lost > 0 {
            self.concealed += self.made_up.max(lost * FRAME as i64) as u64;
        }
        self.gap = None;
        self.made_up = 0;
        self.next_sequence = None;
        self.enter(State::Playing { next: time });
    }

    fn silence(&mut self, count: usize) {
        match &mut self.state {
            State::Waiting(Some(noise)) => noise.fill(count, &mut self.ready),
            State::Waiting(None) | State::Playing { .. } => self.ready.resize(self.ready.len() + count, 0),
        }
    }

    fn pass_over(&mut self, order: i64) {
        self.held.remove(&order);
        self.next_sequence = Some(order + 1);
    }

    /// Decodes the packet of this place.
    fn play(&mut self, order: i64) {
        let Some((time, Held::Voice(codec, payload))) = self.held.remove(&order) else {
            return;
        };
        self.next_sequence = Some(order + 1);
        self.concealed += self.made_up as u64;
        self.made_up = 0;
        self.decoder.take_if(|decoder| decoder.codec() != codec);
        let decoder = self.decoder.get_or_insert_with(|| Decoder::new(codec));
        let mut samples = Vec::new();
        decoder.decode(&payload, &mut samples);
        if let Some(gap) = self.gap.take() {
            gap.close(&mut samples);
        }
        self.real += samples.len() as u64;
        self.enter(State::Playing {
            next: time + samples.len() as i64,
        });
        self.ready.append(&mut samples);
    }

    /// Makes samples up; `after` is the packet that follows what is missing, when it is here.
    fn fill(&mut self, count: usize, after: Option<i64>) {
        let next = after.and_then(|order| match self.held.get(&order) {
            Some((_, Held::Voice(codec, payload))) => Some((*codec, payload.as_slice())),
            _ => None,
        });
        let is_concealed = self
            .decoder
            .as_mut()
            .is_some_and(|decoder| decoder.conceal(count, next, &mut self.ready));
        if !is_concealed {
            // What waits to be heard is heard before.
            let gap = self.gap.get_or_insert_with(|| {
                let past: Vec<i16> = self.heard.iter().chain(&self.ready).copied().collect();
                Gap::after(&past[past.len().saturating_sub(conceal::MEMORY)..])
            });
            gap.fill(count, &mut self.ready);
        }
        self.made_up += count as i64;
    }

    /// Brings the delay nearer to what lateness asks for.
    fn adapt(&mut self, now: i64, next: i64) {
        let Some(earliest) = self.lateness.earliest(next) else {
            return;
        };
        self.delay = now - earliest + self.ready.len() as i64 - self.made_up;
        // What is left of a frame is needed with the packet that follows it.
        let rest = (self.ready.len() % FRAME) as i64;
        let wanted = self.lateness.usual() + MARGIN + rest;
        self.looks += 1;
        if self.delay > MOST_DELAY {
            return self.drop_oldest(self.delay - wanted);
        }
        let excess = self.delay - wanted;
        let is_urgent = excess.abs() > URGENT;
        let is_wrong = !(-TOO_SHORT..=TOO_LONG).contains(&excess);
        if !is_wrong || self.made_up > 0 || (self.looks < LOOKS_BETWEEN && !is_urgent) {
            return;
        }
        self.decode_ahead();
        let most = match excess > 0 {
            true => may_go(excess, rest) as usize,
            false => stretch::LONGEST,
        };
        let Some((length, likeness)) = stretch::period(&self.ready, most) else {
            return;
        };
        if likeness < ALIKE && !is_urgent && self.looks < PATIENCE {
            return;
        }
        self.looks = 0;
        match excess > 0 {
            true => stretch::shorten(&mut self.ready, length),
            false => stretch::lengthen(&mut self.ready, length),
        }
    }

    /// Two of the longest periods, when packets for them are here.
    fn decode_ahead(&mut self) {
        while self.ready.len() < 2 * stretch::LONGEST {
            match (self.held.first_key_value(), &self.state) {
                (Some((&order, (time, Held::Voice(..)))), State::Playing { next })
                    if time == next && self.next_sequence == Some(order) =>
                {
                    self.play(order);
                }
                _ => return,
            }
        }
    }

    /// After a stall of the network everything comes at once: only the newest is worth hearing.
    fn drop_oldest(&mut self, excess: i64) {
        let State::Playing { next } = self.state else {
            return;
        };
        let from_ready = self.ready.len().min(excess as usize);
        self.ready.drain(..from_ready);
        if self.ready.is_empty() {
            self.gap.get_or_insert_with(|| Gap::after(&self.heard));
        }
        let mut left = excess - from_ready as i64;
        let mut next = next;
        while left > 0 && self.held.len() > 1 {
            let Some((order, (time, _))) = self.held.pop_first() else {
                break;
            };
            self.next_sequence = Some(order + 1);
            let after = self.held.first_key_value().map_or(next, |(_, (time, _))| *time);
            left -= (after - time.max(next)).max(0);
            next = next.max(after);
        }
        self.enter(State::Playing { next });
    }

    fn enter(&mut self, state: State) {
        let name = |state: &State| match state {
            State::Waiting(None) => "waiting",
            State::Waiting(Some(_)) => "waiting in noise",
            State::Playing { .. } => "playing",
        };
        if name(&self.state) != name(&state) {
            tracing::trace!("playout {} -> {}", name(&self.state), name(&state));
        }
        self.state = state;
    }
}

/// How much may be taken out when this is too much beside the rest of a frame. Packets are needed whole: what is held
/// back counts in whole frames, and one more of them would be too short, so that it would have to be put in again.
fn may_go(excess: i64, rest: i64) -> i64 {
    let frames = (excess + TOO_SHORT) / FRAME as i64;
    rest + frames * FRAME as i64
}

fn in_samples(now: Duration) -> i64 {
    i64::try_from(now.as_nanos() * u128::from(RATE) / 1_000_000_000).unwrap_or(i64::MAX / 4)
}
