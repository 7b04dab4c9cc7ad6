//! `meetd run`: the daemon, in the foreground.

use std::process::ExitCode;

use super::{Configuration, Exit, terminal};
use crate::daemon;
use crate::edge::journal;

/// Runs the daemon until it is told to stop; a wrong configuration is told as `meetd check` does.
pub(super) fn run(configuration: &Configuration) -> ExitCode {
    let checked = &configuration.checked;
    if checked.config.is_none() && journal::is_the_services() {
        // There it has a MESSAGE_ID, by which `journalctl -x` explains what to do.
        return daemon::refuse(&checked.problems);
    }
    for problem in &checked.problems {
        terminal::complain(&problem.to_string());
    }
    match &checked.config {
        Some(config) => daemon::run(config.clone(), checked, configuration.files.clone()),
        None => Exit::WrongConfiguration.into(),
    }
}
