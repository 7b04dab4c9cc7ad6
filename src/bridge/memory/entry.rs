//! One remembered directive, as it goes into its slot: at most 96 bytes.

use crate::alexa::messages::incoming::Identity;
use crate::alexa::messages::outcome::{DeviceMode, ErrorType, Outcome, Refusal};
use crate::alexa::messages::property::Property;
use crate::record::ANSWER_CAPACITY;

/// The first byte. A later form gets another one, which this one does not take for its own.
const FORM: u8 = 1;
/// Form 1, serial 4, hash of the messageId 8, hash of all 16, outcome 1.
const HEADER_SIZE: usize = 30;
/// What is left for the sentence of a refusal, or for what changed.
pub const LONGEST_SENTENCE: usize = ANSWER_CAPACITY - HEADER_SIZE;
/// Ends a sentence that did not fit.
const ELLIPSIS: &str = "\u{2026}";

const DONE: u8 = 0;
const CHANGED: u8 = 1;
/// Beside the outcome of a join whose call is alive.
const DIES_WITH_US: u8 = 0x80;

const POWER: u8 = 1;
const VOLUME: u8 = 2;
const MUTED: u8 = 3;

/// One remembered directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The larger, the later.
    pub serial: u32,
    /// Which directive.
    pub identity: Identity,
    /// Whether it is a join whose call is alive.
    pub dies_with_us: bool,
    /// What became of it.
    pub outcome: Outcome,
}

impl Entry {
    /// As it goes into the slot. A long sentence is cut; the kind of a refusal stays.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (code, rest) = match &self.outcome {
            // What only asked did nothing that could be remembered.
            Outcome::Done | Outcome::State(_) | Outcome::Discovered(_) => (DONE, Vec::new()),
            Outcome::Changed(properties) => (CHANGED, properties.iter().flat_map(write_property).collect()),
            Outcome::Refused(refusal) => (code_of(refusal.kind), fitting(&refusal.message).into_bytes()),
        };
        let life = if self.dies_with_us { DIES_WITH_US } else { 0 };
        let mut bytes = Vec::with_capacity(ANSWER_CAPACITY);
        bytes.push(FORM);
        bytes.extend_from_slice(&self.serial.to_le_bytes());
        bytes.extend(self.identity.to_bytes());
        bytes.push(code | life);
        bytes.extend(rest.into_iter().take(LONGEST_SENTENCE));
        bytes
    }

    /// Reads the content of a slot; `None` for what this version did not write.
    pub fn read(content: &[u8]) -> Option<Self> {
        let (header, content) = content.split_at_checked(HEADER_SIZE)?;
        let (form, rest) = header.split_first()?;
        let (serial, rest) = rest.split_first_chunk::<4>()?;
        let (identity, rest) = rest.split_first_chunk::<24>()?;
        let code = *rest.first()?;
        if *form != FORM {
            return None;
        }
        let outcome = match code & !DIES_WITH_US {
            DONE => Outcome::Done,
            CHANGED => {
                let properties = content.chunks(2).map(read_property);
                Outcome::Changed(properties.collect::<Option<_>>()?)
            }
            code => {
                let (_, kind) = CODES.iter().find(|(other, _)| *other == code)?;
                Outcome::Refused(Refusal::new(*kind, std::str::from_utf8(content).ok()?))
            }
        };
        Some(Self {
            serial: u32::from_le_bytes(*serial),
            identity: Identity::from_bytes(identity)?,
            dies_with_us: code & DIES_WITH_US != 0,
            outcome,
        })
    }
}

/// How the kinds of refusals are written. A code never changes its meaning.
const CODES: &[(u8, ErrorType)] = &[
    (10, ErrorType::InvalidDirective),
    (11, ErrorType::InvalidValue),
    (12, ErrorType::NoSuchEndpoint),
    (13, ErrorType::EndpointBusy),
    (14, ErrorType::InsufficientPermissions),
    (15, ErrorType::NotSupportedInCurrentMode(DeviceMode::Asleep)),
    (16, ErrorType::NotSupportedInCurrentMode(DeviceMode::Other)),
    (17, ErrorType::NotInOperation),
    (18, ErrorType::EndpointUnreachable),
    (19, ErrorType::BridgeUnreachable),
    (20, ErrorType::ValueOutOfRange),
    (21, ErrorType::RateLimitExceeded),
    (22, ErrorType::InternalError),
];

/// A kind that has no code is a fault of ours to the next process.
fn code_of(kind: ErrorType) -> u8 {
    let found = CODES.iter().find(|(_, other)| *other == kind);
    found.map_or(22, |(code, _)| *code)
}

fn write_property(property: &Property) -> [u8; 2] {
    match *property {
        Property::Power(is_on) => [POWER, is_on.into()],
        Property::Volume(volume) => [VOLUME, volume],
        Property::Muted(is_muted) => [MUTED, is_muted.into()],
    }
}

fn read_property(bytes: &[u8]) -> Option<Property> {
    match *bytes {
        [POWER, is_on @ (0 | 1)] => Some(Property::Power(is_on == 1)),
        [VOLUME, volume @ 0..=100] => Some(Property::Volume(volume)),
        [MUTED, is_muted @ (0 | 1)] => Some(Property::Muted(is_muted == 1)),
        _ => None,
    }
}

fn fitting(sentence: &str) -> String {
    if sentence.len() <= LONGEST_SENTENCE {
        return sentence.to_owned();
    }
    let end = (0..=LONGEST_SENTENCE - ELLIPSIS.len())
        .rev()
        .find(|end| sentence.is_char_boundary(*end));
    format!("{}{ELLIPSIS}", &sentence[..end.unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut outcomes: Vec<Outcome> = CODES
            .iter()
            .map(|(_, kind)| Outcome::Refused(Refusal::new(*kind, "why")))
            .collect();
        outcomes.push(Outcome::Done);
        outcomes.push(Outcome::Changed(vec![
            Property::Power(false),
            Property::Volume(100),
            Property::Muted(true),
        ]));
        for (serial, outcome) in (7..).zip(outcomes) {
            for dies_with_us in [false, true] {
                let entry = Entry {
                    dies_with_us,
                    ..entry(serial, outcome.clone())
                };
                assert_eq!(Entry::read(&entry.to_bytes()), Some(entry));
            }
        }
    }

    #[test]
    fn no_entry_is_longer_than_its_slot() {
        for length in 0..200 {
            for letter in ["a", "\u{e9}", "\u{20ac}", "\u{1f600}"] {
                let refusal = Refusal::new(ErrorType::EndpointUnreachable, letter.repeat(length));
                let bytes = entry(u32::MAX, Outcome::Refused(refusal.clone())).to_bytes();
                assert!(bytes.len() <= ANSWER_CAPACITY);
                let Some(Outcome::Refused(read)) = Entry::read(&bytes).map(|entry| entry.outcome) else {
                    panic!("{length} of {letter} cannot be read again");
                };
                let is_whole = refusal.message.len() <= LONGEST_SENTENCE;
                assert_eq!(read == refusal, is_whole, "{length} of {letter}");
                assert_eq!(read.message.ends_with(ELLIPSIS), !is_whole);
            }
        }
    }

    #[test]
    fn bytes_of_others_are_no_entries_and_no_panic() {
        let good = entry(
            3,
            Outcome::Refused(Refusal::new(ErrorType::InvalidValue, "no \u{e9}")),
        )
        .to_bytes();
        for length in 0..HEADER_SIZE {
            assert_eq!(Entry::read(&good[..length]), None, "{length} bytes");
        }
        let wrong = [(0, 2), (29, 9), (29, 200), (good.len() - 1, 0xff)];
        for (at, value) in wrong {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert_eq!(Entry::read(&bytes), None, "{value} at {at}");
        }
        for at in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let _ = Entry::read(&bytes);
        }
    }

    fn entry(serial: u32, outcome: Outcome) -> Entry {
        Entry {
            serial,
            identity: Identity::of("m", "Alexa", "Name", "room", "{}"),
            dies_with_us: false,
            outcome,
        }
    }
}
