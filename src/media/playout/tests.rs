//! The buffer under everything a network does, in virtual time.

use std::f64::consts::TAU;
use std::sync::OnceLock;

use super::*;
use crate::chance::Chance;
use crate::media::TICK;
use crate::media::codec::Encoder;

#[test]
fn on_a_good_network_everything_is_heard_and_held_back_for_little() {
    let mut way = Way::new();
    way.run(3000, |at| Some(at * TICK));
    assert_eq!(way.playout.concealed_percent(), 0.0);
    assert!(way.playout.delay() <= ms(45), "{:?}", way.playout.delay());
    assert_eq!(way.clicks(), 0);
}

/// A packet is needed as a whole: what is held back comes near to what is wanted in steps of a packet, wherever within
/// one the packets of the network come.
#[test]
fn what_comes_evenly_is_left_as_it_is() {
    for phase in [0, 4, 8, 12, 14, 16, 18] {
        let mut way = Way::new();
        // What was supposed at first is forgotten by then.
        way.run(2500, |at| Some(at * TICK + ms(phase)));
        let delay = way.playout.delay();
        let delays = (0..500).map(|_| {
            way.run(1, |at| Some(at * TICK + ms(phase)));
            way.playout.delay()
        });
        let changes = delays.filter(|now| *now != delay).count();
        assert_eq!(changes, 0, "{phase} ms: changes of the delay in ten seconds");
        assert!(delay <= ms(45), "{phase} ms: {delay:?}");
    }
}

#[test]
fn order_does_not_matter_while_there_is_time() {
    let mut way = Way::new();
    way.run(1500, |at| {
        Some(at * TICK + if at % 5 == 3 { ms(35) } else { ms(0) })
    });
    assert!(
        way.playout.concealed_percent() < 0.1,
        "{}",
        way.playout.concealed_percent()
    );
    assert_eq!(way.clicks(), 0);
}

#[test]
fn lost_packets_are_made_up_and_counted() {
    for (every, expected) in [(20, 5.0), (5, 20.0)] {
        let mut way = Way::new();
        way.run(3000, |at| (at % every != 7 % every).then_some(at * TICK));
        let percent = way.playout.concealed_percent();
        assert!(
            (percent - expected).abs() < expected / 20.0,
            "{percent} of {expected}"
        );
        assert_eq!(way.clicks(), 0);
    }
}

#[test]
fn bursts_of_loss_are_counted_whole() {
    let mut way = Way::new();
    way.run(3000, |at| (at % 50 < 40).then_some(at * TICK));
    let percent = way.playout.concealed_percent();
    assert!((percent - 20.0).abs() < 2.0, "{percent}");
    assert!(way.playout.delay() < ms(100), "{:?}", way.playout.delay());
}

#[test]
fn jitter_is_held_back_for_and_hardly_anything_comes_too_late() {
    let mut chance = Chance::from_seed([4; 32]);
    let mut way = Way::new();
    way.run(3000, |at| Some(at * TICK + ms(chance.below(50))));
    let percent = way.playout.concealed_percent();
    assert!(percent < 1.5, "{percent}");
    assert!(way.longest < ms(120), "{:?}", way.longest);
    way.run(4000, |at| Some(at * TICK));
    assert!(
        way.playout.delay() < ms(45),
        "and given up again: {:?}",
        way.playout.delay()
    );
    assert_eq!(way.clicks(), 0);
}

#[test]
fn everything_at_once_stays_below_200_ms_and_is_counted_rightly() {
    let mut chance = Chance::from_seed([5; 32]);
    let mut way = Way::new();
    let mut lost = 0;
    way.run(4000, |at| {
        let is_lost = chance.below(20) == 0;
        lost += u32::from(is_lost);
        (!is_lost).then(|| at * TICK + ms(chance.below(50)))
    });
    let truth = lost as f32 / 40.0;
    let percent = way.playout.concealed_percent();
    assert!((percent - truth).abs() < truth / 5.0, "{percent} of {truth}");
    assert!(way.longest < ms(200), "{:?}", way.longest);
}

/// For `MEETD_DRIFT_MINUTES`: one in the tests, an hour in `make acceptance`.
#[test]
fn a_clock_that_runs_300_ppm_apart_is_followed_without_a_click_or_a_growing_delay() {
    let minutes = option_env!("MEETD_DRIFT_MINUTES");
    let minutes: u32 = minutes.and_then(|minutes| minutes.parse().ok()).unwrap_or(1);
    for parts in [-300_i64, 300] {
        let mut way = Way::new();
        way.run(minutes * 3000, |at| {
            let nanos = i128::from(at) * 20_000_000 * (1_000_000 + i128::from(parts)) / 1_000_000;
            Some(Duration::from_nanos(nanos as u64))
        });
        println!(
            "{parts:+} ppm for {minutes} min: delay at most {:?}, {} clicks, {:.3} % made up",
            way.longest,
            way.clicks(),
            way.playout.concealed_percent()
        );
        assert!(way.longest < ms(75), "{parts}: {:?}", way.longest);
        assert!(way.playout.delay() < ms(45), "{parts}: {:?}", way.playout.delay());
        assert!(
            way.playout.concealed_percent() < 0.02,
            "{}",
            way.playout.concealed_percent()
        );
        assert_eq!(way.clicks(), 0, "{parts}");
    }
}

#[test]
fn after_a_stall_of_the_network_only_the_newest_is_heard() {
    let mut way = Way::new();
    way.run(400, |at| {
        Some(if (100..150).contains(&at) {
            150 * TICK
        } else {
            at * TICK
        })
    });
    way.run(400, |at| Some(at * TICK));
    assert!(way.playout.delay() < ms(120), "{:?}", way.playout.delay());
}

#[test]
fn talk_spurts_lose_nothing_and_noise_is_heard_between_them() {
    let mut way = Way::new();
    // Two seconds of talk, three of nothing: the sequence goes on, the time has moved.
    way.skip_every = Some((100, 150));
    way.run(2000, |at| Some(at * TICK));
    assert_eq!(way.playout.concealed_percent(), 0.0);
    let mut playout = Playout::default();
    playout.put(ms(0), 1, 0, 8000, Arrived::Voice(CodecName::Pcmu, &[0x80; 160]));
    playout.put(ms(20), 2, 160, 8000, Arrived::Noise(&[40]));
    let mut heard = Vec::new();
    for at in 0..40 {
        heard.extend(take(&mut playout, ms(at * 20)));
    }
    let quiet = &heard[20 * FRAME..];
    let sum: f64 = quiet.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let level = 10.0 * (sum / quiet.len() as f64 / 32_768.0_f64.powi(2)).log10();
    assert!((level + 40.0).abs() < 2.0, "{level}");
    assert_eq!(playout.concealed_percent(), 0.0);
}

#[test]
fn digits_and_pauses_are_no_loss() {
    let mut playout = Playout::default();
    for at in 0..400_u16 {
        let is_digit = (100..108).contains(&at);
        let packet = if is_digit {
            Arrived::Other
        } else {
            Arrived::Voice(CodecName::Pcmu, &[0x90; 160])
        };
        let time = u32::from(if is_digit { 100 } else { at }) * 160;
        playout.put(TICK * u32::from(at), at, time, 8000, packet);
        take(&mut playout, TICK * u32::from(at));
    }
    assert_eq!(playout.concealed_percent(), 0.0);
}

#[test]
fn any_jump_of_the_clock_and_any_wrap_are_followed() {
    for first in [0, u32::MAX - 3000, u32::MAX / 2] {
        for jump in [0, 1_000_000, u32::MAX / 2, u32::MAX - 100_000, u32::MAX] {
            let mut playout = Playout::default();
            let mut loud = 0;
            for at in 0..300_u32 {
                let moved = if at >= 100 { jump } else { 0 };
                let time = first.wrapping_add(at * 160).wrapping_add(moved);
                let sequence = (65_500 + at) as u16;
                playout.put(
                    TICK * at,
                    sequence,
                    time,
                    8000,
                    Arrived::Voice(CodecName::Pcmu, &[0x80; 160]),
                );
                let heard = take(&mut playout, TICK * at);
                loud += usize::from(at > 150 && heard.iter().all(|sample| *sample > 20_000));
            }
            assert!(loud > 140, "from {first} by {jump}: {loud}");
        }
    }
}

#[test]
fn a_codec_with_another_clock_goes_on_at_its_own_rate() {
    let mut playout = Playout::default();
    let mut encoder = Encoder::new(CodecName::G722);
    for at in 0..200_u32 {
        let mut wide = Vec::new();
        encoder.encode(&[5000; FRAME], &mut wide);
        let packet = match at < 100 {
            true => Arrived::Voice(CodecName::Pcmu, &[0x90; 160]),
            false => Arrived::Voice(CodecName::G722, &wide),
        };
        playout.put(TICK * at, at as u16, at * 160, 8000, packet);
        take(&mut playout, TICK * at);
    }
    assert_eq!(playout.concealed_percent(), 0.0);
    let heard = take(&mut playout, TICK * 200);
    assert!(
        heard.iter().all(|sample| (4500..5500).contains(sample)),
        "{:?}",
        &heard[..9]
    );
}

#[test]
fn a_flood_fills_no_memory() {
    let mut playout = Playout::default();
    for at in 0..10_000_u32 {
        playout.put(
            ms(0),
            at as u16,
            at * 160,
            8000,
            Arrived::Voice(CodecName::Pcmu, &[0x90; 160]),
        );
        assert!(playout.held.len() <= MOST_PACKETS);
    }
    for at in 0..500 {
        take(&mut playout, TICK * at);
        assert!(playout.ready.len() < 10 * FRAME && playout.heard.len() <= conceal::MEMORY);
    }
}

/// A far end with a voice, the way from it, and an ear for clicks.
struct Way {
    playout: Playout,
    sequence: u16,
    /// Ticks of the far end so far, and ours.
    said: u32,
    now: u32,
    on_the_way: Vec<(Duration, u16, u32, Vec<u8>)>,
    /// After so many ticks so many are not sent.
    skip_every: Option<(u32, u32)>,
    last: [i16; 2],
    clicks: u32,
    longest: Duration,
}

impl Way {
    fn new() -> Self {
        Self {
            playout: Playout::default(),
            sequence: 65_000,
            said: 0,
            now: 0,
            on_the_way: Vec::new(),
            skip_every: None,
            last: [0; 2],
            clicks: 0,
            longest: ms(0),
        }
    }

    /// So many ticks; a packet of tick `at` arrives when `arrives` says, or never.
    fn run(&mut self, ticks: u32, mut arrives: impl FnMut(u32) -> Option<Duration>) {
        let until = self.now + ticks;
        while self.now < until {
            let now = TICK * self.now + ms(3);
            // A little ahead, so that a clock that is fast has packets to send.
            while self.said <= self.now + 100 {
                let payload = self.voice();
                let at = self.said;
                self.said += 1;
                let is_pause = self
                    .skip_every
                    .is_some_and(|(talk, pause)| at % (talk + pause) >= talk);
                if is_pause {
                    continue;
                }
                self.sequence = self.sequence.wrapping_add(1);
                if let Some(due) = arrives(at) {
                    let timestamp = (u32::MAX - 50_000).wrapping_add(at * 160);
                    self.on_the_way.push((due, self.sequence, timestamp, payload));
                }
            }
            self.on_the_way.sort_by_key(|packet| packet.0);
            while self.on_the_way.first().is_some_and(|packet| packet.0 <= now) {
                let (due, sequence, timestamp, payload) = self.on_the_way.remove(0);
                let voice = Arrived::Voice(CodecName::Pcmu, &payload);
                self.playout.put(due, sequence, timestamp, 8000, voice);
            }
            self.listen(now);
            self.now += 1;
        }
    }

    fn listen(&mut self, now: Duration) {
        let heard = take(&mut self.playout, now);
        self.longest = self.longest.max(self.playout.delay());
        for sample in heard {
            let bend = i32::from(sample) - 2 * i32::from(self.last[0]) + i32::from(self.last[1]);
            self.last = [sample, self.last[0]];
            // The voice itself bends by less than 100; the edge of a talk spurt is no click.
            self.clicks += u32::from(bend.abs() > 600 && self.now > 10);
        }
    }

    fn clicks(&self) -> u32 {
        self.clicks
    }

    fn voice(&mut self) -> Vec<u8> {
        let packets = VOICE.get_or_init(vowel);
        packets[self.said as usize % packets.len()].clone()
    }
}

static VOICE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

/// A sung vowel, which is hard to cut without a trace, in a slowly moving pitch: five seconds that join at their ends.
fn vowel() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(CodecName::Pcmu);
    let mut phase = 0.0_f64;
    let mut packet = |at: u32| {
        let hertz = 180.0 + 20.0 * (TAU * f64::from(at) / 250.0).sin();
        let samples: Vec<i16> = (0..FRAME)
            .map(|_| {
                phase = (phase + hertz / 48_000.0).fract();
                let turn = TAU * phase;
                (5000.0 * turn.sin() + 2500.0 * (2.0 * turn).sin() + 1000.0 * (3.0 * turn).sin()) as i16
            })
            .collect();
        let mut payload = Vec::new();
        encoder.encode(&samples, &mut payload);
        payload
    };
    // The second round: the filters of the first began with silence.
    let all: Vec<_> = (0..500).map(&mut packet).collect();
    all[250..].to_vec()
}

fn take(playout: &mut Playout, now: Duration) -> [i16; FRAME] {
    let mut out = [0; FRAME];
    playout.take(now, &mut out);
    out
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
