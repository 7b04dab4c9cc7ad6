//! The command line: a file for each subcommand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Checked;
use crate::edge::config_files::{self, ConfigFiles};
use crate::edge::secrets::SecretFiles;

mod check;
mod config_command;
mod control_socket;
mod doctor;
mod dtmf;
mod end;
mod hold;
mod join;
mod mute;
mod run;
mod status;
mod terminal;
mod volume;
mod watch;

/// Runs the command line and says how the process shall exit.
pub fn main() -> ExitCode {
    match CommandLine::try_parse() {
        Ok(command_line) => command_line.run(),
        Err(error) => {
            // Help and version are "errors" that go to standard output and exit 0; wrong usage exits 2.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Done.
    Done,
    /// Failed, or refused.
    Failed,
    /// The daemon is not running.
    NotRunning,
    /// The configuration is wrong or missing (`EX_CONFIG` of sysexits.h).
    WrongConfiguration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::NotRunning => 3,
            Exit::WrongConfiguration => 78,
        })
    }
}

/// The conferencing agent of a meeting room.
///
/// meetd takes Alexa meeting directives from a bridge, places the SIP call with the room's microphone and loudspeaker,
/// and tells the bridge what becomes of it.
#[derive(Debug, Parser)]
#[command(name = "meetd", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    overrides: Overrides,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
At the room:
  meetd status                      is the room connected, is a call up, what went wrong last
  meetd join --endpoint 192.0.2.7 --protocol SIP --id 1234567
  meetd end                         hang up
  meetd hold on                     the meeting hears nothing of the room until `meetd hold off`
  meetd mute on                     the same without the far end's knowing, until `meetd mute off`
  meetd dtmf 123456#                press digits, as on a telephone
  meetd volume 40                   how loud the meeting is in the room
  journalctl -x -u meetd            what happened, and what to do about it

Setting it up:
  meetd check                       every mistake in the configuration, with its line
  meetd doctor                      is everything there that a call needs
  meetd config                      what is in effect, and where each value comes from
  meetd --set log.level=debug run   the daemon on a terminal

Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 the daemon is not running,
78 wrong or missing configuration.";

/// What a command switches something to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Options that stand before or after the command.
#[derive(Args, Clone, Debug)]
struct Options {
    /// The main configuration file; conf.d/*.toml beside it is read too [default: /etc/meetd/meetd.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The control socket of the daemon [default: $RUNTIME_DIRECTORY/control.sock or /run/meetd/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Settings on the command line. No `global` option: clap would forget those before the command when there are some
/// after it.
#[derive(Args, Clone, Debug, Default)]
struct Overrides {
    /// Sets one key over all files and the environment; lists split at commas
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground, as its systemd unit does
    Run(Overrides),
    /// Check the configuration as `run` would read it
    ///
    /// Each problem is a line on standard error: FILE:LINE: section.key: what is wrong and what is allowed. Warnings
    /// begin with "warning: " and do not keep the daemon from running. Exits 78 when something has to be corrected.
    Check(Overrides),
    /// Show the effective configuration and where each value comes from
    ///
    /// One line a key: section.key = VALUE  # default, FILE:LINE, env NAME or flag. Later ones win in this order.
    /// Values that may be secrets are shown as "***".
    Config(Overrides),
    /// Try what a call needs, and say what to do about the rest
    ///
    /// One line each for configuration, clock, dns, bridge, sip, audio and calendar: ok, warn or fail, and what was seen.
    /// Each fail comes with its remedy. A running daemon is asked about bridge and registrar; without one the bridge is
    /// connected to once. Exits 1 on a fail.
    Doctor(Overrides),
    /// Show what the running daemon does: bridge, call, last call, last error
    ///
    /// With --watch the status is followed until Ctrl-C; with --json it is one object, with both one object a line
    /// whenever something but the figures of a call changes. Exits 3 when the daemon is not running.
    Status(status::Arguments),
    /// Join a meeting, as the JoinMeeting directive does
    Join(join::Arguments),
    /// End the meeting; succeeds also when there is none
    End,
    /// Put the call on hold (the meeting hears nothing of the room), or take it off
    Hold(hold::Arguments),
    /// Mute the microphone towards the meeting until `mute off` or the end of the call
    Mute(mute::Arguments),
    /// Press digits during a meeting, as the SendDTMF message does
    Dtmf(dtmf::Arguments),
    /// Set the loudspeaker's volume; it is kept over restarts
    Volume(volume::Arguments),
}

impl CommandLine {
    fn run(self) -> ExitCode {
        let options = self.options;
        let before = self.overrides;
        match self.command {
            Command::Run(after) => run::run(&Configuration::read(&options, before, after)),
            Command::Check(after) => check::run(&Configuration::read(&options, before, after)).into(),
            Command::Config(after) => {
                config_command::run(&Configuration::read(&options, before, after)).into()
            }
            Command::Doctor(after) => {
                doctor::run(&options, &Configuration::read(&options, before, after)).into()
            }
            Command::Status(arguments) => status::run(&options, &arguments).into(),
            Command::Join(arguments) => join::run(&options, arguments).into(),
            Command::End => end::run(&options).into(),
            Command::Hold(arguments) => hold::run(&options, arguments).into(),
            Command::Mute(arguments) => mute::run(&options, arguments).into(),
            Command::Dtmf(arguments) => dtmf::run(&options, arguments).into(),
            Command::Volume(arguments) => volume::run(&options, &arguments).into(),
        }
    }
}

/// The configuration as it was found, with what is to be said about it.
struct Configuration {
    files: ConfigFiles,
    checked: Checked,
    secrets: SecretFiles,
}

impl Configuration {
    /// Reads and checks everything, the files that it names included.
    fn read(options: &Options, before: Overrides, after: Overrides) -> Self {
        let main_file = options
            .config
            .clone()
            .unwrap_or_else(|| PathBuf::from(config_files::MAIN_FILE));
        let flags = before.set.into_iter().chain(after.set).collect();
        let files = ConfigFiles { main_file, flags };
        Self {
            checked: files.check(),
            secrets: files.secrets(),
            files,
        }
    }
}

#[cfg(test)]
mod packaged;
#[cfg(test)]
mod tests;
