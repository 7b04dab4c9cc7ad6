//! Good and bad texts for each form.

use super::*;

#[test]
fn durations_are_read_to_the_nanosecond() {
    for (text, milliseconds) in [
        ("0", 0),
        ("0s", 0),
        ("500ms", 500),
        ("6.5s", 6_500),
        ("10m", 600_000),
        ("12h", 43_200_000),
        ("0.25m", 15_000),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
}

#[test]
fn what_is_no_duration_is_refused() {
    for text in [
        "",
        "5",
        "s",
        "-5s",
        "+5s",
        "5 s",
        "5d",
        "5S",
        "1h30m",
        ".5s",
        "5.s",
        "1e3s",
        "99999999999s",
        "999999999h",
        "٣s",
        "5sé",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn durations_are_spelt_as_they_are_read() {
    for text in ["12h", "90s", "10m", "6500ms", "20s"] {
        assert_eq!(duration(text).map(spell_duration), Ok(text.to_owned()));
    }
}

#[test]
fn port_ranges_hold_a_pair_of_ports() {
    assert_eq!(ports("16384-32767"), Ok(16384..=32767));
    assert_eq!(ports("4000-4001"), Ok(4000..=4001));
    assert_eq!(ports("65534-65535"), Ok(65534..=65535));
    for text in [
        "",
        "4000",
        "4001-4000",
        "4001-4002",
        "4000-4000",
        "80-90",
        "0-0",
        "a-b",
        "4000-70000",
        "4000-5000-6000",
    ] {
        assert!(ports(text).is_err(), "{text}");
    }
}

#[test]
fn devices_are_read_by_their_kind() {
    assert_eq!(
        input_device("alsa:plughw:1,0"),
        Ok(InputDevice::Alsa("plughw:1,0".to_owned()))
    );
    assert_eq!(input_device("tone:440"), Ok(InputDevice::Tone(440)));
    assert_eq!(input_device("silence"), Ok(InputDevice::Silence));
    assert_eq!(
        output_device("file:/tmp/a.wav"),
        Ok(OutputDevice::File("/tmp/a.wav".to_owned()))
    );
    assert_eq!(output_device("discard"), Ok(OutputDevice::Discard));
    for text in [
        "",
        "discard",
        "tone:",
        "tone:-1",
        "tone:9000",
        "file:a.mp3",
        "alsa:",
        "pulse:x",
        "silence:",
    ] {
        assert!(input_device(text).is_err(), "{text}");
    }
    for text in ["", "silence", "tone:440", "file:", "alsa:\n"] {
        assert!(output_device(text).is_err(), "{text}");
    }
}

#[test]
fn an_endpoint_id_has_only_the_characters_of_alexa() {
    assert_eq!(endpoint_id("room-15_104=#;:?@&"), Ok(()));
    assert_eq!(endpoint_id(&"a".repeat(256)), Ok(()));
    for text in ["", "room 15", "raum-ü", "a/b", "a.b", &"a".repeat(257)] {
        assert!(endpoint_id(text).is_err(), "{text}");
    }
}

#[test]
fn words_are_counted_in_characters() {
    assert_eq!(words(&"ü".repeat(128)), Ok(()));
    for text in ["", "   ", "a\nb", "\u{1b}[0m", &"ü".repeat(129)] {
        assert!(words(text).is_err(), "{text}");
    }
}

#[test]
fn a_pin_is_the_hash_of_a_key() {
    assert_eq!(key_hash("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), Ok(()));
    for text in [
        "",
        "AAAA",
        "sha256/AAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert!(key_hash(text).is_err(), "{text}");
    }
}

#[test]
fn a_pasted_token_is_no_file_name() {
    assert_eq!(file_name("/etc/meetd/bridge-token"), Ok(()));
    assert!(file_name(&"x".repeat(256)).is_err());
    assert!(file_name("a\nb").is_err());
}

#[test]
fn templates_know_three_names_and_optional_parts() {
    for text in [
        "{id}[.{pin}]@zoomcrc.com",
        "{endpoint}",
        "[{id}#,][{pin}#]",
        "1234",
    ] {
        assert_eq!(template(text), Ok(()), "{text}");
    }
    for text in [
        "{",
        "{id",
        "}",
        "{ID}",
        "{password}",
        "[",
        "]",
        "[[{id}]]",
        "[{id}",
        "{i[d}",
        "a b",
        "{}",
    ] {
        assert!(template(text).is_err(), "{text}");
    }
}

#[test]
fn no_text_makes_a_form_panic() {
    let pieces = [
        "", "[", "]", "{", "}", ":", "-", ".", "é", "9", "s", "tone:", "=", "\u{0}",
    ];
    for one in pieces {
        for two in pieces {
            for three in pieces {
                let text = format!("{one}{two}{three}");
                let _ = (
                    duration(&text),
                    ports(&text),
                    input_device(&text),
                    output_device(&text),
                );
                let _ = (template(&text), key_hash(&text), words(&text), endpoint_id(&text));
            }
        }
    }
}
