//! The digits that follow the answer: what the provider's template says, then what no template used.

use std::time::Duration;

use super::template::{Name, Piece, Template, Values};
use crate::call::{DigitScript, DigitStep};

/// Between id and PIN: until the far end has taken the id and asks for the PIN.
const BETWEEN_ID_AND_PIN: Duration = Duration::from_secs(3);

/// The script, or `None` when there is nothing to send; the error is a whole sentence without PIN.
pub fn script(
    template: Option<&Template>,
    values: Values<'_>,
    mut id_is_used: bool,
    mut pin_is_used: bool,
    delay: Duration,
) -> Result<Option<DigitScript>, String> {
    let mut steps = Vec::new();
    if let Some(filled) = template.and_then(|template| template.fill(values)) {
        // Whether the id has been sent and no pause of the template's own after it.
        let mut follows_id = false;
        for piece in &filled.0 {
            match piece {
                Piece::Text(text) => {
                    let text = read_text(text)?;
                    follows_id &= !text.iter().any(|step| matches!(step, DigitStep::Pause(_)));
                    steps.extend(text);
                }
                Piece::Value(name, value) => {
                    if *name == Name::Pin && follows_id {
                        steps.push(DigitStep::Pause(BETWEEN_ID_AND_PIN));
                    }
                    follows_id = *name == Name::Id;
                    steps.extend(read_value(*name, value)?);
                }
            }
        }
        id_is_used |= filled.uses(Name::Id);
        pin_is_used |= filled.uses(Name::Pin);
    }
    for (name, value, is_used) in [
        (Name::Id, values.id, id_is_used),
        (Name::Pin, values.pin, pin_is_used),
    ] {
        let Some(value) = value.filter(|_| !is_used) else {
            continue;
        };
        if !steps.is_empty() {
            steps.push(DigitStep::Pause(BETWEEN_ID_AND_PIN));
        }
        steps.extend(read_value(name, value)?);
        steps.push(DigitStep::Digit('#'));
    }
    if !steps.iter().any(|step| matches!(step, DigitStep::Digit(_))) {
        return Ok(None);
    }
    steps.insert(0, DigitStep::Pause(delay));
    Ok(Some(DigitScript(steps)))
}

fn read_text(text: &str) -> Result<Vec<DigitStep>, String> {
    DigitScript::read(text)
        .map(|script| script.0)
        .ok_or_else(|| format!("the dtmf template has \"{text}\": only 0-9, A-D, *, #, w and , can be sent"))
}

/// Only digits: a `w` in an id is a letter, no pause.
fn read_value(name: Name, value: &str) -> Result<Vec<DigitStep>, String> {
    value
        .chars()
        .map(|character| match character {
            digit @ ('0'..='9' | 'A'..='D' | '*' | '#') => Some(DigitStep::Digit(digit)),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| match name {
            Name::Id => "the meeting id has letters, and this endpoint can only be sent digits".to_owned(),
            Name::Pin => "the meeting's PIN cannot be sent as digits".to_owned(),
            Name::Endpoint => "the dtmf template names {endpoint}, which cannot be sent as digits".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::dial_plan::tests::in_words;

    #[test]
    fn a_template_with_id_and_pin_waits_between_them_unless_it_pauses_itself() {
        let spoken = |template: &str| {
            let template: Template = template.parse().unwrap();
            let values = Values {
                id: Some("12"),
                pin: Some("34"),
                endpoint: "host",
            };
            let script = script(Some(&template), values, false, false, Duration::from_secs(2))
                .unwrap()
                .unwrap();
            in_words(&script)
        };
        assert_eq!(spoken("{id}#{pin}#"), "2s 12# 3s 34#");
        assert_eq!(spoken("{id}#,{pin}#"), "2s 12# 2s 34#");
        assert_eq!(spoken("w1{id}"), "2s 0.5s 112 3s 34#");
        assert_eq!(spoken("{pin}*"), "2s 34* 3s 12#");
        assert_eq!(spoken("1{pin}#{id}#"), "2s 134#12#");
    }
}
