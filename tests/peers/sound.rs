//! Sound for far ends: G.711 (ITU-T G.711), tones, levels, RTP packets (RFC 3550) and digits (RFC 4733).

use std::collections::VecDeque;

/// One RTP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The payload type.
    pub payload_type: u8,
    /// The first of a talkspurt, or of a digit.
    pub marker: bool,
    /// Counts packets.
    pub sequence: u16,
    /// Counts samples.
    pub timestamp: u32,
    /// Who sends.
    pub source: u32,
    /// What is carried.
    pub payload: Vec<u8>,
}

impl Packet {
    /// Reads a packet; `None` when it is something else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(12)?;
        let (version, extended, csrcs) = (head[0] >> 6, head[0] & 0x10 != 0, usize::from(head[0] & 0x0f));
        let rtcp = (64..96).contains(&(head[1] & 0x7f));
        if version != 2 || extended || rtcp {
            return None;
        }
        Some(Self {
            payload_type: head[1] & 0x7f,
            marker: head[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            source: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: rest.get(csrcs * 4..)?.to_vec(),
        })
    }

    /// The bytes for the wire.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0x80, self.payload_type | if self.marker { 0x80 } else { 0 }];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.source.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// 16-bit sample to μ-law.
pub fn to_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32635) + 132;
    let exponent = (magnitude >> 7).ilog2() as u8;
    let mantissa = ((magnitude >> (exponent + 3)) & 0x0f) as u8;
    !(sign | (exponent << 4) | mantissa)
}

/// μ-law to 16-bit sample.
pub fn from_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i32::from(byte & 0x0f) << 3) + 132) << ((byte >> 4) & 7);
    let sample = magnitude - 132;
    (if byte & 0x80 == 0 { sample } else { -sample }) as i16
}

/// A-law to 16-bit sample.
pub fn from_alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let mantissa = i32::from(byte & 0x0f) << 4;
    let sample = match (byte >> 4) & 7 {
        0 => mantissa + 8,
        exponent => (mantissa + 0x108) << (exponent - 1),
    };
    (if byte & 0x80 == 0 { -sample } else { sample }) as i16
}

/// A sine wave at 8 kHz, half of full scale, made packet by packet.
#[derive(Clone, Debug, Default)]
pub struct Tone {
    phase: f64,
}

impl Tone {
    /// The next 20 ms in μ-law.
    pub fn next_packet(&mut self, hertz: u32) -> Vec<u8> {
        (0..160)
            .map(|_| {
                self.phase = (self.phase + f64::from(hertz) / 8000.0).fract();
                to_ulaw(((self.phase * std::f64::consts::TAU).sin() * 16384.0) as i16)
            })
            .collect()
    }
}

/// In the place of a tone's pitch: bursts of noise, which never repeat themselves, as speech does not.
pub const CHATTER: u32 = 0;

/// In the place of a tone's pitch: no packet at all.
pub const NOTHING: u32 = u32::MAX;

/// Bursts of noise at 8 kHz, made packet by packet.
#[derive(Clone, Debug, Default)]
pub struct Chatter {
    packets: u32,
    state: u32,
}

impl Chatter {
    /// The next 20 ms in μ-law: 200 ms of noise, −17 dBFS, 60 ms of none.
    pub fn next_packet(&mut self) -> Vec<u8> {
        self.packets += 1;
        let is_loud = self.packets % 13 < 10;
        (0..160)
            .map(|_| {
                // The generator of Numerical Recipes, its upper half.
                self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let sample = (self.state >> 16) as i16 / 4;
                to_ulaw(if is_loud { sample } else { 0 })
            })
            .collect()
    }
}

/// What an ear at a stream hears: packets, loss, level and pitch of the last half second, digits.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    /// Packets of audio so far.
    pub packets: u64,
    /// Sequence numbers that were left out.
    pub gaps: u64,
    /// The digits, in order.
    pub digits: String,
    lately: VecDeque<Vec<i16>>,
    last_sequence: Option<u16>,
    last_digit: Option<u32>,
}

impl Ear {
    /// Hears one packet; says which digit began with it, if one did. `events` is telephone-event's payload type.
    pub fn hear(&mut self, packet: &Packet, events: Option<u8>) -> Option<char> {
        if let Some(last) = self.last_sequence {
            let step = packet.sequence.wrapping_sub(last);
            if (2..0x8000).contains(&step) {
                self.gaps += u64::from(step) - 1;
            }
        }
        self.last_sequence = Some(packet.sequence);
        if events == Some(packet.payload_type) {
            return self.hear_event(packet);
        }
        let decode = match packet.payload_type {
            0 => from_ulaw,
            8 => from_alaw,
            _ => return None,
        };
        self.packets += 1;
        self.lately
            .push_back(packet.payload.iter().copied().map(decode).collect());
        if self.lately.len() > 25 {
            self.lately.pop_front();
        }
        None
    }

    /// RFC 4733 2.5.1.2: all packets of one digit carry the timestamp of its start.
    fn hear_event(&mut self, packet: &Packet) -> Option<char> {
        let code = usize::from(*packet.payload.first()?);
        if self.last_digit == Some(packet.timestamp) || packet.payload.len() != 4 {
            return None;
        }
        self.last_digit = Some(packet.timestamp);
        let digit = char::from(*b"0123456789*#ABCD".get(code)?);
        self.digits.push(digit);
        Some(digit)
    }

    /// The level of the last half second, in dBFS of a full-scale sine's peak; −127 for silence.
    pub fn level_dbfs(&self) -> f64 {
        let samples = self.lately.iter().flatten();
        let count = samples.clone().count();
        let energy: f64 = samples.map(|sample| f64::from(*sample).powi(2)).sum();
        if energy == 0.0 {
            return -127.0;
        }
        10.0 * (energy / count as f64 / 32768f64.powi(2)).log10()
    }

    /// The pitch of the last half second, in hertz, from its zero crossings: right for one steady tone.
    pub fn pitch(&self) -> f64 {
        let samples: Vec<_> = self.lately.iter().flatten().copied().collect();
        let crossings = samples
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count();
        if samples.is_empty() {
            0.0
        } else {
            crossings as f64 * 8000.0 / samples.len() as f64
        }
    }

    /// Whether the last half second is one steady tone of this pitch.
    pub fn hears(&self, hertz: u32) -> bool {
        self.lately.len() == 25 && self.level_dbfs() > -40.0 && (self.pitch() - f64::from(hertz)).abs() < 12.0
    }
}
