//! A voice of our own making: syllables of buzz and hiss through three resonances, words, pauses. What it says follows
//! from its seed alone, so that the same words can be looked for at the other end.

use std::f64::consts::TAU;
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

/// Of all sound here, in hertz: twice what the widest of the codecs carries of a voice.
pub const RATE: u32 = 16_000;
/// The mean level while it speaks, of full scale: −20 dBFS.
const LEVEL: f64 = 0.1;
/// The resonances of five vowels, in hertz.
const VOWELS: [[f64; 3]; 5] = [
    [730.0, 1090.0, 2440.0],
    [530.0, 1840.0, 2480.0],
    [270.0, 2290.0, 3010.0],
    [570.0, 840.0, 2410.0],
    [300.0, 870.0, 2240.0],
];

/// So many seconds of speech, full scale at 1.
pub fn speak(seed: u64, seconds: f64) -> Vec<f64> {
    let wanted = (seconds * f64::from(RATE)) as usize;
    let (mut dice, mut spoken) = (Dice(seed), Vec::new());
    while spoken.len() < wanted {
        for _ in 0..2 + dice.below(3) {
            spoken.extend(syllable(&mut dice));
        }
        let pause = 0.1 + 0.25 * dice.fraction();
        spoken.resize(spoken.len() + (pause * f64::from(RATE)) as usize, 0.0);
    }
    spoken.truncate(wanted);
    spoken
}

/// A hiss before every second vowel, and the vowel: its pitch glides and trembles.
fn syllable(dice: &mut Dice) -> Vec<f64> {
    let mut syllable = Vec::new();
    if dice.below(2) == 0 {
        let mut hiss = Resonance::new(3200.0 + 2800.0 * dice.fraction(), 1200.0);
        let raw = samples(0.05 + 0.05 * dice.fraction()).map(|_| hiss.next(dice.fraction() - 0.5));
        syllable.extend(shaped(raw.collect(), LEVEL / 3.0));
    }
    let vowel = VOWELS[dice.below(VOWELS.len())];
    let mut resonances = [(0, 80.0), (1, 110.0), (2, 160.0)]
        .map(|(which, width)| Resonance::new(vowel[which] * (0.95 + 0.1 * dice.fraction()), width));
    let (begin, end) = (110.0 + 90.0 * dice.fraction(), 90.0 + 90.0 * dice.fraction());
    let length = 0.12 + 0.12 * dice.fraction();
    let mut phase = 0.0;
    let raw = samples(length).map(|at| {
        let done = at as f64 / (length * f64::from(RATE));
        let pitch = (begin + (end - begin) * done) * (0.97 + 0.06 * dice.fraction());
        phase += pitch / f64::from(RATE);
        let beats = phase >= 1.0;
        phase = phase.fract();
        let buzz = if beats { 1.0 } else { 0.0 } + 0.02 * (dice.fraction() - 0.5);
        resonances
            .iter_mut()
            .zip([1.0, 0.7, 0.4])
            .map(|(resonance, part)| part * resonance.next(buzz))
            .sum()
    });
    syllable.extend(shaped(raw.collect(), LEVEL));
    syllable
}

fn samples(seconds: f64) -> std::ops::Range<usize> {
    0..(seconds * f64::from(RATE)) as usize
}

/// At this level, risen and fallen within 15 ms, never near full scale.
fn shaped(raw: Vec<f64>, level: f64) -> impl Iterator<Item = f64> {
    let is = (raw.iter().map(|sample| sample * sample).sum::<f64>() / raw.len() as f64).sqrt();
    let (count, edge) = (raw.len(), 0.015 * f64::from(RATE));
    raw.into_iter().enumerate().map(move |(at, sample)| {
        let rim = at.min(count - at) as f64 / edge;
        (sample * level / is * rim.min(1.0)).clamp(-0.7, 0.7)
    })
}

/// A resonance of two poles.
struct Resonance {
    feedback: [f64; 2],
    past: [f64; 2],
}

impl Resonance {
    fn new(hertz: f64, width: f64) -> Self {
        let radius = (-TAU / 2.0 * width / f64::from(RATE)).exp();
        let turn = 2.0 * radius * (TAU * hertz / f64::from(RATE)).cos();
        Self {
            feedback: [turn, -radius * radius],
            past: [0.0; 2],
        }
    }

    fn next(&mut self, input: f64) -> f64 {
        let output = input + self.feedback[0] * self.past[0] + self.feedback[1] * self.past[1];
        self.past = [output, self.past[0]];
        output
    }
}

/// The same throws for the same seed, everywhere (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// Any number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, without, 1.
    pub fn fraction(&mut self) -> f64 {
        (self.throw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of the first so many.
    pub fn below(&mut self, count: usize) -> usize {
        (self.throw() % count as u64) as usize
    }
}

/// Writes 16-bit mono at this rate, which [`RATE`] is a multiple of or divides.
pub fn write(path: &Path, spoken: &[f64], rate: u32) {
    let spec = WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::create(path, spec).unwrap();
    for sample in at_rate(spoken, RATE, rate) {
        writer
            .write_sample((sample.clamp(-1.0, 1.0) * 32767.0).round() as i16)
            .unwrap();
    }
    writer.finalize().unwrap();
}

/// Reads 16 bits at any rate as mono at [`RATE`].
pub fn read(path: &Path) -> Vec<f64> {
    let mut reader = WavReader::open(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let (rate, channels) = (reader.spec().sample_rate, usize::from(reader.spec().channels));
    let samples: Vec<f64> = reader
        .samples::<i16>()
        // Whoever is killed while he writes leaves half a sample.
        .map_while(Result::ok)
        .map(|sample| f64::from(sample) / 32768.0)
        .collect();
    let mono: Vec<f64> = samples.chunks_exact(channels).map(|frame| frame[0]).collect();
    at_rate(&mono, rate, RATE)
}

/// Another rate, by a windowed sinc of 16 of the slower rate's samples each side.
fn at_rate(samples: &[f64], from: u32, to: u32) -> Vec<f64> {
    if from == to {
        return samples.to_vec();
    }
    let (step, width) = (
        f64::from(from) / f64::from(to),
        f64::from(from.max(to)) / f64::from(to),
    );
    let (cut, reach) = (0.95 / width, 16.0 * width);
    let count = (samples.len() as f64 / step) as usize;
    let one = |index: usize| -> f64 {
        let middle = index as f64 * step;
        let first = (middle - reach).ceil().max(0.0) as usize;
        let last = ((middle + reach) as usize + 1).min(samples.len());
        let weigh = |at: usize| {
            let off = at as f64 - middle;
            let angle = TAU / 2.0 * off * cut;
            let sinc = if angle.abs() < 1e-9 {
                1.0
            } else {
                angle.sin() / angle
            };
            cut * sinc * (0.5 + 0.5 * (TAU / 2.0 * off / reach).cos())
        };
        (first..last).map(|at| samples[at] * weigh(at)).sum()
    };
    (0..count).map(one).collect()
}
