//! Real processes, killed at random points of many calls. `MEETD_KILLS` says how often, `MEETD_SEED` when; what is
//! printed is what `docs/reliability.md` promises.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the killings run on real time, and every function in this binary serves a test"
)]

mod conference;
#[path = "../peers/mod.rs"]
mod peers;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use meetd::chance::Chance;
use serde_json::Value;

use conference::Conference;
use peers::bridge::Bridge;
use peers::daemon::{Home, Meetd};
use peers::directives::{self, outcome};
use peers::far_end::Manner;
use peers::programs::Skipped;

/// Kills of every `cargo test`.
const KILLS: u64 = 50;
/// So many logs of killed daemons are kept: a call may be left by another than the last.
const KEPT_LOGS: usize = 40;
/// So long after a restart nothing of the former process may be alive at the far end.
const ENDED_BY: Duration = Duration::from_secs(5);

/// What is counted; all but the first three must be 0.
#[derive(Debug, Default)]
struct Figures {
    calls: usize,
    calls_of_sipp: usize,
    slowest_end: Duration,
    alive: usize,
    lost: usize,
    doubled: usize,
}

#[test]
fn no_kill_leaves_a_call_behind_or_loses_or_doubles_a_directive() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (kills, seed) = (
        number("MEETD_KILLS").unwrap_or(KILLS),
        number("MEETD_SEED").unwrap_or(1),
    );
    let mut bytes = [0xc4; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut chance = Chance::from_seed(bytes);
    let mut chaos = Chaos::begin();
    for kill in 0..kills {
        chaos.turn_to_conference(kill);
        chaos.kill_once(&mut chance);
        if chaos.figures.is_broken() {
            println!(
                "chaos: kill {kill} broke a promise; what was seen is in {}",
                chaos.keep_evidence().display()
            );
            break;
        }
    }
    let figures = chaos.end();
    println!(
        "chaos: {kills} kills, {} calls, {} of them to sipp; dialogs alive 5 s after restart: {}; acknowledged directives lost: {}; \
         joins doubled: {}; slowest end {} ms after the kill (seed {seed})",
        figures.calls,
        figures.calls_of_sipp,
        figures.alive,
        figures.lost,
        figures.doubled,
        figures.slowest_end.as_millis()
    );
    assert!(!figures.is_broken(), "{figures:?}");
}

impl Figures {
    fn is_broken(&self) -> bool {
        (self.alive, self.lost, self.doubled) != (0, 0, 0)
    }
}

struct Chaos {
    bridge: Bridge,
    home: Home,
    /// Ours, and sipp where it is installed; called in turns.
    conferences: Vec<Conference>,
    /// The one that is called.
    current: usize,
    meetd: Meetd,
    /// What the last of the killed ones said, a text each.
    said: VecDeque<String>,
    connections: usize,
    figures: Figures,
}

impl Chaos {
    fn begin() -> Self {
        let bridge = Bridge::start();
        let mut home = Home::new(&bridge);
        home.set("log.level", "\"info\"");
        let meetd = home.start();
        bridge.wait_for_snapshot(1);
        let mut conferences = vec![Conference::ours()];
        match Conference::sipp() {
            Ok(sipp) => conferences.push(sipp),
            Err(Skipped(why)) => println!("chaos: no calls to sipp: {why}"),
        }
        Self {
            bridge,
            home,
            conferences,
            current: 0,
            meetd,
            said: VecDeque::new(),
            connections: 1,
            figures: Figures::default(),
        }
    }

    fn turn_to_conference(&mut self, kill: u64) {
        self.current = kill as usize % self.conferences.len();
    }

    fn conference(&self) -> &Conference {
        &self.conferences[self.current]
    }

    /// A join, perhaps its end, a kill somewhere on the way, and what is left of it all.
    fn kill_once(&mut self, chance: &mut Chance) {
        let after = chance.up_to(Duration::from_millis(200));
        self.conference().behave(match chance.below(3) {
            0 => Manner::RingForEver,
            1 => Manner::Answer { after },
            _ => Manner::Answer {
                after: Duration::ZERO,
            },
        });
        let calls_before = self.calls();
        let join = directives::join(&self.conference().endpoint());
        let end = (chance.below(2) == 0).then(directives::end);
        self.bridge.send(&join);
        if let Some(end) = &end {
            self.pause(chance.up_to(Duration::from_millis(60)));
            self.bridge.send(end);
        }
        self.pause(chance.up_to(Duration::from_millis(40)));
        self.meetd.crash();
        let killed = Instant::now();
        let joined = self.answer(&join);
        let ended = end.as_ref().and_then(|end| self.answer(end));
        if joined.as_deref() == Some("Response") && self.calls() == calls_before {
            self.figures.lost += 1;
            println!("a join was acknowledged without a call");
        }
        self.start();
        self.wait_until_over(Instant::now() + ENDED_BY);
        // An acknowledged EndMeeting whose call is alive now would be among these.
        self.figures.alive += self.alive();
        self.figures.slowest_end = self.figures.slowest_end.max(killed.elapsed());
        self.repeat(&join, joined.as_deref(), end.is_some(), ended.is_some());
    }

    /// The skill repeats the join, as it may.
    fn repeat(&mut self, join: &Value, joined: Option<&str>, was_told_to_end: bool, was_ended: bool) {
        self.conference().behave(Manner::Answer {
            after: Duration::ZERO,
        });
        let before = self.calls();
        let mut again = join.clone();
        let token = format!("again {}", self.connections);
        again["directive"]["header"]["correlationToken"] = token.clone().into();
        let event = self.bridge.ask(&again);
        let placed = self.calls() - before;
        let is_settled = joined.is_some_and(|kind| kind != "Response") || was_ended && joined.is_some();
        if is_settled && (placed > 0 || Some(outcome(&event)) != joined) || placed > 1 {
            self.figures.doubled += 1;
            println!("{joined:?} and ended: {was_ended}; the repeat: {event} and {placed} calls");
        }
        // The end may have reached it, and its event no longer the bridge.
        let may_have_ended = was_told_to_end && outcome(&event) == "NOT_IN_OPERATION";
        if !is_settled && outcome(&event) != "Response" && !may_have_ended {
            self.figures.lost += 1;
            println!("{joined:?}, told to end: {was_told_to_end}; the repeat: {event}");
        }
        self.bridge.ask(&directives::end());
        self.wait_until_over(Instant::now() + ENDED_BY);
        self.figures.alive += self.alive();
    }

    fn start(&mut self) {
        self.said.truncate(KEPT_LOGS);
        self.said.push_front(self.meetd.log());
        self.meetd = self.home.start();
        self.connections += 1;
        self.bridge.wait_for_snapshot(self.connections);
    }

    /// Copies what tells how a promise was broken to where it outlives the test: what was said, the state, and what the
    /// conference saw.
    fn keep_evidence(&self) -> PathBuf {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let mut said: Vec<_> = self.said.iter().rev().cloned().collect();
        said.push(self.meetd.log());
        std::fs::write(place.join("meetd.log"), said.join("\n---- killed ----\n")).unwrap();
        let folders = [
            Some(self.home.path().join("state")),
            self.conference().folder().map(Path::to_owned),
        ];
        for file in folders
            .iter()
            .flatten()
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        {
            let file = file.unwrap();
            std::fs::copy(file.path(), place.join(file.file_name())).unwrap();
        }
        place
    }

    fn end(mut self) -> Figures {
        self.meetd.stop();
        for conference in &self.conferences {
            self.figures.calls += conference.calls();
            assert_eq!(conference.complaints(), Vec::<String>::new());
        }
        self.figures.calls_of_sipp = self.conferences[1..].iter().map(Conference::calls).sum();
        self.figures
    }

    /// What the directive with this token was answered with so far.
    fn answer(&self, directive: &Value) -> Option<String> {
        let token = &directive["directive"]["header"]["correlationToken"];
        let frames = self.bridge.frames();
        let event = frames
            .iter()
            .find(|frame| frame["event"]["header"]["correlationToken"] == *token)?;
        Some(outcome(&event["event"]).to_owned())
    }

    fn calls(&self) -> usize {
        self.conference().calls()
    }

    fn alive(&self) -> usize {
        self.conference().alive()
    }

    fn wait_until_over(&self, until: Instant) {
        self.conference().wait_until_over(until);
    }

    /// Lets the calls go on for this long.
    fn pause(&self, time: Duration) {
        self.conference().pause(Instant::now() + time);
    }
}
