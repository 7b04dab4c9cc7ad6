//! sipp (sip-tester) as a peer: started on a port, judged by its exit code, its statistics and its message log.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::front::Front;
use crate::peers::programs::{self, Host, Program, Skipped};
use crate::peers::sip_text::Message;

/// A running sipp.
pub struct Sipp {
    /// Where it is reached.
    pub port: u16,
    /// What streams pass on their way to it.
    pub front: Option<Front>,
    program: Program,
    folder: TempDir,
}

/// How SIP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS, which ends in a front before sipp.
    Tls,
}

impl Over {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// As URIs and the names of stories have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl Sipp {
    /// Starts sipp for exactly one call, with these arguments beside the usual ones.
    pub fn start(over: Over, arguments: &[&str]) -> Result<Self, Skipped> {
        Self::start_at(Host::V4, over, arguments)
    }

    /// The same, there.
    pub fn start_at(host: Host, over: Over, arguments: &[&str]) -> Result<Self, Skipped> {
        let sipp = programs::find("sipp", "sip-tester")?;
        let folder = TempDir::with_prefix("meetd-sipp-").unwrap();
        let port = programs::free_port();
        let (mode, front) = match over {
            Over::Udp => ("u1", None),
            // With more than one socket: who loses a connection opens another.
            Over::Tcp => ("t1", Some(Front::plain(host.at(port)))),
            Over::Tls => ("t1", Some(Front::tls(host.at(port)))),
        };
        let outside = front.as_ref().map_or(port, |front| front.port);
        let contact = format!("sip:{};transport={}", host.at(outside), over.name());
        let mut command = Command::new(sipp);
        command
            .args([
                "-i",
                &host.address().to_string(),
                "-p",
                &port.to_string(),
                "-t",
                mode,
                "-m",
                "1",
                "-nostdin",
                "-key",
                "contact",
                &contact,
            ])
            .args([
                "-timeout",
                "30s",
                "-watchdog_interval",
                "0",
                "-timeout_error",
                "-trace_msg",
                "-trace_err",
                "-trace_stat",
            ])
            .args([
                "-message_file",
                "messages.log",
                "-error_file",
                "errors.log",
                "-stf",
                "statistics.csv",
            ])
            .args(arguments)
            .current_dir(folder.path())
            .env("TERM", "dumb");
        let program = programs::start(&mut command);
        programs::wait_until_listening(&program, port);
        Ok(Self {
            port: outside,
            front,
            program,
            folder,
        })
    }

    /// A scenario of ours beside this file.
    pub fn scenario(name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp");
        folder.join(name).display().to_string()
    }

    /// Waits for its end, and wants one call that went as the scenario says.
    #[track_caller]
    pub fn wait_for_success(&mut self) {
        self.wait_for_successes(1);
    }

    /// The same of so many calls, which it was told to take.
    #[track_caller]
    pub fn wait_for_successes(&mut self, calls: u64) {
        let status = self.program.wait();
        assert_eq!(
            status.code(),
            Some(0),
            "sipp ended with {status}: {}",
            self.file("errors.log")
        );
        assert_eq!(self.counted("SuccessfulCall(C)"), calls, "sipp's statistics");
        assert_eq!(self.counted("FailedCall(C)"), 0, "sipp's statistics");
    }

    /// All messages it sent and received, as it wrote them down.
    pub fn messages(&self) -> String {
        self.file("messages.log")
    }

    /// The same, as far as they can be read.
    pub fn read_messages(&self) -> Vec<Message> {
        read_messages(&self.messages())
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// The last value of this column of its statistics.
    fn counted(&self, column: &str) -> u64 {
        let text = self.file("statistics.csv");
        let mut lines = text.lines();
        let heads = lines.next().unwrap_or_default();
        let index = heads.split(';').position(|head| head == column);
        let index = index.unwrap_or_else(|| panic!("sipp's statistics have no {column}: {heads}"));
        let last = lines.last().unwrap_or_default();
        last.split(';').nth(index).unwrap_or_default().parse().unwrap()
    }
}

/// The messages of a log of sipp's, as far as they can be read.
pub fn read_messages(log: &str) -> Vec<Message> {
    let written = log.split("-----------------------------------------------");
    let read = written.filter_map(|block| {
        let (_, text) = block.split_once(":\n\n")?;
        Message::read(text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes()).ok()
    });
    read.collect()
}
