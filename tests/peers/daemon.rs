//! meetd as its own process: a home directory with a configuration, a guard that collects its log and kills it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::bridge::Bridge;
use super::directives::ROOM;
use super::{Watched, canaries};

/// Variables that would make a test depend on the machine it runs on.
const NOT_OURS: &[&str] = &[
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "MEETD_LOG",
    "NOTIFY_SOCKET",
    "RUST_LOG",
    "WATCHDOG_USEC",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
];

/// Where one daemon lives: configuration, state and sockets, in a directory that goes away with it.
pub struct Home {
    directory: TempDir,
    keys: BTreeMap<String, BTreeMap<String, String>>,
    variables: Vec<(String, PathBuf)>,
}

impl Home {
    /// A room on loopback with a tone for a microphone, that may dial this machine.
    pub fn new(bridge: &Bridge) -> Self {
        let mut home = Self::empty();
        home.set("room.endpoint_id", &format!("{ROOM:?}"))
            .set("bridge.url", &format!("{:?}", bridge.url()))
            .set("bridge.token_file", "\"\"")
            .set("bridge.reconnect_max", "\"1s\"")
            .set("calls.allow", "[\"127.0.0.0/8\"]")
            .set("calls.per_minute", "0")
            .set("calls.dtmf_delay", "\"0.2s\"")
            .set("sip.identity", "\"sip:room-15-104@example.com\"")
            .set("sip.listen", "[\"127.0.0.1:0\"]")
            .set("media.input", "\"tone:440\"")
            .set("media.output", "\"discard\"")
            .set("log.level", "\"trace\"");
        home
    }

    /// A home without a configuration.
    pub fn empty() -> Self {
        let directory = TempDir::with_prefix("meetd-test-").unwrap();
        for name in ["state", "run"] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self {
            directory,
            keys: BTreeMap::new(),
            variables: Vec::new(),
        }
    }

    /// Gives every `meetd` here a variable of the environment.
    pub fn variable(&mut self, name: &str, value: &Path) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets `section.key` to a TOML value.
    pub fn set(&mut self, key: &str, value: &str) -> &mut Self {
        let (section, key) = key.rsplit_once('.').unwrap();
        self.keys
            .entry(section.to_owned())
            .or_default()
            .insert(key.to_owned(), value.to_owned());
        self
    }

    /// The configuration as a file's text.
    pub fn text(&self) -> String {
        let sections = self.keys.iter().map(|(section, keys)| {
            let lines: String = keys
                .iter()
                .map(|(key, value)| format!("{key} = {value}\n"))
                .collect();
            format!("[{section}]\n{lines}")
        });
        sections.collect::<Vec<_>>().join("\n")
    }

    /// Writes a file beside the configuration.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        if name.contains("token") || name.contains("password") {
            canaries::hand_out(text);
        }
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `meetd ARGUMENTS` with this home's configuration and directories.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_meetd"), arguments)
    }

    fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("STATE_DIRECTORY", self.path().join("state"))
            .env("RUNTIME_DIRECTORY", self.path().join("run"))
            .stdin(Stdio::null());
        for name in NOT_OURS {
            command.env_remove(name);
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs a command of meetd to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    /// The same with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input is none of our business here.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let done = Arc::new(Watched::new(None));
        let shared = Arc::clone(&done);
        thread::spawn(move || {
            let output = child.wait_with_output().unwrap();
            let said = [&output.stdout[..], &output.stderr[..]].concat();
            let leaked = canaries::leaked(&String::from_utf8_lossy(&said));
            assert_eq!(leaked, None, "a command says a secret");
            shared.change(|done| *done = Some(output));
        });
        done.wait_for(&format!("the end of meetd {arguments:?}"), Clone::clone)
    }

    /// `meetd status --json`, as an object.
    #[track_caller]
    pub fn status(&self) -> Value {
        let output = self.run(&["status", "--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "meetd status: {output:?}");
        serde_json::from_str(&text)
            .unwrap_or_else(|fault| panic!("meetd status --json said {text:?}: {fault}"))
    }

    /// Starts the daemon.
    pub fn start(&self) -> Meetd {
        self.start_under(&[])
    }

    /// Starts the daemon by a program that becomes it: its name and first arguments, which the daemon's follow.
    pub fn start_under(&self, wrapper: &[&str]) -> Meetd {
        let config = self.write("meetd.toml", &self.text());
        let mut command = match wrapper {
            [] => self.command_of(env!("CARGO_BIN_EXE_meetd"), &[]),
            [program, arguments @ ..] => {
                let mut command = self.command_of(program, arguments);
                command.arg(env!("CARGO_BIN_EXE_meetd"));
                command
            }
        };
        command.args(["run", "--config"]);
        command.arg(config).stdout(Stdio::piped()).stderr(Stdio::piped());
        Meetd::guard("meetd", command.spawn().unwrap())
    }
}

/// What a process said, line by line, and how many of its two outputs have ended.
#[derive(Debug, Default)]
pub struct Said {
    /// The lines, in the order they came.
    pub lines: Vec<String>,
    ended: usize,
    /// The first secret that was in them, with its line.
    leaked: Option<(String, String)>,
}

impl Said {
    /// Whether nothing more can come.
    pub fn is_over(&self) -> bool {
        self.ended == 2
    }
}

/// A running daemon. Dropped, it is killed; its log is shown when the test fails.
pub struct Meetd {
    name: String,
    child: Child,
    /// What it said so far.
    pub said: Arc<Watched<Said>>,
}

impl Meetd {
    /// Guards a process whose outputs are piped.
    pub fn guard(name: &str, mut child: Child) -> Self {
        let said = Arc::new(Watched::new(Said::default()));
        let is_ours = name == "meetd";
        collect(child.stdout.take().unwrap(), is_ours, &said);
        collect(child.stderr.take().unwrap(), is_ours, &said);
        Self {
            name: name.to_owned(),
            child,
            said,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it said so far.
    pub fn log(&self) -> String {
        self.said.look(|said| said.lines.join("\n"))
    }

    /// Waits for a line with this text.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        self.said.wait_for(&format!("a line with {text:?}"), |said| {
            said.lines.iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Sends SIGHUP: read your configuration again.
    pub fn reload(&self) {
        let kill = format!("kill -HUP {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Kills it as a crash would: nothing of it runs any more.
    pub fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        self.said.wait_for(&format!("the end of {}", self.name), |said| {
            said.is_over().then_some(())
        });
        self.child.wait().unwrap()
    }

    /// Ends it orderly, and wants exit code 0 and no panic.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.terminate();
        let status = self.wait();
        let log = self.log();
        assert_eq!(status.code(), Some(0), "meetd ended with {status}");
        assert!(!log.contains("panicked at"), "meetd panicked");
        log
    }
}

impl Drop for Meetd {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            let leaked = self.said.look(|said| said.leaked.clone());
            assert_eq!(leaked, None, "{} says a secret", self.name);
        } else {
            eprintln!(
                "---- what {0} said ----\n{1}\n---- end of what {0} said ----",
                self.name,
                self.log()
            );
        }
    }
}

fn collect(output: impl Read + Send + 'static, is_ours: bool, said: &Arc<Watched<Said>>) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let leaked = is_ours.then(|| canaries::leaked(&line)).flatten();
            said.change(|said| {
                if let Some(secret) = leaked {
                    said.leaked.get_or_insert((secret, line.clone()));
                }
                said.lines.push(line);
            });
        }
        said.change(|said| said.ended += 1);
    });
}
