//! Frames that are broken, or hold what cannot be held.

use super::*;

#[test]
fn what_cannot_be_answered_is_told_apart() {
    for text in [
        "",
        " ",
        "hello",
        "{",
        "{\"directive\": {}",
        "\u{feff}{}",
        "{'a': 1}",
        "NaN",
        "{\"a\":1}x",
    ] {
        let incoming = read(text);
        let no_json = matches!(incoming, Incoming::Unanswerable(Unanswerable::NoJson(_)));
        assert!(no_json, "{text:?}: {incoming:?}");
    }
    for text in [
        "null",
        "true",
        "1",
        "\"directive\"",
        "[]",
        "[{\"directive\": {}}]",
    ] {
        assert_eq!(
            read(text),
            Incoming::Unanswerable(Unanswerable::NoObject),
            "{text}"
        );
    }
    for text in [
        "{}",
        r#"{"directive": null}"#,
        r#"{"directive": 1}"#,
        r#"{"directive": []}"#,
        r#"{"directive": "{}"}"#,
        r#"{"header": null}"#,
        r#"{"header": []}"#,
        r#"{"event": {}}"#,
    ] {
        let neither = Incoming::Unanswerable(Unanswerable::NeitherDirectiveNorHeader);
        assert_eq!(read(text), neither, "{text}");
    }
}

#[test]
fn json_that_cannot_be_held_is_still_answered_when_it_is_a_directive() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deeper = format!("{}{}", "{\"a\":".repeat(100_000), "1") + &"}".repeat(100_000);
    for value in [
        "1e999",
        "-1E+400",
        r#""\ud800""#,
        r#"{"\udc00": 1}"#,
        &deep,
        &deeper,
    ] {
        let text = format!(
            r#"{{"directive": {{"header": {{"messageId": "m", "correlationToken": "t"}}, "x": {value}}}}}"#
        );
        let invalid = invalid(&text);
        assert_eq!(invalid.correlation_token.as_deref(), Some("t"));
        assert_eq!(invalid.message_id.as_deref(), Some("m"));
        let sentence = invalid.fault.to_string();
        assert!(
            sentence.starts_with("the directive cannot be read: "),
            "{sentence}"
        );
        let text = format!(r#"{{"header": {{"id": "i"}}, "payload": {value}}}"#);
        assert!(
            matches!(read(&text), Incoming::Unanswerable(Unanswerable::NoJson(_))),
            "{value:.20}"
        );
    }
    let token_lost = invalid(r#"{"directive": {"header": {"correlationToken": "\ud800"}}}"#);
    assert_eq!(token_lost.correlation_token, None);
}

#[test]
fn numbers_of_any_size_in_unknown_fields_do_no_harm() {
    for number in ["1e308", "123456789012345678901234567890", "-0.0", "1E-999"] {
        let text = END.replacen("\"payload\": {}", &format!("\"payload\": {{\"n\": {number}}}"), 1);
        assert_ne!(text, END);
        assert_eq!(directive(&text).directive, Directive::EndMeeting);
    }
}

#[test]
fn of_equal_keys_the_last_counts() {
    let twice = END.replacen(
        "\"name\": \"EndMeeting\"",
        "\"name\": \"JoinMeeting\", \"name\": \"EndMeeting\"",
        1,
    );
    assert_ne!(twice, END);
    assert_eq!(directive(&twice), directive(END));
    let gone = END.replacen("{\n", "{\n\"directive\": {},", 1);
    assert_eq!(directive(&gone), directive(END));
}

#[test]
fn a_frame_with_directive_and_header_is_a_directive() {
    let mut both: Value = serde_json::from_str(END).unwrap();
    both["header"] = json!({"id": "x"});
    assert_eq!(directive(&both.to_string()).directive, Directive::EndMeeting);
    both["directive"] = json!(5);
    assert!(matches!(read(&both.to_string()), Incoming::Unusable(_)));
}

#[test]
fn broken_frames_of_any_kind_are_read_without_panic() {
    let mut chance = Chance::from_seed([3; 32]);
    let scraps = [
        "null",
        "{}",
        "[]",
        "1e999",
        "\"",
        "\\u",
        "\\ud8",
        "{\"directive\":",
        ",",
        "\u{0}",
        "€",
        "-",
    ];
    for _ in 0..20_000 {
        let mut text = [JOIN, END, STOP][chance.below(3) as usize].to_owned();
        for _ in 0..=chance.below(3) {
            let from = boundary(&text, chance.below(text.len() as u64 + 1) as usize);
            let to = boundary(&text, (from + chance.below(40) as usize).min(text.len())).max(from);
            let scrap = scraps[chance.below(scraps.len() as u64) as usize];
            text.replace_range(from..to, scrap);
        }
        let _ = read(&text);
    }
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap()
}
