//! SIGHUP: the configuration is read again, beside the loop, and what changed is said in one line.

use std::future::pending;

use tokio::task::JoinHandle;

use crate::config::reload::{self, Changes, Reloaded};
use crate::config::{Checked, Config, Effective, Problem};
use crate::edge::config_files::ConfigFiles;
use crate::edge::journal::Journal;
use crate::edge::systemd;

/// Reads the configuration whenever it is asked to.
pub(super) struct Reloading {
    files: ConfigFiles,
    in_force: Effective,
    /// What was said about it when it was read last.
    problems: Vec<Problem>,
    /// Whose level changes with it.
    journal: Journal,
    state: State,
}

/// ```text
/// Idle ──asked──▶ Reading ──read──▶ Idle
///                  │   ▲ asked meanwhile: once more
///                  └───┘
/// ```
enum State {
    Idle,
    Reading { task: JoinHandle<Checked>, again: bool },
}

/// What is in force from here on.
pub(super) struct Taken {
    /// The configuration; the passwords that it names are not read.
    pub config: Config,
    /// The keys whose new values wait for a restart.
    pub needs_restart: Vec<String>,
}

impl Reloading {
    pub(super) fn new(files: ConfigFiles, read: &Checked, journal: Journal) -> Self {
        Self {
            files,
            in_force: read.effective.clone(),
            problems: read.problems.clone(),
            journal,
            state: State::Idle,
        }
    }

    /// The journal whose level it changes.
    pub(super) fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// What it reads.
    #[cfg(test)]
    pub(super) fn files(&self) -> &ConfigFiles {
        &self.files
    }

    /// Begins to read; whoever asks while it is being read may mean a later state of the files.
    pub(super) fn ask(&mut self) {
        match &mut self.state {
            State::Reading { again, .. } => *again = true,
            State::Idle => {
                systemd::notify_reloading();
                self.read();
            }
        }
    }

    fn read(&mut self) {
        let files = self.files.clone();
        // A file on a network that hangs keeps nobody waiting.
        let task = tokio::task::spawn_blocking(move || files.check());
        self.state = State::Reading { task, again: false };
    }

    /// What was read; never while nobody asked. Giving up waiting loses nothing.
    pub(super) async fn finished(&mut self) -> Option<Checked> {
        loop {
            let State::Reading { task, again } = &mut self.state else {
                return pending().await;
            };
            let read = task.await.ok();
            if !*again {
                self.state = State::Idle;
                return read;
            }
            self.read();
        }
    }

    /// Takes what was read, or says why not.
    pub(super) fn take(&mut self, read: Option<Checked>) -> Result<Taken, String> {
        let Some(read) = read else {
            return refused(&[], "the files could not be read");
        };
        if read.config.is_none() {
            return refused(&read.problems, "it cannot be used");
        }
        let Reloaded {
            config,
            in_force,
            changes,
        } = match reload::reload(&self.in_force, &read.effective) {
            Ok(reloaded) => reloaded,
            Err(problems) => return refused(&problems, "it does not fit what needs a restart"),
        };
        for news in read
            .problems
            .iter()
            .filter(|problem| !self.problems.contains(problem))
        {
            tracing::warn!("{news}");
        }
        say(&changes);
        self.journal.set_level(config.log_level);
        self.problems = read.problems;
        self.in_force = in_force;
        Ok(Taken {
            config,
            needs_restart: changes.restart,
        })
    }
}

/// Says each problem; the first one, for the status.
fn refused(problems: &[Problem], otherwise: &str) -> Result<Taken, String> {
    let errors: Vec<_> = problems.iter().filter(|problem| problem.is_error()).collect();
    for problem in &errors {
        tracing::error!(event = "config-wrong", "{problem}");
    }
    let first = errors
        .first()
        .map_or_else(|| otherwise.to_owned(), ToString::to_string);
    tracing::error!(
        event = "config-refused",
        problems = errors.len(),
        "the changed configuration is wrong; the former one stays in force"
    );
    Err(first)
}

fn say(changes: &Changes) {
    let live = changes.live.join(", ");
    let next_call = changes.next_call.join(", ");
    let restart = changes.restart.join(", ");
    let parts = [
        ("at once", &live),
        ("from the next call on", &next_call),
        ("only after a restart (systemctl restart meetd)", &restart),
    ];
    let words: Vec<String> = parts
        .into_iter()
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(when, keys)| format!("{when}: {keys}"))
        .collect();
    let words = match words.is_empty() {
        true => "nothing changed".to_owned(),
        false => words.join("; "),
    };
    if restart.is_empty() {
        tracing::info!(
            event = "config-reloaded",
            live,
            next_call,
            "the configuration was read again: {words}"
        );
    } else {
        tracing::warn!(
            event = "config-reloaded",
            live,
            next_call,
            restart,
            "the configuration was read again: {words}"
        );
    }
}
