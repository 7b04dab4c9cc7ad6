//! What leaves: RTP packets of one packet time each, voice or digits.

use std::collections::VecDeque;
use std::time::Duration;

use rtp_types::RtpPacketBuilder;

use super::codec::Encoder;
use super::digits::{self, Digits, TICKS_ON, Turn};
#[cfg(feature = "opus")]
use super::plan::CodecName;
use super::plan::{Plan, TelephoneEvent};
use super::reports::Sent;
use super::{FRAME, RATE};
use crate::chance::Chance;

/// The steps of packet times, and the shortest.
const STEP: Duration = Duration::from_millis(10);
/// Steps in the longest packet; more than 60 ms of voice in one packet is too much to lose.
const MOST_STEPS: u32 = 6;
/// Samples in a step.
const STEP_SAMPLES: usize = FRAME / 2;
/// See [`super::TICK`].
const TICKS_A_SECOND: u32 = RATE / FRAME as u32;
/// How often the end of a digit is sent (RFC 4733 2.5.1.4).
const END_PACKETS: u32 = 3;
/// The level of a digit, in −dBm0 (RFC 4733 2.3.3).
const DIGIT_LEVEL: u8 = 10;

/// Makes packets of frames.
pub struct Sender {
    sequence: u16,
    /// Of the first sample of the coming tick. It goes on while nothing is sent.
    timestamp: u32,
    /// What it goes on by in a tick.
    units: u32,
    source: u32,
    /// Whether the next voice packet is the first after a silence.
    starts_talk: bool,
    encoder: Option<Encoder>,
    /// Not yet enough for a packet.
    gathered: Vec<i16>,
    /// Where the digit that is being pressed began.
    digit_began: u32,
    made: VecDeque<Vec<u8>>,
    sent: u64,
    /// Of payload.
    bytes: u64,
}

impl Sender {
    /// A sender with a fresh source, sequence and timestamp (RFC 3550 5.1).
    pub fn new(chance: &mut Chance) -> Self {
        Self {
            // RFC 3711 3.3.1: far from its end, so that the far end knows the first round even after loss.
            sequence: chance.u32() as u16 >> 1,
            timestamp: chance.u32(),
            units: 0,
            source: chance.u32(),
            starts_talk: true,
            encoder: None,
            gathered: Vec::new(),
            digit_began: 0,
            made: VecDeque::new(),
            sent: 0,
            bytes: 0,
        }
    }

    /// Takes one tick of the microphone; [`Sender::poll_packet`] has what is due. `frame` becomes what the far end
    /// will hear.
    pub fn tick(&mut self, plan: &Plan, digits: &mut Digits, frame: &mut [i16; FRAME]) {
        self.units = units(plan, FRAME);
        match (digits.tick(), plan.telephone_event) {
            (Turn::Voice, _) => self.voice(plan, frame),
            (Turn::Pressed { digit, ticks }, Some(event)) => {
                frame.fill(0);
                self.press(plan, event, digit, ticks);
            }
            (Turn::Released { digit, ticks }, Some(event)) if ticks < END_PACKETS => {
                frame.fill(0);
                self.digit(event, digit, TICKS_ON, false);
            }
            (Turn::Released { .. }, Some(_)) => self.voice(plan, frame),
            (Turn::Pressed { digit, ticks }, None) => {
                digits::tones(digit, ticks, frame);
                self.voice(plan, frame);
            }
            (Turn::Released { .. }, None) => {
                frame.fill(0);
                self.voice(plan, frame);
            }
        }
        self.timestamp = self.timestamp.wrapping_add(self.units);
    }

    /// Lets `ticks` go by without sending.
    pub fn skip(&mut self, plan: &Plan, ticks: u32) {
        self.units = units(plan, FRAME);
        self.gathered.clear();
        self.starts_talk = true;
        self.timestamp = self.timestamp.wrapping_add(self.units.wrapping_mul(ticks));
    }

    /// The next packet that is due. Drain it until `None` after every tick.
    pub fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.made.pop_front()
    }

    /// Packets made so far, less those that did not leave.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The same for reports.
    pub fn told(&self) -> Sent {
        Sent {
            source: self.source,
            packets: self.sent,
            bytes: self.bytes,
            timestamp: self.timestamp,
        }
    }

    /// The last packet could not be sent.
    pub fn take_back(&mut self) {
        self.sent = self.sent.saturating_sub(1);
    }

    /// As if so many packets had left.
    #[cfg(test)]
    pub(super) fn leap(&mut self, packets: u16) {
        self.sequence = self.sequence.wrapping_add(packets);
    }

    fn voice(&mut self, plan: &Plan, frame: &[i16; FRAME]) {
        let mut began = self.timestamp.wrapping_sub(units(plan, self.gathered.len()));
        self.gathered.extend(frame);
        let wanted = samples_in_a_packet(plan);
        while self.gathered.len() >= wanted {
            let rest = self.gathered.split_off(wanted);
            let samples = std::mem::replace(&mut self.gathered, rest);
            self.encoder.take_if(|encoder| encoder.codec() != plan.codec);
            let mut payload = Vec::new();
            self.encoder
                .get_or_insert_with(|| Encoder::new(plan.codec))
                .encode(&samples, &mut payload);
            let made = self.make(plan.send_payload_type, self.starts_talk, began, &payload);
            self.starts_talk &= !made;
            began = began.wrapping_add(units(plan, wanted));
        }
    }

    /// A packet each packet time while the digit is pressed, and at its end.
    fn press(&mut self, plan: &Plan, event: TelephoneEvent, digit: char, ticks: u32) {
        if ticks == 1 {
            self.digit_began = self.timestamp;
            self.gathered.clear();
        }
        let every = (samples_in_a_packet(plan) / FRAME).max(1) as u32;
        if ticks.is_multiple_of(every) || ticks == TICKS_ON {
            self.digit(event, digit, ticks, ticks == every.min(TICKS_ON));
        }
    }

    fn digit(&mut self, event: TelephoneEvent, digit: char, ticks: u32, first: bool) {
        let Some(code) = digits::event_code(digit) else {
            return;
        };
        let ended = if ticks == TICKS_ON { 0x80 } else { 0 };
        let [high, low] = ((ticks * (event.clock_rate / TICKS_A_SECOND)) as u16).to_be_bytes();
        self.make(
            event.payload_type,
            first,
            self.digit_began,
            &[code, ended | DIGIT_LEVEL, high, low],
        );
    }

    fn make(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) -> bool {
        let written = RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(payload_type)
            .marker_bit(marker)
            .sequence_number(self.sequence)
            .timestamp(timestamp)
            .ssrc(self.source)
            .payload(payload)
            .write_vec();
        match written {
            Ok(packet) => self.made.push_back(packet),
            Err(error) => {
                tracing::debug!(payload_type, "no RTP packet can be made: {error}");
                return false;
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
        self.bytes += payload.len() as u64;
        true
    }
}

/// So many samples on the RTP clock.
fn units(plan: &Plan, samples: usize) -> u32 {
    (samples as u64 * u64::from(plan.codec.clock_rate()) / u64::from(RATE)) as u32
}

/// Packets carry whole steps; a shorter packet time is one.
fn samples_in_a_packet(plan: &Plan) -> usize {
    let steps = plan.packet_time.as_millis() / STEP.as_millis();
    let steps = u32::try_from(steps).unwrap_or(MOST_STEPS).clamp(1, MOST_STEPS);
    let steps = match plan.codec {
        // RFC 6716 2.1.4: frames are of 10, 20, 40 and 60 ms.
        #[cfg(feature = "opus")]
        CodecName::Opus if steps == 3 || steps == 5 => steps - 1,
        _ => steps,
    };
    steps as usize * STEP_SAMPLES
}

#[cfg(test)]
mod tests {
    use rtp_types::RtpPacket;

    use super::*;
    use crate::call::DigitScript;
    use crate::media::CodecName;
    use crate::media::codec::Decoder;
    use crate::media::plan::tests::plan;

    #[test]
    fn voice_leaves_with_each_tick_and_only_the_first_has_the_marker() {
        let mut line = Line::new(plan());
        let packets = line.ticks(3);
        for (at, packet) in packets.iter().enumerate() {
            assert_eq!(packet.marker, at == 0);
            assert_eq!((packet.payload_type, packet.payload.len()), (0, 160));
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
        line.sender.skip(&plan(), 50);
        let after = line.ticks(2);
        assert_eq!(after[0].timestamp, before[0].timestamp.wrapping_add(51 * 160));
        assert_eq!(after[0].sequence, before[0].sequence.wrapping_add(1));
        assert_eq!([after[0].marker, after[1].marker], [true, false]);
    }

    #[test]
    fn every_packet_time_is_kept_with_timestamps_that_go_on_by_it() {
        for (milliseconds, codec, bytes, units) in [
            (10, CodecName::Pcmu, 80, 80),
            (20, CodecName::Pcma, 160, 160),
            (30, CodecName::Pcmu, 240, 240),
            (40, CodecName::G722, 320, 320),
            (60, CodecName::G722, 480, 480),
        ] {
            let mut line = Line::new(Plan {
                codec,
                packet_time: Duration::from_millis(milliseconds),
                ..plan()
            });
            let packets = line.ticks(12);
            assert_eq!(packets.len() as u64, 240 / milliseconds, "{milliseconds} ms");
            assert!(packets.iter().all(|packet| packet.payload.len() == bytes));
            for (at, packet) in packets.iter().enumerate() {
                let expected = packets[0].timestamp.wrapping_add(at as u32 * units);
                assert_eq!(packet.timestamp, expected, "{milliseconds} ms");
            }
        }
    }

    #[test]
    fn absurd_packet_times_still_send() {
        for (packet_time, expected) in [
            (Duration::ZERO, 480),
            (Duration::from_millis(15), 480),
            (Duration::MAX, 2880),
        ] {
            assert_eq!(
                samples_in_a_packet(&Plan {
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
                .all(|packet| packet.payload_type == 8 && packet.payload.len() == 160)
        );
        let mut decoder = Decoder::new(CodecName::Pcma);
        let mut loud = |packet: &Packet| {
            let mut samples = Vec::new();
            decoder.decode(&packet.payload, &mut samples);
            // Without the edges, over which the filters smear.
            samples[FRAME / 4..FRAME * 3 / 4]
                .iter()
                .any(|sample| sample.abs() > 8000)
        };
        let loudness: Vec<_> = packets.iter().map(&mut loud).collect();
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

    impl Packet {
        fn read(bytes: &[u8]) -> Self {
            let packet = RtpPacket::parse(bytes).unwrap();
            Self {
                payload_type: packet.payload_type(),
                marker: packet.marker_bit(),
                sequence: packet.sequence_number(),
                timestamp: packet.timestamp(),
                source: packet.ssrc(),
                payload: packet.payload().to_vec(),
            }
        }
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
                self.sender.tick(&self.plan, &mut self.digits, &mut [1000; FRAME]);
                let made = std::iter::from_fn(|| self.sender.poll_packet());
                packets.extend(made.map(|bytes| Packet::read(&bytes)));
            }
            packets
        }
    }
}
