//! Text from outside, made fit to be seen: without the PIN, without characters that lie to a terminal, not too long.

use percent_encoding::percent_decode_str;

use crate::secret::Secret;

/// The longest piece of foreign text in a message, in characters (SIP phrases have at most 128).
const LONGEST: usize = 160;
/// A PIN of at least this length is hidden wherever its characters stand; a shorter one only where it stands alone,
/// or else every status and port would be stars.
const LONG_PIN: usize = 4;

/// Knows the PIN of a meeting in the forms in which it could come back, and hides it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask(Vec<Secret>);

impl Mask {
    /// The mask for these forms of one PIN.
    pub fn of<'a>(forms: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<&str> = forms.into_iter().filter(|form| !form.is_empty()).collect();
        forms.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self(forms.into_iter().map(Secret::new).collect())
    }

    /// The text with the PIN as `***`, fit for a message or a log.
    pub fn hide(&self, text: &str) -> String {
        let printable: String = text.chars().map(printable).collect();
        let mut hidden = self.strike(&printable);
        // What only shows the PIN to somebody who decodes it.
        let decoded = percent_decode_str(&printable).decode_utf8_lossy();
        if decoded != printable && self.strike(&decoded) != decoded {
            hidden = self.strike(&decoded.chars().map(self::printable).collect::<String>());
        }
        match hidden.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &hidden[..end]),
            None => hidden,
        }
    }

    /// The text with the PIN as `***`, and else as it is: for parts of a dial string that were checked.
    pub fn strike(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, form| {
            let form = form.expose();
            if form.len() >= LONG_PIN {
                text.replace(form, "***")
            } else {
                hide_alone(&text, form)
            }
        })
    }
}

fn hide_alone(text: &str, form: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(form) {
        let (before, from) = rest.split_at(start);
        let (_, after) = from.split_at(form.len());
        let is_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        let touches = is_word(before.chars().next_back().or(hidden.chars().next_back()))
            || is_word(after.chars().next());
        hidden.push_str(before);
        hidden.push_str(if touches { form } else { "***" });
        rest = after;
    }
    hidden + rest
}

/// Control characters and those that change the direction of text or cannot be seen become U+FFFD.
fn printable(character: char) -> char {
    match character {
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{61c}' => '\u{fffd}',
        character if character.is_control() => '\u{fffd}',
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_hidden_wherever_it_comes_back() {
        let mask = Mask::of(["00-1234", "001234"]);
        assert_eq!(
            mask.hide("no conference 1.001234 here"),
            "no conference 1.*** here"
        );
        assert_eq!(mask.hide("00-1234@host"), "***@host");
        assert_eq!(mask.hide("0%301234@host"), "***@host");
    }

    #[test]
    fn a_short_pin_is_hidden_where_it_stands_alone() {
        let mask = Mask::of(["48"]);
        assert_eq!(mask.hide("486 at 48, 148 and 1.48"), "486 at ***, 148 and 1.***");
    }

    #[test]
    fn foreign_text_cannot_forge_a_log_line() {
        let hidden = Mask::default().hide("a\r\nb\u{1b}[31m\u{202e}c");
        assert_eq!(hidden, "a\u{fffd}\u{fffd}b\u{fffd}[31m\u{fffd}c");
        assert_eq!(
            Mask::default().hide(&"é".repeat(1000)).chars().count(),
            LONGEST + 1
        );
    }
}
