//! Foreign programs: finding them, and running them with their logs kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::HANG_GUARD;
use super::daemon::Meetd;

/// A foreign process, guarded as the daemon is.
pub type Program = Meetd;

/// Why a story could not be told: a program that is not there.
#[derive(Debug)]
pub struct Skipped(pub String);

/// Where a peer is on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// 127.0.0.1.
    V4,
    /// ::1.
    V6,
}

impl Host {
    /// The address.
    pub fn address(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::LOCALHOST.into(),
            Self::V6 => Ipv6Addr::LOCALHOST.into(),
        }
    }

    /// The address and this port, as URIs have them.
    pub fn at(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(), port)
    }
}

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

/// Any of these files, the parts of a package that are no program.
pub fn find_one_of(files: &[String], package: &str) -> Result<PathBuf, Skipped> {
    let mut files = files.iter().map(PathBuf::from);
    files.find(|file| file.is_file()).ok_or_else(|| {
        missing(format!(
            "a file of the package {package} is not there (`make peers` installs it)"
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
    start_with(command, Stdio::null()).0
}

/// The same, for one that is told by its standard input what to do.
pub fn start_told(command: &mut Command) -> (Program, ChildStdin) {
    let (program, input) = start_with(command, Stdio::piped());
    (program, input.expect("a pipe"))
}

fn start_with(command: &mut Command, input: Stdio) -> (Program, Option<ChildStdin>) {
    let shown = format!("{command:?}");
    let child = command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = child.unwrap_or_else(|fault| panic!("{shown}: {fault}"));
    let input = child.stdin.take();
    (Meetd::guard(&name, child), input)
}

/// Waits until somebody listens on this port of loopback; panics when the program ends before.
#[track_caller]
pub fn wait_until_listening(program: &Program, port: u16) {
    let until = Instant::now() + HANG_GUARD;
    let v4 = format!(": 0100007F:{port:04X} ");
    let v6 = format!(": 00000000000000000000000001000000:{port:04X} ");
    let tables = [
        ("udp", &v4, " 07 "),
        ("tcp", &v4, " 0A "),
        ("udp6", &v6, " 07 "),
        ("tcp6", &v6, " 0A "),
    ];
    let listens = || {
        tables.iter().any(|(table, address, state)| {
            let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
            table
                .lines()
                .any(|line| line.contains(*address) && line.contains(state))
        })
    };
    while !listens() {
        assert!(Instant::now() < until, "nobody listens on port {port}");
        let soon = Instant::now() + Duration::from_millis(5);
        let over = program.said.wait_until(soon, |said| said.is_over().then_some(()));
        assert!(
            over.is_none(),
            "the program ended before it listened on port {port}"
        );
    }
}

/// Ports for programs that cannot choose one themselves: below those that the system gives away by itself and those
/// that meetd takes for RTP, so that only another of these programs could take one in between.
const PORTS: std::ops::Range<u16> = 10_000..16_000;

/// A port on loopback that is free for UDP and TCP, and so are the next three: baresip takes one more for TLS, sipp
/// three more for audio and video.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let start = (std::process::id() % u32::from(span)) as u16;
    loop {
        let step = TAKEN.fetch_add(4, Ordering::Relaxed);
        let port = PORTS.start + (start + step) % span;
        let free = |port| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
        };
        if (port..port + 4).all(free) {
            return port;
        }
    }
}
