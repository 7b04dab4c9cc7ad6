//! What a configuration that was read again changes while the daemon runs, by the column `reload` of the table.

use super::keys::Reload;
use super::layers::Effective;
use super::problem::Problem;
use super::{Config, agreement, key_names, settings};

/// The keys whose values differ, by when they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// At once.
    pub live: Vec<String>,
    /// For the next call.
    pub next_call: Vec<String>,
    /// After a restart; their former values stay in force.
    pub restart: Vec<String>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.next_call.is_empty() && self.restart.is_empty()
    }
}

/// What is in force from here on.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// What was read, with the former values of the keys that need a restart.
    pub config: Config,
    /// The same as values and places: what the next reading is compared with.
    pub in_force: Effective,
    /// What differs from what was in force.
    pub changes: Changes,
}

/// Lays what was read over what is in force. It fails with the problems of values that do not fit those that stay.
pub fn reload(in_force: &Effective, read: &Effective) -> Result<Reloaded, Vec<Problem>> {
    let changes = compare(in_force, read);
    let mut merged = read.clone();
    for key in &changes.restart {
        merged.take_over(in_force, key);
    }
    let mut problems = agreement::problems(&merged);
    let (config, wrong) = settings::convert(&merged);
    problems.extend(wrong);
    problems.retain(Problem::is_error);
    match config {
        Some(config) if problems.is_empty() => Ok(Reloaded {
            config,
            in_force: merged,
            changes,
        }),
        Some(_) | None => Err(problems),
    }
}

fn compare(in_force: &Effective, read: &Effective) -> Changes {
    let mut changes = Changes::default();
    let here = read.rows().into_iter().map(|(name, ..)| name);
    let gone = in_force.rows().into_iter().map(|(name, ..)| name);
    let gone = gone.filter(|name| read.value(name).is_none());
    for name in here.chain(gone) {
        if in_force.value(name) == read.value(name) {
            continue;
        }
        let Some(key) = key_names::find(name) else {
            continue;
        };
        let list = match key.reload {
            Reload::Live => &mut changes.live,
            Reload::NextCall => &mut changes.next_call,
            Reload::Restart => &mut changes.restart,
        };
        list.push(name.to_owned());
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Checked, Sources, check};

    const BASE: &str = "[room]\nendpoint_id = \"room\"\n[bridge]\nurl = \"wss://one.example.com/\"\n";

    #[test]
    fn what_did_not_change_is_not_named() {
        let before = read(BASE);
        let again = reload(&before.effective, &read(&format!("# a remark\n{BASE}")).effective).unwrap();
        assert!(again.changes.is_empty());
        assert_eq!(Some(again.config), before.config);
    }

    #[test]
    fn each_change_counts_when_the_table_says() {
        let before = read(&format!("{BASE}[providers.acme]\nsip = \"{{id}}@a.example\"\n"));
        let text = BASE.replace("one.example", "two.example")
            + "[calls]\nallow = [\"192.0.2.1\"]\n[sip]\nlisten = [\"127.0.0.1:5070\"]\ninbound = \"603\"\n";
        let after = reload(&before.effective, &read(&text).effective).unwrap();
        assert_eq!(after.changes.live, ["bridge.url", "sip.inbound"]);
        assert_eq!(after.changes.next_call, ["calls.allow", "providers.acme.sip"]);
        assert_eq!(after.changes.restart, ["sip.listen"]);
        assert_eq!(after.config.bridge.url, "wss://two.example.com/");
        assert_eq!(after.config.room.allow.len(), 1);
        assert!(!after.config.room.providers.contains_key("acme"));
        // The sockets that are open are the truth.
        assert_eq!(
            after.config.dialer.sip.listen,
            before.config.unwrap().dialer.sip.listen
        );
    }

    #[test]
    fn what_waits_for_a_restart_is_named_again_until_it_is_taken_back() {
        let before = read(BASE);
        let changed = read(&format!("{BASE}[sip]\nlisten = [\"127.0.0.1:5070\"]\n"));
        let once = reload(&before.effective, &changed.effective).unwrap();
        let twice = reload(&once.in_force, &changed.effective).unwrap();
        assert_eq!(twice.changes, once.changes);
        let back = reload(&twice.in_force, &before.effective).unwrap();
        assert!(back.changes.is_empty());
    }

    fn read(text: &str) -> Checked {
        let checked = check(&Sources {
            files: vec![("meetd.toml".into(), text.to_owned())],
            ..Sources::default()
        });
        assert!(checked.config.is_some(), "{:?}", checked.problems);
        checked
    }
}
