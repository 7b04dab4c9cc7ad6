//! Random days of a room, against a small model of what must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::room::{Microphone, WhenBusy};

#[test]
fn whatever_happens_the_room_keeps_its_promises() {
    let mut walks = Walks::default();
    for seed in 0..300_u64 {
        let mut day = Day::new(seed);
        for _ in 0..200 {
            day.step();
        }
        day.come_to_rest(&mut walks);
    }
    // The walk must have been everywhere, or it proves nothing.
    assert!(
        walks.done > 1_000 && walks.refused > 1_000 && walks.calls > 1_000,
        "{walks:?}"
    );
    assert!(walks.active > 300 && walks.failed > 300, "{walks:?}");
}

#[derive(Debug, Default)]
struct Walks {
    calls: usize,
    active: usize,
    failed: usize,
    done: usize,
    refused: usize,
}

/// The model: what the dialer and everyone who is told know.
struct Day {
    seed: u64,
    world: World,
    chance: Chance,
    /// When each ask came, and whether it is a join; gone when answered.
    open: BTreeMap<AskId, (Moment, bool)>,
    /// The calls that the dialer has not ended, and whether it was told to hang up.
    alive: BTreeMap<CallId, bool>,
    over: Vec<CallId>,
    told: BTreeMap<CallId, Vec<CallStateName>>,
    /// The calls whose dialer was told last to send silence.
    silent: BTreeSet<CallId>,
    counts: Walks,
}

impl Day {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut chance = Chance::from_seed(bytes);
        let replace = chance.below(2) == 0;
        let limit = [None, Some(3)][chance.below(2) as usize];
        Self {
            seed,
            world: World::with(|settings| {
                settings.when_busy = if replace {
                    WhenBusy::Replace
                } else {
                    WhenBusy::Reject
                };
                settings.per_minute = limit;
            }),
            chance,
            open: BTreeMap::new(),
            alive: BTreeMap::new(),
            over: Vec::new(),
            told: BTreeMap::new(),
            silent: BTreeSet::new(),
            counts: Walks::default(),
        }
    }

    fn step(&mut self) {
        let call = self.some_call();
        match (self.chance.below(15), call) {
            (0..=2, _) => {
                let id = ["71", "72", "73"][self.chance.below(3) as usize];
                let before = self.world.now.moment;
                self.open.insert(AskId(self.world.next_ask), (before, true));
                self.world.join(id);
            }
            (3, _) => {
                let before = self.world.now.moment;
                self.open.insert(AskId(self.world.next_ask), (before, false));
                self.world.end_meeting();
            }
            (4, _) if self.chance.below(3) == 0 => self.world.tell(Input::StopForeground),
            (5..=7, _) => {
                let millis = [1, 50, 700, 7_000, 40_000][self.chance.below(5) as usize];
                self.wait(millis);
            }
            (8, Some(call)) => self.world.proceeding(call),
            (9, Some(call)) => self.world.ringing(call),
            (10, Some(call)) => self.world.answered(call),
            (11, Some(call)) => {
                let reason = [
                    EndReason::HungUp(None),
                    refused(486),
                    EndReason::Broken("x".to_owned()),
                ][self.chance.below(3) as usize]
                    .clone();
                self.end_at_dialer(call, reason);
            }
            (12, _) => {
                let listens = self.chance.below(2) == 0;
                self.world.tell(Input::AssistantListens(listens));
            }
            (13, _) => {
                // Refused without a call.
                let _ = self.world.room.mute(self.chance.below(2) == 0);
                self.world.tell(Input::Deadline);
            }
            _ => {}
        }
        self.look();
        self.dialer_keeps_its_promise();
    }

    /// A call that lives, or sometimes one that is long over.
    fn some_call(&mut self) -> Option<CallId> {
        if self.chance.below(4) == 0 && !self.over.is_empty() {
            let index = self.chance.below(self.over.len() as u64) as usize;
            return Some(self.over[index]);
        }
        self.alive.keys().next().copied()
    }

    fn wait(&mut self, millis: u64) {
        let until = self.world.now.moment + Duration::from_millis(millis);
        while self.world.now.moment < until {
            let next = self
                .world
                .room
                .next_deadline()
                .map_or(until, |deadline| deadline.at.min(until));
            let step = (next - self.world.now.moment).as_millis() as u64;
            self.world.wait(step.max(1));
            self.look();
            self.dialer_keeps_its_promise();
        }
    }

    /// Each hung up call ends, most at once, some only when the room has gone on by itself.
    fn dialer_keeps_its_promise(&mut self) {
        let hung_up: Vec<CallId> = self
            .alive
            .iter()
            .filter(|(_, hung_up)| **hung_up)
            .map(|(call, _)| *call)
            .collect();
        for call in hung_up {
            if self.chance.below(4) > 0 {
                self.end_at_dialer(call, EndReason::EndedHere(EndedHere::Asked));
                self.look();
            }
        }
    }

    fn end_at_dialer(&mut self, call: CallId, reason: EndReason) {
        self.alive.remove(&call);
        self.over.push(call);
        self.world.ended(call, reason);
    }

    /// Holds what was said against the model.
    fn look(&mut self) {
        let seed = self.seed;
        for said in self.world.said() {
            match said {
                Said::Changed(..)
                | Said::Told(..)
                | Said::Discovered(_)
                | Said::Kept(_)
                | Said::DigitsSent(_)
                | Said::DigitsFailed(..) => {
                    panic!("nobody asked for {said:?}")
                }
                Said::Dial(call) => {
                    self.counts.calls += 1;
                    let forgotten = self.alive.values().all(|hung_up| *hung_up);
                    assert!(forgotten, "seed {seed}: two calls at once");
                    assert!(
                        self.alive.insert(call, false).is_none(),
                        "seed {seed}: dialled twice"
                    );
                }
                Said::HangUp(call, _) => {
                    // A call may have ended at the dialer while the room had not heard of it.
                    if let Some(hung_up) = self.alive.get_mut(&call) {
                        assert!(!*hung_up, "seed {seed}: hung up twice");
                        *hung_up = true;
                    }
                }
                Said::Mute(call, is_muted) => {
                    let is_news = match is_muted {
                        true => self.silent.insert(call),
                        false => self.silent.remove(&call),
                    };
                    assert!(is_news, "seed {seed}: told twice that {is_muted}");
                }
                Said::Hold(..) | Said::Follow(..) => panic!("nobody asked for {said:?}"),
                Said::Digits(call) => {
                    assert!(self.alive.contains_key(&call), "seed {seed}: digits to nobody")
                }
                Said::Done(ask) => {
                    self.counts.done += 1;
                    self.answered(ask);
                }
                Said::Refused(ask, _) => {
                    self.counts.refused += 1;
                    let is_join = self.answered(ask);
                    assert!(is_join, "seed {seed}: EndMeeting is never refused");
                }
                Said::State(state, call) => self.told.entry(call).or_default().push(state),
                Said::Failed(call, _) => {
                    self.counts.failed += 1;
                    let told = self.told.get(&call).and_then(|told| told.last());
                    assert!(
                        told.is_some_and(|state| *state != CallStateName::Idle),
                        "seed {seed}: failed after IDLE"
                    );
                }
            }
        }
        let Some(current) = self.world.room.status().call else {
            return;
        };
        let told = self.told.get(&current.call).and_then(|told| told.last());
        assert_eq!(
            told,
            Some(&current.state),
            "seed {seed}: the status is what was told"
        );
        if self.alive.get(&current.call) == Some(&false) {
            assert_eq!(
                self.silent.contains(&current.call),
                current.microphone != Microphone::On,
                "seed {seed}: the meeting hears what the status says"
            );
        }
    }

    fn answered(&mut self, ask: AskId) -> bool {
        let seed = self.seed;
        let Some((came, is_join)) = self.open.remove(&ask) else {
            panic!("seed {seed}: {ask:?} answered twice, or never asked");
        };
        let took = self.world.now.moment - came;
        assert!(
            took <= Duration::from_millis(6_500),
            "seed {seed}: {ask:?} took {took:?}"
        );
        is_join
    }

    /// Everybody hangs up and goes home.
    fn come_to_rest(mut self, walks: &mut Walks) {
        self.world.end_meeting();
        self.open
            .insert(AskId(self.world.next_ask - 1), (self.world.now.moment, false));
        self.look();
        self.wait(2_000);
        let seed = self.seed;
        assert!(
            self.open.is_empty(),
            "seed {seed}: never answered: {:?}",
            self.open
        );
        assert!(
            self.world.room.next_deadline().is_none() && !self.world.room.is_in_call(),
            "seed {seed}"
        );
        for (call, told) in &self.told {
            use CallStateName::{Active, Dialing, Idle, OutboundRinging};
            let is_legal = matches!(
                told[..],
                [Dialing, Idle]
                    | [Dialing, OutboundRinging, Idle]
                    | [Dialing, Active, Idle]
                    | [Dialing, OutboundRinging, Active, Idle]
            );
            assert!(is_legal, "seed {seed}: {call} was told as {told:?}");
            walks.active += usize::from(told.contains(&Active));
        }
        walks.calls += self.counts.calls;
        walks.done += self.counts.done;
        walks.refused += self.counts.refused;
        walks.failed += self.counts.failed;
    }
}
