//! Reads the fields of a JSON object, and says of a wrong one where it is and what is wrong with it.

use serde_json::{Map, Value};
use thiserror::Error;

/// An object, and the way to it from the top of its message.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    path: String,
    /// `None` is an empty one.
    object: Option<&'a Map<String, Value>>,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldFault {
    /// It is absent, null or, where text must be, empty.
    #[error("{path} is missing")]
    Missing {
        /// Where it should be.
        path: String,
    },
    /// It has another type.
    #[error("{path} must be {wanted} and is {found}")]
    Mistyped {
        /// Where it is.
        path: String,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// It is text that is too long.
    #[error("{path} has more than {most} characters")]
    TooLong {
        /// Where it is.
        path: String,
        /// How many it may have.
        most: usize,
    },
    /// It has the right type, and a value that is not known.
    #[error("{path} is {value}, which is not known")]
    Unknown {
        /// Where it is.
        path: String,
        /// What it is, fit for showing.
        value: String,
    },
}

impl<'a> Fields<'a> {
    /// The object at the top of a message.
    pub fn at_top(object: &'a Map<String, Value>) -> Self {
        Self {
            path: String::new(),
            object: Some(object),
        }
    }

    /// The text of a field that must be there and not be empty.
    pub fn text(&self, name: &str) -> Result<&'a str, FieldFault> {
        self.optional_text(name)?.ok_or_else(|| self.missing(name))
    }

    /// The same, with at most this many characters.
    pub fn short_text(&self, name: &str, most: usize) -> Result<&'a str, FieldFault> {
        let text = self.text(name)?;
        match text.chars().nth(most) {
            None => Ok(text),
            Some(_) => Err(FieldFault::TooLong {
                path: self.path_to(name),
                most,
            }),
        }
    }

    /// The text of a field for which absent, null and `""` mean the same: none.
    pub fn optional_text(&self, name: &str) -> Result<Option<&'a str>, FieldFault> {
        Ok(self.any_text(name)?.filter(|text| !text.is_empty()))
    }

    /// The text of a field, which may be empty; absent and null are none.
    pub fn any_text(&self, name: &str) -> Result<Option<&'a str>, FieldFault> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.mistyped(name, "a string", other)),
        }
    }

    /// A whole number, be it written with a fraction of zero; what no `i64` holds is the largest or smallest.
    pub fn whole_number(&self, name: &str) -> Result<i64, FieldFault> {
        match self.value(name) {
            None | Some(Value::Null) => Err(self.missing(name)),
            Some(Value::Number(number)) => {
                let whole = number.as_i64().or_else(|| {
                    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
                    // `as` saturates, which is what is wanted.
                    Some(float as i64)
                });
                whole.ok_or_else(|| FieldFault::Mistyped {
                    path: self.path_to(name),
                    wanted: "a whole number",
                    found: "a fraction",
                })
            }
            Some(other) => Err(self.mistyped(name, "a number", other)),
        }
    }

    /// A boolean; absent and null are the same.
    pub fn optional_flag(&self, name: &str) -> Result<Option<bool>, FieldFault> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.mistyped(name, "a boolean", other)),
        }
    }

    /// A whole number that is not negative and fits 32 bits; absent and null are none.
    pub fn optional_number(&self, name: &str) -> Result<Option<u32>, FieldFault> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .map(Some)
                .ok_or_else(|| self.unknown(name, &number.to_string())),
            Some(other) => Err(self.mistyped(name, "a number", other)),
        }
    }

    /// The fields of an object that must be there.
    pub fn object(&self, name: &str) -> Result<Fields<'a>, FieldFault> {
        self.optional_object(name)?.ok_or_else(|| self.missing(name))
    }

    /// The fields of an object that may be absent or null.
    pub fn optional_object(&self, name: &str) -> Result<Option<Fields<'a>>, FieldFault> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Fields {
                path: self.path_to(name),
                object: Some(object),
            })),
            Some(other) => Err(self.mistyped(name, "an object", other)),
        }
    }

    /// The fields of an object for which absent, null and `{}` mean the same.
    pub fn object_or_empty(&self, name: &str) -> Result<Fields<'a>, FieldFault> {
        Ok(self.optional_object(name)?.unwrap_or(Fields {
            path: self.path_to(name),
            object: None,
        }))
    }

    /// The value of an enumeration that must be there, as `read` understands it.
    pub fn one_of<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, FieldFault> {
        let text = self.text(name)?;
        read(text).ok_or_else(|| self.unknown(name, text))
    }

    /// Says that a field is missing.
    pub fn missing(&self, name: &str) -> FieldFault {
        FieldFault::Missing {
            path: self.path_to(name),
        }
    }

    /// Says that the value of a field is not known.
    pub fn unknown(&self, name: &str, value: &str) -> FieldFault {
        FieldFault::Unknown {
            path: self.path_to(name),
            value: shown(value),
        }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object?.get(name)
    }

    fn mistyped(&self, name: &str, wanted: &'static str, found: &Value) -> FieldFault {
        FieldFault::Mistyped {
            path: self.path_to(name),
            wanted,
            found: kind(found),
        }
    }

    fn path_to(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

/// Text from outside made fit for logs and sentences: at most 64 characters, without control and bidi characters.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .map(|character| {
            if moves_the_cursor(character) {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn moves_the_cursor(character: char) -> bool {
    // Line and paragraph separators, and the embeddings, overrides and isolates of Unicode's bidi algorithm.
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_empty_text_are_the_same() {
        let top = object(r#"{"null": null, "empty": "", "full": "x"}"#);
        let fields = Fields::at_top(&top);
        for name in ["absent", "null", "empty"] {
            assert_eq!(fields.optional_text(name), Ok(None), "{name}");
            assert_eq!(fields.text(name), Err(fields.missing(name)), "{name}");
        }
        assert_eq!(fields.text("full"), Ok("x"));
    }

    #[test]
    fn a_fault_names_the_whole_way_to_the_field() {
        let top = object(r#"{"payload": {"meeting": {"pin": 123}}}"#);
        let meeting = Fields::at_top(&top)
            .object("payload")
            .unwrap()
            .object("meeting")
            .unwrap();
        assert_eq!(
            meeting.optional_text("pin").unwrap_err().to_string(),
            "payload.meeting.pin must be a string and is a number"
        );
        assert_eq!(
            meeting.text("id").unwrap_err().to_string(),
            "payload.meeting.id is missing"
        );
    }

    #[test]
    fn each_json_type_in_the_wrong_place_is_named() {
        for (value, name) in [
            ("true", "a boolean"),
            ("1", "a number"),
            ("[]", "an array"),
            ("{}", "an object"),
        ] {
            let top = object(&format!(r#"{{"field": {value}}}"#));
            let fault = Fields::at_top(&top).text("field").unwrap_err();
            assert_eq!(fault.to_string(), format!("field must be a string and is {name}"));
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let top = object(r#"{"minus": -1, "half": 0.5, "huge": 4294967296, "two": 2}"#);
        let fields = Fields::at_top(&top);
        for name in ["minus", "half", "huge"] {
            assert!(
                matches!(fields.optional_number(name), Err(FieldFault::Unknown { .. })),
                "{name}"
            );
        }
        assert_eq!(fields.optional_number("two"), Ok(Some(2)));
    }

    #[test]
    fn whole_numbers_are_read_however_large_and_fractions_are_not() {
        let top = object(
            r#"{"five": 5, "minus": -7, "point": 50.0, "huge": 1e300, "tiny": -1e300,
                "long": 18446744073709551615, "half": 0.5, "text": "5", "null": null}"#,
        );
        let fields = Fields::at_top(&top);
        for (name, number) in [
            ("five", 5),
            ("minus", -7),
            ("point", 50),
            ("huge", i64::MAX),
            ("tiny", i64::MIN),
            ("long", i64::MAX),
        ] {
            assert_eq!(fields.whole_number(name), Ok(number), "{name}");
        }
        for name in ["half", "text"] {
            let fault = fields.whole_number(name);
            assert!(
                matches!(fault, Err(FieldFault::Mistyped { .. })),
                "{name}: {fault:?}"
            );
        }
        assert_eq!(fields.whole_number("null"), Err(fields.missing("null")));
    }

    #[test]
    fn shown_text_is_short_and_stays_on_its_line() {
        assert_eq!(
            shown("a\r\nb\u{1b}[31m\u{202e}"),
            "a\u{fffd}\u{fffd}b\u{fffd}[31m\u{fffd}"
        );
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), 65);
        assert_eq!(shown(&"x".repeat(64)), "x".repeat(64));
    }

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }
}
