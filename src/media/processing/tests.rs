//! A room that is made of numbers: speech-like voices, a loudspeaker whose sound reaches the microphone over hundreds of
//! reflections, noise. What is measured is printed (`make audio`).

use std::f32::consts::{PI, TAU};
use std::iter::repeat_n;
use std::time::Duration;

use super::{Processing, Processor};
use crate::chance::Chance;
use crate::media::{FRAME, RATE};

const SECOND: usize = RATE as usize;
/// The echo canceller has learned the room by then.
const LEARNED: usize = 4 * SECOND;

#[test]
fn the_meeting_does_not_hear_itself_and_hears_who_interrupts_it() {
    let far = [voice(1, 14, 120.0), vec![0.0; 4 * SECOND]].concat();
    let near = [vec![0.0; 8 * SECOND], voice(2, 10, 210.0)].concat();
    let (echo, noise) = (in_room(&far), noise(3, far.len(), -70.0));
    let opposite: Vec<f32> = near.iter().map(|sample| -sample).collect();
    let [microphone, turned] = [&near, &opposite].map(|near| mixed(&[&echo, near, &noise]));
    let heard = processed(Processing::Full, &far, &microphone);
    let heard_turned = processed(Processing::Full, &far, &turned);
    // Echo and noise are the same in both, so that the halves of sum and difference tell who is who.
    let (of_near, of_others) = parted(&heard, &heard_turned);

    let far_alone = LEARNED..8 * SECOND;
    let enhancement = dbfs(&microphone[far_alone.clone()]) - dbfs(&heard[far_alone.clone()]);
    let comes_back = dbfs(&echo[far_alone.clone()]) - dbfs(&far[far_alone.clone()]);
    let both = 8 * SECOND..14 * SECOND;
    let both_talk = Comparison::of(&near[both.clone()], &of_near[both.clone()]);
    let apart = dbfs(&of_near[both.clone()]) - dbfs(&of_others[both.clone()]);
    let apart_before = dbfs(&near[both.clone()]) - dbfs(&echo[both]);
    let near_alone = 14 * SECOND..18 * SECOND;
    let room_talks = Comparison::of(&near[near_alone.clone()], &heard[near_alone]);
    println!(
        "echo: {comes_back:.1} dB of the loudspeaker's, {enhancement:.1} dB less from second {} on\n\
         both talk: the room's voice {both_talk}; above the echo {apart_before:.1} dB before, {apart:.1} dB after\n\
         the room talks alone: {room_talks}",
        LEARNED / SECOND
    );
    assert!(enhancement >= 30.0, "{enhancement}");
    assert!(both_talk.gain >= -6.0 && both_talk.spoilt <= 0.25, "{both_talk}");
    assert!(
        room_talks.gain >= -3.0 && room_talks.spoilt <= 0.05,
        "{room_talks}"
    );
    assert!(apart >= apart_before + 10.0, "{apart}");

    // Without it, all of it comes back.
    let off = processed(Processing::Off, &far, &microphone);
    assert_eq!(dbfs(&microphone[far_alone.clone()]) - dbfs(&off[far_alone]), 0.0);
}

#[test]
fn a_steady_noise_becomes_weaker_and_the_voice_above_it_does_not() {
    let voice = [vec![0.0; LEARNED], voice(2, 6, 210.0)].concat();
    let noise = noise(3, voice.len(), -50.0);
    let microphone = mixed(&[&voice, &noise]);
    let nobody = vec![0.0; voice.len()];
    for processing in [Processing::Noise, Processing::Full] {
        let heard = processed(processing, &nobody, &microphone);
        let pause = 2 * SECOND..LEARNED;
        let weaker = dbfs(&noise[pause.clone()]) - dbfs(&heard[pause]);
        let voice = Comparison::of(&voice[LEARNED..], &heard[LEARNED..]);
        println!("noise, {processing:?}: {weaker:.1} dB weaker; the voice {voice}");
        assert!(weaker >= 12.0, "{processing:?}: {weaker}");
        assert!(
            voice.gain >= -3.0 && voice.spoilt <= 0.05,
            "{processing:?}: {voice}"
        );
    }
}

#[test]
fn a_quiet_voice_is_raised_and_a_loud_one_is_not_clipped() {
    let said = voice(2, 10, 210.0);
    let room = noise(3, said.len(), -80.0);
    let loudest = said.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
    let at = |gain: f32| said.iter().map(|sample| sample * gain).collect::<Vec<_>>();
    let (quiet, loud) = (at(decibels(-21.0)), at(0.95 / loudest));
    let nobody = vec![0.0; said.len()];
    let end = 6 * SECOND..;
    let [raised, held] = [&quiet, &loud].map(|voice| {
        let microphone = mixed(&[voice, &room]);
        let heard = processed(Processing::Full, &nobody, &microphone);
        let peak = heard.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
        (Comparison::of(&voice[end.clone()], &heard[end.clone()]), peak)
    });
    println!(
        "level: a voice of {:.0} dBFS {}; one of {:.0} dBFS {}, its peak {:.2} of full scale",
        dbfs(&quiet),
        raised.0,
        dbfs(&loud),
        held.0,
        held.1
    );
    assert!((10.0..=24.0).contains(&raised.0.gain), "{}", raised.0);
    assert!(
        (-6.0..=1.0).contains(&held.0.gain) && held.1 < 0.99,
        "{} {}",
        held.0,
        held.1
    );
}

/// Of the thread's own time; with the optimisation that a release has.
#[test]
fn a_beat_costs_less_than_a_millisecond() {
    let seconds = 4;
    let far = voice(1, seconds, 120.0);
    let microphone = mixed(&[&in_room(&far), &noise(3, far.len(), -60.0)]);
    for processing in [Processing::Noise, Processing::Full] {
        let before = time_of_thread();
        processed(processing, &far, &microphone);
        let cost = (time_of_thread() - before) / (seconds * 50) as u32;
        println!("cost, {processing:?}: {cost:.1?} of each 20 ms");
        assert!(cost.as_millis() < 1 || cfg!(debug_assertions), "{cost:?}");
    }
}

fn time_of_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn parted(one: &[f32], other: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let pairs = || one.iter().zip(other);
    let difference = pairs().map(|(one, other)| (one - other) / 2.0);
    let sum = pairs().map(|(one, other)| (one + other) / 2.0);
    (difference.collect(), sum.collect())
}

fn processed(processing: Processing, far: &[f32], microphone: &[f32]) -> Vec<f32> {
    let mut processor = Processor::new(processing);
    let mut heard = Vec::with_capacity(microphone.len());
    for (far, microphone) in far.chunks_exact(FRAME).zip(microphone.chunks_exact(FRAME)) {
        let mut frame = samples(microphone);
        // In the order of a call's beat: what is captured now was played before.
        if let Some(processor) = &mut processor {
            processor.clean(&mut frame);
            processor.played(&samples(far));
        }
        heard.extend(frame.map(|sample| f32::from(sample) / 32768.0));
    }
    heard
}

fn samples(frame: &[f32]) -> [i16; FRAME] {
    std::array::from_fn(|at| (frame[at] * 32768.0).round() as i16)
}

/// What the microphone gives: 16 bits, and no more than they hold.
fn mixed(sounds: &[&[f32]]) -> Vec<f32> {
    let sum = |at: usize| sounds.iter().map(|sound| sound[at]).sum::<f32>();
    (0..sounds[0].len())
        .map(|at| ((sum(at) * 32768.0).round() / 32768.0).clamp(-1.0, 32767.0 / 32768.0))
        .collect()
}

/// How a voice came through.
struct Comparison {
    /// How much louder it became, in dB.
    gain: f32,
    /// The share of its 100 ms, where it is no more than 20 dB below its loudest, that became more than 6 dB weaker.
    spoilt: f32,
}

impl Comparison {
    fn of(voice: &[f32], heard: &[f32]) -> Self {
        let pieces = |sound: &[f32]| sound.chunks_exact(SECOND / 10).map(dbfs).collect::<Vec<_>>();
        let (before, after) = (pieces(voice), pieces(heard));
        let loudest = before.iter().copied().fold(-120.0, f32::max);
        let gains: Vec<f32> = before
            .iter()
            .zip(&after)
            .filter(|(before, _)| **before > loudest - 20.0)
            .map(|(before, after)| after - before)
            .collect();
        let spoilt = gains.iter().filter(|gain| **gain < -6.0).count();
        Self {
            gain: dbfs(heard) - dbfs(voice),
            spoilt: spoilt as f32 / gains.len() as f32,
        }
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let spoilt = self.spoilt * 100.0;
        write!(
            text,
            "{:+.1} dB, {spoilt:.0} % of it more than 6 dB weaker",
            self.gain
        )
    }
}

fn dbfs(sound: &[f32]) -> f32 {
    let square: f32 = sound.iter().map(|sample| sample * sample).sum();
    10.0 * (square / sound.len() as f32 + 1e-12).log10()
}

fn decibels(gain: f32) -> f32 {
    10_f32.powf(gain / 20.0)
}

/// The way from the loudspeaker to the microphone: 40 ms of a card's buffers, a direct sound, and reflections that come
/// ever closer to each other and have lost 60 dB after 200 ms.
fn in_room(far: &[f32]) -> Vec<f32> {
    let mut chance = Chance::from_seed([4; 32]);
    let reflections = (0..200).map(|_| {
        let seconds = 0.2 * anything(&mut chance).abs().sqrt();
        let sign = anything(&mut chance).signum();
        (seconds, sign * 0.12 * decibels(-60.0 * seconds / 0.2))
    });
    let mut echo = vec![0.0; far.len()];
    for (seconds, gain) in std::iter::once((0.001, 0.4)).chain(reflections) {
        let later = ((0.04 + seconds) * RATE as f32) as usize;
        for (sum, sample) in echo[later..].iter_mut().zip(far) {
            *sum += sample * gain;
        }
    }
    echo
}

fn noise(seed: u8, count: usize, level: f32) -> Vec<f32> {
    let mut chance = Chance::from_seed([seed; 32]);
    // Uniform noise has a third of the square of its peak.
    let peak = decibels(level) * 3_f32.sqrt();
    (0..count).map(|_| anything(&mut chance) * peak).collect()
}

/// Between −1 and 1.
fn anything(chance: &mut Chance) -> f32 {
    chance.u32() as f32 / (u32::MAX / 2) as f32 - 1.0
}

/// What a voice is to a telephone: syllables, most of them pulses of a throat whose pitch wanders, the others hiss, all
/// through the resonances of a mouth, with pauses. −24 dBFS.
fn voice(seed: u8, seconds: usize, pitch: f32) -> Vec<f32> {
    let mut chance = Chance::from_seed([seed; 32]);
    let mut voice = Vec::new();
    while voice.len() < seconds * SECOND {
        syllable(&mut chance, pitch, &mut voice);
        let pause = if chance.below(5) == 0 {
            0.15 + 0.2 * anything(&mut chance).abs()
        } else {
            0.02
        };
        voice.extend(repeat_n(0.0, (pause * RATE as f32) as usize));
    }
    voice.truncate(seconds * SECOND);
    let gain = decibels(-24.0 - dbfs(&voice));
    voice
        .iter()
        .map(|sample| (sample * gain).clamp(-0.9, 0.9))
        .collect()
}

fn syllable(chance: &mut Chance, pitch: f32, voice: &mut Vec<f32>) {
    let length = ((0.12 + 0.12 * anything(chance).abs()) * RATE as f32) as usize;
    let is_voiced = chance.below(5) > 0;
    let loudness = 0.4 + 0.6 * anything(chance).abs();
    let pitch = pitch * (1.0 + 0.2 * anything(chance));
    let glide = 0.15 * anything(chance);
    let mut mouth = [
        (550.0, 250.0, 80.0),
        (1500.0, 600.0, 110.0),
        (2500.0, 300.0, 160.0),
        (3500.0, 200.0, 200.0),
    ]
    .map(|(hertz, spread, width)| Resonance::new(hertz + spread * anything(chance), width));
    let mut turn = 0.0;
    for at in 0..length {
        let passed = at as f32 / length as f32;
        turn += pitch * (1.0 + glide * passed) / RATE as f32;
        let throat = match is_voiced {
            true if turn >= 1.0 => 1.0,
            true => 0.02 * anything(chance),
            false => 0.1 * anything(chance),
        };
        turn = turn.fract();
        let sound = mouth
            .iter_mut()
            .fold(throat, |sound, resonance| resonance.pass(sound));
        voice.push(sound * (passed * PI).sin().sqrt() * loudness);
    }
}

/// Two poles.
struct Resonance {
    gain: f32,
    poles: [f32; 2],
    last: [f32; 2],
}

impl Resonance {
    fn new(hertz: f32, width: f32) -> Self {
        let radius = (-PI * width / RATE as f32).exp();
        let poles = [2.0 * radius * (TAU * hertz / RATE as f32).cos(), -radius * radius];
        Self {
            gain: 1.0 - poles[0] - poles[1],
            poles,
            last: [0.0; 2],
        }
    }

    fn pass(&mut self, sound: f32) -> f32 {
        let [one, two] = self.last;
        let passed = sound * self.gain + one * self.poles[0] + two * self.poles[1];
        self.last = [passed, one];
        passed
    }
}
