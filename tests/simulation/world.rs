//! The pretend world: it stands where the edge does. Virtual time, a network of one far end, a bridge, a disk that
//! survives the process, and a process that can be killed between any two effects.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use meetd::agent::{Agent, Effect, Parts, Readiness, Signal, Wake};
use meetd::bridge::link::{Frame, LinkEvent, LinkFault, LinkId};
use meetd::call::{CallId, DigitStep};
use meetd::chance::Chance;
use meetd::config::{Config, Sources};
use meetd::media;
use meetd::network::{ConnectFault, FlowEvent, FlowId, FlowRequest};
use meetd::time::{Moment, Now};

use crate::disk::Disk;
use crate::far_end::FarEnd;
use crate::frames;
use crate::names::NamesFault;
use crate::network::Network;

/// One way through the network.
const LATENCY: Duration = Duration::from_millis(1);
/// From OpenLink to 101.
const HANDSHAKE: Duration = Duration::from_millis(20);
/// How many effects one turn may have before we call it a loop without end.
const RUNAWAY: usize = 10_000;

/// The room of the stories, as its file would say it.
pub fn config() -> Config {
    let text = r#"
        [room]
        endpoint_id = "room-15-104"
        [bridge]
        url = "wss://bridge.example.com/room-15-104"
        token_file = ""
        [calls]
        allow = ["192.0.2.0/24", "conference.example.com"]
        per_minute = 0
        [sip]
        identity = "sip:room-15-104@example.com"
        listen = ["0.0.0.0:0"]
        [media]
        input = "silence"
        output = "discard"
    "#;
    let files = vec![("meetd.toml".into(), text.to_owned())];
    let sources = Sources {
        unreadable: Vec::new(),
        files,
        environment: Vec::new(),
        flags: Vec::new(),
    };
    let checked = meetd::config::check(&sources);
    checked.config.unwrap_or_else(|| panic!("{:?}", checked.problems))
}

/// A process, and all that it can reach.
pub struct World {
    now: Duration,
    started_at: Duration,
    sequence: u64,
    config: Config,
    chance: Chance,
    agent: Option<Agent>,
    /// Wakes of an older process are not delivered.
    generation: u32,
    pending: BTreeMap<(Duration, u64), (u32, Happening)>,
    /// The disk.
    pub disk: Disk,
    /// The network between the room and the conference.
    pub network: Network,
    /// What is wrong with the name servers.
    pub names: NamesFault,
    weather: Chance,
    /// How far the wall clock has been set forward or back, in seconds.
    wall_offset: i64,
    sockets: BTreeMap<FlowId, Socket>,
    listening_port: u16,
    /// The conference.
    pub far: FarEnd,
    /// The bridge.
    pub bridge: BridgeSide,
    /// Calls whose audio runs.
    pub audio: BTreeMap<CallId, media::Plan>,
    /// Digits that the audio side was told to send.
    pub digits: String,
    /// What the service manager was told.
    pub notices: Vec<Readiness>,
    /// The exit code, once it left by itself.
    pub exit: Option<u8>,
    /// Effects carried out so far, all processes together.
    pub effects: usize,
    /// After so many effects the process is killed.
    pub kill_at: Option<usize>,
}

/// The far side of the websocket.
#[derive(Default)]
pub struct BridgeSide {
    /// Whether it takes connections.
    pub is_down: bool,
    open: Option<LinkId>,
    opened_at: Duration,
    /// Each text frame that came, with its time and the connection's number.
    pub frames: Vec<(Duration, LinkId, serde_json::Value)>,
}

struct Socket {
    local: SocketAddr,
    remote: Option<SocketAddr>,
}

enum Happening {
    Wake(Wake),
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
}

impl World {
    pub fn new(config: Config, seed: u8) -> Self {
        let mut world = Self::quiet(config);
        world.chance = Chance::from_seed([seed; 32]);
        world
    }

    /// A world whose every chance comes from here.
    pub fn seeded(config: Config, chance: &mut Chance) -> Self {
        let mut world = Self::quiet(config);
        world.chance = chance.fork();
        world.weather = chance.fork();
        world
    }

    fn quiet(config: Config) -> Self {
        Self {
            now: Duration::from_secs(100),
            started_at: Duration::from_secs(100),
            sequence: 0,
            config,
            chance: Chance::from_seed([0; 32]),
            agent: None,
            generation: 0,
            pending: BTreeMap::new(),
            disk: Disk::default(),
            network: Network::default(),
            names: NamesFault::default(),
            weather: Chance::from_seed([1; 32]),
            wall_offset: 0,
            sockets: BTreeMap::new(),
            listening_port: 5062,
            far: FarEnd::new("192.0.2.20:5060".parse().unwrap()),
            bridge: BridgeSide::default(),
            audio: BTreeMap::new(),
            digits: String::new(),
            notices: Vec::new(),
            exit: None,
            effects: 0,
            kill_at: None,
        }
    }

    /// Starts the process; what the disk holds is what it finds.
    pub fn start(&mut self) {
        self.generation += 1;
        let restored = self.disk.restored();
        self.started_at = self.now;
        let parts = Parts {
            config: self.config.clone(),
            chance: self.chance.fork(),
            restored,
        };
        self.agent = Some(Agent::new(parts));
        self.feed(Wake::Start);
    }

    /// The time since the world began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// When the process started last.
    pub fn started_at(&self) -> Duration {
        self.started_at
    }

    /// How often a process was started or killed.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Cuts the power: what was not synced may be lost.
    pub fn cut_power(&mut self) {
        self.kill();
        self.disk.lose_power(&mut self.weather);
    }

    /// The machine sleeps: time passes and nothing happens here.
    pub fn suspend(&mut self, time: Duration) {
        self.now += time;
        self.signal(Signal::NetworkChanged);
    }

    /// Somebody sets the clock.
    pub fn set_clock(&mut self, seconds: i64) {
        self.wall_offset += seconds;
    }

    /// The conference ends all calls.
    pub fn far_hangs_up(&mut self) {
        let now = self.now;
        self.far.hang_up(now);
    }

    /// Kills the process: no effect of it happens from here on, its sockets and links are gone.
    pub fn kill(&mut self) {
        self.agent = None;
        self.generation += 1;
        self.sockets.clear();
        self.bridge.open = None;
        self.audio.clear();
    }

    pub fn is_running(&self) -> bool {
        self.agent.is_some()
    }

    /// The link on which frames are heard.
    pub fn bridge_link(&self) -> Option<LinkId> {
        let is_open = self.now >= self.bridge.opened_at + HANDSHAKE;
        self.bridge.open.filter(|_| is_open)
    }

    /// The bridge sends a text frame.
    pub fn bridge_sends(&mut self, text: impl ToString) {
        let Some(link) = self.bridge.open else {
            panic!("the bridge is not connected")
        };
        self.later(
            LATENCY,
            Wake::Frame {
                link,
                text: text.to_string(),
            },
        );
    }

    /// The connection to the bridge breaks, and the next ones are refused.
    pub fn lose_bridge(&mut self) {
        self.bridge.is_down = true;
        if let Some(link) = self.bridge.open.take() {
            let event = LinkEvent::Lost(LinkFault::Ended("connection reset by peer".to_owned()));
            self.later(Duration::ZERO, Wake::Link { link, event });
        }
    }

    pub fn signal(&mut self, signal: Signal) {
        self.later(Duration::ZERO, Wake::Signal(signal));
    }

    pub fn bridge_is_connected(&self) -> bool {
        self.bridge.open.is_some()
    }

    /// Lets time pass until the condition holds; fails when it does not within `limit`.
    pub fn until(&mut self, limit: Duration, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = self.now + limit;
        while !holds(self) {
            assert!(
                self.step(end),
                "{what}: not within {limit:?}; the far end heard {:?}",
                self.far.heard
            );
        }
    }

    /// Lets this much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets this much time pass, or less when the process dies; whether it lives.
    pub fn run_while_it_lives(&mut self, time: Duration) -> bool {
        let end = self.now + time;
        while self.is_running() {
            if !self.step(end) {
                self.now = end;
                break;
            }
        }
        self.is_running()
    }

    /// The next thing happens; `false` when nothing does until `end`.
    fn step(&mut self, end: Duration) -> bool {
        self.post();
        let deadline = self.agent.as_ref().and_then(Agent::next_deadline);
        let deadline = deadline.map(|deadline| deadline.at.elapsed_since_boot().max(self.now));
        let happening = self.pending.first_key_value().map(|((at, _), _)| *at);
        let tick = self.far.next_due();
        let Some(next) = [deadline, happening, tick]
            .into_iter()
            .flatten()
            .min()
            .filter(|at| *at <= end)
        else {
            return false;
        };
        self.now = self.now.max(next);
        if happening == Some(next) {
            let Some((_, (generation, happening))) = self.pending.pop_first() else {
                return false;
            };
            match happening {
                Happening::Datagram { from, to, bytes } => self.deliver(from, to, bytes),
                Happening::Wake(wake) if generation == self.generation => self.feed(wake),
                Happening::Wake(_) => {}
            }
        } else if tick == Some(next) {
            self.far.tick(self.now);
        } else {
            self.feed(Wake::Deadline);
            let after = self.agent.as_ref().and_then(Agent::next_deadline);
            assert!(
                after.is_none_or(|after| after.at.elapsed_since_boot() > self.now),
                "a deadline that was served is still due: {after:?}"
            );
        }
        true
    }

    fn post(&mut self) {
        let from = self.far.address;
        for (to, bytes) in std::mem::take(&mut self.far.outbox) {
            self.send(from, to, bytes);
        }
    }

    /// Puts a datagram on its way, as the network's weather is.
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let copies = self.network.copies(&mut self.weather);
        for _ in 0..copies {
            let after = LATENCY + self.weather.up_to(self.network.delay);
            let bytes = bytes.clone();
            self.schedule(after, Happening::Datagram { from, to, bytes });
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if to == self.far.address {
            return self.far.receive(self.now, from, &bytes);
        }
        let here = |socket: &Socket| socket.local.port() == to.port();
        let connected = |socket: &Socket| here(socket) && socket.remote == Some(from);
        let flow = self
            .sockets
            .iter()
            .find(|(_, socket)| connected(socket))
            .or_else(|| {
                self.sockets
                    .iter()
                    .find(|(_, socket)| here(socket) && socket.remote.is_none())
            })
            .map(|(flow, _)| *flow);
        if let Some(flow) = flow {
            self.feed(Wake::Flow {
                flow,
                event: FlowEvent::Received { from, bytes },
            });
        }
    }

    fn feed(&mut self, wake: Wake) {
        let mut wakes = vec![wake];
        let mut effects = 0;
        while let Some(wake) = wakes.pop() {
            let now = self.read_clocks();
            let Some(agent) = &mut self.agent else { return };
            agent.handle_input(now, wake);
            while let Some(effect) = self.agent.as_mut().and_then(Agent::poll_output) {
                if self.kill_at == Some(self.effects) {
                    self.kill_at = None;
                    self.kill();
                    return;
                }
                self.effects += 1;
                effects += 1;
                assert!(effects < RUNAWAY, "effects without end, the last {effect:?}");
                wakes.splice(0..0, self.carry_out(effect));
                if self.exit.is_some() {
                    self.kill();
                    return;
                }
            }
        }
    }

    fn read_clocks(&self) -> Now {
        let wall = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_800_000_000);
        let wall = wall + jiff::SignedDuration::try_from(self.now).unwrap();
        let wall = wall + jiff::SignedDuration::from_secs(self.wall_offset);
        Now {
            moment: Moment::since_boot(self.now),
            wall,
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Wake> {
        match effect {
            Effect::SendFrame {
                link: LinkId::Control(_),
                ..
            } => None,
            Effect::SendFrame { link, frame } => self.take_frame(link, frame),
            Effect::OpenLink { link, .. } => self.open_link(link),
            Effect::CloseLink { link, .. } => {
                if self.bridge.open == Some(link) {
                    self.bridge.open = None;
                }
                None
            }
            Effect::OpenFlow { flow, request } => self.open_flow(flow, request),
            Effect::Transmit { flow, to, bytes } => {
                let socket = self
                    .sockets
                    .get(&flow)
                    .unwrap_or_else(|| panic!("{flow:?} is not open"));
                let to = to.or(socket.remote).expect("a receiver");
                let from = SocketAddr::new("192.0.2.10".parse().unwrap(), socket.local.port());
                self.send(from, to, bytes);
                None
            }
            Effect::CloseFlow { flow } => {
                self.sockets.remove(&flow);
                None
            }
            Effect::LookUp { query, question } => {
                if let Some((after, answer)) = self.names.answer(&question) {
                    self.later(after, Wake::Names { query, answer });
                }
                None
            }
            Effect::Media { call, command } => self.media(call, command),
            Effect::SetLoudspeaker(_) => None,
            Effect::Record { slot, content } => {
                assert!(
                    content.len() <= slot.capacity(),
                    "{} bytes for {slot:?}",
                    content.len()
                );
                self.disk.write(slot, content);
                None
            }
            Effect::Sync => {
                let result = self.disk.sync();
                self.later(Duration::from_millis(5), Wake::Stored(result));
                None
            }
            Effect::Notify(readiness) => {
                self.notices.push(readiness);
                None
            }
            Effect::Exit(code) => {
                self.exit = Some(code);
                None
            }
        }
    }

    fn take_frame(&mut self, link: LinkId, frame: Frame) -> Option<Wake> {
        if self.bridge.open != Some(link) {
            return None;
        }
        match frame {
            Frame::Text(text) => {
                let value = serde_json::from_str(&text).expect("frames of ours are JSON");
                frames::sent(&value);
                self.bridge.frames.push((self.now, link, value));
            }
            Frame::Ping => self.later(
                LATENCY * 2,
                Wake::Link {
                    link,
                    event: LinkEvent::Pong,
                },
            ),
        }
        None
    }

    fn open_link(&mut self, link: LinkId) -> Option<Wake> {
        let event = if self.bridge.is_down {
            let refused = ConnectFault::Refused("192.0.2.30:443".parse().unwrap());
            LinkEvent::Lost(LinkFault::Connect(refused))
        } else {
            assert_eq!(self.bridge.open, None, "one connection at most");
            self.bridge.open = Some(link);
            self.bridge.opened_at = self.now;
            LinkEvent::Opened
        };
        self.later(HANDSHAKE, Wake::Link { link, event });
        None
    }

    fn open_flow(&mut self, flow: FlowId, request: FlowRequest) -> Option<Wake> {
        let (local, remote) = match request {
            FlowRequest::ListenUdp { bind } => {
                let port = if bind.port() == 0 {
                    self.listening_port
                } else {
                    bind.port()
                };
                (SocketAddr::new(bind.ip(), port), None)
            }
            FlowRequest::ListenTcp { bind } => {
                // Nobody connects in this world.
                let event = FlowEvent::Opened {
                    local: bind,
                    remote: bind,
                };
                return Some(Wake::Flow { flow, event });
            }
            FlowRequest::ConnectUdp { local_port, remote } => (
                SocketAddr::new("192.0.2.10".parse().unwrap(), local_port),
                Some(remote),
            ),
            FlowRequest::ConnectTcp { remote } | FlowRequest::ConnectTls { remote, .. } => {
                let event = FlowEvent::Failed(ConnectFault::Refused(remote));
                return Some(Wake::Flow { flow, event });
            }
        };
        self.sockets.insert(flow, Socket { local, remote });
        let event = FlowEvent::Opened {
            local,
            remote: remote.unwrap_or(local),
        };
        Some(Wake::Flow { flow, event })
    }

    fn media(&mut self, call: CallId, command: media::Command) -> Option<Wake> {
        match command {
            media::Command::Reserve { source } => {
                let local = SocketAddr::new(source, 16_384);
                Some(Wake::Media {
                    call,
                    event: media::Event::Reserved { local },
                })
            }
            media::Command::Start(plan) => {
                self.audio.insert(call, *plan);
                self.later(
                    Duration::from_millis(20),
                    Wake::Media {
                        call,
                        event: media::Event::FarAudio,
                    },
                );
                None
            }
            media::Command::Mute(_) => None,
            media::Command::SendDigits(script) => {
                let mut time = Duration::ZERO;
                for step in &script.0 {
                    match step {
                        DigitStep::Pause(pause) => time += *pause,
                        DigitStep::Digit(digit) => {
                            self.digits.push(*digit);
                            time += Duration::from_millis(200);
                        }
                    }
                }
                self.later(
                    time,
                    Wake::Media {
                        call,
                        event: media::Event::DigitsSent,
                    },
                );
                None
            }
            media::Command::Stop => {
                self.audio.remove(&call);
                None
            }
            media::Command::Play(_) => None,
        }
    }

    fn later(&mut self, after: Duration, wake: Wake) {
        self.schedule(after, Happening::Wake(wake));
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.sequence += 1;
        self.pending
            .insert((self.now + after, self.sequence), (self.generation, happening));
    }
}
