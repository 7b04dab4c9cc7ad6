//! Random stories against a small model of what a far end expects to hear.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{END, World, call, ended, event_of};
use crate::alexa::messages::dialog_state::DialogState;
use crate::alexa::messages::directive::AskId;
use crate::alexa::messages::report::CallStateName;
use crate::bridge::link::{LinkEvent, LinkId};
use crate::bridge::{Input, Output};
use crate::chance::Chance;

/// Random frames, events, outcomes and times: nothing panics, no state waits for ever, frames go to open links only,
/// and each directive of a connection that stays is answered exactly once.
#[test]
fn every_directive_is_answered_exactly_once_whatever_happens() {
    for seed in 0..60 {
        let mut world = World::started();
        let mut chance = Chance::from_seed([seed; 32]);
        let mut model = Model::default();
        for step in 0..400 {
            let before = world.frames.len();
            model.step(step, &mut world, &mut chance);
            for (link, text) in world.frames.split_off(before) {
                model.heard(link, &text);
            }
            assert!(world.bridge.next_deadline().is_some(), "seed {seed}");
        }
        model.settle(&mut world);
        for ((link, token), count) in &model.answers {
            assert_eq!(*count, 1, "seed {seed}: {token} on {link:?}");
        }
        assert!(model.answers.len() > 20, "seed {seed}: the story was too quiet");
        assert_eq!(world.bridge.dialogs().next().unwrap().state, DialogState::Idle);
    }
}

/// What a far end would expect to hear.
#[derive(Default)]
struct Model {
    attempt: u32,
    is_open: bool,
    /// By link and token: how many answers came. Directives whose link went away are not among them.
    answers: BTreeMap<(LinkId, String), u32>,
    working: Vec<AskId>,
}

impl Model {
    fn step(&mut self, step: u32, world: &mut World, chance: &mut Chance) {
        world.pass(chance.up_to(Duration::from_secs(3)));
        let link = LinkId::Bridge(self.attempt);
        match chance.below(12) {
            0..4 if self.is_open => self.ask(step, link, world, chance),
            4..7 => self.finish_one(world, chance),
            7 => self.toggle(world, chance),
            8 => drop(world.frame(link, &garbage(chance))),
            9 => drop(world.input(Input::NetworkChanged)),
            10 => drop(world.input(Input::Report(call(chance.below(3), CallStateName::Dialing)))),
            _ => drop(world.input(Input::Deadline)),
        }
        self.collect(world);
        if self.is_open {
            let _ = world.link(LinkId::Bridge(self.attempt), LinkEvent::Pong);
        }
    }

    fn ask(&mut self, step: u32, link: LinkId, world: &mut World, chance: &mut Chance) {
        let token = format!("token-{step}");
        let text = match chance.below(4) {
            0 => END.replace("\"3\"", "3"),
            1 => END.replace("room-15-104", "elsewhere"),
            _ => END.replace("5f8a426e", &format!("{step:08}")),
        };
        let text = text.replace("dFMb0z+PgpgdDmluhJ1LddFvSqZ/jCc8ptlAKulUj90jSqg==", &token);
        self.answers.insert((link, token), 0);
        world.frame(link, &text);
    }

    fn finish_one(&mut self, world: &mut World, chance: &mut Chance) {
        if self.working.is_empty() {
            return;
        }
        let ask = self
            .working
            .swap_remove(chance.below(self.working.len() as u64) as usize);
        world.done(ask.0);
        if chance.below(4) == 0 {
            world.done(ask.0);
        }
    }

    fn toggle(&mut self, world: &mut World, chance: &mut Chance) {
        let link = LinkId::Bridge(self.attempt);
        match (self.is_open, chance.below(3)) {
            (true, 0) | (false, 1) => {
                world.lose(link, ended());
                self.bridge_is_gone();
            }
            (true, _) => {}
            // Number 0 is no attempt: what is said of it must not be heard.
            (false, _) => {
                world.link(link, LinkEvent::Opened);
                self.is_open = self.attempt > 0;
            }
        }
    }

    fn bridge_is_gone(&mut self) {
        self.is_open = false;
        self.attempt = 0;
        self.answers.retain(|_, count| *count > 0);
    }

    /// Follows what the bridge did meanwhile.
    fn collect(&mut self, world: &mut World) {
        for output in std::mem::take(&mut world.story) {
            match output {
                Output::OpenLink {
                    link: LinkId::Bridge(attempt),
                    ..
                } => {
                    assert!(!self.is_open, "one connection at most");
                    self.attempt = attempt;
                }
                Output::CloseLink { .. } => self.bridge_is_gone(),
                Output::Directive { ask, .. } => self.working.push(ask),
                _ => {}
            }
        }
    }

    fn heard(&mut self, link: LinkId, text: &str) {
        let Some(event) = event_of(&(link, text.to_owned())) else {
            return;
        };
        if let Some(token) = event["header"]["correlationToken"].as_str() {
            // What was asked on an older connection may be answered here; it is not in the model any more.
            if let Some(count) = self.answers.get_mut(&(link, token.to_owned())) {
                *count += 1;
            }
        }
    }

    fn settle(&mut self, world: &mut World) {
        self.collect(world);
        for ask in std::mem::take(&mut self.working) {
            let before = world.frames.len();
            world.done(ask.0);
            for (link, text) in world.frames.split_off(before) {
                self.heard(link, &text);
            }
        }
    }
}

fn garbage(chance: &mut Chance) -> String {
    let scraps = [
        "{",
        "}",
        "\"directive\"",
        "\"header\"",
        ":",
        "{}",
        "[",
        "1e999",
        "\"\\ud800\"",
        ",",
        "null",
    ];
    (0..chance.below(8))
        .map(|_| scraps[chance.below(scraps.len() as u64) as usize])
        .collect()
}
