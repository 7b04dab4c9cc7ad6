//! The files that a configuration names: whether they are there, and what is to be known of credentials.

use std::fs::File;
use std::path::Path;

use crate::config::keys::KEYS;
use crate::config::value::Value;
use crate::config::{Effective, Problem};

use super::secrets::SecretFiles;

/// What is to be said about the files that the configuration names.
pub fn warnings(effective: &Effective, secrets: &SecretFiles) -> Vec<Problem> {
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{self, Sources};

    #[test]
    fn a_missing_token_is_a_warning_that_explains_credentials() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = SecretFiles::new(None, directory.path().to_owned());
        let found = warnings(&effective(), &secrets);
        let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
        let token = directory.path().join("bridge-token");
        let expected = format!(
            "warning: meetd.toml:3: bridge.token_file: there is no file {}; it is looked for in $CREDENTIALS_DIRECTORY, \
             which only the service has, then beside the configuration file; a credential is a copy made at service start: \
             a token that rotates needs an absolute path",
            token.display()
        );
        assert_eq!(lines, [expected]);
        std::fs::write(&token, "hunter2").unwrap();
        assert_eq!(warnings(&effective(), &secrets), []);
    }

    #[test]
    fn a_token_that_is_a_credential_is_remarked() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("bridge-token"), "hunter2").unwrap();
        let secrets = SecretFiles::new(Some(directory.path().to_owned()), PathBuf::from("/nowhere"));
        let found = warnings(&effective(), &secrets);
        let sentences: Vec<_> = found.iter().map(|warning| warning.sentence.as_str()).collect();
        assert_eq!(
            sentences,
            ["a credential is a copy made at service start: a token that rotates needs an absolute path"]
        );
    }

    fn effective() -> Effective {
        let text = "[room]\nendpoint_id = \"room\"\n[bridge]\nurl = \"wss://bridge.example.com/\"\n";
        let sources = Sources {
            files: vec![(PathBuf::from("meetd.toml"), text.to_owned())],
            ..Sources::default()
        };
        config::check(&sources).effective
    }
}
