//! Keys in session descriptions (RFC 4568): which are offered, which line of theirs is taken.

use sdp_types::Media;

use super::AnswerFault;
use crate::chance::Chance;
use crate::media::Encryption;
use crate::media::srtp::{Key, Keys, Suite};
use crate::network::Transport;

/// The most `a=crypto` lines of one stream that are looked at.
const MOST_LINES: usize = 16;

/// Our keys for one call: one a suite, the same in each description, so that a re-INVITE changes no key (RFC 4568 7.1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// In order of preference; the tag of each is its place, counted from 1.
    keys: Vec<Key>,
    profile: Profile,
    is_plain_allowed: bool,
}

/// What the media line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Keys beside plain RTP: who does not know them passes them over.
    Avp,
    /// Nothing but encrypted.
    Savp,
}

impl Crypto {
    /// What a call over this transport offers; `None`: nothing. Where the signalling is readable, keys would only
    /// pretend. `sips` promises encryption all the way.
    pub fn of_call(
        wanted: Encryption,
        is_sips: bool,
        transport: Transport,
        chance: &mut Chance,
    ) -> Option<Self> {
        let (profile, is_plain_allowed) = match (wanted, transport) {
            (Encryption::Off, _) => return None,
            (Encryption::Require, _) => (Profile::Savp, false),
            (Encryption::Prefer, _) if is_sips => (Profile::Savp, false),
            (Encryption::Prefer, Transport::Tls) => (Profile::Avp, true),
            (Encryption::Prefer, Transport::Udp | Transport::Tcp) => return None,
        };
        Some(Self {
            keys: Suite::ALL.map(|suite| Key::fresh(suite, chance)).to_vec(),
            profile,
            is_plain_allowed,
        })
    }

    /// The same for the rest of a call that began encrypted: it never becomes plain.
    pub fn kept(self) -> Self {
        Self {
            is_plain_allowed: false,
            ..self
        }
    }

    /// What our offers name.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The values of the `a=crypto` lines of our offers.
    pub(super) fn offer_lines(&self) -> impl Iterator<Item = String> {
        (1..).zip(&self.keys).map(|(tag, key)| line(tag, key))
    }

    /// The value of the `a=crypto` line that accepts theirs (RFC 4568 5.1.2).
    pub(super) fn answer_line(&self, theirs: &Media) -> Option<String> {
        self.choose(theirs).map(|(tag, keys)| line(tag, &keys.send))
    }

    fn of_suite(&self, suite: Suite) -> Option<&Key> {
        self.keys.iter().find(|key| key.suite() == suite)
    }

    /// The first line of their offer whose suite is ours too.
    fn choose(&self, theirs: &Media) -> Option<(u32, Keys)> {
        lines(theirs).find_map(|(tag, receive)| {
            let send = self.of_suite(receive.suite())?.clone();
            Some((tag, Keys { send, receive }))
        })
    }

    /// The line of their answer: it repeats tag and suite of one of ours.
    fn chosen(&self, theirs: &Media) -> Option<Keys> {
        let (tag, receive) = lines(theirs).next()?;
        let send = self.keys.get(usize::try_from(tag).ok()?.checked_sub(1)?)?;
        (send.suite() == receive.suite()).then(|| Keys {
            send: send.clone(),
            receive,
        })
    }
}

/// The keys of an answer to our offer; `None` for plain audio.
pub(super) fn of_answer(ours: Option<&Crypto>, theirs: &Media) -> Result<Option<Keys>, AnswerFault> {
    let is_encrypted = has_keys(theirs) || is_savp(theirs);
    match ours {
        None => Ok(None),
        Some(crypto) if !is_encrypted && crypto.is_plain_allowed => Ok(None),
        Some(crypto) => crypto.chosen(theirs).map(Some).ok_or(AnswerFault::NoKeys),
    }
}

/// The keys with which an offer of theirs is answered; `None` for plain audio.
pub(super) fn of_offer(ours: Option<&Crypto>, theirs: &Media) -> Result<Option<Keys>, AnswerFault> {
    let Some(crypto) = ours else { return Ok(None) };
    match crypto.choose(theirs) {
        Some((_, keys)) => Ok(Some(keys)),
        None if crypto.is_plain_allowed && !is_savp(theirs) => Ok(None),
        None => Err(AnswerFault::NoKeys),
    }
}

/// Whether the stream is of a protocol that can be agreed on: plain, or encrypted when we have keys.
pub(super) fn is_speakable(ours: Option<&Crypto>, theirs: &Media) -> bool {
    theirs.proto.eq_ignore_ascii_case("RTP/AVP") || (ours.is_some() && is_savp(theirs))
}

fn is_savp(media: &Media) -> bool {
    media.proto.eq_ignore_ascii_case("RTP/SAVP")
}

fn has_keys(media: &Media) -> bool {
    media.has_attribute("crypto")
}

fn line(tag: u32, key: &Key) -> String {
    format!("{tag} {} inline:{}", key.suite().name(), key.expose())
}

/// The lines that we understand whole; others count as not written (RFC 4568 5.1.2).
fn lines(media: &Media) -> impl Iterator<Item = (u32, Key)> {
    media
        .get_attribute_values("crypto")
        .flatten()
        .take(MOST_LINES)
        .filter_map(read_line)
}

fn read_line(line: &str) -> Option<(u32, Key)> {
    let mut words = line.split_ascii_whitespace();
    let tag = words.next()?.parse().ok()?;
    let name = words.next()?;
    let suite = Suite::ALL
        .into_iter()
        .find(|suite| suite.name().eq_ignore_ascii_case(name))?;
    let parameters = words.next()?;
    // RFC 4568 6.3: a session parameter that is not understood voids the line, unless it begins with a dash; the
    // replay window is only a hint (6.3.7).
    let is_understood = |word: &str| word.starts_with('-') || word.starts_with("WSH=");
    if !words.all(is_understood) {
        return None;
    }
    let (method, rest) = parameters.split_once(':')?;
    let mut fields = rest.split('|');
    let inline = fields.next()?;
    // RFC 4568 6.1: a lifetime may follow; a key identifier (with a colon) would stand in each packet, and a second
    // key needs one.
    let has_identifier = fields.any(|field| field.contains(':')) || parameters.contains(';');
    if !method.eq_ignore_ascii_case("inline") || has_identifier {
        return None;
    }
    Some((tag, Key::read(suite, inline).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    #[test]
    fn lines_are_understood_whole_or_not_at_all() {
        let suite = "AES_CM_128_HMAC_SHA1_80";
        for good in [
            format!("1 {suite} {KEY}"),
            format!("1 aes_cm_128_hmac_sha1_80 {KEY}|2^20"),
            format!("  1   {suite}  {KEY}|1048576 WSH=128 -X=1"),
        ] {
            let (tag, key) = read_line(&good).unwrap();
            assert_eq!((tag, key.suite()), (1, Suite::AesCm128HmacSha1_80), "{good}");
        }
        for bad in [
            String::new(),
            format!("x {suite} {KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_32 {KEY}"),
            format!("1 AEAD_AES_128_GCM {KEY}"),
            format!("1 {suite}"),
            format!("1 {suite} {KEY}|2^20|1:4"),
            format!("1 {suite} {KEY}|1:4"),
            format!("1 {suite} {KEY};{KEY}"),
            format!("1 {suite} {KEY} UNENCRYPTED_SRTP"),
            format!("1 {suite} {KEY} KDR=1"),
            format!("1 {suite} inline:AAAA"),
            format!("1 {suite} uri:https://example.com"),
        ] {
            assert!(read_line(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn keys_travel_only_where_the_setting_and_the_transport_let_them() {
        let offered = |wanted, is_sips, transport| {
            Crypto::of_call(wanted, is_sips, transport, &mut Chance::from_seed([1; 32]))
                .map(|crypto| (crypto.profile, crypto.is_plain_allowed))
        };
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
            assert_eq!(offered(Encryption::Off, true, transport), None);
            let required = Some((Profile::Savp, false));
            assert_eq!(offered(Encryption::Require, false, transport), required);
        }
        assert_eq!(offered(Encryption::Prefer, false, Transport::Udp), None);
        assert_eq!(offered(Encryption::Prefer, false, Transport::Tcp), None);
        let preferred = offered(Encryption::Prefer, false, Transport::Tls);
        assert_eq!(preferred, Some((Profile::Avp, true)));
        let promised = offered(Encryption::Prefer, true, Transport::Tls);
        assert_eq!(promised, Some((Profile::Savp, false)));
    }
}
