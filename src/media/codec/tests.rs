//! What holds for every codec that is built in.

use std::f64::consts::TAU;

use super::*;

#[test]
fn what_one_side_says_the_other_hears_as_loud() {
    for codec in CodecName::BUILT_IN {
        let (mut encoder, mut decoder) = (Encoder::new(*codec), Decoder::new(*codec));
        let mut heard = Vec::new();
        let said: Vec<i16> = (0..48_000)
            .map(|at| (8000.0 * (TAU * 500.0 * f64::from(at) / 48_000.0).sin()) as i16)
            .collect();
        for packet in said.chunks(960) {
            let mut payload = Vec::new();
            encoder.encode(packet, &mut payload);
            decoder.decode(&payload, &mut heard);
        }
        assert_eq!(heard.len(), said.len(), "{}", codec.name());
        let level = |samples: &[i16]| {
            let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            10.0 * (sum / samples.len() as f64).log10()
        };
        let gain = level(&heard[9600..]) - level(&said[9600..]);
        assert!(gain.abs() < 0.5, "{}: {gain} dB", codec.name());
    }
}
