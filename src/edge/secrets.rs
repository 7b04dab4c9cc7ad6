//! Secrets, which are only in files: where a name leads, and what is in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::secret::Secret;

/// The largest secret, in bytes: tokens with many claims reach 16 KiB.
const LARGEST: u64 = 64 * 1024;

/// Why a secret could not be had. Names the file, never its content.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SecretFault {
    /// There is no such file.
    #[error("there is no file {0}")]
    Missing(PathBuf),
    /// The file holds nothing.
    #[error("the file {0} is empty")]
    Empty(PathBuf),
    /// The file could not be opened or read.
    #[error("the file {path} cannot be read: {why}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What the file holds cannot be a secret: more than 64 KiB, or no UTF-8.
    #[error("the file {0} holds no text of at most 64 KiB")]
    NoText(PathBuf),
}

/// Where secrets are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFiles {
    credentials: Option<PathBuf>,
    beside_configuration: PathBuf,
}

impl SecretFiles {
    /// Looks into the service manager's credentials first, then beside the configuration file.
    pub fn new(credentials_dir: Option<PathBuf>, config_dir: PathBuf) -> Self {
        Self {
            credentials: credentials_dir,
            beside_configuration: config_dir,
        }
    }

    /// The same, with `$CREDENTIALS_DIRECTORY`.
    pub fn from_environment(config_dir: PathBuf) -> Self {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty());
        Self::new(credentials.map(PathBuf::from), config_dir)
    }

    /// Where a name leads: an absolute one to itself, a relative one to the credentials when it is there, else beside
    /// the configuration file.
    pub fn find(&self, name: &str) -> PathBuf {
        // `join` with an absolute name is that name.
        let beside = self.beside_configuration.join(name);
        let Some(credential) = self.credentials.as_ref().map(|directory| directory.join(name)) else {
            return beside;
        };
        // A unit pairs `LoadCredential=` with a `SetCredential=` of a line feed so that it starts without the file:
        // that, or nothing at all, stands for none.
        let is_filled = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 1);
        if is_filled(&credential) || (credential.exists() && !beside.exists()) {
            credential
        } else {
            beside
        }
    }

    /// Whether a name leads to a credential, which is a copy made at service start.
    pub fn is_credential(&self, name: &str) -> bool {
        self.credentials
            .as_ref()
            .is_some_and(|directory| !Path::new(name).is_absolute() && self.find(name).starts_with(directory))
    }

    /// Reads a secret; one trailing newline is not part of it.
    pub fn read(&self, name: &str) -> Result<Secret, SecretFault> {
        let path = self.find(name);
        let unreadable = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound => SecretFault::Missing(path.clone()),
            _ => SecretFault::Unreadable {
                path: path.clone(),
                why: error.to_string(),
            },
        };
        // Asked before opening: a pipe without a writer would keep the daemon waiting.
        if !fs::metadata(&path).map_err(|error| unreadable(&error))?.is_file() {
            return Err(SecretFault::Unreadable {
                path,
                why: "it is no regular file".to_owned(),
            });
        }
        let file = File::open(&path).map_err(|error| unreadable(&error))?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > LARGEST {
            return Err(SecretFault::NoText(path));
        }
        let text = String::from_utf8(bytes).map_err(|_| SecretFault::NoText(path.clone()))?;
        let secret = text
            .strip_suffix("\r\n")
            .or_else(|| text.strip_suffix('\n'))
            .unwrap_or(&text);
        if secret.is_empty() {
            return Err(SecretFault::Empty(path));
        }
        Ok(Secret::new(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_before_what_lies_beside_the_configuration() -> io::Result<()> {
        let (credentials, beside, files) = places()?;
        fs::write(beside.path().join("token"), "beside")?;
        assert_eq!(read(&files, "token"), Ok("beside".to_owned()));
        assert!(!files.is_credential("token"));
        fs::write(credentials.path().join("token"), "credential")?;
        assert_eq!(read(&files, "token"), Ok("credential".to_owned()));
        assert!(files.is_credential("token"));
        let absolute = beside.path().join("token");
        assert_eq!(read(&files, &absolute.to_string_lossy()), Ok("beside".to_owned()));
        Ok(())
    }

    #[test]
    fn an_empty_credential_stands_for_none() -> io::Result<()> {
        for nothing in ["", "\n"] {
            let (credentials, beside, files) = places()?;
            fs::write(credentials.path().join("token"), nothing)?;
            assert_eq!(
                read(&files, "token"),
                Err(SecretFault::Empty(credentials.path().join("token")))
            );
            fs::write(beside.path().join("token"), "beside")?;
            assert_eq!(read(&files, "token"), Ok("beside".to_owned()));
        }
        Ok(())
    }

    #[test]
    fn one_trailing_newline_is_stripped_and_nothing_else() -> io::Result<()> {
        let (_credentials, beside, files) = places()?;
        for (content, secret) in [
            ("0012345\n", "0012345"),
            (" a b \n\n", " a b \n"),
            ("a\r\n", "a"),
            ("a", "a"),
        ] {
            fs::write(beside.path().join("token"), content)?;
            assert_eq!(read(&files, "token"), Ok(secret.to_owned()), "{content:?}");
        }
        Ok(())
    }

    #[test]
    fn a_fault_names_the_file_and_not_its_content() -> io::Result<()> {
        let (_credentials, beside, files) = places()?;
        let path = beside.path().join("token");
        assert_eq!(read(&files, "token"), Err(SecretFault::Missing(path.clone())));
        fs::write(&path, "\n")?;
        assert_eq!(read(&files, "token"), Err(SecretFault::Empty(path.clone())));
        fs::write(&path, b"hunter2\xff")?;
        assert_eq!(read(&files, "token"), Err(SecretFault::NoText(path.clone())));
        fs::write(&path, "x".repeat(70_000))?;
        assert_eq!(read(&files, "token"), Err(SecretFault::NoText(path)));
        let fault = files.read(".").err();
        assert!(matches!(fault, Some(SecretFault::Unreadable { .. })), "{fault:?}");
        Ok(())
    }

    fn places() -> io::Result<(tempfile::TempDir, tempfile::TempDir, SecretFiles)> {
        let credentials = tempfile::tempdir()?;
        let beside = tempfile::tempdir()?;
        let files = SecretFiles::new(Some(credentials.path().to_owned()), beside.path().to_owned());
        Ok((credentials, beside, files))
    }

    fn read(files: &SecretFiles, name: &str) -> Result<String, SecretFault> {
        files.read(name).map(|secret| secret.expose().to_owned())
    }
}
