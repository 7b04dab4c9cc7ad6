//! Who may be dialled: the entries of `calls.allow`, `calls.never`, and the rule against toll fraud.

use std::fmt;
use std::str::FromStr;

use super::dial_string::DialString;
use super::host::Host;
use super::place::{Place, bare};
use super::telephone::{self, Telephone};
use crate::call::Protocol;
use crate::room::Settings;

/// An entry of `calls.allow`, in the form in which it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowEntry(Entry);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// `HOST`, `*.domain` or a network: anybody there.
    There(Place),
    /// `USER@HOST`, `*` and `?` in USER.
    Somebody { user: String, there: Place },
    /// `tel:+49…`: numbers that begin so. With the `+`.
    Telephone(String),
}

/// The lists that a dial string is judged by.
#[derive(Clone, Copy)]
pub struct Lists<'a> {
    /// `calls.allow`.
    pub allow: &'a [AllowEntry],
    /// `calls.never`.
    pub never: &'a [String],
    /// The hosts of our registrar, proxy and identity.
    pub own_hosts: &'a [String],
}

impl<'a> Lists<'a> {
    /// Those of the settings.
    pub fn of(settings: &'a Settings) -> Self {
        Self {
            allow: &settings.allow,
            never: &settings.never,
            own_hosts: &settings.own_hosts,
        }
    }

    /// The entry that allows this dial string. The error is a whole sentence; it shows the user part as `shown` has
    /// it, where the PIN is `***`.
    pub fn judge(self, target: &DialString, shown: &DialString) -> Result<&'a AllowEntry, String> {
        let called = [target.user.as_deref(), target.extension.as_deref()];
        for called in called.into_iter().flatten() {
            self.check_never(called)?;
        }
        let may_be_bare =
            !(self.is_our_own(&target.host) && called.into_iter().flatten().any(telephone::is_number));
        let allowing = self.allow.iter().find(|AllowEntry(entry)| match entry {
            Entry::There(Place::Host(host)) => *host == target.host && may_be_bare,
            Entry::There(place) => place.holds(&target.host),
            Entry::Somebody { user, there } => {
                there.holds(&target.host)
                    && called
                        .into_iter()
                        .flatten()
                        .next()
                        .is_some_and(|called| matches(user, &called.to_ascii_lowercase()))
            }
            Entry::Telephone(_) => false,
        });
        if let Some(entry) = allowing {
            return Ok(entry);
        }
        let is_listed = self.allow.iter().any(|AllowEntry(entry)| match entry {
            Entry::There(place) => place.holds(&target.host),
            Entry::Somebody { .. } | Entry::Telephone(_) => false,
        });
        let wanted = match shown.user.as_deref().or(shown.extension.as_deref()) {
            Some(user) if is_listed || self.is_our_own(&target.host) => {
                format!("{}@{}", user.replace("***", "*"), bare(&target.host))
            }
            Some(_) | None => bare(&target.host),
        };
        if is_listed {
            return Err(format!(
                "numbers at {} may not be dialled because it is our own SIP server; \
                 add \"{wanted}\" to calls.allow to allow this one",
                target.host
            ));
        }
        Err(self.not_allowed(&target.host.to_string(), &wanted))
    }

    /// The entry that allows this number at the host it is sent to.
    pub fn judge_number(self, number: &Telephone, gateway: &Host) -> Result<&'a AllowEntry, String> {
        self.check_never(number.as_str())?;
        let allowing = self.allow.iter().find(|AllowEntry(entry)| match entry {
            Entry::Telephone(prefix) => number.as_str().starts_with(prefix.as_str()),
            Entry::Somebody { user, there } => there.holds(gateway) && matches(user, number.as_str()),
            Entry::There(_) => false,
        });
        allowing.ok_or_else(|| {
            let number = format!("tel:{}", number.as_str());
            self.not_allowed(&number, &number)
        })
    }

    fn check_never(self, called: &str) -> Result<(), String> {
        let number = telephone::canonical(called);
        // What a gateway would read before the first `#` of an extension counts as well.
        let first = telephone::canonical(called.split('#').next().unwrap_or_default());
        match self.never.iter().find(|never| {
            let never = telephone::canonical(never);
            !never.is_empty() && (never == number || never == first)
        }) {
            Some(never) => Err(format!("{never} is never dialled (calls.never)")),
            None => Ok(()),
        }
    }

    fn is_our_own(self, host: &Host) -> bool {
        self.own_hosts.iter().any(|own| {
            DialString::read(own, Protocol::Sip).is_ok_and(|own| own.host == *host)
                || Host::read(own).is_ok_and(|own| own == *host)
        })
    }

    fn not_allowed(self, what: &str, wanted: &str) -> String {
        if self.allow.is_empty() {
            format!(
                "{what} may not be dialled because calls.allow is empty; add this line to the section [calls]: \
                 allow = [\"{wanted}\"]"
            )
        } else {
            format!("{what} may not be dialled; add \"{wanted}\" to calls.allow to allow it")
        }
    }
}

/// Whether the text fits the pattern, where `*` is any characters and `?` is one. Both in lower case.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on when what followed the last star did not fit: one character further.
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                retry = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(&expected) if expected == b'?' || expected == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            Some(_) | None => {
                let Some((star, taken)) = retry else {
                    return false;
                };
                retry = Some((star, taken + 1));
                (at_pattern, at_text) = (star + 1, taken + 1);
            }
        }
    }
    pattern[at_pattern..].iter().all(|&byte| byte == b'*')
}

impl FromStr for AllowEntry {
    type Err = String;

    fn from_str(entry: &str) -> Result<Self, String> {
        let text = entry.trim().to_lowercase();
        if text.is_empty() {
            return Err(
                "an entry is empty: write a HOST, *.domain, network, USER@HOST or tel: prefix".to_owned(),
            );
        }
        if let Some(prefix) = text.strip_prefix("tel:") {
            return read_prefix(prefix).map(|prefix| Self(Entry::Telephone(prefix)));
        }
        if let Some(scheme) = ["sip:", "sips:", "h323:", "https://", "http://"]
            .into_iter()
            .find(|scheme| text.starts_with(scheme))
        {
            return Err(format!(
                "\"{entry}\" is a URI: leave {scheme} out and write HOST or USER@HOST"
            ));
        }
        let Some((user, host)) = text.rsplit_once('@') else {
            return Place::read(&text, entry).map(|place| Self(Entry::There(place)));
        };
        let is_plain =
            |character: char| character.is_ascii_alphanumeric() || "-_.!~*?'()&=+$,#".contains(character);
        if user.is_empty() || !user.chars().all(is_plain) {
            return Err(format!(
                "\"{entry}\" has a USER that cannot be dialled: write it decoded, with * and ? as wildcards"
            ));
        }
        let there = Place::read(host, entry)?;
        Ok(Self(Entry::Somebody {
            user: user.to_owned(),
            there,
        }))
    }
}

fn read_prefix(prefix: &str) -> Result<String, String> {
    let digits = prefix.strip_prefix('+').map(telephone::without_separators);
    match digits {
        Some(digits) if digits.ends_with('*') => {
            Err(format!("\"tel:{prefix}\" is a prefix already: leave the * out"))
        }
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(format!("+{digits}"))
        }
        Some(_) | None => Err(format!(
            "\"tel:{prefix}\" is no prefix of a number: write it as tel:+49"
        )),
    }
}

/// As the configuration would spell it.
impl fmt::Display for AllowEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Entry::There(place) => place.fmt(formatter),
            Entry::Somebody { user, there } => write!(formatter, "{user}@{there}"),
            Entry::Telephone(prefix) => write!(formatter, "tel:{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ENTRY<TAB>good|bad<TAB>how it prints, or a piece of the error`.
    const ENTRIES: &str = include_str!("../../../tests/data/dial_plan/entries.tsv");

    #[test]
    fn entries_are_read_or_say_what_to_write() {
        let mut rows = 0;
        for line in ENTRIES
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let columns: Vec<&str> = line.split('\t').collect();
            let [entry, verdict, expected] = columns[..] else {
                panic!("three columns: {line}");
            };
            match (entry.parse::<AllowEntry>(), verdict) {
                (Ok(read), "good") => {
                    assert_eq!(read.to_string(), expected, "{entry}");
                    assert_eq!(
                        read.to_string().parse(),
                        Ok(read),
                        "{entry} printed and read again"
                    );
                }
                (Err(error), "bad") => assert!(error.contains(expected), "{entry}: {error}"),
                (read, _) => panic!("{entry} should be {verdict}: {read:?}"),
            }
            rows += 1;
        }
        assert!(rows >= 30, "{rows} rows");
    }

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("4??", "412", true),
            ("4??", "41", false),
            ("4??", "4123", false),
            ("room-*", "room-15", true),
            ("*-*-*", "a-b", false),
            ("*ab*c", "xababbc", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "b", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(30), &"b".repeat(200)));
    }
}
