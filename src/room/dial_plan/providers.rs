//! The providers of meetings: how their names are normalized, and the dial string templates that are built in.

use std::collections::BTreeMap;

use crate::call::Protocol;
use crate::room::Settings;

/// The templates of one provider. `{id}`, `{pin}` and `{endpoint}` are filled in; `[…]` is left out when a name
/// inside has no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// For SIP and SIPS.
    pub sip: Option<String>,
    /// For H.323.
    pub h323: Option<String>,
    /// Digits after the answer.
    pub dtmf: Option<String>,
}

/// Name, SIP, H.323, as the providers' invitations and the vendors' manuals have them. What their templates leave
/// out follows as digits, so none needs one for DTMF.
const BUILT_IN: &[(&str, Option<&str>, Option<&str>)] = &[
    ("bluejeans", Some("{id}[.{pin}]@{endpoint}"), Some("{endpoint}")),
    ("chime", Some("{id}@{endpoint}"), Some("{endpoint}")),
    (
        "google_hangouts",
        Some("{id}@{endpoint}"),
        Some("{id}@{endpoint}"),
    ),
    ("gotomeeting", Some("{id}@{endpoint}"), Some("{endpoint}##{id}")),
    ("lifesize", Some("{id}@{endpoint}"), Some("{id}@{endpoint}")),
    (
        "polycom",
        Some("{id}[$${pin}]@{endpoint}"),
        Some("{endpoint}##{id}[##{pin}]"),
    ),
    ("skype_for_business", Some("{endpoint}"), None),
    ("starleaf", Some("{id}@{endpoint}"), None),
    ("webex", Some("{id}@{endpoint}"), Some("{endpoint}")),
    (
        "zoom",
        Some("{id}[.{pin}]@{endpoint}"),
        Some("{endpoint}##{id}[#{pin}]"),
    ),
];

/// Other names of theirs, normalized.
const ALIASES: &[(&str, &str)] = &[("amazon_chime", "chime"), ("google_meet", "google_hangouts")];

/// The providers that need no configuration, by normalized name.
pub fn built_in() -> BTreeMap<String, Provider> {
    BUILT_IN
        .iter()
        .map(|(name, sip, h323)| {
            let provider = Provider {
                sip: sip.map(str::to_owned),
                h323: h323.map(str::to_owned),
                dtmf: None,
            };
            ((*name).to_owned(), provider)
        })
        .collect()
}

/// A provider's name as `[providers]` has it: lower case, other characters than a–z and 0–9 as `_`, one name for
/// each.
pub fn normalized(name: &str) -> String {
    let plain = plain(name);
    match ALIASES.iter().find(|(alias, _)| *alias == plain) {
        Some((_, name)) => (*name).to_owned(),
        None => plain,
    }
}

fn plain(name: &str) -> String {
    name.trim()
        .chars()
        .map(|character| match character.to_ascii_lowercase() {
            character @ ('a'..='z' | '0'..='9') => character,
            _ => '_',
        })
        .collect()
}

impl Provider {
    /// The template for the dial strings of a protocol.
    pub fn template_for(&self, protocol: Protocol) -> Option<&str> {
        match protocol {
            Protocol::Sip | Protocol::Sips => self.sip.as_deref(),
            Protocol::H323 => self.h323.as_deref(),
        }
    }
}

impl Settings {
    /// The templates for a directive's provider; those under an alias go first, they can only be configured.
    pub fn provider_of(&self, name: &str) -> Option<&Provider> {
        self.providers
            .get(&plain(name))
            .or_else(|| self.providers.get(&normalized(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::dial_plan::Template;

    #[test]
    fn every_built_in_template_can_be_read() {
        for (name, provider) in built_in() {
            assert_eq!(normalized(&name), name);
            for template in [provider.sip, provider.h323, provider.dtmf].into_iter().flatten() {
                assert!(template.parse::<Template>().is_ok(), "{name}: {template}");
            }
        }
    }

    #[test]
    fn names_are_normalized() {
        for (name, expected) in [
            ("ZOOM", "zoom"),
            ("Amazon Chime", "chime"),
            ("AMAZON_CHIME", "chime"),
            ("google-meet", "google_hangouts"),
            (" GOOGLE_HANGOUTS ", "google_hangouts"),
            ("Skype for Business", "skype_for_business"),
            ("Größe\n", "gr__e"),
        ] {
            assert_eq!(normalized(name), expected, "{name}");
        }
    }
}
