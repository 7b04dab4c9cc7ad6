//! `meetd check`: every problem of the configuration, a line each.

use std::fs::File;
use std::path::Path;

use super::{Configuration, Exit, terminal};
use crate::config::keys::KEYS;
use crate::config::value::Value;
use crate::config::{Effective, Problem};
use crate::edge::secrets::SecretFiles;

/// Prints the problems on standard error; 78 when one of them keeps the daemon from running.
pub(super) fn run(configuration: &Configuration) -> Exit {
    let checked = &configuration.checked;
    for problem in &checked.problems {
        terminal::complain(&problem.to_string());
    }
    if checked.config.is_none() {
        return Exit::WrongConfiguration;
    }
    let main_file = configuration.main_file.display();
    match checked.problems.len() {
        0 => terminal::say(&format!("{main_file}: no problem found")),
        warnings => terminal::say(&format!("{main_file}: usable, warnings: {warnings}")),
    }
    Exit::Done
}

/// What is to be said about the files that the configuration names.
pub fn file_warnings(effective: &Effective, secrets: &SecretFiles) -> Vec<Problem> {
    let mut warnings = Vec::new();
    // A file that could not be read may name others.
    if !effective.is_complete {
        return warnings;
    }
    for key in KEYS.iter().filter(|key| key.names_a_file()) {
        let Some(Value::Text(name)) = effective
            .value(key.name)
            .filter(|value| **value != Value::Text(String::new()))
        else {
            continue;
        };
        let fault = if key.names_a_secret_file() {
            secrets.read(name).err().map(|fault| fault.to_string())
        } else {
            let path = secrets.find(name);
            File::open(&path)
                .err()
                .map(|error| format!("the file {} cannot be read: {error}", path.display()))
        };
        let mut sentences: Vec<String> = fault.iter().map(|fault| unreadable(name, fault)).collect();
        let may_be_a_copy =
            !Path::new(name).is_absolute() && (fault.is_some() || secrets.is_credential(name));
        if key.name == "bridge.token_file" && may_be_a_copy {
            sentences.push(
                "a credential is a copy made at service start: a token that rotates needs an absolute path"
                    .to_owned(),
            );
        }
        if !sentences.is_empty() {
            let place = effective.place(key.name);
            warnings.push(Problem::warning(place, key.name, sentences.join("; ")));
        }
    }
    warnings
}

fn unreadable(name: &str, fault: &str) -> String {
    if Path::new(name).is_absolute() {
        return fault.to_owned();
    }
    format!(
        "{fault}; it is looked for in $CREDENTIALS_DIRECTORY, which only the service has, then beside the configuration file"
    )
}
