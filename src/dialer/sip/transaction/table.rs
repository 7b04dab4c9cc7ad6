//! Matches messages to transactions (RFC 3261 17.1.3, 17.2.3) and drives them all.

use std::collections::{BTreeMap, VecDeque};

use super::client_invite::ClientInvite;
use super::client_other::ClientOther;
use super::server_invite::ServerInvite;
use super::server_other::ServerOther;
use super::way_back::way_back;
use super::{Failure, Output, Path};
use crate::dialer::sip::headers::{NameAddr, Via};
use crate::dialer::sip::locate::Target;
use crate::dialer::sip::wire::inspection::discard;
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::network::{ConnectFault, FlowId};
use crate::time::{Deadline, Now};

/// How many requests of others are remembered at once. Beyond it new ones are dropped unanswered (their senders try
/// again) unless they belong to a dialog of ours: a flood shall not keep a far end from hanging up.
const SERVERS: usize = 256;

/// Whose client transaction it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(pub u64);

/// A client transaction: RFC 3261 17.1.3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientKey {
    /// The branch of its Via.
    pub branch: String,
    /// Whether it is the CANCEL of the INVITE with the same branch.
    pub is_cancel: bool,
}

impl ClientKey {
    /// The key of a request of ours.
    pub fn of_request(request: &Request) -> Self {
        Self {
            branch: branch(request.via_top()),
            is_cancel: request.method == Method::Cancel,
        }
    }

    /// The key of a response to us.
    pub fn of_response(response: &Response) -> Self {
        let is_cancel = response.cseq().is_some_and(|cseq| cseq.method == Method::Cancel);
        Self {
            branch: branch(response.via_top()),
            is_cancel,
        }
    }
}

/// A server transaction: RFC 3261 17.2.3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerKey {
    sender: String,
    method: String,
}

impl ServerKey {
    /// The key of a request to us. An ACK has that of its INVITE.
    pub fn of(request: &Request) -> Self {
        let method = if request.method == Method::Ack {
            Method::Invite
        } else {
            request.method.clone()
        };
        Self {
            sender: sender(request),
            method: method.to_string(),
        }
    }

    /// The key of the INVITE that a CANCEL is for (RFC 3261 9.2).
    pub fn of_cancelled(cancel: &Request) -> Self {
        Self {
            sender: sender(cancel),
            method: Method::Invite.to_string(),
        }
    }
}

fn branch(via: Option<Via>) -> String {
    via.as_ref().and_then(Via::branch).unwrap_or_default().to_owned()
}

/// What makes requests the same but for their method: branch and sender, or what senders of RFC 2543 have instead.
fn sender(request: &Request) -> String {
    let Some(via) = request.via_top() else {
        return String::new();
    };
    let port = via.port.unwrap_or_default();
    if via.has_magic_branch() {
        return format!("{} {}:{port}", via.branch().unwrap_or_default(), via.host);
    }
    let tag = |address: Option<NameAddr>| {
        address
            .as_ref()
            .and_then(NameAddr::tag)
            .unwrap_or_default()
            .to_owned()
    };
    let number = request.cseq().map(|cseq| cseq.number).unwrap_or_default();
    let (call_id, from) = (request.call_id(), tag(request.from()));
    format!(
        "2543 {call_id} {from} {number} {} {}:{port}",
        request.uri, via.host
    )
}

/// What the table wants done.
#[derive(Clone, Debug)]
pub enum TableOutput {
    /// Send this.
    Transmit(Path, Vec<u8>),
    /// Send this on a new connection: the one it belongs to is gone.
    TransmitAnew(Target, Vec<u8>),
    /// A response for the owner of a request.
    Answered(Owner, ClientKey, Response),
    /// The owner of a request gets no (further) response.
    Failed(Owner, ClientKey, Failure),
}

/// What a request that came turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A new one: it waits for a response under this key.
    New(ServerKey),
    /// Seen before, or an ACK of a refusal: nothing is left to do.
    Absorbed,
    /// An ACK without transaction: that of a 2xx.
    Acknowledgement,
}

#[derive(Debug)]
enum ClientMachine {
    Invite(Box<ClientInvite>),
    Other(ClientOther),
}

#[derive(Debug)]
struct Client {
    owner: Owner,
    /// As the request had it.
    via: Option<Via>,
    path: Path,
    machine: ClientMachine,
}

#[derive(Debug)]
enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerOther),
}

#[derive(Debug)]
struct Server {
    way: Way,
    /// Where a new connection leads when that of the request is gone.
    way_back: Option<Target>,
    machine: ServerMachine,
}

/// How responses leave.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// As the request came.
    Path(Path),
    /// On a connection of their own.
    Anew(Target),
}

impl Way {
    fn is_on(&self, flow: FlowId) -> bool {
        matches!(self, Self::Path(path) if path.flow == flow)
    }

    /// After an ICMP error datagrams go on: the next one may be heard.
    fn is_reliable_on(&self, flow: FlowId) -> bool {
        matches!(self, Self::Path(path) if path.flow == flow && path.is_reliable)
    }
}

/// All transactions.
#[derive(Debug, Default)]
pub struct Transactions {
    clients: BTreeMap<ClientKey, Client>,
    servers: BTreeMap<ServerKey, Server>,
    outputs: VecDeque<TableOutput>,
}

impl Transactions {
    /// Sends a request (not an ACK) in a transaction of its own.
    pub fn start(&mut self, now: Now, owner: Owner, path: Path, request: Request) {
        let (key, via) = (ClientKey::of_request(&request), request.via_top());
        let machine = if request.method == Method::Invite {
            ClientMachine::Invite(Box::new(ClientInvite::start(now, request, path.is_reliable)))
        } else {
            ClientMachine::Other(ClientOther::start(now, &request, path.is_reliable))
        };
        self.clients.insert(
            key.clone(),
            Client {
                owner,
                via,
                path,
                machine,
            },
        );
        self.drain_client(&key);
    }

    /// Goes on with an INVITE that got a provisional response and has no transaction here (any more).
    pub fn resume(&mut self, owner: Owner, path: Path, invite: Request) {
        let (key, via) = (ClientKey::of_request(&invite), invite.via_top());
        if self.clients.contains_key(&key) {
            return;
        }
        let machine = ClientMachine::Invite(Box::new(ClientInvite::resume(invite, path.is_reliable)));
        self.clients.insert(
            key,
            Client {
                owner,
                via,
                path,
                machine,
            },
        );
    }

    /// From here on a request is somebody else's.
    pub fn give(&mut self, key: &ClientKey, owner: Owner) {
        if let Some(client) = self.clients.get_mut(key) {
            client.owner = owner;
        }
    }

    /// Whose request a response is to, and the flow that it left on.
    pub fn request_of(&self, response: &Response) -> Option<(Owner, FlowId)> {
        let client = self.clients.get(&ClientKey::of_response(response));
        client.map(|client| (client.owner, client.path.flow))
    }

    /// Forgets a request without a word.
    pub fn abandon(&mut self, key: &ClientKey) {
        self.clients.remove(key);
    }

    /// Takes a response; gives it back when it matches nothing.
    pub fn handle_response(&mut self, now: Now, response: Response) -> Option<Response> {
        let key = ClientKey::of_response(&response);
        let Some(client) = self.clients.get_mut(&key) else {
            return Some(response);
        };
        if let Some(reason) = client.via.as_ref().and_then(|via| discard(&response, via)) {
            tracing::debug!(
                ?reason,
                status = response.status,
                "a SIP response is not looked at"
            );
            return None;
        }
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.handle_response(now, response),
            ClientMachine::Other(machine) => machine.handle_response(now, response),
        }
        self.drain_client(&key);
        None
    }

    /// Takes a request; `is_ours` when it belongs to a dialog of ours. `opened` is where its connection leads when we
    /// opened it.
    pub fn handle_request(
        &mut self,
        now: Now,
        path: Path,
        opened: Option<&Target>,
        request: &Request,
        is_ours: bool,
    ) -> Arrival {
        let key = ServerKey::of(request);
        if let Some(server) = self.servers.get_mut(&key) {
            // A sender that lost its connection is answered on the one it uses now.
            server.way = Way::Path(path);
            match (&mut server.machine, &request.method) {
                (ServerMachine::Invite(machine), Method::Ack) => machine.handle_acknowledgement(now),
                (ServerMachine::Invite(machine), _) => machine.handle_repeat(),
                (ServerMachine::Other(machine), _) => machine.handle_repeat(),
            }
            self.drain_server(&key);
            return Arrival::Absorbed;
        }
        if request.method == Method::Ack {
            return Arrival::Acknowledgement;
        }
        if self.servers.len() >= SERVERS && !is_ours {
            tracing::warn!(limit = SERVERS, "too many SIP requests at once, one was dropped");
            return Arrival::Absorbed;
        }
        let machine = if request.method == Method::Invite {
            ServerMachine::Invite(ServerInvite::start(path.is_reliable))
        } else {
            ServerMachine::Other(ServerOther::start(path.is_reliable))
        };
        let way_back = request
            .via_top()
            .filter(|_| path.is_reliable)
            .and_then(|via| way_back(&via, opened));
        let server = Server {
            way: Way::Path(path),
            way_back,
            machine,
        };
        self.servers.insert(key.clone(), server);
        Arrival::New(key)
    }

    /// Whether an INVITE is known under this key.
    pub fn knows(&self, key: &ServerKey) -> bool {
        self.servers.contains_key(key)
    }

    /// Sends a response.
    pub fn respond(&mut self, now: Now, key: &ServerKey, response: &Response) {
        let Some(server) = self.servers.get_mut(key) else {
            return;
        };
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.respond(now, response),
            ServerMachine::Other(machine) => machine.respond(now, response),
        }
        self.drain_server(key);
    }

    /// A flow failed, or ended.
    pub fn handle_fault(&mut self, flow: FlowId, fault: &ConnectFault) {
        for key in keys(&self.clients, |client| client.path.flow == flow) {
            if let Some(client) = self.clients.get_mut(&key) {
                match &mut client.machine {
                    ClientMachine::Invite(machine) => machine.handle_fault(fault.clone()),
                    ClientMachine::Other(machine) => machine.handle_fault(fault.clone()),
                }
                self.drain_client(&key);
            }
        }
        for key in keys(&self.servers, |server| server.way.is_reliable_on(flow)) {
            if let Some(server) = self.servers.get_mut(&key) {
                match (&server.way_back, &mut server.machine) {
                    (Some(target), _) => server.way = Way::Anew(target.clone()),
                    (None, ServerMachine::Invite(machine)) => machine.handle_fault(),
                    (None, ServerMachine::Other(machine)) => machine.handle_fault(),
                }
                self.drain_server(&key);
            }
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        let is_due = |deadline: Option<Deadline>| deadline.is_some_and(|deadline| deadline.is_due(now));
        for key in keys(&self.clients, |client| is_due(client.machine.next_deadline())) {
            if let Some(client) = self.clients.get_mut(&key) {
                match &mut client.machine {
                    ClientMachine::Invite(machine) => machine.handle_deadline(now),
                    ClientMachine::Other(machine) => machine.handle_deadline(now),
                }
                self.drain_client(&key);
            }
        }
        for key in keys(&self.servers, |server| is_due(server.machine.next_deadline())) {
            if let Some(server) = self.servers.get_mut(&key) {
                match &mut server.machine {
                    ServerMachine::Invite(machine) => machine.handle_deadline(now),
                    ServerMachine::Other(machine) => machine.handle_deadline(now),
                }
                self.drain_server(&key);
            }
        }
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<TableOutput> {
        self.outputs.pop_front()
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let clients = self.clients.values().map(|client| client.machine.next_deadline());
        let servers = self.servers.values().map(|server| server.machine.next_deadline());
        Deadline::earliest(clients.chain(servers))
    }

    /// Whether a transaction still wants this flow.
    pub fn uses(&self, flow: FlowId) -> bool {
        self.clients.values().any(|client| client.path.flow == flow)
            || self.servers.values().any(|server| server.way.is_on(flow))
    }

    fn drain_client(&mut self, key: &ClientKey) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let (owner, path) = (client.owner, client.path);
        while let Some(output) = client.machine.poll_output() {
            self.outputs.push_back(match output {
                Output::Transmit(bytes) => TableOutput::Transmit(path, bytes),
                Output::Answered(response) => TableOutput::Answered(owner, key.clone(), response),
                Output::Failed(failure) => TableOutput::Failed(owner, key.clone(), failure),
            });
        }
        if client.machine.is_terminated() {
            self.clients.remove(key);
        }
    }

    fn drain_server(&mut self, key: &ServerKey) {
        let Some(server) = self.servers.get_mut(key) else {
            return;
        };
        while let Some(output) = server.machine.poll_output() {
            match (output, server.way.clone()) {
                (Output::Transmit(bytes), Way::Path(path)) => {
                    self.outputs.push_back(TableOutput::Transmit(path, bytes));
                }
                (Output::Transmit(bytes), Way::Anew(target)) => {
                    self.outputs.push_back(TableOutput::TransmitAnew(target, bytes));
                }
                (Output::Answered(_) | Output::Failed(_), _) => {}
            }
        }
        if server.machine.is_terminated() {
            self.servers.remove(key);
        }
    }
}

/// The keys of those that are meant: most wait for nothing but their end and are left alone.
fn keys<K: Clone, V>(all: &BTreeMap<K, V>, is_meant: impl Fn(&V) -> bool) -> Vec<K> {
    let meant = all.iter().filter(|(_, one)| is_meant(one));
    meant.map(|(key, _)| key.clone()).collect()
}

impl ClientMachine {
    fn next_deadline(&self) -> Option<Deadline> {
        match self {
            Self::Invite(machine) => machine.next_deadline(),
            Self::Other(machine) => machine.next_deadline(),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Invite(machine) => machine.poll_output(),
            Self::Other(machine) => machine.poll_output(),
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::Other(machine) => machine.is_terminated(),
        }
    }
}

impl ServerMachine {
    fn next_deadline(&self) -> Option<Deadline> {
        match self {
            Self::Invite(machine) => machine.next_deadline(),
            Self::Other(machine) => machine.next_deadline(),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Invite(machine) => machine.poll_output(),
            Self::Other(machine) => machine.poll_output(),
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::Other(machine) => machine.is_terminated(),
        }
    }
}
