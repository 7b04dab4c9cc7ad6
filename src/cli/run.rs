//! `meetd run`: the daemon, in the foreground.

use std::process::ExitCode;

use super::{Configuration, Exit, terminal};
use crate::config::Config;
use crate::edge::secrets::SecretFiles;

/// Runs the daemon until it is told to stop; a wrong configuration is told as `meetd check` does.
pub(super) fn run(configuration: &Configuration) -> ExitCode {
    let checked = &configuration.checked;
    for problem in &checked.problems {
        terminal::complain(&problem.to_string());
    }
    match &checked.config {
        Some(config) => start_daemon(config.clone(), configuration.secrets.clone()),
        None => Exit::WrongConfiguration.into(),
    }
}

/// Hands over to the daemon's loop.
fn start_daemon(_config: Config, _secrets: SecretFiles) -> ExitCode {
    terminal::complain("the daemon's loop is not part of this build");
    Exit::Failed.into()
}
