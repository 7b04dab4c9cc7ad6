//! The contract's tables as tables of tests: each row of a list in `tests/data/contract` has a test of its name here,
//! where that row is brought about by a real cause. A row without a test fails, and so does a test without a row.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::peers::bridge::{Bridge, Welcome};
use crate::peers::daemon::{Home, Meetd};
use crate::peers::local_client::LocalClient;

mod actions;
mod auth_errors;
mod auth_states;
mod call_failures;
mod call_states;
mod connection_reasons;
mod connection_statuses;
mod dialog_states;
mod directives;
mod dtmf_failures;
mod error_types;
mod microphones;

#[test]
fn every_row_of_the_contracts_tables_has_a_test_of_its_name_and_every_test_a_row() {
    let mut wanted = BTreeSet::new();
    let lists = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/contract");
    for entry in std::fs::read_dir(lists).unwrap() {
        let path = entry.unwrap().path();
        let list = path.file_stem().unwrap().to_str().unwrap();
        let rows = rows(&path);
        assert!(!rows.is_empty(), "{} is empty", path.display());
        for row in rows {
            let is_new = wanted.insert(format!("tables::{list}::{}", name_of(list, &row)));
            assert!(is_new, "{row} is twice in {}", path.display());
        }
    }
    let here = module_path!().rsplit_once("::").unwrap().1.len();
    let there_is: BTreeSet<String> = tests_of_this_binary()
        .into_iter()
        .filter(|test| test.starts_with("tables::") && test[here + 2..].contains("::"))
        .collect();
    let missing: Vec<_> = wanted.difference(&there_is).collect();
    assert_eq!(missing, Vec::<&String>::new(), "rows without a test");
    let surplus: Vec<_> = there_is.difference(&wanted).collect();
    assert_eq!(surplus, Vec::<&String>::new(), "tests without a row");
}

/// The rows of a list, comments left out.
fn rows(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().map(str::trim);
    rows.filter(|row| !row.is_empty() && !row.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// A row as the name of a function: `SetVolume` is `set_volume`, `SET_VOLUME` too; of dotted names the last part.
fn name_of(list: &str, row: &str) -> String {
    let (dotted, rest) = row.split_once(' ').unwrap_or((row, ""));
    let last = dotted.rsplit('.').next().unwrap();
    let letters: Vec<char> = last.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let starts_a_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                let is_lower_next = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
                before.is_lowercase() || before.is_uppercase() && is_lower_next
            });
        if starts_a_word {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    if list == "actions" {
        name = format!("{name}_{}", rest.replace(' ', "_"));
    }
    name
}

fn tests_of_this_binary() -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect()
}

/// A room whose bridge may be anything, and a panel on the device that sees what becomes of the connection.
pub struct Watched {
    pub panel: LocalClient,
    pub meetd: Meetd,
    pub bridge: Bridge,
    pub home: Home,
}

impl Watched {
    /// With a bridge that meets everyone like this.
    pub fn met_with(welcome: Welcome) -> Self {
        Self::with(welcome, &[])
    }

    /// The same, with these keys.
    pub fn with(welcome: Welcome, keys: &[(&str, &str)]) -> Self {
        let bridge = Bridge::start_with(welcome, None);
        let mut home = Home::new(&bridge);
        for (key, value) in keys {
            home.set(key, value);
        }
        Self::of(bridge, home)
    }

    /// In this home.
    pub fn of(bridge: Bridge, mut home: Home) -> Self {
        let socket = home.path().join("meetd.sock");
        home.set("local.listen", &format!("{socket:?}"));
        let meetd = home.start();
        let panel = LocalClient::unix(&socket, &[]);
        Self {
            panel,
            meetd,
            bridge,
            home,
        }
    }

    /// Waits until the panel is told this of the connection to the bridge.
    #[track_caller]
    pub fn is_told(&self, status: &str, reason: &str) {
        let avs = json!({"status": status, "reason": reason});
        self.panel.wait_for("ConnectionStatusChanged", |connection| {
            connection["detailed"]["avs"] == avs
        });
    }

    /// The same, and the status says it too.
    #[track_caller]
    pub fn stands_at(&self, status: &str, reason: &str) {
        self.is_told(status, reason);
        let connection = self.home.status()["connection"].clone();
        assert_eq!(
            (&connection["status"], &connection["reason"]),
            (&json!(status), &json!(reason))
        );
    }

    /// Waits until the panel is told this of the authorisation.
    #[track_caller]
    pub fn is_signed(&self, state: &str, error: &str) {
        let wanted = json!({"state": state, "error": error});
        self.panel.wait_for("AuthStateChanged", |auth| *auth == wanted);
    }

    /// Waits for the n-th snapshot and an answer after it, and ends the daemon.
    #[track_caller]
    pub fn recovers(self, snapshot: usize) {
        self.bridge.wait_for_snapshot(snapshot);
        let end = crate::peers::directives::end();
        let answer: Value = self.bridge.ask(&end);
        assert_eq!(crate::peers::directives::outcome(&answer), "Response");
        self.meetd.stop();
    }
}
