//! What the package brings is what the program is: manual pages, completions, the message catalog, the unit.
//! `MEETD_WRITE=1 cargo test --lib packaged` writes anew what is made from the program.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::CommandLine;
use crate::config::manual;
use crate::edge::journal::MESSAGE_IDS;

#[test]
fn the_manual_page_of_the_configuration_is_made_from_the_table() {
    compare("packaging/meetd.toml.5", &manual::page());
}

#[test]
fn the_completions_know_every_command() {
    for (shell, file) in [
        (Shell::Bash, "meetd.bash"),
        (Shell::Zsh, "_meetd"),
        (Shell::Fish, "meetd.fish"),
    ] {
        let mut script = Vec::new();
        generate(shell, &mut CommandLine::command(), "meetd", &mut script);
        let script = String::from_utf8(script).unwrap();
        compare(&format!("packaging/completions/{file}"), &script);
    }
}

#[test]
fn the_manual_page_names_every_command_and_option() {
    let page = read("packaging/meetd.8").replace('\\', "");
    let mut command_line = CommandLine::command();
    command_line.build();
    for command in command_line.get_subcommands() {
        assert!(page.contains(command.get_name()), "{}", command.get_name());
        for option in command
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .filter(|option| !["help", "version"].contains(option))
        {
            assert!(
                page.contains(&format!("--{option}")),
                "{} --{option}",
                command.get_name()
            );
        }
    }
}

#[test]
fn the_catalog_explains_every_message_in_english_and_german() {
    let catalog = read("packaging/meetd.catalog");
    let entries: Vec<_> = catalog.split("\n-- ").skip(1).collect();
    for (event, id) in MESSAGE_IDS {
        for header in [format!("{id}\n"), format!("{id} de\n")] {
            let found: Vec<_> = entries
                .iter()
                .filter(|entry| entry.starts_with(&header))
                .collect();
            let [entry] = found.as_slice() else {
                panic!("{event}: {} entries begin with {header:?}", found.len());
            };
            let (head, body) = entry.split_once("\n\n").unwrap();
            assert!(head.contains("\nSubject: "), "{event}: {entry}");
            assert!(!body.trim().is_empty(), "{event} says nothing");
        }
    }
    assert_eq!(entries.len(), 2 * MESSAGE_IDS.len(), "an entry that nobody needs");
}

#[test]
fn the_unit_names_the_credentials_that_the_defaults_name() {
    let unit = read("systemd/meetd.service");
    for name in ["bridge-token", "sip-password"] {
        assert!(unit.contains(&format!("\nLoadCredential={name}:/etc/meetd/{name}\n")));
        // Without anything after the colon Debian 12 calls it a syntax error.
        assert!(unit.contains(&format!("\nSetCredential={name}:\\n\n")));
    }
}

#[track_caller]
fn compare(name: &str, made: &str) {
    if std::env::var_os("MEETD_WRITE").is_some() {
        fs::write(place(name), made).unwrap();
    }
    assert!(
        read(name) == made,
        "{name} is out of date: MEETD_WRITE=1 cargo test --lib packaged"
    );
}

fn read(name: &str) -> String {
    fs::read_to_string(place(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}
