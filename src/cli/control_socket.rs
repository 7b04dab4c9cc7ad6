//! One question to the running daemon, over its control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::{Exit, Options};
use crate::control::{ControlFault, LONGEST_LINE, Reply, Request};

/// The longest silence of the daemon: twice the longest `calls.response_deadline`, so that only a daemon that hangs
/// meets it.
const HANG_GUARD: Duration = Duration::from_secs(15);

/// Digits are answered when they have left: those before them, and their own.
const LONGEST_DIGITS: Duration = Duration::from_secs(45);

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum ControlError {
    /// Nobody listens.
    #[error(
        "the daemon is not running: nobody listens at {0} (start it with \"systemctl start meetd\", or name its socket \
         with --socket PATH)"
    )]
    NotRunning(PathBuf),
    /// The socket is there, but not for us.
    #[error("the control socket {0} may not be used: be root or in the group meetd")]
    Forbidden(PathBuf),
    /// The daemon took the question and says nothing.
    #[error("the daemon did not answer in time")]
    Silent,
    /// The daemon hung up without an answer.
    #[error("the daemon ended the connection without an answer")]
    HungUp,
    /// The answer makes no sense.
    #[error("the daemon's answer cannot be read, is it of another version? {0}")]
    Malformed(#[from] ControlFault),
    /// Anything else.
    #[error("the control socket {path} failed: {error}")]
    Failed {
        /// The socket.
        path: PathBuf,
        /// How.
        error: io::Error,
    },
}

impl ControlError {
    /// How a command ends that meets it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::NotRunning(_) => Exit::NotRunning,
            Self::Forbidden(_) | Self::Silent | Self::HungUp | Self::Malformed(_) | Self::Failed { .. } => {
                Exit::Failed
            }
        }
    }
}

/// Asks the daemon, and waits for its answer.
pub(super) fn ask(options: &Options, request: &Request) -> Result<Reply, ControlError> {
    let path = socket_path(
        options.socket.as_deref(),
        std::env::var_os("RUNTIME_DIRECTORY").as_deref(),
    );
    let hang_guard = match request {
        Request::Digits(_) => HANG_GUARD + LONGEST_DIGITS,
        Request::Status
        | Request::Watch
        | Request::Metrics
        | Request::Join(_)
        | Request::End
        | Request::Hold(_)
        | Request::Mute(_)
        | Request::Volume(_) => HANG_GUARD,
    };
    exchange(&path, request, hang_guard).map_err(|error| match error {
        ControlError::Failed { path, error } => explained(path, error),
        other => other,
    })
}

/// How often a follower says that it is still there; the daemon lets go of those that are silent for a minute.
const STILL_THERE: Duration = Duration::from_secs(30);

/// Follows the status: each answer goes to `take` until that has enough, or the daemon leaves.
pub(super) fn follow(options: &Options, mut take: impl FnMut(Reply) -> bool) -> Result<(), ControlError> {
    let path = socket_path(
        options.socket.as_deref(),
        std::env::var_os("RUNTIME_DIRECTORY").as_deref(),
    );
    let failed = |error| explained(path.clone(), error);
    let stream = UnixStream::connect(&path).map_err(failed)?;
    stream.set_read_timeout(Some(STILL_THERE)).map_err(failed)?;
    stream.set_write_timeout(Some(HANG_GUARD)).map_err(failed)?;
    let watch = [Request::Watch.to_line().expose().as_bytes(), b"\n"].concat();
    (&stream).write_all(&watch).map_err(failed)?;
    let mut reader = BufReader::new(&stream);
    let mut line = Vec::new();
    loop {
        // What was read before the time was over stays in `line`.
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => return Err(ControlError::HungUp),
            Ok(_) if line.ends_with(b"\n") => {
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                if !take(Reply::read(text.trim_end())?) {
                    return Ok(());
                }
            }
            Ok(_) => return Err(ControlError::HungUp),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                (&stream).write_all(&watch).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

/// `--socket`, else that of the runtime directory, else that of the installed service.
fn socket_path(flag: Option<&Path>, runtime_directory: Option<&std::ffi::OsStr>) -> PathBuf {
    if let Some(path) = flag {
        return path.to_owned();
    }
    // systemd separates several runtime directories by colons; the first is ours.
    runtime_directory
        .and_then(|directories| std::env::split_paths(directories).next())
        .filter(|directory| !directory.as_os_str().is_empty())
        .unwrap_or_else(|| PathBuf::from("/run/meetd"))
        .join("control.sock")
}

fn exchange(path: &Path, request: &Request, hang_guard: Duration) -> Result<Reply, ControlError> {
    let failed = |error| ControlError::Failed {
        path: path.to_owned(),
        error,
    };
    let mut stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(hang_guard)).map_err(failed)?;
    stream.set_write_timeout(Some(hang_guard)).map_err(failed)?;
    stream
        .write_all(request.to_line().expose().as_bytes())
        .map_err(failed)?;
    stream.write_all(b"\n").map_err(failed)?;
    let mut line = String::new();
    // One byte more than a line and its newline, so that a longer one is seen to be longer.
    BufReader::new(stream.take(LONGEST_LINE as u64 + 2))
        .read_line(&mut line)
        .map_err(failed)?;
    if line.is_empty() {
        return Err(ControlError::HungUp);
    }
    Ok(Reply::read(line.strip_suffix('\n').unwrap_or(&line))?)
}

fn explained(path: PathBuf, error: io::Error) -> ControlError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning(path),
        io::ErrorKind::PermissionDenied => ControlError::Forbidden(path),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ControlError::Silent,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ControlError::HungUp,
        _ => ControlError::Failed { path, error },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    #[test]
    fn the_socket_is_the_flag_else_the_runtime_directory_else_the_service() {
        let path = |flag: Option<&str>, directory: Option<&str>| {
            socket_path(flag.map(Path::new), directory.map(std::ffi::OsStr::new))
        };
        assert_eq!(
            path(Some("/tmp/a.sock"), Some("/run/x")),
            Path::new("/tmp/a.sock")
        );
        assert_eq!(
            path(None, Some("/run/x:/run/y")),
            Path::new("/run/x/control.sock")
        );
        assert_eq!(path(None, Some("")), Path::new("/run/meetd/control.sock"));
        assert_eq!(path(None, None), Path::new("/run/meetd/control.sock"));
    }

    #[test]
    fn the_answer_is_the_first_line() -> io::Result<()> {
        let reply = Reply::Done {
            sentence: "ended".to_owned(),
        };
        let (asked, answer) =
            asked_of_a_daemon_that_says(format!("{}\nmore\n", reply.to_line()).into_bytes())?;
        assert_eq!(asked, "{\"request\":\"end\"}\n");
        assert_eq!(answer.ok(), Some(reply));
        Ok(())
    }

    #[test]
    fn a_daemon_that_hangs_up_or_talks_nonsense_is_a_failure() -> io::Result<()> {
        let long = vec![b'x'; LONGEST_LINE + 10];
        for (said, expected) in [
            (b"".to_vec(), "the daemon ended the connection without an answer"),
            (
                b"nonsense\n".to_vec(),
                "the daemon's answer cannot be read, is it of another version?",
            ),
            (
                long,
                "the daemon's answer cannot be read, is it of another version? the line has 65538 bytes",
            ),
        ] {
            let (_, answer) = asked_of_a_daemon_that_says(said)?;
            let error = answer.err().map(|error| (error.to_string(), error.exit()));
            assert!(
                matches!(&error, Some((text, Exit::Failed)) if text.starts_with(expected)),
                "{error:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_silent_daemon_is_not_waited_for_for_ever() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("control.sock");
        let _listener = UnixListener::bind(&path)?;
        let error = exchange(&path, &Request::Status, Duration::from_millis(1)).err();
        let Some(ControlError::Failed { path, error }) = error else {
            panic!("{error:?}");
        };
        assert!(matches!(explained(path, error), ControlError::Silent));
        Ok(())
    }

    #[test]
    fn without_a_daemon_the_socket_that_was_tried_is_named() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let missing = directory.path().join("missing.sock");
        let stale = directory.path().join("stale.sock");
        drop(UnixListener::bind(&stale)?);
        for path in [missing, stale] {
            let options = Options {
                config: None,
                socket: Some(path.clone()),
            };
            let error = ask(&options, &Request::Status).err();
            let error = error.map(|error| (error.to_string(), error.exit()));
            let tried = path.to_string_lossy();
            assert!(
                matches!(&error, Some((text, Exit::NotRunning)) if text.contains(tried.as_ref())),
                "{error:?}"
            );
        }
        Ok(())
    }

    /// What a pretended daemon was asked, and what `exchange` made of its answer.
    fn asked_of_a_daemon_that_says(said: Vec<u8>) -> io::Result<(String, Result<Reply, ControlError>)> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("control.sock");
        let listener = UnixListener::bind(&path)?;
        let daemon = thread::spawn(move || -> io::Result<String> {
            let (mut stream, _) = listener.accept()?;
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked)?;
            stream.write_all(&said)?;
            Ok(asked)
        });
        let answer = exchange(&path, &Request::End, HANG_GUARD);
        let asked = daemon
            .join()
            .map_err(|_| io::Error::other("the pretended daemon died"))??;
        Ok((asked, answer))
    }
}
