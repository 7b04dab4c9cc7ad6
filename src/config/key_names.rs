//! The names of keys: which there are, and which one was meant.

use super::keys::{KEYS, Key};

/// The row of a key. The keys of `[providers.NAME]` are the same for every NAME.
pub fn find(name: &str) -> Option<&'static Key> {
    let row = match name.split('.').collect::<Vec<_>>().as_slice() {
        ["providers", provider, key] if !provider.is_empty() => format!("providers.NAME.{key}"),
        ["providers", ..] => return None,
        _ => name.to_owned(),
    };
    KEYS.iter().find(|key| key.name == row)
}

/// Whether a table of this name may stand in a file, keys or not.
pub fn is_section(name: &str) -> bool {
    let below = format!("{name}.");
    SECTIONS.contains(&name)
        || KEYS.iter().any(|key| key.name.starts_with(&below))
        || matches!(name.split('.').collect::<Vec<_>>().as_slice(), ["providers", provider] if !provider.is_empty())
}

/// The right key that is nearest to a wrong one, if any is near.
pub fn nearest(wrong: &str) -> Option<String> {
    let (wrong_section, wrong_key) = wrong.rsplit_once('.').unwrap_or(("", wrong));
    let score = |name: &str| {
        let (section, key) = name.rsplit_once('.').unwrap_or(("", name));
        // A key in the wrong section, or without one, is as likely a slip as a misspelt one.
        if key == wrong_key && section != wrong_section {
            return 0.85 + 0.1 * strsim::normalized_damerau_levenshtein(section, wrong_section);
        }
        strsim::normalized_damerau_levenshtein(name, wrong)
    };
    let provider = match wrong.split('.').collect::<Vec<_>>().as_slice() {
        ["providers", provider, ..] => format!("providers.{provider}."),
        _ => "providers.NAME.".to_owned(),
    };
    // Backwards, as the last of equals is taken: the first of the table.
    KEYS.iter()
        .rev()
        .map(|key| key.name.replace("providers.NAME.", &provider))
        .map(|name| (score(&name), name))
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// What there is in the place of a wrong key.
pub fn neighbours(wrong: &str) -> String {
    let section = wrong.rsplit_once('.').map_or("", |(section, _)| section);
    let keys: Vec<_> = KEYS
        .iter()
        .filter(|key| key.section() == section)
        .filter_map(|key| key.name.rsplit('.').next())
        .collect();
    if !keys.is_empty() {
        format!("[{section}] has {}", keys.join(", "))
    } else if SECTIONS.contains(&section) {
        format!("[{section}] has no keys in this version")
    } else {
        format!("the sections are {}", SECTIONS.join(", "))
    }
}

/// The sections; `h323` and `dialers` have no keys in this version.
pub const SECTIONS: &[&str] = &[
    "room",
    "bridge",
    "local",
    "calls",
    "providers",
    "sip",
    "h323",
    "dialers",
    "media",
    "calendar",
    "power",
    "log",
];

#[cfg(test)]
mod tests;
