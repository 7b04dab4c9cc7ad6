//! `meetd config`: the effective configuration, and where each value comes from.

use super::{Configuration, Exit, terminal};
use crate::config::{Effective, key_names};

/// Prints what is in effect, also when something is wrong with it, which is told on standard error.
pub(super) fn run(configuration: &Configuration) -> Exit {
    let checked = &configuration.checked;
    for line in lines(&checked.effective) {
        terminal::say(&line);
    }
    for problem in checked.problems.iter().filter(|problem| problem.is_error()) {
        terminal::complain(&problem.to_string());
    }
    match &checked.config {
        Some(_) => Exit::Done,
        None => Exit::WrongConfiguration,
    }
}

/// `section.key = VALUE  # default|FILE:LINE|env NAME|flag`.
pub(super) fn lines(effective: &Effective) -> Vec<String> {
    effective
        .rows()
        .into_iter()
        .filter_map(|(name, value, origin)| {
            let key = key_names::find(name)?;
            Some(format!("{name} = {}  # {origin}", key.show(value)))
        })
        .collect()
}
