//! The secrets that the tests hand out: none of them may come back in what a process of ours says.

use std::sync::{Mutex, PoisonError};

use super::directives::SCOPE_TOKEN;

static HANDED_OUT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A secret of fewer digits would be found in ports and times by accident.
const SHORTEST: usize = 5;

/// From here on nobody may say this.
pub fn hand_out(secret: &str) {
    let secret = secret.trim_end();
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SHORTEST && !handed_out.iter().any(|held| held == secret) {
        handed_out.push(secret.to_owned());
    }
}

/// The secret that stands in a text, if one does.
pub fn leaked(text: &str) -> Option<String> {
    let handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut secrets = handed_out.iter().map(String::as_str).chain([SCOPE_TOKEN]);
    secrets.find(|secret| stands_in(text, secret)).map(str::to_owned)
}

/// Digits inside a longer number or name are chance.
fn stands_in(text: &str, secret: &str) -> bool {
    let is_number = secret.bytes().all(|byte| byte.is_ascii_digit());
    text.match_indices(secret).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + secret.len()..].chars().next();
        let continues = |beside: Option<char>| beside.is_some_and(|beside| beside.is_ascii_alphanumeric());
        !is_number || !(continues(before) || continues(after))
    })
}
