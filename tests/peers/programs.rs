//! Foreign programs: finding them, and running them with their logs kept.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::daemon::Meetd;

/// A foreign process, guarded as the daemon is.
pub type Program = Meetd;

/// Why a story could not be told: a program that is not there.
#[derive(Debug)]
pub struct Skipped(pub String);

/// The path of an installed program.
///
/// A missing one is a reason to skip; with `MEETD_REQUIRE_PEERS=1`, as `make test` sets it, to fail.
pub fn find(name: &str, package: &str) -> Result<PathBuf, Skipped> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file()).ok_or_else(|| {
        missing(format!(
            "{name} is not installed (`make peers` installs the package {package})"
        ))
    })
}

/// The Python of the virtual environment with the peers' libraries: `MEETD_VENV`, else `.venv`.
pub fn python() -> Result<PathBuf, Skipped> {
    let venv = std::env::var_os("MEETD_VENV").unwrap_or_else(|| ".venv".into());
    let python = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(venv)
        .join("bin/python3");
    if python.is_file() {
        return Ok(python);
    }
    Err(missing(format!(
        "there is no {} (`make venv` makes it)",
        python.display()
    )))
}

fn missing(what: String) -> Skipped {
    let demanded = std::env::var_os("MEETD_REQUIRE_PEERS").is_some_and(|value| value == "1");
    assert!(!demanded, "{what}, and MEETD_REQUIRE_PEERS=1 demands it");
    Skipped(what)
}

/// Starts a program with its outputs collected.
pub fn start(command: &mut Command) -> Program {
    let shown = format!("{command:?}");
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let name = command.get_program().to_string_lossy().into_owned();
    Meetd::guard(&name, child.unwrap_or_else(|fault| panic!("{shown}: {fault}")))
}

/// A port on loopback that was free for UDP and TCP a moment ago: for programs that cannot choose one themselves.
pub fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = udp.local_addr().unwrap();
        if TcpListener::bind(address).is_ok() {
            return address.port();
        }
    }
}
