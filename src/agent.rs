//! All machines as one: a [`Wake`] in, [`Effect`]s out. No clock, no socket, no thread.

mod commands;
mod metrics;
mod wake;
mod watching;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use wake::{Effect, Readiness, Reload, Signal, Wake};

use crate::alexa::messages::report::Report;
use crate::bridge::link::LinkId;
use crate::bridge::{self, Bridge};
use crate::call::{CallCommand, CallEvent, CallId};
use crate::chance::Chance;
use crate::config::Config;
use crate::dialer::{self, DIALERS, Dialer};
use crate::media;
use crate::network::{FlowEvent, FlowId, QueryId};
use crate::record::{Restored, Slot};
use crate::room::{self, Equipment, Room};
use crate::time::{Deadline, Now};

/// How long the calls that the last process left behind may hold up directives (contract: 2 s).
const RECOVERY_LIMIT: Duration = Duration::from_secs(2);
/// How long BYE and CANCEL may take on the way out: the largest part of the 2 s that the daemon has.
pub const LEAVE_LIMIT: Duration = Duration::from_millis(1200);
/// Commands that may wait for the end of the recovery.
const HELD_COMMANDS: usize = 32;

/// What the agent is built from.
pub struct Parts {
    /// The checked configuration, secrets filled in.
    pub config: Config,
    /// The daemon's chance.
    pub chance: Chance,
    /// What the last process wrote down.
    pub restored: Restored,
}

/// The whole daemon, without the world.
pub struct Agent {
    phase: Phase,
    bridge: Bridge,
    room: Room,
    dialers: Vec<NamedDialer>,
    routes: Routes,
    effects: VecDeque<Effect>,
    status_words: String,
    endpoint_id: String,
    last_error: Option<(jiff::Timestamp, String)>,
    /// The keys whose new values wait for a restart.
    needs_restart: Vec<String>,
    watchers: watching::Watchers,
    metrics: metrics::Metrics,
}

/// Where the process is in its life.
///
/// ```text
/// Before ──Start──▶ Recovering ──recovered, or 2 s──▶ Running ──Terminate──▶ Leaving ──quiet, or 1.5 s──▶ Gone
///                       └───────────────Terminate───────────────────▲
/// ```
enum Phase {
    Before,
    Recovering {
        dialers: usize,
        until: Deadline,
        held: Vec<(LinkId, String)>,
    },
    Running,
    Leaving {
        until: Deadline,
    },
    Gone,
}

struct NamedDialer {
    name: &'static str,
    machine: Box<dyn Dialer>,
}

/// Which dialer what belongs to.
#[derive(Default)]
struct Routes {
    calls: BTreeMap<CallId, usize>,
    accepted: BTreeMap<FlowId, usize>,
}

impl Agent {
    /// The agent as it is before [`Wake::Start`].
    pub fn new(mut parts: Parts) -> Self {
        let dialers = DIALERS
            .iter()
            .zip(0..)
            .map(|(row, index)| NamedDialer {
                name: row.name,
                machine: (row.build)(dialer::Parts {
                    index,
                    settings: &parts.config.dialer,
                    chance: parts.chance.fork(),
                    restored: &parts.restored,
                }),
            })
            .collect();
        let endpoint_id = parts.config.room.endpoint_id.clone();
        let mut bridge = Bridge::new(parts.config.bridge, endpoint_id.clone(), parts.chance.fork());
        bridge.restore(&parts.restored);
        let kept = parts.restored.get(Slot::Room);
        if let Some((equipment, Some(directive))) = kept.and_then(Equipment::from_record) {
            bridge.was_done(directive, &equipment.adjusted());
        }
        Self {
            phase: Phase::Before,
            bridge,
            room: Room::new(parts.config.room, parts.chance.fork()).restored(kept),
            dialers,
            routes: Routes::default(),
            effects: VecDeque::new(),
            status_words: String::new(),
            endpoint_id,
            last_error: None,
            needs_restart: Vec::new(),
            watchers: watching::Watchers::default(),
            metrics: metrics::Metrics::default(),
        }
    }

    /// Takes one wake-up.
    pub fn handle_input(&mut self, now: Now, wake: Wake) {
        match wake {
            Wake::Start => self.start(now),
            Wake::Frame {
                link: link @ LinkId::Control(_),
                text,
            } => self.take_command(now, link, text),
            Wake::Frame { link, text } => self.bridge.handle_input(now, bridge::Input::Frame { link, text }),
            Wake::Link { link, event } => {
                self.unwatch_lost(link, &event);
                self.bridge.handle_input(now, bridge::Input::Link { link, event });
            }
            Wake::Flow { flow, event } => self.route_flow(now, flow, event),
            Wake::Names { query, answer } => {
                self.feed_dialer(now, owner_of(query), dialer::Input::Names(query, answer));
            }
            Wake::Media { call, event } => self.route_media(now, call, event),
            Wake::Stored(Ok(())) => {}
            Wake::Stored(Err(why)) => {
                self.last_error = Some((
                    now.wall,
                    format!("what was recorded may not survive a power cut: {why}"),
                ));
            }
            Wake::Signal(Signal::Terminate) => self.leave(now),
            Wake::Signal(Signal::NetworkChanged) => {
                self.bridge.handle_input(now, bridge::Input::NetworkChanged);
                for index in 0..self.dialers.len() {
                    self.feed_dialer(now, index, dialer::Input::NetworkChanged);
                }
            }
            Wake::Reload(reload) => self.reload(now, reload),
            Wake::Deadline => {
                self.bridge.handle_input(now, bridge::Input::Deadline);
                self.room.handle_input(now, room::Input::Deadline);
                for index in 0..self.dialers.len() {
                    self.feed_dialer(now, index, dialer::Input::Deadline);
                }
            }
        }
        self.drain(now);
        self.advance(now);
        self.tell_watchers(now);
    }

    /// The next effect. Drain it until `None` after every wake-up.
    pub fn poll_output(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When it wants [`Wake::Deadline`] next.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let own = match &self.phase {
            Phase::Recovering { until, .. } | Phase::Leaving { until } => Some(*until),
            Phase::Before | Phase::Running => None,
            Phase::Gone => return None,
        };
        let machines = [own, self.bridge.next_deadline(), self.room.next_deadline()];
        let dialers = self.dialers.iter().map(|dialer| dialer.machine.next_deadline());
        Deadline::earliest(machines.into_iter().chain(dialers))
    }

    fn enter(&mut self, phase: Phase) {
        tracing::debug!("the agent goes from {} to {}", self.phase.name(), phase.name());
        self.phase = phase;
    }

    fn start(&mut self, now: Now) {
        self.enter(Phase::Recovering {
            dialers: self.dialers.len(),
            until: Deadline::after(now, RECOVERY_LIMIT, "the calls of the last process are ended"),
            held: Vec::new(),
        });
        let loudspeaker = self.room.equipment().loudspeaker();
        self.effects.push_back(Effect::SetLoudspeaker(loudspeaker));
        for index in 0..self.dialers.len() {
            self.feed_dialer(now, index, dialer::Input::Start);
        }
    }

    fn leave(&mut self, now: Now) {
        if matches!(self.phase, Phase::Leaving { .. } | Phase::Gone) {
            return;
        }
        self.effects.push_back(Effect::Notify(Readiness::Stopping));
        self.enter(Phase::Leaving {
            until: Deadline::after(now, LEAVE_LIMIT, "BYE is answered before we leave"),
        });
        self.room.handle_input(now, room::Input::Leave);
        for index in 0..self.dialers.len() {
            self.feed_dialer(now, index, dialer::Input::Stop);
        }
    }

    fn reload(&mut self, now: Now, reload: Reload) {
        match reload {
            Reload::Config {
                config,
                needs_restart,
            } => {
                self.needs_restart = needs_restart;
                let Config {
                    room,
                    bridge,
                    dialer,
                    media: _,
                    sip_password_file: _,
                    sip_network: _,
                    log_level: _,
                    metrics: _,
                } = *config;
                self.room.handle_input(now, room::Input::Settings(Box::new(room)));
                for index in 0..self.dialers.len() {
                    self.feed_dialer(now, index, dialer::Input::Settings(Box::new(dialer.clone())));
                }
                self.bridge
                    .handle_input(now, bridge::Input::Settings(Box::new(bridge)));
            }
            Reload::Refused { why } => {
                self.last_error = Some((
                    now.wall,
                    format!("the changed configuration is wrong, the former one stays: {why}"),
                ));
            }
        }
        // A start that is not over says so itself.
        if matches!(self.phase, Phase::Running) {
            self.effects.push_back(Effect::Notify(Readiness::Ready));
        }
    }

    /// Whether the phase has done its work, and what follows.
    fn advance(&mut self, now: Now) {
        match &mut self.phase {
            Phase::Recovering { dialers, until, held } if *dialers == 0 || until.is_due(now) => {
                let held = std::mem::take(held);
                self.enter(Phase::Running);
                self.effects.push_back(Effect::Notify(Readiness::Ready));
                self.bridge.handle_input(now, bridge::Input::Start);
                for (link, text) in held {
                    self.take_command(now, link, text);
                }
                self.drain(now);
            }
            Phase::Leaving { until }
                if until.is_due(now) || self.dialers.iter().all(|dialer| dialer.machine.is_quiet()) =>
            {
                self.bridge.handle_input(now, bridge::Input::Leave);
                self.drain(now);
                self.effects.push_back(Effect::Exit(0));
                self.enter(Phase::Gone);
            }
            Phase::Before
            | Phase::Recovering { .. }
            | Phase::Running
            | Phase::Leaving { .. }
            | Phase::Gone => {}
        }
        self.tell_the_service_manager();
    }

    /// Carries what the machines say to each other until all are silent.
    fn drain(&mut self, now: Now) {
        loop {
            if let Some(output) = self.room.poll_output() {
                self.carry_from_room(now, output);
            } else if let Some(output) = self.bridge.poll_output() {
                self.carry_from_bridge(now, output);
            } else if let Some((index, output)) = self.poll_dialers() {
                self.carry_from_dialer(now, index, output);
            } else {
                return;
            }
        }
    }

    fn poll_dialers(&mut self) -> Option<(usize, dialer::Output)> {
        self.dialers
            .iter_mut()
            .enumerate()
            .find_map(|(index, dialer)| Some((index, dialer.machine.poll_output()?)))
    }

    fn carry_from_room(&mut self, now: Now, output: room::Output) {
        match output {
            room::Output::Command { dialer, command } => {
                if let CallCommand::HangUp { .. } = &command {
                    self.bridge.handle_input(now, bridge::Input::HangingUp);
                }
                if let CallCommand::Dial { call, .. } = &command {
                    self.metrics.dialled(now, *call);
                }
                self.command_dialer(now, &dialer, command);
            }
            room::Output::Keep { equipment, once } => {
                let slot = Slot::Room;
                let content = equipment.to_record(once.and_then(|ask| self.bridge.identity_of(ask)));
                self.effects.push_back(Effect::Record { slot, content });
                self.effects.push_back(Effect::Sync);
            }
            room::Output::Play { call, tone } => {
                let command = media::Command::Play(tone);
                self.effects.push_back(Effect::Media { call, command });
            }
            room::Output::SetLoudspeaker(loudspeaker) => {
                self.effects.push_back(Effect::SetLoudspeaker(loudspeaker));
            }
            room::Output::Answer { ask, outcome } => {
                self.bridge
                    .handle_input(now, bridge::Input::Outcome { ask, outcome });
            }
            room::Output::Report(report) => {
                if let Report::CallFailed { message, .. } = &report {
                    self.last_error = Some((now.wall, message.clone()));
                }
                self.bridge.handle_input(now, bridge::Input::Report(report));
            }
        }
    }

    fn carry_from_bridge(&mut self, now: Now, output: bridge::Output) {
        match output {
            bridge::Output::OpenLink { link, request } => {
                self.effects.push_back(Effect::OpenLink { link, request })
            }
            bridge::Output::SendFrame { link, frame } => {
                self.effects.push_back(Effect::SendFrame { link, frame })
            }
            bridge::Output::CloseLink { link, code } => {
                self.effects.push_back(Effect::CloseLink { link, code })
            }
            bridge::Output::Directive {
                ask,
                directive_id,
                directive,
            } => self.room.handle_input(
                now,
                room::Input::Directive {
                    ask,
                    directive_id,
                    directive,
                },
            ),
            bridge::Output::Record { slot, content } => {
                self.effects.push_back(Effect::Record { slot, content })
            }
            bridge::Output::Sync => self.effects.push_back(Effect::Sync),
            bridge::Output::AssistantListens(listens) => {
                self.room
                    .handle_input(now, room::Input::AssistantListens(listens));
            }
            bridge::Output::StopForeground => self.room.handle_input(now, room::Input::StopForeground),
            bridge::Output::SendDigits { call, signal } => {
                self.room
                    .handle_input(now, room::Input::SendDigits { call, signal });
            }
            bridge::Output::StopCall { call } => {
                self.room.handle_input(now, room::Input::StopCall { call });
            }
            bridge::Output::Answered { link, outcome } => self.answer_command(link, outcome),
        }
    }

    fn carry_from_dialer(&mut self, now: Now, index: usize, output: dialer::Output) {
        let effect = match output {
            dialer::Output::Event(event) => {
                self.metrics.heard(now, &event);
                if let CallEvent::Ended { call, .. } = &event {
                    self.routes.calls.remove(call);
                }
                return self.room.handle_input(now, room::Input::Call(event));
            }
            dialer::Output::Recovered { ended } => {
                tracing::debug!(
                    ended,
                    "{} has ended what the last process left behind",
                    self.dialers[index].name
                );
                if let Phase::Recovering { dialers, .. } = &mut self.phase {
                    *dialers = dialers.saturating_sub(1);
                }
                return;
            }
            dialer::Output::OpenFlow(flow, request) => Effect::OpenFlow { flow, request },
            dialer::Output::Transmit { flow, to, bytes } => Effect::Transmit { flow, to, bytes },
            dialer::Output::CloseFlow(flow) => {
                self.routes.accepted.remove(&flow);
                Effect::CloseFlow { flow }
            }
            dialer::Output::LookUp(query, question) => Effect::LookUp { query, question },
            dialer::Output::Media(call, command) => Effect::Media { call, command },
            dialer::Output::Record(slot, content) => Effect::Record { slot, content },
            dialer::Output::Erase(slot) => Effect::Record {
                slot,
                content: Vec::new(),
            },
            dialer::Output::Sync => Effect::Sync,
        };
        self.effects.push_back(effect);
    }

    fn command_dialer(&mut self, now: Now, name: &str, command: CallCommand) {
        let (CallCommand::Dial { call, .. }
        | CallCommand::HangUp { call, .. }
        | CallCommand::SendDigits { call, .. }
        | CallCommand::Follow { call, .. }
        | CallCommand::Hold { call, .. }
        | CallCommand::Mute { call, .. }) = &command;
        let index = match &command {
            CallCommand::Dial { .. } => self.dialers.iter().position(|dialer| dialer.name == name),
            CallCommand::HangUp { .. }
            | CallCommand::SendDigits { .. }
            | CallCommand::Follow { .. }
            | CallCommand::Hold { .. }
            | CallCommand::Mute { .. } => self.routes.calls.get(call).copied(),
        };
        let Some(index) = index else {
            // A call whose end is on its way to the room, or a dialer that the checked configuration cannot name.
            tracing::debug!(call_id = %call, dialer = name, "no dialer has this call any more");
            return;
        };
        self.routes.calls.insert(*call, index);
        self.feed_dialer(now, index, dialer::Input::Command(command));
    }

    fn route_flow(&mut self, now: Now, flow: FlowId, event: FlowEvent) {
        let index = if flow.0 >= FlowId::ACCEPTED {
            let Some(index) = self.routes.accepted.get(&flow) else {
                return;
            };
            *index
        } else {
            owner_of(QueryId(flow.0))
        };
        match &event {
            FlowEvent::Accepted { flow: accepted, .. } => {
                self.routes.accepted.insert(*accepted, index);
            }
            FlowEvent::Closed => {
                self.routes.accepted.remove(&flow);
            }
            FlowEvent::Opened { .. } | FlowEvent::Received { .. } | FlowEvent::Failed(_) => {}
        }
        self.feed_dialer(now, index, dialer::Input::Flow(flow, event));
    }

    fn route_media(&mut self, now: Now, call: CallId, event: media::Event) {
        if let media::Event::Figures(figures) = &event {
            self.metrics.figures(*figures);
        }
        match event {
            media::Event::Reserved { .. }
            | media::Event::ReserveFailed { .. }
            | media::Event::DigitsSent
            | media::Event::DigitsFailed { .. } => {
                if let Some(index) = self.routes.calls.get(&call) {
                    self.feed_dialer(now, *index, dialer::Input::Media(call, event));
                }
            }
            media::Event::FarAudio
            | media::Event::Figures(_)
            | media::Event::DeviceLost { .. }
            | media::Event::DeviceBack { .. } => {
                self.room.handle_input(now, room::Input::Media { call, event });
            }
        }
    }

    fn feed_dialer(&mut self, now: Now, index: usize, input: dialer::Input) {
        if let Some(dialer) = self.dialers.get_mut(index) {
            dialer.machine.handle_input(now, input);
        }
    }

    fn tell_the_service_manager(&mut self) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let words = self.in_words();
        if words != self.status_words {
            self.status_words.clone_from(&words);
            self.effects.push_back(Effect::Notify(Readiness::Status(words)));
        }
    }
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Recovering { .. } => "recovering",
            Self::Running => "running",
            Self::Leaving { .. } => "leaving",
            Self::Gone => "gone",
        }
    }
}

/// The dialer whose numbers these are; see [`dialer::Parts::first_id`].
fn owner_of(id: QueryId) -> usize {
    usize::try_from(id.0 >> 48).unwrap_or(usize::MAX)
}
