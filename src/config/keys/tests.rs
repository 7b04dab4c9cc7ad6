//! The table against itself and against the shipped file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::config::key_names::{SECTIONS, is_section};
use crate::config::{self, Problem, Sources};

const SHIPPED: &str = include_str!("../../../config/meetd.toml");

#[test]
fn every_default_passes_its_own_check() {
    for key in KEYS {
        if let Some(value) = key.default_value() {
            assert_eq!(key.check(&value), Ok(()), "{}", key.name);
        }
    }
}

#[test]
fn names_are_unique_and_in_a_known_section() {
    let names: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(names.len(), KEYS.len());
    for key in KEYS {
        let outermost = key.name.split('.').next().unwrap_or_default();
        assert!(SECTIONS.contains(&outermost), "{}", key.name);
        assert!(is_section(key.section()), "{}", key.name);
        assert!(key.sentence.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn the_shipped_file_lacks_nothing_but_the_required_keys() {
    let lines = errors_of(SHIPPED);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("bridge.url: this key is missing")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("room.endpoint_id: this key is missing")),
        "{lines:?}"
    );
}

#[test]
fn the_shipped_file_documents_every_key_with_its_default() {
    let text = uncommented(SHIPPED);
    assert_eq!(errors_of(&text), Vec::<String>::new());
    let checked = config::check(&sources(&text));
    for key in KEYS {
        let name = key.name.replace("NAME", "example");
        let line = checked.effective.origin(&name).to_string();
        assert!(
            line.starts_with("meetd.toml:"),
            "{name} is not in config/meetd.toml"
        );
        if let Some(default) = key.default_value() {
            assert_eq!(checked.effective.value(&name), Some(&default), "{name}");
        }
    }
}

#[test]
fn the_examples_for_conf_d_can_be_used_as_they_are() {
    let main = "[room]\nendpoint_id = \"a\"\n[bridge]\nurl = \"wss://bridge.example.com\"\n";
    for example in [
        include_str!("../../../config/conf.d/10-zoom-and-lab.toml.example"),
        include_str!("../../../config/conf.d/20-own-provider.toml.example"),
    ] {
        let mut sources = sources(main);
        sources
            .files
            .push((PathBuf::from("conf.d/example.toml"), example.to_owned()));
        let config = config::check(&sources).config;
        assert!(config.is_some_and(|config| config.room.allow.len() == 2));
    }
}

/// The text with the `#` taken from the lines that show a default.
fn uncommented(text: &str) -> String {
    let is_setting = |rest: &str| rest.starts_with(|first: char| first.is_ascii_lowercase() || first == '[');
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if is_setting(rest) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn sources(text: &str) -> Sources {
    Sources {
        files: vec![(PathBuf::from("meetd.toml"), text.to_owned())],
        ..Sources::default()
    }
}

fn errors_of(text: &str) -> Vec<String> {
    let problems = config::check(&sources(text)).problems;
    problems
        .iter()
        .filter(|problem| problem.is_error())
        .map(Problem::to_string)
        .collect()
}
