//! How the command line is read.

use clap::CommandFactory;

use super::*;
use crate::config;

#[test]
fn the_command_line_is_sound() {
    CommandLine::command().debug_assert();
}

#[test]
fn options_stand_before_or_after_the_command() {
    for arguments in [
        &["meetd", "--config", "a.toml", "--socket", "s", "status"][..],
        &["meetd", "status", "--config", "a.toml", "--socket", "s"][..],
    ] {
        let Ok(CommandLine { options, .. }) = read(arguments) else {
            panic!("{arguments:?}");
        };
        assert_eq!(options.config, Some(PathBuf::from("a.toml")));
        assert_eq!(options.socket, Some(PathBuf::from("s")));
    }
}

#[test]
fn settings_before_and_after_the_command_are_both_taken_and_the_later_wins() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        config: Some(directory.path().join("meetd.toml")),
        socket: None,
    };
    let Ok(CommandLine {
        overrides: before,
        command: Command::Check(after),
        ..
    }) = read(&[
        "meetd",
        "--set",
        "calls.per_minute=1",
        "--set",
        "log.level=warn",
        "check",
        "--set",
        "log.level=debug",
    ])
    else {
        panic!("not read");
    };
    let lines = config_command::lines(&Configuration::read(&options, before, after).checked.effective);
    for line in ["calls.per_minute = 1  # flag", "log.level = \"debug\"  # flag"] {
        assert!(
            lines.iter().any(|shown| shown == line),
            "{line} is not in {lines:#?}"
        );
    }
}

#[test]
fn wrong_usage_exits_2_and_help_exits_0() {
    for (arguments, code) in [
        (&["meetd"][..], 2),
        (&["meetd", "dance"][..], 2),
        (&["meetd", "join", "--protocol", "SIP"][..], 2),
        (
            &[
                "meetd",
                "join",
                "--endpoint",
                "a",
                "--protocol",
                "SIP",
                "--pin",
                "1",
            ][..],
            2,
        ),
        (&["meetd", "status", "--watch-this"][..], 2),
        (&["meetd", "--help"][..], 0),
        (&["meetd", "help", "join"][..], 0),
        (&["meetd", "--version"][..], 0),
    ] {
        assert_eq!(
            read(arguments).err().map(|error| error.exit_code()),
            Some(code),
            "{arguments:?}"
        );
    }
}

#[test]
fn exit_codes_are_those_of_the_manual() {
    let code = |exit: Exit| ExitCode::from(exit);
    for (exit, number) in [
        (Exit::Done, 0),
        (Exit::Failed, 1),
        (Exit::NotRunning, 3),
        (Exit::WrongConfiguration, 78),
    ] {
        assert_eq!(code(exit), ExitCode::from(number));
    }
}

#[test]
fn the_effective_configuration_tells_where_each_value_comes_from() {
    let checked =
        checked("[calendar]\nsource = \"ics\"\nurl = \"https://calendar.example.com/hunter2.ics\"\n");
    let lines = config_command::lines(&checked.effective);
    for line in [
        "room.endpoint_id = \"0012345\"  # meetd.toml:2",
        "bridge.url = \"***\"  # env MEETD__BRIDGE__URL",
        "calls.per_minute = 7  # flag",
        "calls.never = [\"112\", \"911\", \"999\", \"110\"]  # default",
        "calendar.url = \"***\"  # meetd.toml:5",
        "providers.zoom.sip = \"{id}@zoom\"  # flag",
    ] {
        assert!(
            lines.iter().any(|shown| shown == line),
            "{line} is not in {lines:#?}"
        );
    }
    assert!(!lines.concat().contains("hunter2"));
    // Every key but the templates of providers, of which one is set.
    assert_eq!(lines.len(), config::keys::KEYS.len() - 3 + 1);
}

fn read(arguments: &[&str]) -> Result<CommandLine, clap::Error> {
    CommandLine::try_parse_from(arguments)
}

fn checked(more: &str) -> Checked {
    config::check(&config::Sources {
        files: vec![(
            PathBuf::from("meetd.toml"),
            format!("[room]\nendpoint_id = \"0012345\"\n{more}"),
        )],
        environment: vec![(
            "MEETD__BRIDGE__URL".to_owned(),
            "wss://bridge.example.com/?key=hunter2".to_owned(),
        )],
        flags: vec![
            "calls.per_minute=7".to_owned(),
            "providers.Zoom.sip={id}@zoom".to_owned(),
        ],
        ..config::Sources::default()
    })
}
