//! `meetd check`: every problem of the configuration, a line each.

use super::{Configuration, Exit, terminal};

/// Prints the problems on standard error; 78 when one of them keeps the daemon from running.
pub(super) fn run(configuration: &Configuration) -> Exit {
    let checked = &configuration.checked;
    for problem in &checked.problems {
        terminal::complain(&problem.to_string());
    }
    if checked.config.is_none() {
        return Exit::WrongConfiguration;
    }
    let main_file = configuration.files.main_file.display();
    match checked.problems.len() {
        0 => terminal::say(&format!("{main_file}: no problem found")),
        warnings => terminal::say(&format!("{main_file}: usable, warnings: {warnings}")),
    }
    Exit::Done
}
