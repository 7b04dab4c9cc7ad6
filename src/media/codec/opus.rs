//! Opus (RFC 6716) by libopus: 48 kHz mono with in-band forward error correction. A library that refuses to work is
//! silence, said once.

use opusic_c::{Application, Bitrate, Channels, ErrorCode, InbandFec, SampleRate, Signal};

/// Bits a second: wideband speech and more, with room for what repeats the packet before.
const BIT_RATE: u32 = 32_000;
/// How much work the encoder does, of 10: what lies above is hardly heard in speech.
const COMPLEXITY: u8 = 5;
/// The loss for which the encoder repeats, in percent.
const SUPPOSED_LOSS: u8 = 10;
/// Longer than any payload at this rate (RFC 6716 3.2.1: at most 1275 bytes a frame).
const LONGEST_PAYLOAD: usize = 1500;
/// Samples in the longest packet: 120 ms.
const MOST_SAMPLES: usize = 5760;
/// Samples that the decoder makes up at once must be a multiple of this: 2.5 ms.
const STEP: usize = 120;

/// Samples to payloads.
pub struct Encoder(Option<opusic_c::Encoder>);

impl Encoder {
    /// For one stream.
    pub fn new() -> Self {
        let made = opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip);
        Self(said(made.and_then(|mut encoder| {
            encoder.set_bitrate(Bitrate::Value(BIT_RATE))?;
            encoder.set_complexity(COMPLEXITY)?;
            encoder.set_signal(Signal::Voice)?;
            encoder.set_inband_fec(InbandFec::Mode1)?;
            encoder.set_packet_loss(SUPPOSED_LOSS)?;
            Ok(encoder)
        })))
    }

    /// Appends the payload of a packet of 10, 20, 40 or 60 ms.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        let Some(encoder) = &mut self.0 else { return };
        let input: Vec<u16> = samples.iter().map(|sample| *sample as u16).collect();
        let mut bytes = [0; LONGEST_PAYLOAD];
        if let Some(length) = said(encoder.encode_to_slice(&input, &mut bytes)) {
            payload.extend_from_slice(&bytes[..length.min(bytes.len())]);
        }
    }
}

/// Payloads to samples.
pub struct Decoder(Option<opusic_c::Decoder>);

impl Decoder {
    /// For one stream.
    pub fn new() -> Self {
        Self(said(opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000)))
    }

    /// Appends what the payload says; nothing for what is none.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        if !payload.is_empty() {
            self.run(payload, MOST_SAMPLES, false, samples);
        }
    }

    /// Appends so many samples for what never came, by what `next` repeats of it or by guessing. Whether it did.
    pub fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Vec<i16>) -> bool {
        let before = samples.len();
        let whole = count.div_ceil(STEP) * STEP;
        let is_made = match next {
            Some(payload) if !payload.is_empty() => self.run(payload, whole.min(MOST_SAMPLES), true, samples),
            _ => self.run(&[], whole.min(MOST_SAMPLES), false, samples),
        };
        if is_made {
            samples.truncate(before + count);
        }
        is_made && samples.len() == before + count
    }

    fn run(&mut self, payload: &[u8], most: usize, repeats: bool, samples: &mut Vec<i16>) -> bool {
        let Some(decoder) = &mut self.0 else { return false };
        let mut output = [0_u16; MOST_SAMPLES];
        match decoder.decode_to_slice(payload, &mut output[..most], repeats) {
            Ok(length) => {
                samples.extend(output.iter().take(length).map(|sample| *sample as i16));
                true
            }
            Err(error) => {
                tracing::trace!("no Opus: {}", error.message());
                false
            }
        }
    }
}

fn said<T>(result: Result<T, ErrorCode>) -> Option<T> {
    result
        .inspect_err(|error| tracing::warn!("libopus refuses to work: {}", error.message()))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn a_voice_comes_out_as_loud_as_it_went_in_for_every_packet_time() {
        for milliseconds in [10, 20, 40, 60] {
            let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
            let mut heard = Vec::new();
            for packet in voice().chunks_exact(milliseconds * 48) {
                let mut payload = Vec::new();
                encoder.encode(packet, &mut payload);
                assert!((10..400).contains(&payload.len()), "{}", payload.len());
                decoder.decode(&payload, &mut heard);
            }
            let gain = level(&heard[9600..]) - level(&voice()[9600..]);
            assert!(gain.abs() < 2.5, "{milliseconds} ms: {gain} dB");
        }
    }

    #[test]
    fn a_lost_packet_is_repeated_by_the_next_better_than_it_is_guessed() {
        let packets = || voice().chunks_exact(960).map(<[i16]>::to_vec).collect::<Vec<_>>();
        let distance = |repeats: bool| {
            let (mut encoder, mut whole, mut holed) = (Encoder::new(), Decoder::new(), Decoder::new());
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let payloads: Vec<Vec<u8>> = packets()
                .iter()
                .map(|packet| {
                    let mut payload = Vec::new();
                    encoder.encode(packet, &mut payload);
                    payload
                })
                .collect();
            for (at, payload) in payloads.iter().enumerate() {
                whole.decode(payload, &mut one);
                match at % 10 {
                    7 => {
                        let next = payloads.get(at + 1).filter(|_| repeats);
                        assert!(holed.conceal(960, next.map(Vec::as_slice), &mut other));
                    }
                    _ => holed.decode(payload, &mut other),
                }
            }
            assert_eq!(one.len(), other.len());
            let difference: Vec<i16> = one
                .iter()
                .zip(&other)
                .map(|(one, other)| one.saturating_sub(*other))
                .collect();
            level(&difference[9600..])
        };
        let (repeated, guessed) = (distance(true), distance(false));
        assert!(repeated < guessed - 1.0, "{repeated} {guessed}");
    }

    #[test]
    fn any_payload_is_survived() {
        let mut decoder = Decoder::new();
        let mut state = 1_u32;
        for length in 0..3000 {
            let payload: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .take(length % 300)
            .collect();
            let mut samples = Vec::new();
            decoder.decode(&payload, &mut samples);
            assert!(samples.len() <= MOST_SAMPLES);
        }
    }

    /// Two seconds of vowels whose pitch and level move.
    fn voice() -> Vec<i16> {
        let mut phase = 0.0_f64;
        (0..96_000)
            .map(|at| {
                let time = f64::from(at) / 48_000.0;
                phase += (140.0 + 50.0 * (TAU * 3.0 * time).sin()) / 48_000.0;
                let sound: f64 = (1..12)
                    .map(|part| (TAU * phase * f64::from(part)).sin() / f64::from(part))
                    .sum();
                (sound * 5000.0 * (0.6 + 0.4 * (TAU * 5.0 * time).sin())) as i16
            })
            .collect()
    }

    fn level(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        10.0 * (sum / samples.len() as f64 + 1e-9).log10()
    }
}
