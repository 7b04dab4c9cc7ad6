//! G.711, bit by bit as ITU-T G.191's reference code has it: 8 kHz mono to bytes and back.

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// μ-law.
    Mu,
    /// A-law.
    A,
}

/// Appends the samples to `bytes`, one byte each.
pub fn encode(law: Law, samples: &[i16], bytes: &mut Vec<u8>) {
    match law {
        Law::Mu => bytes.extend(samples.iter().map(|sample| mu_law_byte(*sample))),
        Law::A => bytes.extend(samples.iter().map(|sample| a_law_byte(*sample))),
    }
}

/// Appends what the bytes stand for to `samples`, one sample each. Every byte stands for one.
pub fn decode(law: Law, bytes: &[u8], samples: &mut Vec<i16>) {
    match law {
        Law::Mu => samples.extend(bytes.iter().map(|byte| mu_law_sample(*byte))),
        Law::A => samples.extend(bytes.iter().map(|byte| a_law_sample(*byte))),
    }
}

/// The sign bit of a byte: set for what is not negative, in both laws.
const NOT_NEGATIVE: u8 = 0x80;
/// What separates the decision thresholds of the two laws, in 14-bit units (G.711 table 2a).
const MU_LAW_BIAS: u16 = 33;
/// A-law turns over every other bit, so that silence has edges for the receiver's clock (G.711 table 1a).
const A_LAW_EVEN_BITS: u8 = 0x55;

fn mu_law_byte(sample: i16) -> u8 {
    let (sign, magnitude) = sign_and_magnitude(sample);
    let biased = ((magnitude >> 2) + MU_LAW_BIAS).min(0x1FFF);
    let segment = biased.ilog2() - 5;
    let step = (biased >> (segment + 1)) & 0x0F;
    let code = (segment as u16) << 4 | step;
    sign | (!code as u8 & 0x7F)
}

fn mu_law_sample(byte: u8) -> i16 {
    let code = i16::from(!byte & 0x7F);
    let bias = 4 * MU_LAW_BIAS as i16;
    let magnitude = ((((code & 0x0F) << 3) + bias) << (code >> 4)) - bias;
    if byte & NOT_NEGATIVE != 0 {
        magnitude
    } else {
        -magnitude
    }
}

fn a_law_byte(sample: i16) -> u8 {
    let (sign, magnitude) = sign_and_magnitude(sample);
    let steps = magnitude >> 4;
    // The first two segments have the same step.
    let code = match steps.checked_ilog2() {
        Some(top @ 5..) => {
            let segment = top - 3;
            (segment as u16) << 4 | ((steps >> (segment - 1)) & 0x0F)
        }
        Some(_) | None => steps,
    };
    (sign | code as u8) ^ A_LAW_EVEN_BITS
}

fn a_law_sample(byte: u8) -> i16 {
    let code = i16::from((byte ^ A_LAW_EVEN_BITS) & 0x7F);
    let (segment, step) = (code >> 4, code & 0x0F);
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => (((step + 16) << 4) + 8) << (segment - 1),
    };
    if byte & NOT_NEGATIVE != 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// The one's complement makes −1 the mirror of 0, as G.191 has it, and leaves room for −32,768.
fn sign_and_magnitude(sample: i16) -> (u8, u16) {
    if sample < 0 {
        (0, !sample as u16)
    } else {
        (NOT_NEGATIVE, sample as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_compressed_as_the_decision_values_say() {
        for table in [MU_LAW, A_LAW] {
            let decisions = table.decision_values();
            for sample in i16::MIN..=i16::MAX {
                let magnitude = if sample < 0 {
                    -(i32::from(sample) + 1)
                } else {
                    sample.into()
                };
                let below = decisions.iter().filter(|value| **value <= magnitude).count();
                let code = (below - 1).min(127) as u8;
                let mut bytes = Vec::new();
                encode(table.law, &[sample], &mut bytes);
                assert_eq!(
                    bytes,
                    [table.character(code, sample < 0)],
                    "{:?} of {sample}",
                    table.law
                );
            }
        }
    }

    #[test]
    fn every_byte_expands_to_the_middle_of_its_interval() {
        for table in [MU_LAW, A_LAW] {
            let decisions = table.decision_values();
            for code in 0..128_u8 {
                let index = usize::from(code);
                let middle = if table.law == Law::Mu && code == 0 {
                    0
                } else {
                    (decisions[index] + decisions[index + 1]) / 2
                };
                for negative in [false, true] {
                    let mut samples = Vec::new();
                    decode(table.law, &[table.character(code, negative)], &mut samples);
                    let expected = if negative { -middle } else { middle };
                    assert_eq!(samples, [expected as i16], "{:?} code {code}", table.law);
                }
            }
        }
    }

    /// A law as G.711's tables write it: steps of equal size by segment, on the scale of 16 bits.
    struct Table {
        law: Law,
        /// The width of the first interval; that of the others in the first segment; segments of 16.
        first: i32,
        step: i32,
        /// The segment from which the step doubles.
        doubles_after: u32,
    }

    const MU_LAW: Table = Table {
        law: Law::Mu,
        first: 4,
        step: 8,
        doubles_after: 0,
    };
    const A_LAW: Table = Table {
        law: Law::A,
        first: 16,
        step: 16,
        doubles_after: 1,
    };

    impl Table {
        fn decision_values(&self) -> Vec<i32> {
            let widths = (0..128_u32).map(|code| match code {
                0 => self.first,
                _ => self.step << (code / 16).saturating_sub(self.doubles_after),
            });
            let mut values = vec![0];
            values.extend(widths.scan(0, |sum, width| {
                *sum += width;
                Some(*sum)
            }));
            values
        }

        fn character(&self, code: u8, negative: bool) -> u8 {
            let sign = if negative { 0 } else { 0x80 };
            match self.law {
                Law::Mu => (127 - code) | sign,
                Law::A => (code | sign) ^ 0x55,
            }
        }
    }
}
