//! Codecs: 48 kHz mono to the payload of a packet and back. To add one: a file beside this one, its name in
//! [`CodecName`] and an arm in each `match` here.

use super::resample::{Down, Up};
use super::{CodecName, RATE};

mod g711;
mod g722;

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
            },
            slower: Vec::new(),
        }
    }

    /// What it takes.
    pub fn codec(&self) -> CodecName {
        self.codec
    }

    /// Appends what the payload says, at 48 kHz.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        self.slower.clear();
        match &mut self.state {
            Decoding::G711(law) => g711::decode(*law, payload, &mut self.slower),
            Decoding::G722(decoder) => decoder.decode(payload, &mut self.slower),
        }
        self.up.run(&self.slower, samples);
    }
}

fn factor(codec: CodecName) -> usize {
    (RATE / codec.sample_rate()) as usize
}
