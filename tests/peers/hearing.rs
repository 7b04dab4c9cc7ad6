//! What became of speech on its way: how much later it was heard, how much louder, and how different it sounds.

use std::f64::consts::TAU;

use super::speech::RATE;

/// A recording may begin so much later than what was said, in samples: half a second.
const EARLY: usize = RATE as usize / 2;
/// Speech is looked for up to this much later than it was said, in samples: four seconds.
const LATEST: usize = 4 * RATE as usize;
/// The delay is measured anew for each of these pieces: 400 ms.
const PIECE: usize = RATE as usize * 2 / 5;
/// A piece may have moved against the whole by this much: 100 ms.
const MOVED: usize = RATE as usize / 10;
/// Spectra are of 32 ms, 16 ms apart.
const WINDOW: usize = 512;
const HOP: usize = 256;
/// What is missing is sought in steps of 5 ms.
const MOMENT: usize = RATE as usize / 200;
/// Quieter than the loudest by this much, it does not matter how it sounds: 30 dB.
const UNHEARD: f64 = 1e-3;
/// The edges of critical bands (Zwicker's Bark scale), in hertz.
const BANDS: [f64; 20] = [
    200.0, 300.0, 400.0, 510.0, 630.0, 770.0, 920.0, 1080.0, 1270.0, 1480.0, 1720.0, 2000.0, 2320.0, 2700.0,
    3150.0, 3700.0, 4400.0, 5300.0, 6400.0, 7700.0,
];

/// How something said was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// From the begin of what was said to the begin of it in what was heard, in milliseconds: the median of its pieces.
    pub delay_ms: f64,
    /// Between the piece that came soonest and the one that came latest.
    pub wander_ms: f64,
    /// How much louder, in decibels.
    pub gain_db: f64,
    /// How different the spectra are: the root mean square over critical bands, averaged over time, in decibels. The
    /// gain does not count.
    pub distance_db: f64,
    /// The share of speech of which nothing was heard, in percent: 20 dB below its level.
    pub missing_percent: f64,
}

/// Compares up to this frequency: codecs carry no more. `None` when what was said is nowhere in what was heard.
pub fn compare(said: &[f64], heard: &[f64], up_to_hertz: f64) -> Option<Heard> {
    let heard = &[&vec![0.0; EARLY], heard].concat();
    let whole = lag(said, heard, LATEST)?;
    let loudest = pieces(said).map(|(_, piece)| energy(piece)).fold(0.0, f64::max);
    let found: Vec<(usize, usize)> = pieces(said)
        .filter(|(_, piece)| energy(piece) > loudest / 10.0)
        .filter_map(|(at, piece)| {
            let from = (at + whole).saturating_sub(MOVED);
            let near = heard.get(from..(from + PIECE + 2 * MOVED))?;
            Some((at, from + lag(piece, near, 2 * MOVED)?))
        })
        .collect();
    let mut lags: Vec<i64> = found
        .iter()
        .map(|(at, there)| *there as i64 - *at as i64)
        .collect();
    lags.sort_unstable();
    let median = *lags.get(lags.len() / 2)?;
    let milliseconds = |samples: i64| samples as f64 * 1000.0 / f64::from(RATE);
    let (gain, distance_db) = spectra(said, heard, &found, up_to_hertz);
    let missing = missing(said, heard, &found, gain);
    Some(Heard {
        delay_ms: milliseconds(median - EARLY as i64),
        wander_ms: milliseconds(lags[lags.len() - 1] - lags[0]),
        gain_db: decibels(gain),
        distance_db,
        missing_percent: missing * 100.0,
    })
}

fn pieces(said: &[f64]) -> impl Iterator<Item = (usize, &[f64])> {
    said.chunks_exact(PIECE)
        .enumerate()
        .map(|(index, piece)| (index * PIECE, piece))
}

/// The share of the moments of speech in these pieces of which nothing was heard.
fn missing(said: &[f64], heard: &[f64], found: &[(usize, usize)], gain: f64) -> f64 {
    let of_piece = |(here, there): &(usize, usize)| {
        let moments = (0..PIECE).step_by(MOMENT).map(|at| (here + at, there + at));
        let energies = moments
            .map(|(here, there)| [&said[here..here + MOMENT], &heard[there..there + MOMENT]].map(energy));
        energies.collect::<Vec<_>>()
    };
    let moments: Vec<[f64; 2]> = found.iter().flat_map(of_piece).collect();
    let mean = moments.iter().map(|[said, _]| said).sum::<f64>() / moments.len() as f64;
    let (mut spoken, mut missing) = (0, 0);
    for [said, heard] in &moments {
        spoken += u32::from(*said > mean / 10.0);
        missing += u32::from(*said > mean / 10.0 && heard / gain < said / 100.0);
    }
    f64::from(missing) / f64::from(spoken.max(1))
}

/// Gain and distance over the spectra of these pieces.
fn spectra(said: &[f64], heard: &[f64], found: &[(usize, usize)], up_to_hertz: f64) -> (f64, f64) {
    let both: Vec<[Vec<f64>; 2]> = found
        .iter()
        .flat_map(|(here, there)| {
            (0..PIECE - WINDOW)
                .step_by(HOP)
                .map(move |at| (here + at, there + at))
        })
        .map(|(here, there)| {
            [&said[here..here + WINDOW], &heard[there..there + WINDOW]].map(|part| bands(part, up_to_hertz))
        })
        .collect();
    let loudness = |bands: &Vec<f64>| bands.iter().sum::<f64>();
    let loudest = both.iter().map(|[said, _]| loudness(said)).fold(0.0, f64::max);
    let both: Vec<_> = both
        .into_iter()
        .filter(|[said, _]| loudness(said) > loudest * UNHEARD)
        .collect();
    let sum = |which: usize| both.iter().map(|pair| loudness(&pair[which])).sum::<f64>();
    let gain = sum(1) / sum(0);
    let distance: f64 = both
        .iter()
        .map(|[said, heard]| {
            let floor = said.iter().copied().fold(0.0, f64::max) * UNHEARD;
            let squares = said.iter().zip(heard).map(|(said, heard)| {
                let apart = decibels((heard / gain + floor) / (said + floor));
                apart * apart
            });
            (squares.sum::<f64>() / said.len() as f64).sqrt()
        })
        .sum();
    (gain, distance / both.len() as f64)
}

/// The power in each critical band.
fn bands(part: &[f64], up_to_hertz: f64) -> Vec<f64> {
    let window = |at: usize| 0.5 - 0.5 * (TAU * at as f64 / WINDOW as f64).cos();
    let mut spectrum: Vec<Complex> = part
        .iter()
        .enumerate()
        .map(|(at, sample)| (sample * window(at), 0.0))
        .collect();
    transform(&mut spectrum);
    let bin = |hertz: f64| (hertz * WINDOW as f64 / f64::from(RATE)).round() as usize;
    let within = BANDS.windows(2).filter(|edges| edges[1] <= up_to_hertz);
    within
        .map(|edges| {
            spectrum[bin(edges[0])..bin(edges[1])]
                .iter()
                .map(|bin| power(*bin))
                .sum()
        })
        .collect()
}

/// Where in `heard` `said` begins, at most so late: where both are most alike. `None` when that is nowhere.
fn lag(said: &[f64], heard: &[f64], latest: usize) -> Option<usize> {
    // The steps between samples: else the hum of the voice decides.
    let steps = |sound: &[f64]| sound.windows(2).map(|pair| (pair[1] - pair[0], 0.0)).collect();
    let (mut one, mut other): (Vec<Complex>, Vec<Complex>) = (steps(said), steps(heard));
    let size = (one.len() + other.len()).next_power_of_two();
    let energy_of_said: f64 = one.iter().map(|step| power(*step)).sum();
    let mut energies = vec![0.0];
    for step in &other {
        energies.push(energies[energies.len() - 1] + power(*step));
    }
    one.resize(size, (0.0, 0.0));
    other.resize(size, (0.0, 0.0));
    transform(&mut one);
    transform(&mut other);
    // The inverse of a product with a conjugate, which is real, is the transform of its conjugate.
    let mut product: Vec<Complex> = one
        .iter()
        .zip(&other)
        .map(|((a, b), (c, d))| (a * c + b * d, b * c - a * d))
        .collect();
    transform(&mut product);
    let likeness = |lag: usize| {
        let until = (lag + said.len() - 1).min(energies.len() - 1);
        let energy_of_heard = energies[until] - energies[lag];
        let share = energy_of_heard.max(energies[energies.len() - 1] / 100.0);
        product[lag].0 / size as f64 / (energy_of_said * share).sqrt().max(f64::MIN_POSITIVE)
    };
    let best = (0..latest.min(heard.len().saturating_sub(1)))
        .max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)))?;
    (likeness(best) > 0.1).then_some(best)
}

type Complex = (f64, f64);

/// The discrete Fourier transform of a power of two of samples, in place (Cooley and Tukey).
fn transform(samples: &mut [Complex]) {
    let (count, bits) = (samples.len(), samples.len().ilog2());
    for at in 0..count {
        let mirrored = at.reverse_bits() >> (usize::BITS - bits);
        if at < mirrored {
            samples.swap(at, mirrored);
        }
    }
    let mut half = 1;
    while half < count {
        let turns: Vec<Complex> = (0..half)
            .map(|at| (-TAU / 2.0 * at as f64 / half as f64).sin_cos())
            .map(|(sine, cosine)| (cosine, sine))
            .collect();
        for pair in samples.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for ((low, high), turn) in low.iter_mut().zip(high).zip(&turns) {
                let turned = (
                    high.0 * turn.0 - high.1 * turn.1,
                    high.0 * turn.1 + high.1 * turn.0,
                );
                *high = (low.0 - turned.0, low.1 - turned.1);
                *low = (low.0 + turned.0, low.1 + turned.1);
            }
        }
        half *= 2;
    }
}

fn power((real, imaginary): Complex) -> f64 {
    real * real + imaginary * imaginary
}

fn energy(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum()
}

fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.max(1e-12).log10()
}
