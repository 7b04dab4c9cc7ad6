//! One simulated life of a room: carries out its steps, and asks the checks along the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use meetd::agent::{Readiness, Signal};
use meetd::chance::Chance;
use serde_json::{Value, json};

use crate::checks::{self, Broken};
use crate::disk::DiskFault;
use crate::far_end::Leg;
use crate::log::PIN;
use crate::names::{CONFERENCE, NamesFault};
use crate::network::Network;
use crate::plan::Step;
use crate::reference::{Expected, Room};
use crate::stories::{directive, end, last_state, with_token};
use crate::world::{World, config};

/// By then a directive is answered, and what it began is done.
const SETTLED: Duration = Duration::from_secs(9);
/// After this much quiet the room is what it shows.
const QUIET: Duration = Duration::from_secs(150);
/// By then a far end has repeated an answer that was not acknowledged (RFC 3261 13.3.1.4), and heard BYE.
const ANSWER_REPEATED: Duration = Duration::from_secs(5);
/// The longest that a directive without trouble may wait for its event.
pub const ANSWERED: Duration = Duration::from_secs(70);
/// What a start may take before directives are taken (contract: 2 s).
const START: Duration = Duration::from_millis(2100);

/// One sending of a directive.
pub struct Sent {
    pub directive: usize,
    pub token: String,
    pub at: Duration,
    /// Whether connection and process stayed since.
    pub is_undisturbed: bool,
}

/// A directive, sent once or more.
pub struct Ordered {
    pub value: Value,
    /// The meeting that it joins.
    pub meeting: Option<String>,
}

/// A life.
pub struct Life {
    pub world: World,
    pub orders: Vec<Ordered>,
    pub sent: Vec<Sent>,
    /// How many calls a meeting may have had.
    pub allowed: BTreeMap<String, usize>,
    /// Directives whose outcome stands over restarts: what it is, and how many sendings there had been by then.
    pub settled: BTreeMap<usize, (String, usize)>,
    /// Where the frames of this process begin.
    pub first_frame: usize,
    chance: Chance,
    room: Room,
    expecting: Option<(String, Expected, Duration, usize)>,
    sent_in_this_process: BTreeSet<usize>,
    connection: Option<(u32, meetd::bridge::link::LinkId)>,
    orphans: Vec<String>,
    meetings: usize,
    /// Whether the latest meeting was joined at a name.
    by_name: bool,
    /// Whether an answer was lost with the disk.
    memory_is_broken: bool,
}

/// Lives all steps; gives how long it took in the room.
pub fn live(steps: &[Step], mut chance: Chance) -> Result<Duration, Broken> {
    let mut config = config();
    config.room.max_duration = None;
    let world = World::seeded(config, &mut chance);
    let begun = world.now();
    let mut life = Life {
        world,
        orders: Vec::new(),
        sent: Vec::new(),
        allowed: BTreeMap::new(),
        settled: BTreeMap::new(),
        first_frame: 0,
        chance,
        room: Room::Unknown,
        expecting: None,
        sent_in_this_process: BTreeSet::new(),
        connection: None,
        orphans: Vec::new(),
        meetings: 0,
        by_name: false,
        memory_is_broken: false,
    };
    life.start()?;
    life.wait(Duration::from_secs(60))?;
    for step in steps {
        life.take(*step)?;
    }
    life.come_to_rest()?;
    Ok(life.world.now() - begun)
}

impl Life {
    fn take(&mut self, step: Step) -> Result<(), Broken> {
        match step {
            Step::Join { by_name } => {
                self.meetings += 1;
                self.by_name = by_name;
                self.join()
            }
            Step::JoinSame if self.meetings > 0 => self.join(),
            Step::JoinSame => Ok(()),
            Step::End => {
                let number = self.orders.len();
                let expected = self.room.end();
                self.order(end(&format!("m-{number}")), None, expected)
            }
            Step::Repeat(back) => self.repeat(back),
            Step::Stop => {
                self.be_unsure();
                self.send(stop())
            }
            Step::FarHangsUp => {
                self.be_unsure();
                self.world.far_hangs_up();
                Ok(())
            }
            Step::Manners(manners) => {
                self.be_unsure_of_what_goes_on();
                self.world.far.manners = manners;
                Ok(())
            }
            Step::Network(network) => {
                self.be_unsure();
                self.world.network = network;
                Ok(())
            }
            Step::Names(fault) => {
                self.be_unsure_of_what_goes_on();
                self.world.names = fault;
                Ok(())
            }
            Step::Disk(fault) => {
                self.world.disk.fault = fault;
                Ok(())
            }
            Step::LoseBridge => {
                self.be_unsure();
                self.world.lose_bridge();
                let down = self.chance.up_to(Duration::from_secs(20));
                self.wait(down)?;
                self.world.bridge.is_down = false;
                Ok(())
            }
            Step::Kill { after } => {
                self.be_unsure();
                self.world.kill_at = Some(self.world.effects + after);
                Ok(())
            }
            Step::CutPower => {
                self.be_unsure();
                self.world.cut_power();
                self.rise_again(Duration::from_secs(10))
            }
            Step::Restart => {
                self.be_unsure();
                self.world.signal(Signal::Terminate);
                if self.world.run_while_it_lives(Duration::from_secs(2)) {
                    return Err(Broken::new("a_stop_takes_two_seconds", "it still runs"));
                }
                self.rise_again(Duration::from_millis(500))
            }
            Step::SetClock(seconds) => {
                self.world.set_clock(seconds);
                Ok(())
            }
            Step::Suspend(time) => {
                self.be_unsure();
                // What the far end says at that moment would be lost for good, and rightly so.
                self.wait(Duration::from_secs(40))?;
                self.disturb();
                self.world.suspend(time);
                Ok(())
            }
            Step::Wait(time) => self.wait(time),
        }
    }

    fn join(&mut self) -> Result<(), Broken> {
        let number = self.orders.len();
        let meeting = format!("12345{:05}", self.meetings);
        let endpoint = if self.by_name { CONFERENCE } else { "192.0.2.20" };
        let payload = json!({ "meeting": {
            "endpoint": endpoint, "id": meeting, "pin": PIN, "protocol": "SIP", "provider": "EXAMPLE",
        }});
        let is_found = !self.by_name || self.world.names.finds();
        let expected = self.room.join(&meeting, is_found, &self.world.far.manners);
        let value = directive("JoinMeeting", &format!("m-{number}"), payload);
        self.order(value, Some(meeting), expected)
    }

    fn order(
        &mut self,
        value: Value,
        meeting: Option<String>,
        expected: Option<Expected>,
    ) -> Result<(), Broken> {
        self.orders.push(Ordered { value, meeting });
        self.say(self.orders.len() - 1, expected)
    }

    fn repeat(&mut self, back: usize) -> Result<(), Broken> {
        let Some(directive) = self.orders.len().checked_sub(back + 1) else {
            return Ok(());
        };
        self.be_unsure();
        self.say(directive, None)
    }

    fn say(&mut self, directive: usize, expected: Option<Expected>) -> Result<(), Broken> {
        if !self.is_heard() {
            return Ok(());
        }
        let token = format!("token-{}-{directive}", self.sent.len());
        let ordered = &self.orders[directive];
        if self.sent_in_this_process.insert(directive)
            && let Some(meeting) = &ordered.meeting
            && (self.memory_is_broken || !self.settled.contains_key(&directive))
        {
            *self.allowed.entry(meeting.clone()).or_default() += 1;
        }
        let value = with_token(ordered.value.clone(), &token);
        let is_calm =
            self.expecting.is_none() && self.world.network.is_fine() && self.world.kill_at.is_none();
        match expected {
            Some(expected) if is_calm => {
                let calls = self.world.far.called.len();
                self.expecting = Some((token.clone(), expected, self.world.now(), calls));
            }
            Some(_) | None => self.be_unsure(),
        }
        self.sent.push(Sent {
            directive,
            token,
            at: self.world.now(),
            is_undisturbed: true,
        });
        self.send(value)
    }

    fn send(&mut self, value: Value) -> Result<(), Broken> {
        if self.is_heard() {
            self.world.bridge_sends(value);
        }
        Ok(())
    }

    fn is_heard(&self) -> bool {
        self.world.is_running() && self.world.bridge_link().is_some()
    }

    /// Nothing is expected until the room has been quiet.
    fn be_unsure(&mut self) {
        self.expecting = None;
        self.room = Room::Unknown;
    }

    /// A change may still meet what was asked last: a repeated INVITE, the next question.
    fn be_unsure_of_what_goes_on(&mut self) {
        if self.expecting.is_some() {
            self.be_unsure();
        }
    }

    fn disturb(&mut self) {
        for sent in &mut self.sent {
            sent.is_undisturbed = false;
        }
    }

    /// Lets time pass; a process that dies rises again.
    fn wait(&mut self, time: Duration) -> Result<(), Broken> {
        let end = self.world.now() + time;
        let mut is_calm = self.world.network.is_fine() && !self.world.bridge.is_down;
        while self.world.now() < end {
            // A connection that comes and goes is noticed.
            let slice = (end - self.world.now()).min(Duration::from_secs(30));
            if !self.world.run_while_it_lives(slice) {
                is_calm = false;
                self.rise_again(Duration::from_millis(100))?;
            }
            let connection = self
                .world
                .bridge_link()
                .map(|link| (self.world.generation(), link));
            if connection != self.connection {
                is_calm &= self.connection.is_none();
                self.connection = connection;
                self.disturb();
            }
            self.check_start()?;
            checks::answered(self)?;
        }
        self.meet_expectations()?;
        if is_calm && time >= QUIET {
            checks::truth(&self.world)?;
            self.learn();
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), Broken> {
        self.world.notices.clear();
        self.world.exit = None;
        self.sent_in_this_process.clear();
        self.first_frame = self.world.bridge.frames.len();
        self.world.start();
        Ok(())
    }

    /// The process is gone: it starts again after this long.
    fn rise_again(&mut self, after: Duration) -> Result<(), Broken> {
        self.be_unsure();
        self.disturb();
        self.world.kill_at = None;
        checks::settle(self);
        self.memory_is_broken |= self.world.disk.has_lost_an_answer();
        if self.world.disk.has_lost_a_dialog() {
            // The promise was lost aloud; somebody clears the conference when all has arrived there.
            self.world.run(Duration::from_secs(1));
            self.world.far.clear();
        }
        self.world.disk.forget_losses();
        self.world.run(after);
        self.orphans = self.alive();
        self.start()
    }

    /// Two seconds after a start directives are taken, and what was left behind is ended.
    fn check_start(&mut self) -> Result<(), Broken> {
        if self.world.now() - self.world.started_at() < START {
            return Ok(());
        }
        if !self.world.notices.contains(&Readiness::Ready) {
            return Err(Broken::new(
                "directives_are_taken_two_seconds_after_a_start",
                "it is not ready",
            ));
        }
        if !self.world.network.is_fine() {
            self.orphans.clear();
        }
        // An answer that the dead process never heard is known when it is repeated, every 4 s.
        let may_answer_again = self.world.now() - self.world.started_at() < ANSWER_REPEATED;
        let is_left = |(_, leg): &&(&str, Leg)| *leg != Leg::Answered || !may_answer_again;
        let alive = self.world.far.alive();
        let left = alive
            .iter()
            .filter(is_left)
            .find(|(key, _)| self.orphans.iter().any(|orphan| orphan == key));
        if let Some((orphan, leg)) = left {
            let words = format!("{orphan} is {leg:?}");
            return Err(Broken::new("no_dialog_outlives_a_restart", &words));
        }
        if !may_answer_again {
            self.orphans.clear();
        }
        Ok(())
    }

    /// Whether the disk kept what became of it.
    pub fn is_remembered(&self, directive: usize) -> bool {
        !self.memory_is_broken && self.settled.contains_key(&directive)
    }

    fn alive(&self) -> Vec<String> {
        let alive = self.world.far.alive().into_iter();
        alive.map(|(key, _)| key.to_owned()).collect()
    }

    fn meet_expectations(&mut self) -> Result<(), Broken> {
        let Some((token, expected, since, calls)) = self.expecting.take() else {
            return Ok(());
        };
        if self.world.now() - since < SETTLED {
            self.expecting = Some((token, expected, since, calls));
            return Ok(());
        }
        let answer = checks::answers(&self.world, &token).pop();
        if answer.as_deref() != Some(expected.answer) {
            let words = format!("{token}: {answer:?} where the model expects {expected:?}");
            return Err(Broken::new("the_room_answers_as_the_model_does", &words));
        }
        let placed = self.world.far.called.len() - calls;
        if placed != expected.calls {
            let words = format!("{token}: {placed} calls where the model expects {expected:?}");
            return Err(Broken::new("the_room_calls_as_the_model_does", &words));
        }
        let state = last_state(&self.world);
        let is_as_expected = match &expected.room {
            Room::Free => state == "IDLE",
            Room::In { .. } => state == "ACTIVE",
            Room::Unknown => true,
        };
        if !is_as_expected {
            let words = format!("{token}: {state} where the model expects {expected:?}");
            return Err(Broken::new("the_room_is_where_the_model_is", &words));
        }
        self.room = expected.room;
        Ok(())
    }

    /// After a long quiet the room is what it shows.
    fn learn(&mut self) {
        if self.expecting.is_some() {
            return;
        }
        self.room = match checks::shown(&self.world) {
            ("IDLE", _) => Room::Free,
            ("ACTIVE", caller) => Room::In {
                meeting: caller
                    .split(['@', ':'])
                    .find(|part| part.starts_with("12345"))
                    .unwrap_or_default()
                    .to_owned(),
            },
            _ => Room::Unknown,
        };
    }

    /// All is mended, and after some quiet everything must be true.
    fn come_to_rest(&mut self) -> Result<(), Broken> {
        self.be_unsure();
        self.world.network = Network::default();
        self.world.disk.fault = DiskFault::None;
        self.world.names = NamesFault::None;
        self.world.bridge.is_down = false;
        self.world.kill_at = None;
        // The longest way back to the bridge is two minutes.
        self.wait(Duration::from_secs(130))?;
        self.wait(QUIET)?;
        if !self.is_heard() {
            return Err(Broken::new("the_bridge_is_found_again", "it is not connected"));
        }
        self.take(Step::End)?;
        self.wait(Duration::from_secs(5))?;
        let token = &self.sent[self.sent.len() - 1].token;
        if checks::answers(&self.world, token) != ["Response"] {
            return Err(Broken::new("directives_are_taken_at_rest", token));
        }
        let alive = self.alive();
        if let Some(call) = alive.first() {
            return Err(Broken::new("no_call_outlives_its_room", call));
        }
        checks::truth(&self.world)?;
        checks::whole(self)
    }
}

fn stop() -> Value {
    json!({ "header": {
        "version": "4.0", "messageType": "Publish", "id": "m-stop",
        "messageDescription": { "topic": "AlexaClient", "action": "StopForegroundActivity" },
    }})
}
