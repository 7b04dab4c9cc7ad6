//! What a value is: its kinds, how a layer's text or TOML becomes one, and what is said when it does not.

use std::fmt;
use std::time::Duration;

use super::formats::{self, Reason};

/// The value of a key, of the key's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Texts.
    List(Vec<String>),
}

/// As TOML spells it.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let toml: toml_edit::Value = match self {
            Self::Flag(flag) => (*flag).into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(texts) => texts
                .iter()
                .map(String::as_str)
                .collect::<toml_edit::Array>()
                .into(),
        };
        toml.fmt(formatter)
    }
}

/// What a text must look like.
#[derive(Clone, Copy)]
pub struct Form {
    /// What is allowed, for people.
    pub allowed: &'static str,
    /// Says what is wrong with a text.
    pub check: fn(&str) -> Result<(), Reason>,
}

/// The type of a key, with what its values may be.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// A duration from the first to the second. [`Kind::DurationOrNone`] takes `0` as well.
    Duration(Duration, Duration),
    /// The same, or `"0"` for none.
    DurationOrNone(Duration, Duration),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text of this form.
    Text(Form),
    /// A text of this form, or `""` for none.
    Optional(Form),
    /// Any number of texts of this form.
    List(Form),
}

impl Kind {
    /// Reads the text of an environment variable or flag as this type: lists split at commas.
    pub fn read_text(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Flag => match text {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => Err(self.refuse(&format!("{text:?} is neither"))),
            },
            Self::Number(..) => text
                .parse()
                .map(Value::Number)
                .map_err(|_| self.refuse(&format!("{text:?} is no number"))),
            Self::List(_) => Ok(Value::List(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            )),
            Self::Duration(..)
            | Self::DurationOrNone(..)
            | Self::Choice(_)
            | Self::Text(_)
            | Self::Optional(_) => Ok(Value::Text(text.to_owned())),
        }
    }

    /// Takes what TOML holds; a value of another type is refused, never converted.
    pub fn read_toml(self, item: &toml_edit::Item) -> Result<Value, String> {
        let value = match self {
            Self::Flag => item.as_bool().map(Value::Flag),
            Self::Number(..) => item.as_integer().map(Value::Number),
            Self::List(_) => item.as_array().and_then(|array| {
                let texts = array.iter().map(|text| text.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Value::List)
            }),
            Self::Duration(..)
            | Self::DurationOrNone(..)
            | Self::Choice(_)
            | Self::Text(_)
            | Self::Optional(_) => item.as_str().map(|text| Value::Text(text.to_owned())),
        };
        value.ok_or_else(|| self.refuse(&self.what_it_is(item)))
    }

    /// Says what is wrong with a value of this type, and quotes it where it may be seen.
    pub fn check(self, value: &Value, is_quoted: bool) -> Result<(), String> {
        let found = |text: &str| {
            if is_quoted {
                excerpt(text)
            } else {
                "the value".to_owned()
            }
        };
        let wrong = |text: &str, reason: Reason| Err(self.refuse(&format!("{} {reason}", found(text))));
        match (self, value) {
            (Self::Number(least, most), Value::Number(number)) if !(least..=most).contains(number) => {
                Err(self.refuse(&format!("{number} is outside")))
            }
            (Self::DurationOrNone(..), Value::Text(text))
                if formats::duration(text) == Ok(Duration::ZERO) =>
            {
                Ok(())
            }
            (Self::Duration(least, most) | Self::DurationOrNone(least, most), Value::Text(text)) => {
                match formats::duration(text) {
                    Err(reason) => wrong(text, reason),
                    Ok(duration) if duration < least => wrong(text, "is too short".to_owned()),
                    Ok(duration) if duration > most => wrong(text, "is too long".to_owned()),
                    Ok(_) => Ok(()),
                }
            }
            (Self::Choice(words), Value::Text(text)) if !words.contains(&text.as_str()) => {
                wrong(text, "is none of these".to_owned())
            }
            (Self::Optional(_), Value::Text(text)) if text.is_empty() => Ok(()),
            (Self::Text(_), Value::Text(text)) if text.is_empty() => wrong(text, "is empty".to_owned()),
            (Self::Text(form) | Self::Optional(form), Value::Text(text)) => {
                (form.check)(text).or_else(|reason| wrong(text, reason))
            }
            (Self::List(form), Value::List(texts)) => {
                let wrong_ones: Vec<_> = texts
                    .iter()
                    .filter_map(|text| Some(format!("{} {}", found(text), (form.check)(text).err()?)))
                    .collect();
                if wrong_ones.is_empty() {
                    Ok(())
                } else {
                    Err(self.refuse(&wrong_ones.join("; ")))
                }
            }
            _ => Ok(()),
        }
    }

    /// What is allowed, for people.
    pub fn allowed(self) -> String {
        let span = |least, most| {
            format!(
                "a duration from \"{}\" to \"{}\"",
                formats::spell_duration(least),
                formats::spell_duration(most)
            )
        };
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Duration(least, most) => span(least, most),
            Self::DurationOrNone(least, most) => format!("{}, or \"0\" for none", span(least, most)),
            Self::Choice(words) => words
                .iter()
                .map(|word| format!("{word:?}"))
                .collect::<Vec<_>>()
                .join(", "),
            Self::Text(form) => form.allowed.to_owned(),
            Self::Optional(form) => format!("{}, or \"\" for none", form.allowed),
            Self::List(form) => format!("a list of texts, each {}", form.allowed),
        }
    }

    /// What TOML holds in the place of this type; its content only where it cannot be a secret.
    fn what_it_is(self, item: &toml_edit::Item) -> String {
        let is_open = matches!(
            self,
            Self::Flag | Self::Number(..) | Self::Duration(..) | Self::DurationOrNone(..) | Self::Choice(_)
        );
        match (item.type_name(), self) {
            ("string" | "integer" | "float" | "boolean", _) if is_open => {
                let content: String = item.to_string().trim().chars().take(LONGEST_EXCERPT).collect();
                format!("{content} is {}", article_of(item))
            }
            ("array", Self::List(_)) => "this list holds something else than texts".to_owned(),
            _ => format!("this is {}", article_of(item)),
        }
    }

    /// The sentence about a wrong value.
    fn refuse(self, wrong: &str) -> String {
        format!("{wrong}; allowed: {}", self.allowed())
    }
}

/// How much of a value is quoted, in characters.
const LONGEST_EXCERPT: usize = 60;

/// The text in quotes, cut where it gets long.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(LONGEST_EXCERPT) {
        Some((at, _)) => format!("{:?}…", text.get(..at).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// The type of what TOML holds.
fn article_of(item: &toml_edit::Item) -> &'static str {
    match item.type_name() {
        "string" => "a text",
        "integer" => "a number without quotes",
        "float" => "a number with a fraction",
        "boolean" => "a flag and no text",
        "array" => "a list",
        "datetime" => "a date",
        _ => "a section",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Kind = Kind::Text(Form {
        allowed: "plain text",
        check: formats::plain_text,
    });

    #[test]
    fn text_that_looks_like_a_number_stays_text() {
        for text in ["0012345", "true", "1e5", "0x10"] {
            assert_eq!(TEXT.read_text(text), Ok(Value::Text(text.to_owned())));
        }
    }

    #[test]
    fn lists_split_at_commas() {
        let list = Kind::List(Form {
            allowed: "plain text",
            check: formats::plain_text,
        });
        assert_eq!(
            list.read_text("a, b,,c"),
            Ok(Value::List(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]))
        );
        assert_eq!(list.read_text(""), Ok(Value::List(Vec::new())));
    }

    #[test]
    fn every_wrong_item_of_a_list_is_told() {
        let list = Kind::List(Form {
            allowed: "a word",
            check: |text| {
                if text.contains(' ') {
                    Err("has a space".to_owned())
                } else {
                    Ok(())
                }
            },
        });
        let texts = ["a b", "c", "d e"].map(str::to_owned).to_vec();
        assert_eq!(
            list.check(&Value::List(texts), true),
            Err("\"a b\" has a space; \"d e\" has a space; allowed: a list of texts, each a word".to_owned())
        );
    }

    #[test]
    fn toml_of_another_type_is_never_converted() -> Result<(), toml_edit::TomlError> {
        let document = toml_edit::Document::parse("number = 12345\ntext = \"6\"\nlist = [1]")?;
        assert!(TEXT.read_toml(&document["number"]).is_err());
        assert!(Kind::Number(0, 10).read_toml(&document["text"]).is_err());
        assert!(Kind::Flag.read_toml(&document["number"]).is_err());
        let list = Kind::List(Form {
            allowed: "",
            check: formats::plain_text,
        });
        assert!(list.read_toml(&document["list"]).is_err());
        Ok(())
    }

    #[test]
    fn limits_belong_to_the_range() {
        let number = Kind::Number(0, 600);
        assert_eq!(number.check(&Value::Number(600), true), Ok(()));
        assert_eq!(
            number.check(&Value::Number(-1), true),
            Err("-1 is outside; allowed: a number from 0 to 600".to_owned())
        );
        let duration = Kind::DurationOrNone(Duration::from_secs(1), Duration::from_secs(60));
        for good in ["0", "0s", "1s", "1m"] {
            assert_eq!(
                duration.check(&Value::Text(good.to_owned()), true),
                Ok(()),
                "{good}"
            );
        }
        for bad in ["999ms", "61s", "60"] {
            assert!(
                duration.check(&Value::Text(bad.to_owned()), true).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn values_are_shown_as_toml_reads_them() {
        let list = Value::List(vec!["a\"b".to_owned(), "c".to_owned()]);
        assert_eq!(list.to_string(), r#"['a"b', "c"]"#);
        assert_eq!(Value::Text("0012345".to_owned()).to_string(), "\"0012345\"");
    }
}
