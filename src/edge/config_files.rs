//! Finds and reads the files of the configuration: the main file, and `conf.d/*.toml` beside it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::{self, Checked, Sources};

use super::named_files;
use super::secrets::SecretFiles;

/// Where the main file is unless `--config` says otherwise.
pub const MAIN_FILE: &str = "/etc/meetd/meetd.toml";

/// The largest configuration file, in bytes: a hundred times what a room needs.
const LARGEST: u64 = 1 << 20;

/// Where a configuration comes from: it can be read again.
#[derive(Clone, Debug)]
pub struct ConfigFiles {
    /// The main file; `conf.d` is beside it.
    pub main_file: PathBuf,
    /// The `--set` arguments.
    pub flags: Vec<String>,
}

impl ConfigFiles {
    /// Reads and checks everything, the files that it names included.
    pub fn check(&self) -> Checked {
        let mut checked = config::check(&read(&self.main_file, self.flags.clone()));
        let warnings = named_files::warnings(&checked.effective, &self.secrets());
        checked.problems.extend(warnings);
        checked.problems.sort();
        checked
    }

    /// Where the secrets are that it names.
    pub fn secrets(&self) -> SecretFiles {
        SecretFiles::from_environment(directory_of(&self.main_file))
    }
}

/// Reads everything from disk and environment. What cannot be read is told in [`Sources::unreadable`].
pub fn read(main_file: &Path, flags: Vec<String>) -> Sources {
    let mut sources = Sources {
        environment: environment(),
        flags,
        ..Sources::default()
    };
    let add = |path: PathBuf, sources: &mut Sources| match read_text(&path) {
        Ok(text) => sources.files.push((path, text)),
        Err(why) => sources.unreadable.push((path, why)),
    };
    add(main_file.to_owned(), &mut sources);
    let directory = directory_of(main_file).join("conf.d");
    match files_in(&directory) {
        Ok(paths) => paths.into_iter().for_each(|path| add(path, &mut sources)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => sources
            .unreadable
            .push((directory, format!("this directory cannot be read: {error}"))),
    }
    sources
}

/// The directory in which a file is, so that names beside it can be looked up.
pub fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn environment() -> Vec<(String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let mut variables: Vec<_> = std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .filter(|(name, _)| name.starts_with("MEETD__"))
        .collect();
    variables.sort();
    variables
}

/// The `*.toml` of a directory by name; hidden ones are an editor's.
fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no such file; write it, or name another with --config FILE".to_owned()
        }
        _ => format!("this file cannot be read: {error}"),
    };
    // Asked before opening: a pipe without a writer would keep us waiting.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("this is no regular file".to_owned());
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("this file is larger than {LARGEST} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "this file is no UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_by_name_after_the_main_file() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let main_file = directory.path().join("meetd.toml");
        fs::write(&main_file, "main")?;
        fs::create_dir(directory.path().join("conf.d"))?;
        for name in ["20-b.toml", "10-a.toml", ".10-a.toml.swp.toml", "30-c.conf"] {
            fs::write(directory.path().join("conf.d").join(name), name)?;
        }
        let sources = read(&main_file, Vec::new());
        let texts: Vec<_> = sources.files.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["main", "10-a.toml", "20-b.toml"]);
        assert_eq!(sources.unreadable, []);
        Ok(())
    }

    #[test]
    fn a_missing_main_file_is_a_problem_that_says_so() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let main_file = directory.path().join("meetd.toml");
        let sources = read(&main_file, Vec::new());
        let problems: Vec<_> = config::check(&sources)
            .problems
            .iter()
            .filter(|problem| problem.is_error())
            .map(ToString::to_string)
            .collect();
        let expected = format!(
            "{}:1: there is no such file; write it, or name another with --config FILE",
            main_file.display()
        );
        assert_eq!(problems, [expected]);
        Ok(())
    }

    #[test]
    fn what_is_no_text_file_is_refused() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let binary = directory.path().join("binary.toml");
        fs::write(&binary, [0xff, 0xfe])?;
        assert_eq!(read_text(&binary), Err("this file is no UTF-8".to_owned()));
        assert_eq!(
            read_text(directory.path()),
            Err("this is no regular file".to_owned())
        );
        let large = directory.path().join("large.toml");
        fs::write(&large, vec![b'#'; (LARGEST + 1) as usize])?;
        assert_eq!(
            read_text(&large),
            Err("this file is larger than 1048576 bytes".to_owned())
        );
        Ok(())
    }

    #[test]
    fn a_bare_file_name_lies_in_the_current_directory() {
        assert_eq!(directory_of(Path::new("meetd.toml")), Path::new("."));
        assert_eq!(
            directory_of(Path::new("/etc/meetd/meetd.toml")),
            Path::new("/etc/meetd")
        );
    }
}
