//! One line of the journal, before it is written: what was said, and the fields beside it.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};

/// What one event says, with the fields of the spans around it. Values are already safe to show.
#[derive(Clone, Debug)]
pub struct Line {
    /// When, on the wall clock.
    pub at: jiff::Timestamp,
    /// How urgent.
    pub level: Level,
    /// Which module said it.
    pub target: &'static str,
    /// In which file and line of the source.
    pub source: Option<(&'static str, u32)>,
    /// The sentence.
    pub message: String,
    /// Name and value, spans from the outermost in, the event's own last.
    pub fields: Vec<(&'static str, String)>,
}

impl Line {
    /// The line of an event with these fields around and in it.
    pub fn new(at: jiff::Timestamp, metadata: &'static Metadata<'static>, fields: Fields) -> Self {
        Self {
            at,
            level: *metadata.level(),
            target: metadata.target(),
            source: metadata.file().zip(metadata.line()),
            message: fields.message,
            fields: fields.others,
        }
    }

    /// The value of the last field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .rev()
            .find(|(held, _)| *held == name)
            .map(|(_, value)| value.as_str())
    }

    /// As a person reads it: time, level, sentence, then `name=value`.
    pub fn for_people(&self) -> String {
        let mut text = format!("{:.3} {:<5} {}", self.at, self.level, self.message);
        for (name, value) in &self.fields {
            let _ = match value.is_empty() || value.contains([' ', '"', '=']) {
                true => write!(text, " {name}=\"{}\"", value.replace('"', "\\\"")),
                false => write!(text, " {name}={value}"),
            };
        }
        text.push('\n');
        text
    }
}

/// Gathers the fields of events and spans.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    /// Puts those of an inner span or event after these; its message is the one that counts.
    pub fn append(&mut self, inner: Self) {
        self.message = inner.message;
        for (name, value) in inner.others {
            self.put(name, value);
        }
    }

    /// A later value takes the place of the former one of the same name.
    fn put(&mut self, name: &'static str, value: String) {
        if let Some(held) = self.others.iter_mut().find(|(held, _)| *held == name) {
            held.1 = value;
        } else {
            self.others.push((name, value));
        }
    }

    fn take(&mut self, field: &Field, value: &str) {
        let value = harmless(value);
        match field.name() {
            "message" => self.message = value,
            name => self.put(name, value),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded(String::new());
        // Stops early at the limit, which is no fault.
        let _ = write!(text, "{value:?}");
        self.take(field, &text.0);
    }
}

/// The longest value that is written, in bytes: far sides decide what some of them say.
const LONGEST_VALUE: usize = 4096;

struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0
            .push_str(cut(text, LONGEST_VALUE.saturating_sub(self.0.len())));
        if self.0.len() + 4 > LONGEST_VALUE {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// Control characters, line separators and marks that turn the reading direction are escaped: none of them may
/// start a line of its own, paint a terminal or hide what stands beside it.
pub fn harmless(text: &str) -> String {
    let text = cut(text, LONGEST_VALUE);
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    text.chars()
        .fold(String::with_capacity(text.len() + 16), |mut safe, character| {
            if is_harmful(character) {
                safe.extend(character.escape_default());
            } else {
                safe.push(character);
            }
            safe
        })
}

/// At most `limit` bytes, whole characters.
fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_starts_a_line_or_paints_the_terminal() {
        assert_eq!(
            harmless("a\r\nEVENT=call-ended\u{1b}[31m"),
            "a\\r\\nEVENT=call-ended\\u{1b}[31m"
        );
        assert_eq!(
            harmless("room\u{202e}txt\u{2028}\u{9b}"),
            "room\\u{202e}txt\\u{2028}\\u{9b}"
        );
        assert_eq!(harmless("Köln Süd ☎"), "Köln Süd ☎");
    }

    #[test]
    fn values_are_cut_at_their_limit() {
        assert_eq!(harmless(&"é".repeat(10_000)).len(), LONGEST_VALUE);
    }
}
