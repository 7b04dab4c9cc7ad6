//! Encrypted RTP (RFC 3711, RFC 7714) with keys that the signalling carried (RFC 4568). The arithmetic is a library's;
//! what is kept here is whose packets count, and how much a stranger may make us remember.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::chance::Chance;
use crate::secret::Secret;

/// The packets before the newest in which a copy is known as such (RFC 3711 3.3.2 asks for 64 at least).
const REPLAY_WINDOW: usize = 128;
/// Sources whose packets proved genuine; a far end has one, and a new one with each transfer behind its back.
const MOST_SOURCES: usize = 32;
/// Where the synchronization source stands in an RTP header (RFC 3550 5.1).
const SOURCE: std::ops::Range<usize> = 8..12;

/// And in one of RTCP (RFC 3550 6.4).
const REPORT_SOURCE: std::ops::Range<usize> = 4..8;
/// Header, source, index and the longest tag: what is shorter is no report (RFC 3711 3.4, RFC 7714 9).
const SHORTEST_REPORT: usize = 28;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// RFC 7714.
    AeadAes256Gcm,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 4568 6.2.1: what everybody has.
    AesCm128HmacSha1_80,
}

impl Suite {
    /// All, the strongest first.
    pub const ALL: [Self; 3] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm128HmacSha1_80,
    ];

    /// As `a=crypto` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    fn profile(self) -> ProtectionProfile {
        match self {
            Self::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            Self::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Self::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        }
    }

    /// How far from its end the flag of encryption stands in a report: before the index, behind which RFC 3711 3.4 has the
    /// tag, and RFC 7714 9 nothing.
    fn report_flag(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 4,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Bytes of the master key and of the salt behind it.
    fn lengths(self) -> (usize, usize) {
        (self.profile().key_len(), self.profile().salt_len())
    }
}

/// Why text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// Not base64.
    #[error("the key is not base64")]
    Encoding,
    /// Too short or too long for its suite.
    #[error("the key has {found} bytes, {suite} takes {expected}")]
    Length {
        /// What it is for.
        suite: &'static str,
        /// What is there.
        found: usize,
        /// What it takes.
        expected: usize,
    },
}

/// A master key and its salt, for packets in one direction. Cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    suite: Suite,
    /// In base64, of the right length.
    inline: Secret,
}

impl Key {
    /// A key that nobody else has.
    pub fn fresh(suite: Suite, chance: &mut Chance) -> Self {
        let (key, salt) = suite.lengths();
        let mut bytes = vec![0; key + salt];
        chance.fill(&mut bytes);
        Self {
            suite,
            inline: Secret::new(STANDARD.encode(&bytes)),
        }
    }

    /// A key as it stands behind `inline:`.
    pub fn read(suite: Suite, inline: &str) -> Result<Self, KeyFault> {
        let bytes = STANDARD.decode(inline).map_err(|_| KeyFault::Encoding)?;
        let (key, salt) = suite.lengths();
        if bytes.len() != key + salt {
            return Err(KeyFault::Length {
                suite: suite.name(),
                found: bytes.len(),
                expected: key + salt,
            });
        }
        Ok(Self {
            suite,
            inline: Secret::new(inline),
        })
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// As it stands behind `inline:`. For the wire only.
    pub fn expose(&self) -> &str {
        self.inline.expose()
    }

    fn context(&self) -> Result<Context, webrtc_srtp::Error> {
        let bytes = STANDARD.decode(self.inline.expose()).unwrap_or_default();
        let (key, salt) = bytes.split_at_checked(self.suite.lengths().0).unwrap_or_default();
        let window = Some(srtp_replay_protection(REPLAY_WINDOW));
        let control_window = Some(srtcp_replay_protection(REPLAY_WINDOW));
        Context::new(key, salt, self.suite.profile(), window, control_window)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ***", self.suite.name())
    }
}

/// The keys of both directions, as agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For what we send.
    pub send: Key,
    /// For what the far end sends.
    pub receive: Key,
}

/// Encrypts what leaves. It counts the rounds of the sequence number, so it lives as long as its key.
pub struct Sealer {
    key: Key,
    context: Context,
}

impl Sealer {
    /// For packets under this key.
    pub fn new(key: Key) -> Result<Self, webrtc_srtp::Error> {
        let context = key.context()?;
        Ok(Self { key, context })
    }

    /// Whose key it has.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The packet as it may leave; `None` when it cannot be encrypted, and then it must not leave.
    pub fn seal(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        match self.context.encrypt_rtp(packet) {
            Ok(sealed) => Some(sealed.to_vec()),
            Err(error) => {
                tracing::debug!("a packet cannot be encrypted: {error}");
                None
            }
        }
    }
}

impl Sealer {
    /// The same for a report (SRTCP).
    pub fn seal_report(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        let sealed = self.context.encrypt_rtcp(report);
        sealed
            .inspect_err(|error| tracing::debug!("a report cannot be encrypted: {error}"))
            .ok()
            .map(|sealed| sealed.to_vec())
    }
}

/// Authenticates and decrypts what comes. It counts rounds and knows copies, so it lives as long as its key.
pub struct Opener {
    key: Key,
    genuine: Context,
    /// Whose packets proved genuine, and whose reports.
    sources: Vec<[u8; 4]>,
    report_sources: Vec<[u8; 4]>,
}

impl Opener {
    /// For packets under this key.
    pub fn new(key: Key) -> Result<Self, webrtc_srtp::Error> {
        Ok(Self {
            genuine: key.context()?,
            key,
            sources: Vec::new(),
            report_sources: Vec::new(),
        })
    }

    /// Whose key it has.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The plain packet; `None` for what is forged, damaged or a copy.
    pub fn open(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let source: [u8; 4] = packet.get(SOURCE)?.try_into().ok()?;
        if !self.sources.contains(&source) {
            self.may_admit(&self.sources, |probe| probe.decrypt_rtp(packet).is_ok())?;
            self.sources.push(source);
        }
        self.genuine.decrypt_rtp(packet).ok().map(|plain| plain.to_vec())
    }

    /// The plain report (SRTCP); `None` for what is forged, damaged or a copy.
    pub fn open_report(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        if report.len() < SHORTEST_REPORT {
            return None;
        }
        // One that says that it is not encrypted would not be authenticated either: none of our suites makes such.
        let flag = report.len().checked_sub(self.key.suite.report_flag())?;
        if report.get(flag)? & 0x80 == 0 {
            return None;
        }
        let source: [u8; 4] = report.get(REPORT_SOURCE)?.try_into().ok()?;
        if !self.report_sources.contains(&source) {
            self.may_admit(&self.report_sources, |probe| probe.decrypt_rtcp(report).is_ok())?;
            self.report_sources.push(source);
        }
        self.genuine.decrypt_rtcp(report).ok().map(|plain| plain.to_vec())
    }

    /// Whether what an unknown source sends is genuine. It meets a context of its own first: the library remembers each
    /// source that it is shown, genuine or not, and takes the first number that it sees of one for the newest.
    fn may_admit(&self, known: &[[u8; 4]], is_genuine: impl FnOnce(&mut Context) -> bool) -> Option<()> {
        let mut probe = self.key.context().ok().filter(|_| known.len() < MOST_SOURCES)?;
        is_genuine(&mut probe).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use rtp_types::{RtpPacket, RtpPacketBuilder};

    use super::*;

    #[test]
    fn what_one_side_seals_the_other_opens_in_every_suite() {
        for suite in Suite::ALL {
            let (mut sealer, mut opener) = pair(suite);
            let plain = packet(7, 1);
            let sealed = sealer.seal(&plain).unwrap();
            assert_ne!(sealed[12..172], plain[12..], "{suite:?} hides the voice");
            assert_eq!(sealed[..12], plain[..12], "{suite:?} leaves the header");
            assert_eq!(opener.open(&sealed), Some(plain), "{suite:?}");
        }
    }

    // RFC 3711 B.3: the keys that follow from this master key show in what is sealed with it.
    #[test]
    fn a_sealed_packet_is_what_the_arithmetic_of_the_rfc_makes_of_it() {
        let key = Key::read(
            Suite::AesCm128HmacSha1_80,
            &STANDARD.encode(bytes_of(
                "E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6",
            )),
        )
        .unwrap();
        // As libsrtp's test driver has it: its reference packet, under the key of RFC 3711 B.3.
        let plain = bytes_of("800f1234decafbadcafebabeabababababababababababababababab");
        let sealed = bytes_of("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
        assert_eq!(
            Sealer::new(key.clone()).unwrap().seal(&plain),
            Some(sealed.clone())
        );
        assert_eq!(Opener::new(key).unwrap().open(&sealed), Some(plain));
    }

    #[test]
    fn reports_are_sealed_and_opened_and_copies_and_damaged_ones_are_not() {
        for suite in Suite::ALL {
            let (mut sealer, mut opener) = pair(suite);
            // An empty sender report (RFC 3550 6.4.1) of source 7.
            let mut plain = vec![0x80, 200, 0, 6, 0, 0, 0, 7];
            plain.extend([0x42; 20]);
            let sealed = sealer.seal_report(&plain).unwrap();
            assert_ne!(sealed[8..28], plain[8..], "{suite:?}");
            for at in 0..sealed.len() {
                let mut damaged = sealed.clone();
                damaged[at] ^= 1;
                assert_eq!(opener.open_report(&damaged), None, "{suite:?} byte {at}");
                assert_eq!(opener.open_report(&sealed[..at]), None, "{suite:?} cut at {at}");
            }
            assert_eq!(opener.open_report(&sealed), Some(plain), "{suite:?}");
            assert_eq!(opener.open_report(&sealed), None, "{suite:?}: the same again");
        }
    }

    #[test]
    fn a_copy_and_a_damaged_packet_do_not_open() {
        for suite in Suite::ALL {
            let (mut sealer, mut opener) = pair(suite);
            let sealed = sealer.seal(&packet(7, 1)).unwrap();
            for at in 0..sealed.len() {
                let mut damaged = sealed.clone();
                damaged[at] ^= 1;
                assert_eq!(opener.open(&damaged), None, "{suite:?} byte {at}");
            }
            assert!(opener.open(&sealed).is_some(), "{suite:?}");
            assert_eq!(opener.open(&sealed), None, "{suite:?}: the same again");
        }
    }

    #[test]
    fn packets_open_beyond_the_end_of_the_sequence_numbers_and_out_of_order() {
        for suite in Suite::ALL {
            let (mut sealer, mut opener) = pair(suite);
            // Most are lost on the way, none around the turns.
            let arrive = (0..140_000_u32).filter(|at| at % 97 == 0 || at.wrapping_add(10) % 65_536 < 20);
            for at in arrive {
                let sealed = sealer.seal(&packet(7, at as u16)).unwrap();
                assert!(opener.open(&sealed).is_some(), "{suite:?} packet {at}");
            }
            let late: Vec<_> = (140_000..140_008)
                .map(|at: u32| sealer.seal(&packet(7, at as u16)).unwrap())
                .collect();
            assert!(
                late.iter().rev().all(|sealed| opener.open(sealed).is_some()),
                "{suite:?}"
            );
        }
    }

    #[test]
    fn strangers_are_not_remembered_and_keep_nobody_out() {
        let (mut sealer, mut opener) = pair(Suite::AesCm128HmacSha1_80);
        for source in 0..5000 {
            let mut forged = packet(source, 1);
            forged.extend([0; 10]);
            assert_eq!(opener.open(&forged), None);
        }
        assert_eq!(opener.sources.len(), 0);
        assert!(opener.open(&sealer.seal(&packet(9, 1)).unwrap()).is_some());
    }

    #[test]
    fn any_bytes_are_survived_and_none_counts() {
        const ROUNDS: u64 = 5_000;
        let mut chance = Chance::from_seed([12; 32]);
        for suite in Suite::ALL {
            let (mut sealer, mut opener) = pair(suite);
            for round in 0..ROUNDS {
                let mut bytes = sealer.seal(&packet(7, round as u16)).unwrap();
                match chance.below(4) {
                    0 => bytes.truncate(chance.below(bytes.len() as u64) as usize),
                    1 => bytes.push(chance.u32() as u8),
                    2 => bytes[chance.below(16) as usize] ^= 1 << chance.below(8),
                    _ => {
                        let at = chance.below(bytes.len() as u64) as usize;
                        bytes[at] = bytes[at].wrapping_add(1 + chance.below(255) as u8);
                    }
                }
                assert_eq!(opener.open(&bytes), None, "{suite:?} round {round}");
            }
        }
    }

    #[test]
    fn a_key_is_read_only_in_its_length_and_never_printed() {
        let mut chance = Chance::from_seed([3; 32]);
        for suite in Suite::ALL {
            let key = Key::fresh(suite, &mut chance);
            assert_eq!(Key::read(suite, key.expose()), Ok(key.clone()));
            assert_eq!(format!("{key:?}"), format!("{} ***", suite.name()));
            assert_ne!(key, Key::fresh(suite, &mut chance));
        }
        assert_eq!(
            Key::read(Suite::AesCm128HmacSha1_80, "AAAA")
                .unwrap_err()
                .to_string(),
            "the key has 3 bytes, AES_CM_128_HMAC_SHA1_80 takes 30"
        );
        assert_eq!(
            Key::read(Suite::AeadAes128Gcm, "not base64!"),
            Err(KeyFault::Encoding)
        );
    }

    fn pair(suite: Suite) -> (Sealer, Opener) {
        let key = Key::fresh(suite, &mut Chance::from_seed([8; 32]));
        (Sealer::new(key.clone()).unwrap(), Opener::new(key).unwrap())
    }

    fn packet(source: u32, sequence: u16) -> Vec<u8> {
        let bytes = RtpPacketBuilder::<&[u8], &[u8]>::new()
            .payload_type(0)
            .sequence_number(sequence)
            .timestamp(u32::from(sequence) * 160)
            .ssrc(source)
            .payload(&[0x55; 160])
            .write_vec()
            .unwrap();
        assert!(RtpPacket::parse(&bytes).is_ok());
        bytes
    }

    fn bytes_of(hexadecimal: &str) -> Vec<u8> {
        (0..hexadecimal.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap())
            .collect()
    }
}
