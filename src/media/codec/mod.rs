//! Codecs: 48 kHz mono to the payload of a packet and back. To add one: a file beside this one, its name in
//! [`CodecName`] and an arm in each `match` here.

use super::resample::{Down, Up};
use super::{CodecName, RATE};

mod g711;
mod g722;
#[cfg(feature = "opus")]
mod opus;
#[cfg(test)]
mod tests;

use g711::Law;

/// Voice to payloads.
pub struct Encoder {
    codec: CodecName,
    down: Down,
    state: Encoding,
    slower: Vec<i16>,
}

enum Encoding {
    G711(Law),
    G722(Box<g722::Encoder>),
    #[cfg(feature = "opus")]
    Opus(opus::Encoder),
}

impl Encoder {
    /// For one stream of this codec.
    pub fn new(codec: CodecName) -> Self {
        Self {
            codec,
            down: Down::by(factor(codec)),
            state: match codec {
                CodecName::Pcmu => Encoding::G711(Law::Mu),
                CodecName::Pcma => Encoding::G711(Law::A),
                CodecName::G722 => Encoding::G722(Box::default()),
                #[cfg(feature = "opus")]
                CodecName::Opus => Encoding::Opus(opus::Encoder::new()),
            },
            slower: Vec::new(),
        }
    }

    /// What it makes.
    pub fn codec(&self) -> CodecName {
        self.codec
    }

    /// Appends the payload of a packet with these samples: whole 10 ms, at 48 kHz.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        self.slower.clear();
        self.down.run(samples, &mut self.slower);
        match &mut self.state {
            Encoding::G711(law) => g711::encode(*law, &self.slower, payload),
            Encoding::G722(encoder) => encoder.encode(&self.slower, payload),
            #[cfg(feature = "opus")]
            Encoding::Opus(encoder) => encoder.encode(&self.slower, payload),
        }
    }
}

/// Payloads to voice.
pub struct Decoder {
    codec: CodecName,
    up: Up,
    state: Decoding,
    slower: Vec<i16>,
}

enum Decoding {
    G711(Law),
    G722(Box<g722::Decoder>),
    #[cfg(feature = "opus")]
    Opus(opus::Decoder),
}

impl Decoder {
    /// For one stream of this codec.
    pub fn new(codec: CodecName) -> Self {
        Self {
            codec,
            up: Up::by(factor(codec)),
            state: match codec {
                CodecName::Pcmu => Decoding::G711(Law::Mu),
                CodecName::Pcma => Decoding::G711(Law::A),
                CodecName::G722 => Decoding::G722(Box::default()),
                #[cfg(feature = "opus")]
                CodecName::Opus => Decoding::Opus(opus::Decoder::new()),
            },
            slower: Vec::new(),
        }
    }

    /// What it takes.
    pub fn codec(&self) -> CodecName {
        self.codec
    }

    /// Appends so many samples in the place of what never came, if this codec knows how: from what was said before, or
    /// from what the `next` packet repeats of it. Whether it did.
    pub fn conceal(
        &mut self,
        count: usize,
        next: Option<(CodecName, &[u8])>,
        samples: &mut Vec<i16>,
    ) -> bool {
        match &mut self.state {
            #[cfg(feature = "opus")]
            Decoding::Opus(decoder) => {
                let next = next.filter(|(codec, _)| *codec == self.codec);
                decoder.conceal(count, next.map(|(_, payload)| payload), samples)
            }
            Decoding::G711(_) | Decoding::G722(_) => {
                let _ = (count, next, samples);
                false
            }
        }
    }

    /// Appends what the payload says, at 48 kHz.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        self.slower.clear();
        match &mut self.state {
            Decoding::G711(law) => g711::decode(*law, payload, &mut self.slower),
            Decoding::G722(decoder) => decoder.decode(payload, &mut self.slower),
            #[cfg(feature = "opus")]
            Decoding::Opus(decoder) => decoder.decode(payload, &mut self.slower),
        }
        self.up.run(&self.slower, samples);
    }
}

fn factor(codec: CodecName) -> usize {
    (RATE / codec.sample_rate()) as usize
}
