//! What leaves: at most one RTP packet a tick, voice or digits.

use rtp_types::RtpPacketBuilder;

use super::codec;
use super::digits::{self, Digits, TICKS_ON, Turn};
use super::plan::Plan;
use super::{FRAME, TICK};
use crate::chance::Chance;

/// Ticks in the longest packet; more than 100 ms of voice in one packet is too much to lose.
const MOST_TICKS: u32 = 5;
/// How often the end of a digit is sent (RFC 4733 2.5.1.4).
const END_PACKETS: u32 = 3;
/// The level of a digit, in −dBm0 (RFC 4733 2.3.3).
const DIGIT_LEVEL: u8 = 10;
/// RTP clock units in a tick.
const UNITS: u32 = FRAME as u32;

/// Makes packets of frames.
pub struct Sender {
    sequence: u16,
    /// Of the first sample of the coming tick. It goes on while nothing is sent.
    timestamp: u32,
    source: u32,
    /// Whether the next voice packet is the first after a silence.
    starts_talk: bool,
    /// Encoded, and not yet enough for a packet.
    gathered: Vec<u8>,
    /// Where the digit that is being pressed began.
    digit_began: u32,
    packet: Vec<u8>,
    sent: u64,
}

impl Sender {
    /// A sender with a fresh source, sequence and timestamp (RFC 3550 5.1).
    pub fn new(chance: &mut Chance) -> Self {
        Self {
            // RFC 3711 3.3.1: far from its end, so that the far end knows the first round even after loss.
            sequence: chance.u32() as u16 >> 1,
            timestamp: chance.u32(),
            source: chance.u32(),
            starts_talk: true,
            gathered: Vec::new(),
            digit_began: 0,
            packet: Vec::new(),
            sent: 0,
        }
    }

    /// Takes one tick of the microphone; the packet that is due, if one is. `frame` becomes what the far end will
    /// hear.
    pub fn tick(&mut self, plan: &Plan, digits: &mut Digits, frame: &mut [i16; FRAME]) -> Option<&[u8]> {
        let made = match (digits.tick(), plan.telephone_event) {
            (Turn::Voice, _) => self.voice(plan, frame),
            (Turn::Pressed { digit, ticks }, Some(payload_type)) => {
                frame.fill(0);
                self.press(plan, payload_type, digit, ticks)
            }
            (Turn::Released { digit, ticks }, Some(payload_type)) if ticks < END_PACKETS => {
                frame.fill(0);
                self.digit(payload_type, digit, TICKS_ON, false)
            }
            (Turn::Released { .. }, Some(_)) => self.voice(plan, frame),
            (Turn::Pressed { digit, ticks }, None) => {
                digits::tones(digit, ticks, frame);
                self.voice(plan, frame)
            }
            (Turn::Released { .. }, None) => {
                frame.fill(0);
                self.voice(plan, frame)
            }
        };
        self.timestamp = self.timestamp.wrapping_add(UNITS);
        made.then_some(self.packet.as_slice())
    }

    /// Lets `ticks` go by without sending.
    pub fn skip(&mut self, ticks: u32) {
        self.gathered.clear();
        self.starts_talk = true;
        self.timestamp = self.timestamp.wrapping_add(UNITS.wrapping_mul(ticks));
    }

    /// The packet that was made last.
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Packets made so far, less those that did not leave.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The last packet could not be sent.
    pub fn take_back(&mut self) {
        self.sent = self.sent.saturating_sub(1);
    }

    fn voice(&mut self, plan: &Plan, frame: &[i16; FRAME]) -> bool {
        codec::encode(plan.codec, frame, &mut self.gathered);
        let wanted = ticks_in_a_packet(plan);
        if self.gathered.len() < wanted as usize * FRAME {
            return false;
        }
        let payload = std::mem::take(&mut self.gathered);
        let began = self.timestamp.wrapping_sub(UNITS * (wanted - 1));
        let made = self.make(plan.send_payload_type, self.starts_talk, began, &payload);
        self.starts_talk &= !made;
        self.gathered = payload;
        self.gathered.clear();
        made
    }

    /// A packet each packet time while the digit is pressed, and at its end.
    fn press(&mut self, plan: &Plan, payload_type: u8, digit: char, ticks: u32) -> bool {
        if ticks == 1 {
            self.digit_began = self.timestamp;
            self.gathered.clear();
        }
        let every = ticks_in_a_packet(plan);
        if !ticks.is_multiple_of(every) && ticks != TICKS_ON {
            return false;
        }
        self.digit(payload_type, digit, ticks, ticks == every.min(TICKS_ON))
    }

    fn digit(&mut self, payload_type: u8, digit: char, ticks: u32, first: bool) -> bool {
        let Some(code) = digits::event_code(digit) else {
            return false;
        };
        let ended = if ticks == TICKS_ON { 0x80 } else { 0 };
        let [high, low] = ((ticks * UNITS) as u16).to_be_bytes();
        self.make(
            payload_type,
            first,
            self.digit_began,
            &[code, ended | DIGIT_LEVEL, high, low],
        )
    }

    fn make(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) -> bool {
        self.packet.clear();
        let written = RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(payload_type)
            .marker_bit(marker)
            .sequence_number(self.sequence)
            .timestamp(timestamp)
            .ssrc(self.source)
            .payload(payload)
            .write_into_vec(&mut self.packet);
        if let Err(error) = written {
            tracing::debug!(payload_type, "no RTP packet can be made: {error}");
            return false;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
        true
    }
}

/// Packets carry whole ticks; a shorter packet time is one tick.
fn ticks_in_a_packet(plan: &Plan) -> u32 {
    let ticks = plan.packet_time.as_millis() / TICK.as_millis();
    u32::try_from(ticks).unwrap_or(MOST_TICKS).clamp(1, MOST_TICKS)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rtp_types::RtpPacket;

    use super::*;
    use crate::call::DigitScript;
    use crate::media::plan::CodecName;
    use crate::media::plan::tests::plan;

    #[test]
    fn voice_leaves_with_each_tick_and_only_the_first_has_the_marker() {
        let mut line = Line::new(plan());
        let packets = line.ticks(3);
        for (at, packet) in packets.iter().enumerate() {
            assert_eq!(packet.marker, at == 0);
            assert_eq!((packet.payload_type, packet.payload.len()), (0, FRAME));
            assert_eq!(packet.sequence, packets[0].sequence.wrapping_add(at as u16));
            assert_eq!(
                packet.timestamp,
                packets[0].timestamp.wrapping_add(at as u32 * 160)
            );
            assert_eq!(packet.source, packets[0].source);
        }
    }

    #[test]
    fn after_a_silence_the_timestamp_has_gone_on_and_the_marker_is_set() {
        let mut line = Line::new(plan());
        let before = line.ticks(1);
        line.sender.skip(50);
        let after = line.ticks(2);
        assert_eq!(after[0].timestamp, before[0].timestamp.wrapping_add(51 * 160));
        assert_eq!(after[0].sequence, before[0].sequence.wrapping_add(1));
        assert_eq!([after[0].marker, after[1].marker], [true, false]);
    }

    #[test]
    fn longer_packet_times_gather_ticks() {
        let mut line = Line::new(Plan {
            packet_time: Duration::from_millis(40),
            ..plan()
        });
        let packets = line.ticks(4);
        assert_eq!(
            packets
                .iter()
                .map(|packet| packet.payload.len())
                .collect::<Vec<_>>(),
            [320, 320]
        );
        assert_eq!(packets[1].timestamp, packets[0].timestamp.wrapping_add(320));
    }

    #[test]
    fn absurd_packet_times_still_send() {
        for (packet_time, expected) in [
            (Duration::ZERO, 1),
            (Duration::from_millis(10), 1),
            (Duration::MAX, 5),
        ] {
            assert_eq!(
                ticks_in_a_packet(&Plan {
                    packet_time,
                    ..plan()
                }),
                expected
            );
        }
    }

    #[test]
    fn a_digit_is_an_event_that_grows_and_ends_three_times() {
        let mut line = Line::new(plan());
        let voice = line.ticks(1);
        line.digits.add(DigitScript::read("#").unwrap()).unwrap();
        let packets = line.ticks(10);
        let (events, rest) = packets.split_at(7);
        let seen: Vec<_> = events
            .iter()
            .map(|event| {
                (
                    event.payload[0],
                    event.payload[1],
                    u16::from_be_bytes([event.payload[2], event.payload[3]]),
                )
            })
            .collect();
        let ended = (11, 0x80 | 10, 800);
        assert_eq!(
            seen,
            [
                (11, 10, 160),
                (11, 10, 320),
                (11, 10, 480),
                (11, 10, 640),
                ended,
                ended,
                ended
            ]
        );
        for (at, event) in events.iter().enumerate() {
            assert_eq!((event.payload_type, event.payload.len()), (101, 4));
            assert_eq!(event.marker, at == 0);
            assert_eq!(event.timestamp, voice[0].timestamp.wrapping_add(160));
            assert_eq!(event.sequence, voice[0].sequence.wrapping_add(1 + at as u16));
        }
        assert_eq!(rest.len(), 3);
        assert!(
            rest.iter()
                .all(|packet| packet.payload_type == 0 && !packet.marker)
        );
        assert_eq!(rest[0].timestamp, voice[0].timestamp.wrapping_add(8 * 160));
    }

    #[test]
    fn events_keep_to_the_packet_time() {
        let mut line = Line::new(Plan {
            packet_time: Duration::from_millis(40),
            ..plan()
        });
        line.digits.add(DigitScript::read("1").unwrap()).unwrap();
        let durations: Vec<_> = line
            .ticks(7)
            .iter()
            .map(|event| {
                (
                    event.marker,
                    u16::from_be_bytes([event.payload[2], event.payload[3]]),
                )
            })
            .collect();
        assert_eq!(
            durations,
            [
                (true, 320),
                (false, 640),
                (false, 800),
                (false, 800),
                (false, 800)
            ]
        );
    }

    #[test]
    fn without_telephone_event_digits_are_tones_in_the_voice() {
        let mut line = Line::new(Plan {
            telephone_event: None,
            codec: CodecName::Pcma,
            send_payload_type: 8,
            ..plan()
        });
        line.digits.add(DigitScript::read("1").unwrap()).unwrap();
        let packets = line.ticks(11);
        assert!(
            packets
                .iter()
                .all(|packet| packet.payload_type == 8 && packet.payload.len() == FRAME)
        );
        let loud = |packet: &Packet| {
            let mut samples = Vec::new();
            codec::decode(CodecName::Pcma, &packet.payload, &mut samples);
            samples.iter().any(|sample| sample.abs() > 8000)
        };
        let loudness: Vec<_> = packets.iter().map(loud).collect();
        assert_eq!(loudness, [[true; 5].as_slice(), &[false; 6]].concat());
    }

    #[test]
    fn a_packet_that_cannot_be_made_is_not_counted() {
        let mut line = Line::new(Plan {
            send_payload_type: 200,
            ..plan()
        });
        assert_eq!(line.ticks(3).len(), 0);
        assert_eq!(line.sender.sent(), 0);
    }

    struct Line {
        plan: Plan,
        sender: Sender,
        digits: Digits,
    }

    struct Packet {
        payload_type: u8,
        marker: bool,
        sequence: u16,
        timestamp: u32,
        source: u32,
        payload: Vec<u8>,
    }

    impl Line {
        fn new(plan: Plan) -> Self {
            Self {
                plan,
                sender: Sender::new(&mut Chance::from_seed([5; 32])),
                digits: Digits::default(),
            }
        }

        fn ticks(&mut self, count: usize) -> Vec<Packet> {
            let mut packets = Vec::new();
            for _ in 0..count {
                let Some(bytes) = self.sender.tick(&self.plan, &mut self.digits, &mut [1000; FRAME]) else {
                    continue;
                };
                let packet = RtpPacket::parse(bytes).unwrap();
                packets.push(Packet {
                    payload_type: packet.payload_type(),
                    marker: packet.marker_bit(),
                    sequence: packet.sequence_number(),
                    timestamp: packet.timestamp(),
                    source: packet.ssrc(),
                    payload: packet.payload().to_vec(),
                });
            }
            packets
        }
    }
}
