//! G.722 at 64 kbit/s: 16 kHz to one byte for two samples and back, bit by bit as ITU-T G.722 has it. Two bands of 8 kHz,
//! each predicted and quantized by itself (adaptive differential coding).

/// The filter that parts the bands and joins them again (G.722 table 11), every other coefficient: the rest mirrors it.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band's 60 steps (G.722 table 14, Q6).
const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// What the 64 codes of the lower band stand for (G.722 table 17, QM6).
const LOW_64: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];

/// What their upper four bits stand for, by which both sides adapt (G.722 table 19, QM4).
const LOW_16: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
];

/// How the lower band's scale follows them (G.722 tables 20 and 21: WL of IL4).
const LOW_ADAPTS: [i32; 16] = [
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
];

/// What the four codes of the upper band stand for (G.722 table 18, QM2).
const HIGH_4: [i32; 4] = [-7408, -1616, 7408, 1616];
/// How the upper band's scale follows them (G.722 tables 20 and 21: WH of IH2).
const HIGH_ADAPTS: [i32; 4] = [798, -214, 798, -214];

/// Powers of two in steps of a 32nd (G.722 table 22, ILB).
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// Samples to bytes.
pub struct Encoder {
    low: Band,
    high: Band,
    past: [i32; 24],
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            low: Band::LOW,
            high: Band::HIGH,
            past: [0; 24],
        }
    }
}

impl Encoder {
    /// Appends a byte for each two samples at 16 kHz; an odd last one is left out.
    pub fn encode(&mut self, samples: &[i16], bytes: &mut Vec<u8>) {
        bytes.extend(samples.chunks_exact(2).map(|pair| {
            shift_in(&mut self.past, pair[0].into(), pair[1].into());
            let (odd, even) = filter(&self.past);
            let low = self.low.encode_low((even + odd) >> 14);
            let high = self.high.encode_high((even - odd) >> 14);
            (high << 6 | low) as u8
        }));
    }
}

/// Bytes to samples.
pub struct Decoder {
    low: Band,
    high: Band,
    past: [i32; 24],
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            low: Band::LOW,
            high: Band::HIGH,
            past: [0; 24],
        }
    }
}

impl Decoder {
    /// Appends two samples at 16 kHz for each byte. Every byte stands for two.
    pub fn decode(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        for byte in bytes {
            let low = self.low.decode_low(usize::from(byte & 0x3F));
            let high = self.high.decode_high(usize::from(byte >> 6));
            shift_in(&mut self.past, low + high, low - high);
            let (odd, even) = filter(&self.past);
            samples.push(saturated(even >> 11) as i16);
            samples.push(saturated(odd >> 11) as i16);
        }
    }
}

fn shift_in(past: &mut [i32; 24], first: i32, second: i32) {
    past.copy_within(2.., 0);
    past[22] = first;
    past[23] = second;
}

/// The two halves of the filter, over every other sample.
fn filter(past: &[i32; 24]) -> (i32, i32) {
    let pairs = past.chunks_exact(2);
    let odd = pairs
        .clone()
        .zip(QMF)
        .map(|(pair, weight)| pair[0] * weight)
        .sum();
    let even = pairs.rev().zip(QMF).map(|(pair, weight)| pair[1] * weight).sum();
    (odd, even)
}

/// One band's predictor and scale: both sides keep the same. Names in brackets are the recommendation's.
struct Band {
    /// The scale, as a logarithm (NB) and by itself (DET).
    log_scale: i32,
    scale: i32,
    /// What is predicted (S), and its part that comes from past differences (SZ).
    predicted: i32,
    predicted_by_zeros: i32,
    /// The two poles (A) and six zeros (B).
    poles: [i32; 2],
    zeros: [i32; 6],
    /// What was rebuilt (R, P) and its differences (D), the newest first.
    rebuilt: [i32; 2],
    partly_rebuilt: [i32; 2],
    differences: [i32; 6],
}

impl Band {
    const LOW: Self = Self::of_scale(32);
    const HIGH: Self = Self::of_scale(8);

    const fn of_scale(scale: i32) -> Self {
        Self {
            log_scale: 0,
            scale,
            predicted: 0,
            predicted_by_zeros: 0,
            poles: [0; 2],
            zeros: [0; 6],
            rebuilt: [0; 2],
            partly_rebuilt: [0; 2],
            differences: [0; 6],
        }
    }

    fn encode_low(&mut self, sample: i32) -> i32 {
        let error = saturated(sample - self.predicted);
        let magnitude = if error >= 0 { error } else { -(error + 1) };
        let above = |decision: &&i32| magnitude >= (**decision * self.scale) >> 12;
        let step = LOW_DECISIONS.iter().take_while(above).count() as i32;
        // G.722 table 15: two codes for the smallest steps below zero, then downwards on both sides.
        let code = match (error < 0, step) {
            (false, _) => 61 - step,
            (true, 0..2) => 63 - step,
            (true, _) => 33 - step,
        };
        self.adapt_low(code as usize);
        code
    }

    fn encode_high(&mut self, sample: i32) -> i32 {
        let error = saturated(sample - self.predicted);
        let magnitude = if error >= 0 { error } else { -(error + 1) };
        let is_large = magnitude >= (564 * self.scale) >> 12;
        let code = match (error < 0, is_large) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        self.adapt_high(code as usize);
        code
    }

    fn decode_low(&mut self, code: usize) -> i32 {
        let rebuilt = (self.predicted + ((self.scale * LOW_64[code]) >> 15)).clamp(-16384, 16383);
        self.adapt_low(code);
        rebuilt
    }

    fn decode_high(&mut self, code: usize) -> i32 {
        let rebuilt = (self.predicted + ((self.scale * HIGH_4[code]) >> 15)).clamp(-16384, 16383);
        self.adapt_high(code);
        rebuilt
    }

    /// Both sides adapt by the upper four bits, whatever the lower two are worth (G.722 3.3).
    fn adapt_low(&mut self, code: usize) {
        let code = code >> 2;
        let difference = (self.scale * LOW_16[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + LOW_ADAPTS[code]).clamp(0, 18_432);
        self.scale = power(self.log_scale, 8);
        self.predict(difference);
    }

    fn adapt_high(&mut self, code: usize) {
        let difference = (self.scale * HIGH_4[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + HIGH_ADAPTS[code]).clamp(0, 22_528);
        self.scale = power(self.log_scale, 10);
        self.predict(difference);
    }

    /// G.722 6.2.1.3, block 4: moves the poles and zeros, then predicts the next sample.
    fn predict(&mut self, difference: i32) {
        let rebuilt = saturated(self.predicted + difference);
        let partly = saturated(self.predicted_by_zeros + difference);
        self.poles = self.moved_poles(partly);
        for (zero, past) in self.zeros.iter_mut().zip(self.differences) {
            let step = if difference == 0 { 0 } else { 128 };
            let towards = if same_sign(past, difference) { step } else { -step };
            *zero = saturated(towards + ((*zero * 32_640) >> 15));
        }
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        self.rebuilt = [rebuilt, self.rebuilt[0]];
        self.partly_rebuilt = [partly, self.partly_rebuilt[0]];
        let sum = |weights: &[i32], values: &[i32]| -> i32 {
            let products = weights.iter().zip(values);
            saturated(
                products
                    .map(|(weight, value)| (weight * saturated(value << 1)) >> 15)
                    .sum(),
            )
        };
        self.predicted_by_zeros = sum(&self.zeros, &self.differences);
        self.predicted = saturated(sum(&self.poles, &self.rebuilt) + self.predicted_by_zeros);
    }

    /// UPPOL1 and UPPOL2.
    fn moved_poles(&self, partly: i32) -> [i32; 2] {
        let like = self.partly_rebuilt.map(|past| same_sign(past, partly));
        let scaled = saturated(self.poles[0] << 2);
        let turned = if like[0] { -scaled } else { scaled }.min(32_767);
        let second = (turned >> 7) + if like[1] { 128 } else { -128 } + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        let first = if like[0] { 192 } else { -192 } + ((self.poles[0] * 32_640) >> 15);
        let limit = saturated(15_360 - second);
        [saturated(first).clamp(-limit, limit), second]
    }
}

fn same_sign(one: i32, other: i32) -> bool {
    (one < 0) == (other < 0)
}

fn saturated(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// SCALEL and SCALEH: the logarithm's power.
fn power(log_scale: i32, shift: i32) -> i32 {
    let mantissa = POWERS[(log_scale >> 6 & 31) as usize];
    let down = shift - (log_scale >> 11);
    let scaled = if down < 0 {
        mantissa << -down
    } else {
        mantissa >> down
    };
    scaled << 2
}

#[cfg(test)]
mod tests {
    use super::*;

    // ffmpeg 5.1: `-f s16le -ar 16000 -i input -c:a g722 -f g722 bytes`, then `-f g722 -i bytes -f s16le samples`.
    #[test]
    fn bytes_and_samples_are_those_of_another_implementation() {
        let input = sweep_and_noise();
        let mut bytes = Vec::new();
        Encoder::default().encode(&input, &mut bytes);
        assert_eq!(crc32fast::hash(&bytes), OTHERS_BYTES);
        let mut samples = Vec::new();
        Decoder::default().decode(&bytes, &mut samples);
        let samples: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        assert_eq!(crc32fast::hash(&samples), OTHERS_SAMPLES);
    }

    #[test]
    fn every_byte_in_every_order_is_survived() {
        let mut state = 1_u32;
        let bytes: Vec<u8> = std::iter::repeat_with(|| noise(&mut state) as u8)
            .take(100_000)
            .collect();
        let mut samples = Vec::new();
        Decoder::default().decode(&bytes, &mut samples);
        assert_eq!(samples.len(), 200_000);
    }

    const OTHERS_BYTES: u32 = 0xbdf3_f846;
    const OTHERS_SAMPLES: u32 = 0xe02d_e65e;

    /// Two seconds: a tone that climbs through both bands, from silence to clipping, with noise over it; then silence.
    fn sweep_and_noise() -> Vec<i16> {
        let mut state = 7_u32;
        let mut phase = 0_u32;
        (0..32_000_u32)
            .map(|at| {
                phase = phase.wrapping_add(at * 4200);
                // A triangle, so that the same input can be made anywhere.
                let triangle = (phase >> 15) as i32 - 65_536;
                let triangle = triangle.abs() - 32_768;
                let loud = triangle * (at.min(24_000) as i32) / 20_000 + noise(&mut state) % 2000;
                if at < 28_000 { saturated(loud) as i16 } else { 0 }
            })
            .collect()
    }

    /// Numerical Recipes' generator.
    fn noise(state: &mut u32) -> i32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 16) as i32 - 32_768
    }
}
