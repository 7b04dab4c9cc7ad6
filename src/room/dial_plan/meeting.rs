//! The id and the PIN of a join, cleaned and checked.

use crate::alexa::messages::directive::JoinMeeting;
use crate::alexa::messages::outcome::{ErrorType, Refusal};
use crate::secret::Secret;

use super::Mask;

/// The longest id, in characters.
const LONGEST_ID: usize = 64;
/// The longest PIN, in characters.
const LONGEST_PIN: usize = 32;

/// Which meeting, as the templates see it. Not printable.
pub struct Meeting {
    /// Letters, digits and `._+*#$-`.
    pub id: Option<String>,
    pin: Option<Secret>,
}

impl Meeting {
    /// Cleans and checks them. The error shows neither: one may be the other.
    pub fn read(join: &JoinMeeting) -> Result<Self, Refusal> {
        Ok(Self {
            id: join.id.as_deref().map(read_id).transpose()?,
            pin: join.pin.as_ref().map(|pin| read_pin(pin.expose())).transpose()?,
        })
    }

    /// The PIN in the clear.
    pub fn pin(&self) -> Option<&str> {
        self.pin.as_ref().map(Secret::expose)
    }

    /// Hides the PIN as it came and as it is sent.
    pub fn mask(&self, join: &JoinMeeting) -> Mask {
        Mask::of(join.pin.iter().map(Secret::expose).chain(self.pin()))
    }
}

fn read_id(text: &str) -> Result<String, Refusal> {
    let bare = without_spaces(text);
    let digits: String = bare.chars().filter(|&character| character != '-').collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let id = if is_number { digits } else { bare };
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._+*#$-".contains(character);
    if id.is_empty() || id.len() > LONGEST_ID || !id.chars().all(is_plain) {
        return Err(Refusal::new(
            ErrorType::InvalidValue,
            format!("the meeting id is not of 1 to {LONGEST_ID} letters, digits and . _ + * # $ -"),
        ));
    }
    Ok(id)
}

fn read_pin(text: &str) -> Result<Secret, Refusal> {
    let pin: String = without_spaces(text)
        .chars()
        .filter(|&character| character != '-')
        .collect();
    let is_digit = |character: char| matches!(character, '0'..='9' | 'A'..='D' | '*' | '#');
    if pin.is_empty() || pin.len() > LONGEST_PIN || !pin.chars().all(is_digit) {
        return Err(Refusal::new(
            ErrorType::InvalidValue,
            format!("the meeting's PIN is not of 1 to {LONGEST_PIN} digits, A to D, * and #"),
        ));
    }
    Ok(Secret::new(pin))
}

/// Spaces of every width, but no control characters: those are wrong wherever they stand.
fn without_spaces(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_whitespace() || character.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_cleaned_and_checked() {
        for (text, id) in [
            ("123 456 789", "123456789"),
            ("123-456-789", "123456789"),
            ("\u{a0}12\u{2009}3", "123"),
            ("team-12", "team-12"),
            ("---", "---"),
            ("a.b_c+d*e#f$g", "a.b_c+d*e#f$g"),
        ] {
            assert_eq!(read_id(text).as_deref(), Ok(id), "{text}");
        }
        for bad in [
            "",
            " ",
            "a@b",
            "a;b",
            "a\tb",
            "12\r\n3",
            "a%40",
            "ä",
            "１２３",
            &"1".repeat(65),
            "a/b",
            "a?b",
        ] {
            assert!(read_id(bad).is_err(), "{bad}");
        }
        assert!(read_id(&"1".repeat(64)).is_ok());
    }

    #[test]
    fn pins_are_cleaned_and_checked_and_never_shown() {
        assert_eq!(
            read_pin(" 00-12 #").map(|pin| pin.expose().to_owned()),
            Ok("0012#".to_owned())
        );
        for bad in ["", "-", "12a", "12d", "1\n2", "E", "12x34", &"1".repeat(33)] {
            let refusal = read_pin(bad).unwrap_err();
            assert!(
                bad.len() < 4 || !refusal.message.contains(bad),
                "{}",
                refusal.message
            );
        }
    }
}
