//! What arrives: only what was agreed, only from where it may come, in the order it was sent.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rtp_types::RtpPacket;

use super::plan::Plan;
use super::playout::{Arrived, Playout};
use super::quality::{Arrival, Quality};
use super::srtp::{Keys, Opener};

/// How long the address of the SDP may be silent before another may take its place.
const GRACE: Duration = Duration::from_secs(1);

/// The static payload type of comfort noise beside codecs with a clock of 8 kHz (RFC 3389 4). It is not offered: a far end
/// that never pauses shows that it lives; many send it all the same.
const COMFORT_NOISE: u8 = 13;

/// Whose packets are taken.
///
/// ```text
/// Announced ─packet from the SDP's address─> Locked
///     └─none for 1 s, then one from elsewhere─> Locked
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The address of the SDP has been silent since.
    Announced { since: Duration },
    /// This one, and no other until the next plan.
    Locked(SocketAddr),
}

/// Takes packets and gives samples.
pub struct Receiver {
    origin: Origin,
    quality: Quality,
    playout: Playout,
    last_heard: Duration,
    opener: Option<Opener>,
}

impl Receiver {
    /// A receiver that has heard nothing by `now`.
    pub fn new(now: Duration) -> Self {
        Self {
            origin: Origin::Announced { since: now },
            quality: Quality::default(),
            playout: Playout::default(),
            last_heard: now,
            opener: None,
        }
    }

    /// Takes a datagram. Whether it was audio that counts.
    pub fn receive(&mut self, now: Duration, plan: &Plan, from: SocketAddr, datagram: &[u8]) -> bool {
        // First, so that a stranger's packets cost no arithmetic; last, so that only genuine ones lock.
        if !self.may_come_from(now, plan, from) {
            return false;
        }
        match &plan.keys {
            None => self.receive_plain(now, plan, from, datagram),
            Some(keys) => {
                let plain = self.opener(keys).and_then(|opener| opener.open(datagram));
                plain.is_some_and(|plain| self.receive_plain(now, plan, from, &plain))
            }
        }
    }

    /// The plain report, of the far end's host and genuine; `None` for any other.
    pub fn report(&mut self, plan: &Plan, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let is_host = |address: SocketAddr| address.ip().to_canonical() == from.ip().to_canonical();
        let is_expected = match self.origin {
            Origin::Locked(origin) => is_host(origin),
            Origin::Announced { .. } => is_host(plan.remote),
        };
        if !is_expected && !plan.control.is_some_and(|control| is_host(control.remote)) {
            return None;
        }
        match &plan.keys {
            None => Some(datagram.to_vec()),
            Some(keys) => self.opener(keys)?.open_report(datagram),
        }
    }

    fn opener(&mut self, keys: &Keys) -> Option<&mut Opener> {
        self.opener.take_if(|opener| *opener.key() != keys.receive);
        if self.opener.is_none() {
            self.opener = Opener::new(keys.receive.clone())
                .inspect_err(|error| tracing::debug!("a key cannot be used: {error}"))
                .ok();
        }
        self.opener.as_mut()
    }

    fn receive_plain(&mut self, now: Duration, plan: &Plan, from: SocketAddr, datagram: &[u8]) -> bool {
        let packet = match RtpPacket::parse(datagram) {
            Ok(packet) => packet,
            Err(error) => {
                tracing::trace!(%from, "no RTP: {error}");
                return false;
            }
        };
        if packet.payload_type() != plan.receive_payload_type {
            self.count(now, plan, from, &packet);
            return false;
        }
        if matches!(self.origin, Origin::Announced { .. }) {
            self.enter(Origin::Locked(from));
        }
        let clock_rate = plan.codec.clock_rate();
        let (source, sequence) = (packet.ssrc(), packet.sequence_number());
        match self
            .quality
            .judge(now, clock_rate, source, sequence, packet.timestamp())
        {
            Arrival::First => self.playout.restart(),
            Arrival::Next => {}
            Arrival::Duplicate | Arrival::Doubtful => return false,
        }
        self.last_heard = now;
        // On hold it is counted, so that it does not look lost afterwards, and not heard.
        if plan.direction.receives() {
            self.put(now, plan, &packet, Arrived::Voice(plan.codec, packet.payload()));
        }
        true
    }

    /// Fills `out` with what the far end said, at `now`: one frame after the other, evenly.
    pub fn play(&mut self, now: Duration, out: &mut [i16]) {
        self.playout.take(now, out);
    }

    fn put(&mut self, now: Duration, plan: &Plan, packet: &RtpPacket<'_>, arrived: Arrived<'_>) {
        let (sequence, timestamp) = (packet.sequence_number(), packet.timestamp());
        self.playout
            .put(now, sequence, timestamp, plan.codec.clock_rate(), arrived);
    }

    /// What share of what was heard had to be made up, in percent, and how long audio is held back.
    pub fn heard(&self) -> (f32, Duration) {
        (self.playout.concealed_percent(), self.playout.delay())
    }

    /// The far end has another address: it gets the same chance as the first.
    pub fn expect_from_elsewhere(&mut self, now: Duration) {
        self.enter(Origin::Announced { since: now });
    }

    /// The far end should send from here on: its silence is counted anew.
    pub fn expect_from_now(&mut self, now: Duration) {
        self.last_heard = now;
    }

    /// Where our packets go: to the address of the SDP, unless that is of a network behind a translator (NAT) and the
    /// far end is heard from in front of it, or what is heard from elsewhere is authenticated.
    pub fn destination(&self, plan: &Plan) -> SocketAddr {
        match self.origin {
            Origin::Locked(origin)
                if plan.keys.is_some() || (is_private(plan.remote.ip()) && !is_private(origin.ip())) =>
            {
                origin
            }
            Origin::Locked(_) | Origin::Announced { .. } => plan.remote,
        }
    }

    /// How long nothing has come.
    pub fn silent_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_heard)
    }

    /// What was received, lost, and how evenly.
    pub fn quality(&self) -> &Quality {
        &self.quality
    }

    /// Digits and comfort noise are numbered with the audio (RFC 4733 2.1, RFC 3389 4): no voice, and not lost either.
    fn count(&mut self, now: Duration, plan: &Plan, from: SocketAddr, packet: &RtpPacket<'_>) {
        let is_ours = matches!(self.origin, Origin::Locked(origin) if is_same(origin, from));
        if is_ours && self.quality.count(packet.ssrc(), packet.sequence_number()) {
            self.last_heard = now;
            let is_noise = packet.payload_type() == COMFORT_NOISE && plan.codec.clock_rate() == 8000;
            let arrived = match is_noise {
                true => Arrived::Noise(packet.payload()),
                false => Arrived::Other,
            };
            if plan.direction.receives() {
                self.put(now, plan, packet, arrived);
            }
        }
    }

    fn may_come_from(&self, now: Duration, plan: &Plan, from: SocketAddr) -> bool {
        match self.origin {
            Origin::Locked(origin) => is_same(origin, from),
            Origin::Announced { since } => is_same(plan.remote, from) || now.saturating_sub(since) >= GRACE,
        }
    }

    fn enter(&mut self, origin: Origin) {
        tracing::debug!("audio from {:?} -> {origin:?}", self.origin);
        self.origin = origin;
    }
}

/// Whether it means nothing outside of the network it is of (RFC 1918, 3927, 4193, 4291, 6598).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || is_shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

/// Address and port; the flow label and scope of IPv6 are the system's own affair.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip().to_canonical() == other.ip().to_canonical() && one.port() == other.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::media::FRAME;
    use crate::media::plan::Direction;
    use crate::media::plan::tests::plan;
    use crate::media::srtp::{Key, Suite};
    use rtp_types::RtpPacketBuilder;

    #[test]
    fn the_address_of_the_sdp_is_heard_at_once_and_no_other_for_a_second() {
        let mut receiver = Receiver::new(Duration::ZERO);
        let plan = plan();
        assert!(!receiver.receive(millis(999), &plan, stranger(), &packet(0, 1)));
        assert!(receiver.receive(millis(999), &plan, plan.remote, &packet(0, 1)));
        assert!(!receiver.receive(millis(5000), &plan, stranger(), &packet(0, 2)));
    }

    #[test]
    fn one_other_source_takes_the_place_of_a_silent_one_for_good() {
        let mut receiver = Receiver::new(millis(100));
        let plan = plan();
        assert!(!receiver.receive(millis(1099), &plan, stranger(), &packet(0, 1)));
        assert!(
            !receiver.receive(millis(1100), &plan, stranger(), &packet(96, 1)),
            "not what was agreed"
        );
        assert!(receiver.receive(millis(1100), &plan, stranger(), &packet(0, 1)));
        assert!(!receiver.receive(millis(9000), &plan, plan.remote, &packet(0, 2)));
        assert!(receiver.receive(millis(9000), &plan, stranger(), &packet(0, 2)));
    }

    #[test]
    fn a_new_address_in_the_plan_opens_the_lock() {
        let mut receiver = Receiver::new(Duration::ZERO);
        let before = plan();
        assert!(receiver.receive(millis(20), &before, before.remote, &packet(0, 1)));
        let after = Plan {
            remote: stranger(),
            ..plan()
        };
        receiver.expect_from_elsewhere(millis(40));
        assert!(!receiver.receive(millis(60), &after, before.remote, &packet(0, 2)));
        assert!(receiver.receive(millis(60), &after, stranger(), &packet(0, 2)));
    }

    #[test]
    fn digits_of_the_far_end_are_neither_heard_nor_lost() {
        let mut receiver = Receiver::new(Duration::ZERO);
        let plan = plan();
        assert!(receiver.receive(millis(0), &plan, plan.remote, &packet(0, 1)));
        for sequence in 2..50 {
            assert!(!receiver.receive(millis(20), &plan, plan.remote, &packet(101, sequence)));
        }
        assert!(!receiver.receive(millis(30), &plan, stranger(), &packet(101, 51)));
        assert!(receiver.receive(millis(1000), &plan, plan.remote, &packet(0, 50)));
        let quality = receiver.quality();
        assert_eq!((quality.received(), quality.loss_percent()), (50, 0.0));
    }

    #[test]
    fn duplicates_are_heard_once() {
        let mut receiver = Receiver::new(Duration::ZERO);
        let plan = plan();
        assert!(receiver.receive(millis(0), &plan, plan.remote, &packet(0, 1)));
        assert!(!receiver.receive(millis(1), &plan, plan.remote, &packet(0, 1)));
        assert_eq!(receiver.quality().received(), 1);
        assert_eq!(receiver.silent_for(millis(30)), millis(30));
    }

    #[test]
    fn what_comes_on_hold_is_counted_and_not_heard() {
        let mut receiver = Receiver::new(Duration::ZERO);
        let on_hold = Plan {
            direction: Direction::SendOnly,
            ..plan()
        };
        for (sequences, plan, is_heard) in [(1..50, &on_hold, false), (50..100, &plan(), true)] {
            let mut heard = [0; FRAME];
            for sequence in sequences {
                let now = millis(u64::from(sequence) * 20);
                assert!(receiver.receive(now, plan, plan.remote, &packet(0, sequence)));
                receiver.play(now, &mut heard);
            }
            assert_eq!(heard[FRAME / 2].abs() > 700, is_heard);
        }
        assert_eq!(receiver.quality().received(), 99);
    }

    #[test]
    fn comfort_noise_is_heard_and_keeps_the_call_alive() {
        let mut receiver = Receiver::new(Duration::ZERO);
        let plan = plan();
        let mut heard = [0; FRAME];
        for sequence in 1..100 {
            let now = millis(u64::from(sequence) * 20);
            let payload_type = if sequence < 50 { 0 } else { 13 };
            receiver.receive(now, &plan, plan.remote, &packet(payload_type, sequence));
            receiver.play(now, &mut heard);
        }
        assert!(heard.iter().any(|sample| *sample != 0));
        assert_eq!(receiver.silent_for(millis(1980)), Duration::ZERO);
        assert_eq!((receiver.quality().received(), receiver.heard().0), (99, 0.0));
    }

    /// `MEETD_PACKETS` of them: 20,000 in the tests, a million in `make acceptance`.
    #[test]
    fn any_bytes_are_survived() {
        let packets = option_env!("MEETD_PACKETS");
        let rounds: u64 = packets.and_then(|packets| packets.parse().ok()).unwrap_or(20_000);
        let mut chance = Chance::from_seed([11; 32]);
        let mut receiver = Receiver::new(Duration::ZERO);
        let plan = plan();
        let mut taken = 0;
        for round in 0..rounds {
            let mut bytes = packet(0, round as u16);
            mutate(&mut bytes, &mut chance);
            taken += u64::from(receiver.receive(millis(round * 20), &plan, plan.remote, &bytes));
            if round.is_multiple_of(8) {
                receiver.play(millis(round * 20), &mut [0; FRAME]);
            }
        }
        assert!(
            (rounds / 10..rounds).contains(&taken),
            "mutations are neither harmless nor hopeless: {taken}"
        );
        // Of other payload types, they are counted only.
        assert!((taken..=rounds).contains(&receiver.quality().received()));
        assert!((0.0..=100.0).contains(&receiver.quality().loss_percent()));
    }

    fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
        for _ in 0..=chance.below(3) {
            let at = chance.below(bytes.len() as u64 + 1) as usize;
            let header = chance.below(bytes.len().min(16) as u64) as usize;
            match chance.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.extend(std::iter::repeat_n(
                    chance.u32() as u8,
                    chance.below(2000) as usize,
                )),
                2 | 3 if !bytes.is_empty() => bytes[header] ^= 1 << chance.below(8),
                4 if !bytes.is_empty() => bytes[header] = chance.u32() as u8,
                _ => bytes.insert(at, chance.u32() as u8),
            }
        }
    }

    fn packet(payload_type: u8, sequence: u16) -> Vec<u8> {
        RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(payload_type)
            .sequence_number(sequence)
            .timestamp(u32::from(sequence) * 160)
            .ssrc(99)
            .payload(&[0x55; 160])
            .write_vec()
            .unwrap()
    }

    #[test]
    fn what_is_sent_goes_where_a_translator_lets_it_through_and_to_no_stranger() {
        let to = |announced: &str, heard: &str, keys: Option<Keys>| {
            let plan = Plan {
                remote: announced.parse().unwrap(),
                ..plan()
            };
            let mut receiver = Receiver::new(Duration::ZERO);
            assert_eq!(receiver.destination(&plan), plan.remote);
            assert!(receiver.receive(millis(1000), &plan, heard.parse().unwrap(), &packet(0, 1)));
            receiver.destination(&Plan { keys, ..plan }).to_string()
        };
        let translated = [
            ("192.168.1.20:4000", "198.51.100.7:61000"),
            ("100.64.3.3:4000", "198.51.100.7:61000"),
            ("[fd00::5]:4000", "[2001:db8::7]:61000"),
        ];
        for (announced, heard) in translated {
            assert_eq!(to(announced, heard, None), heard);
        }
        let strange = [
            ("192.0.2.2:4000", "198.51.100.7:61000"),
            ("192.168.1.20:4000", "192.168.1.66:61000"),
            ("192.0.2.2:4000", "10.0.0.9:61000"),
        ];
        for (announced, heard) in strange {
            assert_eq!(to(announced, heard, None), announced);
        }
        let mut chance = Chance::from_seed([1; 32]);
        let mut key = || Key::fresh(Suite::AeadAes128Gcm, &mut chance);
        let keys = Keys {
            send: key(),
            receive: key(),
        };
        assert_eq!(
            to("192.0.2.2:4000", "198.51.100.7:61000", Some(keys)),
            "198.51.100.7:61000"
        );
    }

    fn stranger() -> SocketAddr {
        "192.0.2.66:4000".parse().unwrap()
    }

    fn millis(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}
