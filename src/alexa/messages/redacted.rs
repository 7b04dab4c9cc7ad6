//! A frame as a log may show it: its whole shape, and of its values only those that say what kind of message it is and
//! what became of it. Dial strings, ids, PINs, digits and tokens are `***`.

use serde_json::Value;

use super::field::shown;

/// Fields whose values are words of the protocol, or numbers of our own.
const SHOWN: &[&str] = &[
    "action",
    "assistantId",
    "callId",
    "code",
    "endpointId",
    "error",
    "interface",
    "messageId",
    "messageType",
    "mute",
    "muted",
    "name",
    "namespace",
    "payloadVersion",
    "protocol",
    "provider",
    "reason",
    "state",
    "status",
    "topic",
    "type",
    "version",
    "volume",
];
/// More is cut: a log is read by people.
const LONGEST: usize = 2_000;

/// The frame for a log.
pub fn redacted(text: &str) -> String {
    let Ok(mut frame) = serde_json::from_str::<Value>(text) else {
        return format!("{} bytes that are no JSON", text.len());
    };
    hide(&mut frame, false);
    let mut line = frame.to_string();
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

fn hide(value: &mut Value, is_shown: bool) {
    match value {
        Value::Object(fields) => {
            let hidden = std::mem::take(fields);
            fields.extend(hidden.into_iter().map(|(name, mut value)| {
                hide(&mut value, SHOWN.contains(&name.as_str()));
                (shown(&name), value)
            }));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| hide(value, is_shown)),
        Value::String(text) if is_shown => *text = shown(text),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) if is_shown => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => *value = Value::from("***"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_shows_what_it_is_and_nothing_of_the_meeting() {
        let line = redacted(include_str!("../../../tests/data/directives/join_meeting.json"));
        for part in ["JoinMeeting", "Alexa.MeetingClientController", "SIP"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let frame: Value = serde_json::from_str(&line).unwrap();
        let directive = &frame["directive"];
        for hidden in [
            &directive["header"]["correlationToken"],
            &directive["endpoint"]["scope"]["token"],
            &directive["payload"]["meeting"]["endpoint"],
            &directive["payload"]["meeting"]["id"],
            &directive["payload"]["meeting"]["pin"],
        ] {
            assert_eq!(hidden, "***", "{line}");
        }
    }

    #[test]
    fn a_secret_of_any_type_and_depth_is_hidden() {
        for frame in [
            r#"{"directive": {"payload": {"meeting": {"pin": 4711}}}}"#,
            r#"{"payload": {"signal": "4711"}}"#,
            r#"{"payload": {"payload": "{\"signal\": \"4711\"}"}}"#,
            r#"{"name": {"pin": ["4711", [4711]]}}"#,
            r#"["4711"]"#,
            r#""4711""#,
            r#"{"pin": "4711""#,
        ] {
            let line = redacted(frame);
            assert!(!line.contains("4711"), "{frame}: {line}");
        }
    }

    #[test]
    fn the_line_stays_one_and_short() {
        let long = "x".repeat(100_000);
        for frame in [
            format!(r#"{{"name": "{long}"}}"#),
            format!(r#"{{"{long}": 1}}"#),
            format!("[{}1]", "1,".repeat(50_000)),
            r#"{"name": "a\nb\u202e", "a\nb": 1}"#.to_owned(),
        ] {
            let line = redacted(&frame);
            assert!(
                line.chars().count() <= LONGEST + 1 && !line.contains('\n'),
                "{line}"
            );
        }
    }
}
