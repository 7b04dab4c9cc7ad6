//! Placeholder with the interface of the real file, so that this branch compiles on its own.

use std::path::PathBuf;

use crate::secret::Secret;

/// Where secrets are read from.
#[derive(Clone, Debug, Default)]
pub struct SecretFiles {
    beside: PathBuf,
}

impl SecretFiles {
    /// Relative names are looked up here.
    pub fn new(_credentials: Option<PathBuf>, beside: PathBuf) -> Self {
        Self { beside }
    }

    /// The content of the file that this name stands for, one trailing newline stripped.
    pub fn read(&self, name: &str) -> Result<Secret, std::io::Error> {
        let text = std::fs::read_to_string(self.find(name))?;
        Ok(Secret::new(text.strip_suffix('\n').unwrap_or(&text)))
    }

    /// The file that this name stands for.
    pub fn find(&self, name: &str) -> PathBuf {
        self.beside.join(name)
    }
}
