//! Where others reach us: a datagram and a stream socket on the same port for each configured address. A port that
//! the system chose is written down and taken again by the next process, so that far ends still find us.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::network::{FlowEvent, FlowId, FlowRequest};

/// What the record of the ports holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ports {
    version: u8,
    ports: Vec<(IpAddr, u16)>,
}

const VERSION: u8 = 1;

/// ```text
///                refused: once more with port 0
/// OpeningUdp ──→ OpeningTcp ──→ Up (with or without TCP)
///      └──→ Down (the family is missing)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    OpeningUdp {
        flow: FlowId,
        bind: SocketAddr,
    },
    OpeningTcp {
        udp: FlowId,
        local: SocketAddr,
        tcp: FlowId,
    },
    Up {
        udp: FlowId,
        local: SocketAddr,
        tcp: Option<FlowId>,
    },
    Down,
}

/// One configured address.
#[derive(Debug)]
struct Listener {
    configured: SocketAddr,
    state: State,
}

/// What listening wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a flow.
    Open(FlowId, FlowRequest),
    /// Write the ports down.
    RecordPorts(Vec<u8>),
}

/// All of them.
#[derive(Debug, Default)]
pub struct Listening {
    listeners: Vec<Listener>,
    outputs: VecDeque<Output>,
}

impl Listening {
    /// Opens the sockets. `record` is what the last process wrote down, `number` gives the numbers of flows.
    pub fn start(
        configured: &[SocketAddr],
        record: Option<&[u8]>,
        mut number: impl FnMut() -> FlowId,
    ) -> Self {
        let kept = record.map(read_ports).unwrap_or_default();
        let mut this = Self::default();
        for address in configured.iter().copied() {
            let port = match address.port() {
                0 => kept
                    .iter()
                    .find(|(ip, _)| *ip == address.ip())
                    .map_or(0, |(_, port)| *port),
                port => port,
            };
            let (flow, bind) = (number(), SocketAddr::new(address.ip(), port));
            this.outputs
                .push_back(Output::Open(flow, FlowRequest::ListenUdp { bind }));
            this.listeners.push(Listener {
                configured: address,
                state: State::OpeningUdp { flow, bind },
            });
        }
        this
    }

    /// Takes what happened on a flow; `false` when it is none of its.
    pub fn handle_flow(&mut self, flow: FlowId, event: &FlowEvent, number: impl FnMut() -> FlowId) -> bool {
        let Some(index) = self
            .listeners
            .iter()
            .position(|listener| listener.state.owns(flow))
        else {
            return false;
        };
        if !self.listeners[index].state.waits_for(flow) {
            // An ICMP error for something that was answered: the socket lives on.
            return true;
        }
        match event {
            FlowEvent::Opened { local, .. } => self.opened(index, *local, number),
            FlowEvent::Failed(fault) => self.failed(index, &fault.to_string(), number),
            FlowEvent::Closed => self.failed(index, "closed by the system", number),
            FlowEvent::Accepted { .. } | FlowEvent::Received { .. } => {}
        }
        true
    }

    /// Whether each address is open or given up.
    pub fn is_settled(&self) -> bool {
        let is_open = |listener: &Listener| matches!(listener.state, State::Up { .. } | State::Down);
        self.listeners.iter().all(is_open)
    }

    /// The port at which somebody at `remote` reaches us by datagrams.
    pub fn port_for(&self, remote: IpAddr) -> Option<u16> {
        self.listeners.iter().find_map(|listener| match listener.state {
            State::OpeningTcp { local, .. } | State::Up { local, .. }
                if local.is_ipv4() == remote.is_ipv4() =>
            {
                Some(local.port())
            }
            State::OpeningUdp { .. } | State::OpeningTcp { .. } | State::Up { .. } | State::Down => None,
        })
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn opened(&mut self, index: usize, local: SocketAddr, mut number: impl FnMut() -> FlowId) {
        let listener = &mut self.listeners[index];
        match listener.state.clone() {
            State::OpeningUdp { flow, .. } => {
                let tcp = number();
                let bind = SocketAddr::new(listener.configured.ip(), local.port());
                self.outputs
                    .push_back(Output::Open(tcp, FlowRequest::ListenTcp { bind }));
                listener.enter(State::OpeningTcp {
                    udp: flow,
                    local,
                    tcp,
                });
                if listener.configured.port() == 0 {
                    self.record_ports();
                }
            }
            State::OpeningTcp { udp, local, tcp } => listener.enter(State::Up {
                udp,
                local,
                tcp: Some(tcp),
            }),
            State::Up { .. } | State::Down => {}
        }
    }

    fn failed(&mut self, index: usize, why: &str, mut number: impl FnMut() -> FlowId) {
        let listener = &mut self.listeners[index];
        let address = listener.configured;
        match listener.state.clone() {
            State::OpeningUdp { bind, .. } if address.port() == 0 && bind.port() != 0 => {
                tracing::warn!(%bind, why, "the SIP port of the last time is taken, another one is chosen");
                let flow = number();
                self.outputs
                    .push_back(Output::Open(flow, FlowRequest::ListenUdp { bind: address }));
                listener.enter(State::OpeningUdp { flow, bind: address });
            }
            State::OpeningUdp { bind, .. } => {
                tracing::warn!(%bind, why, "no SIP over UDP at this address");
                listener.enter(State::Down);
            }
            State::OpeningTcp { udp, local, .. } => {
                tracing::warn!(
                    port = local.port(),
                    why,
                    "no SIP over TCP from outside at this port"
                );
                listener.enter(State::Up {
                    udp,
                    local,
                    tcp: None,
                });
            }
            State::Up { .. } | State::Down => {}
        }
    }

    fn record_ports(&mut self) {
        let ports = self.listeners.iter().filter_map(|listener| match listener.state {
            State::OpeningTcp { local, .. } | State::Up { local, .. } => {
                Some((listener.configured.ip(), local.port()))
            }
            State::OpeningUdp { bind, .. } if bind.port() != 0 => Some((bind.ip(), bind.port())),
            State::OpeningUdp { .. } | State::Down => None,
        });
        let record = Ports {
            version: VERSION,
            ports: ports.collect(),
        };
        if let Ok(content) = serde_json::to_vec(&record) {
            self.outputs.push_back(Output::RecordPorts(content));
        }
    }
}

fn read_ports(content: &[u8]) -> Vec<(IpAddr, u16)> {
    match serde_json::from_slice::<Ports>(content) {
        Ok(record) if record.version == VERSION => record.ports,
        Ok(_) | Err(_) => {
            tracing::warn!("the record of the SIP ports cannot be read, new ones are chosen");
            Vec::new()
        }
    }
}

impl Listener {
    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.state.name(), to = next.name(), address = %self.configured, "SIP listener");
        self.state = next;
    }
}

impl State {
    fn owns(&self, flow: FlowId) -> bool {
        match self {
            Self::OpeningUdp { flow: udp, .. } => *udp == flow,
            Self::OpeningTcp { udp, tcp, .. } => *tcp == flow || *udp == flow,
            Self::Up { udp, tcp, .. } => *udp == flow || *tcp == Some(flow),
            Self::Down => false,
        }
    }

    fn waits_for(&self, flow: FlowId) -> bool {
        match self {
            Self::OpeningUdp { flow: opening, .. } | Self::OpeningTcp { tcp: opening, .. } => {
                *opening == flow
            }
            Self::Up { .. } | Self::Down => false,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::OpeningUdp { .. } => "OpeningUdp",
            Self::OpeningTcp { .. } => "OpeningTcp",
            Self::Up { .. } => "Up",
            Self::Down => "Down",
        }
    }
}
