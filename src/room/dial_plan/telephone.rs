//! Telephone numbers: `tel:` URIs (RFC 3966), and what a gateway would take for a number.

/// A global number, `+` and digits only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telephone(String);

impl Telephone {
    /// Reads what follows `tel:`. The error is the rest of a sentence that names what was read.
    pub fn read(text: &str) -> Result<Self, String> {
        let digits = without_separators(text);
        match digits.strip_prefix('+') {
            // ITU-T E.164 has 15 digits at most; private plans go a little beyond.
            Some(number)
                if (1..=20).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Ok(Self(digits))
            }
            Some(_) | None => Err("is no number as in tel:+49301234567".to_owned()),
        }
    }

    /// `+` and the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What follows `tel:`, when the text is such a URI.
pub fn number_of(endpoint: &str) -> Option<&str> {
    let (scheme, number) = endpoint.split_at_checked(4)?;
    scheme.eq_ignore_ascii_case("tel:").then_some(number)
}

/// The text without visual separators (RFC 3966 5.1.1) and spaces.
pub fn without_separators(text: &str) -> String {
    text.chars()
        .filter(|character| !matches!(character, '-' | '.' | '(' | ')' | ' '))
        .collect()
}

/// The form in which numbers are compared: without separators, without the `+` before and the `#` after that
/// gateways ignore, in lower case.
pub fn canonical(called: &str) -> String {
    let bare = without_separators(called).to_lowercase();
    bare.trim_start_matches('+').trim_end_matches('#').to_owned()
}

/// Whether a telephone system would take it for a number to dial: no letters, and 3 or more digits.
pub fn is_number(called: &str) -> bool {
    let digits = called.bytes().filter(u8::is_ascii_digit).count();
    digits >= 3 && !called.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_separators_only() {
        assert_eq!(
            Telephone::read("+49 (30) 123-4567").unwrap().as_str(),
            "+49301234567"
        );
        for bad in [
            "",
            "+",
            "112",
            "++49",
            "+49a",
            "+49;ext=1",
            "+49;phone-context=x",
            "+123456789012345678901",
            "+４９",
        ] {
            assert!(Telephone::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_room_name_with_digits_is_no_number() {
        assert!(is_number("0049") && is_number("*72-00") && is_number("+1.2.3"));
        assert!(!is_number("room-15-104") && !is_number("12") && !is_number("alice"));
    }
}
