//! A world without sockets: flows open at once, the audio side says yes, time passes when told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::settings;
use crate::call::{CallCommand, CallEvent, CallId, DialTarget, EndedHere, Protocol};
use crate::chance::Chance;
use crate::dialer::sip::Settings;
use crate::dialer::sip::user_agent::UserAgent;
use crate::dialer::sip::wire::{
    Message, Request, Response, StreamItem, StreamReader, is_keep_alive, read_datagram,
};
use crate::dialer::{self, Dialer, Input, Output, Parts};
use crate::media;
use crate::network::{
    CertFault, ConnectFault, FlowEvent, FlowId, FlowRequest, NamesAnswer, QueryId, Question, Transport,
};
use crate::record::{Restored, Slot};
use crate::secret::Secret;
use crate::time::{Moment, Now};

/// Where our datagrams and streams come from.
pub const HERE: &str = "192.0.2.10";
/// The same for IPv6.
pub const HERE_V6: &str = "2001:db8::10";

/// A message that left.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Moment,
    pub flow: FlowId,
    pub message: Message,
}

pub struct World {
    pub agent: UserAgent,
    pub now: Now,
    pub sent: VecDeque<Sent>,
    pub events: VecDeque<CallEvent>,
    pub media: VecDeque<media::Command>,
    pub questions: VecDeque<(QueryId, Question)>,
    pub recovered: Vec<usize>,
    pub slots: BTreeMap<Slot, Vec<u8>>,
    /// Every output in order.
    pub all: Vec<Output>,
    pub flows: BTreeMap<FlowId, FlowRequest>,
    /// The far addresses that refuse.
    pub refusing: BTreeSet<SocketAddr>,
    /// The far addresses that answer no connection until told.
    pub slow: BTreeSet<SocketAddr>,
    /// The far addresses whose certificate is bad.
    pub distrusted: BTreeMap<SocketAddr, CertFault>,
    /// Local ports that are taken.
    pub taken: BTreeSet<u16>,
    /// When a keep-alive left, and where.
    pub kept_alive: Vec<(Moment, FlowId)>,
    /// Whether NAPTR and SRV are questions to answer; else there are none.
    pub has_services: bool,
    /// Whether the audio side has a socket.
    pub has_audio: bool,
    readers: BTreeMap<FlowId, StreamReader>,
    next_call: u128,
}

impl World {
    /// A room that has just started, with nothing left behind.
    pub fn new() -> Self {
        Self::with(settings(), Restored::default())
    }

    pub fn with(sip: Settings, restored: Restored) -> Self {
        Self::with_taken(sip, restored, [])
    }

    /// The same where other programs hold these ports.
    pub fn with_taken<const N: usize>(sip: Settings, restored: Restored, taken: [u16; N]) -> Self {
        let settings = dialer::Settings { sip };
        let chance = Chance::from_seed([9; 32]);
        let agent = UserAgent::new(Parts {
            index: 0,
            settings: &settings,
            chance,
            restored: &restored,
        });
        let moment = Moment::since_boot(Duration::from_secs(1000));
        let mut world = Self {
            agent,
            now: Now {
                moment,
                wall: jiff::Timestamp::UNIX_EPOCH,
            },
            sent: VecDeque::new(),
            events: VecDeque::new(),
            media: VecDeque::new(),
            questions: VecDeque::new(),
            recovered: Vec::new(),
            slots: restored.0.into_iter().collect(),
            all: Vec::new(),
            flows: BTreeMap::new(),
            refusing: BTreeSet::new(),
            slow: BTreeSet::new(),
            distrusted: BTreeMap::new(),
            taken: taken.into(),
            kept_alive: Vec::new(),
            has_services: false,
            has_audio: true,
            readers: BTreeMap::new(),
            next_call: 0,
        };
        world.input(Input::Start);
        world
    }

    /// Gives an input and carries out all that follows from it at once.
    pub fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.agent.handle_input(self.now, input);
            while let Some(output) = self.agent.poll_output() {
                self.all.push(output.clone());
                inputs.extend(self.carry_out(output));
            }
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Event(event) => self.events.push_back(event),
            Output::OpenFlow(flow, request) => {
                return self.open(flow, request).map(|event| Input::Flow(flow, event));
            }
            Output::Transmit { flow, to, bytes } => self.transmitted(flow, to, &bytes),
            Output::CloseFlow(flow) => {
                self.flows.remove(&flow).expect("only an open flow is closed");
            }
            Output::LookUp(query, Question::Naptr(_) | Question::Srv(_)) if !self.has_services => {
                return Some(Input::Names(query, NamesAnswer::NotFound));
            }
            Output::LookUp(query, question) => self.questions.push_back((query, question)),
            Output::Media(call, command) => {
                self.media.push_back(command.clone());
                if let media::Command::Reserve { source } = command {
                    let event = match self.has_audio {
                        true => media::Event::Reserved {
                            local: SocketAddr::new(source, 16384),
                        },
                        false => media::Event::ReserveFailed {
                            why: "no ports".to_owned(),
                        },
                    };
                    return Some(Input::Media(call, event));
                }
            }
            Output::Record(slot, content) => {
                assert!(content.len() <= crate::record::SLOT_CAPACITY);
                self.slots.insert(slot, content);
            }
            Output::Erase(slot) => {
                self.slots.remove(&slot);
            }
            Output::Sync => {}
            Output::Recovered { ended } => self.recovered.push(ended),
        }
        None
    }

    fn open(&mut self, flow: FlowId, request: FlowRequest) -> Option<FlowEvent> {
        if let FlowRequest::ConnectTcp { remote } | FlowRequest::ConnectTls { remote, .. } = &request
            && self.slow.contains(remote)
        {
            self.flows.insert(flow, request);
            return None;
        }
        Some(self.opened(flow, request))
    }

    /// Connections to these that have not been answered.
    pub fn opening(&self) -> Vec<SocketAddr> {
        let remotes = self.flows.values().filter_map(|request| match request {
            FlowRequest::ConnectTcp { remote } | FlowRequest::ConnectTls { remote, .. } => Some(*remote),
            _ => None,
        });
        remotes.filter(|remote| self.slow.contains(remote)).collect()
    }

    /// A connection that was slow is there, or refused.
    pub fn answer_connection(&mut self, remote: SocketAddr, fault: Option<ConnectFault>) {
        let is_meant = |request: &FlowRequest| match request {
            FlowRequest::ConnectTcp { remote: to } | FlowRequest::ConnectTls { remote: to, .. } => {
                *to == remote
            }
            _ => false,
        };
        let found = self.flows.iter().find(|(_, request)| is_meant(request));
        let (flow, request) = found.expect("a connection that opens");
        let (flow, request) = (*flow, request.clone());
        self.slow.remove(&remote);
        let event = match fault {
            Some(fault) => {
                self.flows.remove(&flow);
                FlowEvent::Failed(fault)
            }
            None => self.opened(flow, request),
        };
        self.input(Input::Flow(flow, event));
    }

    fn opened(&mut self, flow: FlowId, request: FlowRequest) -> FlowEvent {
        let of_family = |remote: SocketAddr| if remote.is_ipv4() { HERE } else { HERE_V6 };
        let here = |port, remote| SocketAddr::new(of_family(remote).parse().unwrap(), port);
        let event = match request {
            FlowRequest::ListenUdp { bind } | FlowRequest::ListenTcp { bind } => {
                if self.taken.contains(&bind.port()) {
                    return FlowEvent::Failed(ConnectFault::Socket("address in use".to_owned()));
                }
                let local = SocketAddr::new(bind.ip(), self.port(bind.port()));
                FlowEvent::Opened { local, remote: local }
            }
            FlowRequest::ConnectUdp { local_port, .. } if self.taken.contains(&local_port) => {
                return FlowEvent::Failed(ConnectFault::Socket("address in use".to_owned()));
            }
            FlowRequest::ConnectUdp { remote, local_port } => {
                let port = self.port(local_port);
                FlowEvent::Opened {
                    local: here(port, remote),
                    remote,
                }
            }
            FlowRequest::ConnectTcp { remote } if self.refusing.contains(&remote) => {
                return FlowEvent::Failed(ConnectFault::Refused(remote));
            }
            FlowRequest::ConnectTcp { remote } => FlowEvent::Opened {
                local: here(50000, remote),
                remote,
            },
            FlowRequest::ConnectTls {
                remote,
                ref server_name,
            } => match self.distrusted.get(&remote) {
                Some(fault) => {
                    return FlowEvent::Failed(ConnectFault::Tls {
                        server_name: server_name.clone(),
                        fault: fault.clone(),
                    });
                }
                None => FlowEvent::Opened {
                    local: here(50001, remote),
                    remote,
                },
            },
        };
        self.flows.insert(flow, request);
        event
    }

    /// The port that is wanted, or the one that the system chooses.
    fn port(&self, wanted: u16) -> u16 {
        match wanted {
            0 if self.taken.contains(&40123) => 40124,
            0 => 40123,
            wanted => wanted,
        }
    }

    fn transmitted(&mut self, flow: FlowId, to: Option<SocketAddr>, bytes: &[u8]) {
        let accepted = flow.0 >= FlowId::ACCEPTED;
        let request = self.flows.get(&flow);
        assert!(
            accepted || request.is_some(),
            "bytes are sent on an open flow only"
        );
        let at = self.now.moment;
        let is_listening = matches!(request, Some(FlowRequest::ListenUdp { .. }));
        assert_eq!(
            to.is_some(),
            is_listening,
            "only datagrams of a listening flow name their receiver"
        );
        if accepted
            || matches!(
                request,
                Some(FlowRequest::ConnectTcp { .. } | FlowRequest::ConnectTls { .. })
            )
        {
            let reader = self.readers.entry(flow).or_default();
            reader.push(bytes);
            while let Some(item) = reader.next() {
                match item.expect("our messages can be read") {
                    StreamItem::Message(message) => self.sent.push_back(Sent { at, flow, message }),
                    StreamItem::KeepAlivePing => self.kept_alive.push((at, flow)),
                    StreamItem::KeepAlivePong => {}
                }
            }
        } else {
            if is_keep_alive(bytes) {
                self.kept_alive.push((at, flow));
                return;
            }
            match read_datagram(bytes) {
                Ok(message) => self.sent.push_back(Sent { at, flow, message }),
                // A refusal repeats what was malformed.
                Err(malformed) => assert!(bytes.starts_with(b"SIP/2.0 4"), "{malformed}"),
            }
        }
    }

    /// Lets time pass, with a wake-up at each deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.moment + time;
        while let Some(deadline) = self.agent.next_deadline().filter(|deadline| deadline.at <= end) {
            let is_stuck = deadline.at <= self.now.moment;
            self.now.moment = self.now.moment.max(deadline.at);
            self.input(Input::Deadline);
            let next = self.agent.next_deadline();
            assert!(
                !is_stuck || next != Some(deadline),
                "the deadline {deadline:?} does not go away"
            );
        }
        self.now.moment = end;
    }

    pub fn dial(&mut self, address: &str) -> CallId {
        self.dial_with(address, Duration::from_secs(60))
    }

    pub fn dial_with(&mut self, address: &str, ring_timeout: Duration) -> CallId {
        self.next_call += 1;
        let call = CallId(uuid::Uuid::from_u128(self.next_call));
        let target = DialTarget {
            protocol: Protocol::Sip,
            address: Secret::new(address),
            shown: address.to_owned(),
        };
        self.input(Input::Command(CallCommand::Dial {
            call,
            target,
            ring_timeout,
        }));
        call
    }

    pub fn hang_up(&mut self, call: CallId) {
        self.input(Input::Command(CallCommand::HangUp {
            call,
            why: EndedHere::Asked,
        }));
    }

    /// Bytes from the far end of a flow.
    pub fn receive(&mut self, flow: FlowId, bytes: Vec<u8>) {
        let from = match self.flows.get(&flow) {
            Some(
                FlowRequest::ConnectUdp { remote, .. }
                | FlowRequest::ConnectTcp { remote }
                | FlowRequest::ConnectTls { remote, .. },
            ) => *remote,
            _ => "192.0.2.20:5060".parse().unwrap(),
        };
        self.input(Input::Flow(flow, FlowEvent::Received { from, bytes }));
    }

    /// A datagram from there, at the port where we listen.
    pub fn receive_from(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        let flow = self.listening();
        self.input(Input::Flow(flow, FlowEvent::Received { from, bytes }));
    }

    pub fn answer_names(&mut self, addresses: &[&str]) {
        let (query, _) = self.questions.pop_front().expect("a question to answer");
        let answer = match addresses {
            [] => NamesAnswer::NotFound,
            some => NamesAnswer::Addresses(some.iter().map(|address| address.parse().unwrap()).collect()),
        };
        self.input(Input::Names(query, answer));
    }

    /// Answers a question about services; `None`: there is nothing of the kind.
    pub fn answer_services(&mut self, answer: Option<NamesAnswer>) -> Question {
        let (query, question) = self.questions.pop_front().expect("a question to answer");
        let answer = answer.unwrap_or(NamesAnswer::NotFound);
        self.input(Input::Names(query, answer));
        question
    }

    /// The flow that listens for datagrams.
    pub fn listening(&self) -> FlowId {
        let is_udp = |request: &FlowRequest| matches!(request, FlowRequest::ListenUdp { .. });
        *self
            .flows
            .iter()
            .find(|(_, request)| is_udp(request))
            .expect("a listening flow")
            .0
    }

    pub fn next_request(&mut self) -> (FlowId, Request) {
        match self.sent.pop_front() {
            Some(Sent {
                flow,
                message: Message::Request(request),
                ..
            }) => (flow, request),
            other => panic!("a request should have left, not {other:?}"),
        }
    }

    pub fn next_response(&mut self) -> Response {
        match self.sent.pop_front() {
            Some(Sent {
                message: Message::Response(response),
                ..
            }) => response,
            other => panic!("a response should have left, not {other:?}"),
        }
    }

    /// What a process that starts now would find.
    pub fn restored(&self) -> Restored {
        Restored(
            self.slots
                .iter()
                .map(|(slot, content)| (*slot, content.clone()))
                .collect(),
        )
    }

    pub fn agent_is_quiet(&self) -> bool {
        self.agent.is_quiet()
    }

    pub fn dialogs_written(&self) -> usize {
        self.slots
            .keys()
            .filter(|slot| matches!(slot, Slot::Dialog(_)))
            .count()
    }

    /// Where a flow leads.
    pub fn remote_of(&self, flow: FlowId) -> Option<SocketAddr> {
        match self.flows.get(&flow)? {
            FlowRequest::ConnectUdp { remote, .. }
            | FlowRequest::ConnectTcp { remote }
            | FlowRequest::ConnectTls { remote, .. } => Some(*remote),
            FlowRequest::ListenUdp { .. } | FlowRequest::ListenTcp { .. } => None,
        }
    }

    pub fn transport_of(&self, flow: FlowId) -> Transport {
        match self.flows.get(&flow) {
            Some(FlowRequest::ConnectTcp { .. } | FlowRequest::ListenTcp { .. }) => Transport::Tcp,
            Some(FlowRequest::ConnectTls { .. }) => Transport::Tls,
            _ => Transport::Udp,
        }
    }
}
