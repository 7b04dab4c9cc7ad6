//! Whole configurations, good and bad: `tests/data/config/{good,bad}/NAME.toml` with the lines of `meetd check` in
//! `NAME.expected`. Comments `# env NAME=VALUE` and `# flag section.key=VALUE` add the other layers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::call::Protocol;
use crate::config::value::Value;
use crate::media::{CodecName, InputDevice, Processing};
use crate::network::Transport;

#[test]
fn good_configurations_are_usable_and_remarked_as_expected() {
    for example in examples("good") {
        let checked = check(&example.sources);
        assert_eq!(
            lines(&checked),
            in_this_build(&example.expected),
            "{}",
            example.name
        );
        assert!(checked.config.is_some(), "{}", example.name);
    }
}

/// Without the remarks about what this build has after all.
fn in_this_build(expected: &str) -> String {
    let has_opus = CodecName::BUILT_IN.iter().any(|codec| codec.name() == "opus");
    let has_processing = crate::media::processing::IS_BUILT_IN;
    let remarks = expected
        .lines()
        .filter(|line| !(has_opus && line.ends_with("skipped: opus")))
        .filter(|line| !(has_processing && line.contains(" media.processing: ")));
    remarks.map(|line| format!("{line}\n")).collect()
}

#[test]
fn bad_configurations_are_refused_with_every_problem_at_once() {
    for example in examples("bad") {
        let checked = check(&example.sources);
        assert_eq!(lines(&checked), example.expected, "{}", example.name);
        assert_eq!(checked.config, None, "{}", example.name);
    }
}

#[test]
fn no_problem_quotes_a_secret() {
    for example in examples("bad") {
        let said = lines(&check(&example.sources));
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn later_layers_win_and_keep_their_places() {
    let sources = Sources {
        files: vec![
            file(
                "meetd.toml",
                "[room]\nendpoint_id = \"a\"\n[bridge]\nurl = \"wss://a/\"\nping_interval = \"1s\"\n",
            ),
            file(
                "conf.d/10.toml",
                "[bridge]\n\nping_interval = \"2s\"\nping_timeout = \"2s\"\n",
            ),
            file("conf.d/20.toml", "bridge.ping_timeout = \"3s\"\n"),
        ],
        environment: vec![
            ("MEETD__BRIDGE__URL".to_owned(), "wss://env/".to_owned()),
            ("MEETD__BRIDGE__WRITE_TIMEOUT".to_owned(), "4s".to_owned()),
        ],
        flags: vec![
            "bridge.write_timeout=5s".to_owned(),
            "bridge.write_timeout=6s".to_owned(),
        ],
        ..Sources::default()
    };
    let checked = check(&sources);
    let shown = |key: &str| {
        let value = checked
            .effective
            .value(key)
            .map(Value::to_string)
            .unwrap_or_default();
        format!("{value} {}", checked.effective.origin(key))
    };
    assert_eq!(shown("room.endpoint_id"), "\"a\" meetd.toml:2");
    assert_eq!(shown("bridge.ping_interval"), "\"2s\" conf.d/10.toml:3");
    assert_eq!(shown("bridge.ping_timeout"), "\"3s\" conf.d/20.toml:1");
    assert_eq!(shown("bridge.url"), "\"wss://env/\" env MEETD__BRIDGE__URL");
    assert_eq!(shown("bridge.write_timeout"), "\"6s\" flag");
    assert_eq!(shown("bridge.connect_timeout"), "\"10s\" default");
    assert_eq!(
        checked.config.map(|config| config.bridge.write_timeout),
        Some(Duration::from_secs(6))
    );
}

#[test]
fn a_list_is_replaced_as_a_whole() {
    let mut sources = smallest();
    sources.files[0]
        .1
        .push_str("[calls]\nnever = [\"1\", \"2\", \"3\"]\n");
    sources.flags.push("calls.never=4".to_owned());
    let never = check(&sources).config.map(|config| config.room.never);
    assert_eq!(never, Some(vec!["4".to_owned()]));
}

#[test]
fn number_like_text_never_changes_its_type() {
    for (environment, flags) in [
        (
            vec![("MEETD__ROOM__ENDPOINT_ID".to_owned(), "0012345".to_owned())],
            vec![],
        ),
        (vec![], vec!["room.endpoint_id=0012345".to_owned()]),
    ] {
        let sources = Sources {
            environment,
            flags,
            ..smallest()
        };
        let endpoint_id = check(&sources).config.map(|config| config.room.endpoint_id);
        assert_eq!(endpoint_id.as_deref(), Some("0012345"));
    }
}

#[test]
fn a_wrong_value_is_told_even_when_a_later_layer_replaces_it() {
    let mut sources = smallest();
    sources.files[0].1.push_str("ping_interval = \"soon\"\n");
    sources.flags.push("bridge.ping_interval=5s".to_owned());
    let checked = check(&sources);
    assert!(
        lines(&checked).contains("meetd.toml:5: bridge.ping_interval: \"soon\""),
        "{}",
        lines(&checked)
    );
    assert_eq!(checked.config, None);
}

#[test]
fn values_arrive_in_the_settings_of_their_modules() {
    let mut sources = smallest();
    sources.files.push(file(
        "conf.d/all.toml",
        r#"
            [bridge]
            token_file = ""
            reconnect_min = "250ms"
            [calls]
            per_minute = 0
            max_duration = "0"
            when_busy = "replace"
            [sip]
            identity = "sip:room@Example.com"
            registrar = "registrar.example.com:5070"
            outbound_proxy = "sip:[2001:db8::1];transport=tcp"
            transport = "tcp"
            resolver = "127.0.0.1:5300"
            public_address = "192.0.2.9"
            inbound = "486"
            [media]
            input = "tone:440"
            codecs = ["pcma", "g722", "pcmu", "pcma"]
            rtp_ports = "4000-4999"
            rtp_timeout = "0"
            processing = "noise"
            [providers.Zoom]
            dtmf = "{pin}#"
            [log]
            level = "trace"
        "#,
    ));
    let checked = check(&sources);
    let Some(config) = checked.config.clone() else {
        panic!("{}", lines(&checked));
    };
    assert_eq!(config.bridge.token_file, None);
    assert_eq!(config.bridge.proxy, None);
    assert_eq!(config.bridge.reconnect_min, Duration::from_millis(250));
    assert_eq!(config.room.per_minute, None);
    assert_eq!(config.room.max_duration, None);
    assert_eq!(config.room.rtp_timeout, None);
    assert_eq!(config.room.when_busy, crate::room::WhenBusy::Replace);
    assert_eq!(
        config.room.own_hosts,
        ["2001:db8::1", "example.com", "registrar.example.com"]
    );
    assert_eq!(
        config.room.telephone_gateway.as_deref(),
        Some("sip:[2001:db8::1];transport=tcp")
    );
    assert_eq!(
        config.room.dialers.get(&Protocol::Sips).map(String::as_str),
        Some("sip")
    );
    assert_eq!(config.room.dialers.get(&Protocol::H323), None);
    assert_eq!(config.room.providers["zoom"].dtmf.as_deref(), Some("{pin}#"));
    assert_eq!(config.dialer.sip.transport, Some(Transport::Tcp));
    assert_eq!(config.dialer.sip.inbound, 486);
    assert_eq!(config.dialer.sip.listen.len(), 2);
    assert_eq!(
        config
            .dialer
            .sip
            .public_address
            .map(|address| address.to_string())
            .as_deref(),
        Some("192.0.2.9")
    );
    assert_eq!(
        config.dialer.sip.codecs,
        [CodecName::Pcma, CodecName::G722, CodecName::Pcmu]
    );
    assert_eq!(
        config.media.codecs,
        [CodecName::Pcma, CodecName::G722, CodecName::Pcmu]
    );
    assert_eq!(config.media.input, InputDevice::Tone(440));
    assert_eq!(config.media.processing, Processing::Noise);
    assert_eq!(config.media.rtp_ports, 4000..=4999);
    assert_eq!(
        config.sip_network.resolver.map(|resolver| resolver.port()),
        Some(5300)
    );
    assert_eq!(config.log_level, tracing::Level::TRACE);
}

#[test]
fn defaults_are_those_of_the_contract() {
    let Some(config) = check(&smallest()).config else {
        panic!("the smallest configuration is refused");
    };
    assert_eq!(config.bridge.token_file.as_deref(), Some("bridge-token"));
    assert_eq!(config.bridge.reconnect_max, Duration::from_secs(120));
    assert_eq!(config.room.response_deadline, Duration::from_millis(6500));
    assert_eq!(config.room.per_minute, Some(6));
    assert_eq!(config.room.max_duration, Some(Duration::from_secs(12 * 3600)));
    assert_eq!(config.room.never, ["112", "911", "999", "110"]);
    assert_eq!(config.room.own_hosts, Vec::<String>::new());
    assert_eq!(config.media.rtp_ports, 16384..=32767);
    assert_eq!(config.dialer.sip.session_expires, Duration::from_secs(1800));
    assert_eq!(config.log_level, tracing::Level::INFO);
}

#[test]
fn no_bytes_of_a_file_make_the_reading_panic() {
    let text = fs::read_to_string(directory("bad").join("wrong_values.toml")).unwrap();
    for length in (0..text.len()).step_by(7) {
        let mut sources = smallest();
        sources.files.push(file("cut.toml", &text[..length]));
        sources.files.push(file("rest.toml", &text[length..]));
        let checked = check(&sources);
        assert!(
            checked
                .problems
                .iter()
                .all(|problem| !problem.sentence.is_empty())
        );
    }
}

struct Example {
    name: String,
    sources: Sources,
    expected: String,
}

fn directory(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/config")
        .join(kind)
}

fn examples(kind: &str) -> Vec<Example> {
    let mut paths: Vec<_> = fs::read_dir(directory(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    assert!(paths.len() > 5, "{kind}: {paths:?}");
    paths.iter().map(|path| example(path)).collect()
}

fn example(path: &Path) -> Example {
    let text = fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let after = |word: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| line.strip_prefix(word))
            .map(str::to_owned)
            .collect()
    };
    let environment = after("# env ");
    let environment = environment.iter().filter_map(|line| line.split_once('='));
    Example {
        sources: Sources {
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            flags: after("# flag "),
            files: vec![(PathBuf::from(&name), text.clone())],
            ..Sources::default()
        },
        expected: fs::read_to_string(path.with_extension("expected"))
            .unwrap_or_else(|error| panic!("{name} has no .expected beside it: {error}"))
            .split_inclusive('\n')
            .filter(|line| !(cfg!(feature = "alsa") && line.contains("this build has no sound card")))
            .collect(),
        name,
    }
}

fn lines(checked: &Checked) -> String {
    checked
        .problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

fn file(name: &str, text: &str) -> (PathBuf, String) {
    (PathBuf::from(name), text.to_owned())
}

fn smallest() -> Sources {
    Sources {
        files: vec![file(
            "meetd.toml",
            "[room]\nendpoint_id = \"a\"\n[bridge]\nurl = \"wss://bridge.example.com/\"\n",
        )],
        ..Sources::default()
    }
}
