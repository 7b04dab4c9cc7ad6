//! The connections to far ends and from them: opened once for each target, shared, opened again when they are gone,
//! closed when nobody needs them. Bytes that are sent before a flow is open wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::locate::Target;
use super::transaction::{Path, T4};
use super::wire::StreamReader;
use crate::network::{ConnectFault, FlowId, FlowRequest, Transport};
use crate::time::{Deadline, Moment, Now};

/// How many connections from outside are kept. Beyond it the one that was silent for longest is closed.
const ACCEPTED: usize = 32;
/// How long a connection from outside may be silent.
const IDLE: Duration = Duration::from_secs(120);
/// How long opening may take, by our clock: the edge has its own limits, which are shorter.
const OPENING: Duration = Duration::from_secs(15);
/// Between two keep-alives (contract, "SIP").
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// How long the answer to a keep-alive may take on a stream (RFC 5626 4.4.1).
const PONG: Duration = Duration::from_secs(10);
/// The keep-alive itself (RFC 5626 3.5.1); over datagrams it only holds the way open.
const PING: &[u8] = b"\r\n\r\n";
/// How many messages may wait for a flow to open.
const WAITING: usize = 16;

/// A flow that we opened.
struct Outgoing {
    target: Target,
    state: OutgoingState,
    /// Since when nobody needs it.
    unused: Option<Moment>,
    /// When it was last kept alive, while it has to be.
    kept: Option<Moment>,
    pongs: Pongs,
    reader: StreamReader,
}

/// ```text
///  once more from any port
///     └─────┐
/// Opening ──┴→ Open ──→ (gone)
/// ```
enum OutgoingState {
    Opening {
        waiting: Vec<Vec<u8>>,
        until: Moment,
        /// The port that its datagrams shall leave from; 0 for any.
        local_port: u16,
    },
    Open {
        local: SocketAddr,
    },
}

/// Whether the far end answers keep-alives on a stream; only one that did so before has to (RFC 6223).
/// ```text
/// Unseen ──pong──→ Seen ⇄ Awaited
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pongs {
    Unseen,
    Seen,
    Awaited { until: Moment },
}

/// A connection that others opened.
struct Accepted {
    remote: SocketAddr,
    heard: Moment,
    reader: StreamReader,
}

/// What the flows want done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a flow.
    Open(FlowId, FlowRequest),
    /// Send bytes.
    Transmit(Path, Vec<u8>),
    /// Close a flow.
    Close(FlowId),
}

/// All of them.
#[derive(Default)]
pub struct Flows {
    outgoing: BTreeMap<FlowId, Outgoing>,
    accepted: BTreeMap<FlowId, Accepted>,
    outputs: VecDeque<Output>,
}

impl Flows {
    /// The flow to a target, opened when there is none; `local_port` is the port that datagrams leave from.
    pub fn path_to(
        &mut self,
        now: Now,
        target: &Target,
        local_port: u16,
        number: impl FnOnce() -> FlowId,
    ) -> Path {
        let is_reliable = target.transport.is_stream();
        if let Some((flow, _)) = self
            .outgoing
            .iter()
            .find(|(_, outgoing)| outgoing.target == *target)
        {
            return Path {
                flow: *flow,
                to: None,
                is_reliable,
            };
        }
        let flow = number();
        let remote = target.address;
        let request = match target.transport {
            Transport::Udp => FlowRequest::ConnectUdp { local_port, remote },
            Transport::Tcp => FlowRequest::ConnectTcp { remote },
            Transport::Tls => FlowRequest::ConnectTls {
                remote,
                server_name: target.server_name.as_deref().unwrap_or_default().to_owned(),
            },
        };
        let state = OutgoingState::Opening {
            waiting: Vec::new(),
            until: now.moment + OPENING,
            local_port,
        };
        self.outgoing.insert(
            flow,
            Outgoing {
                target: target.clone(),
                state,
                unused: None,
                kept: None,
                pongs: Pongs::Unseen,
                reader: StreamReader::new(),
            },
        );
        self.outputs.push_back(Output::Open(flow, request));
        Path {
            flow,
            to: None,
            is_reliable,
        }
    }

    /// The local address of the open flow to a target.
    pub fn local(&self, target: &Target) -> Option<SocketAddr> {
        self.outgoing
            .values()
            .find(|outgoing| outgoing.target == *target)
            .and_then(|outgoing| match outgoing.state {
                OutgoingState::Open { local } => Some(local),
                OutgoingState::Opening { .. } => None,
            })
    }

    /// The target of a flow that we opened.
    pub fn target(&self, flow: FlowId) -> Option<Target> {
        self.outgoing.get(&flow).map(|outgoing| outgoing.target.clone())
    }

    /// Sends, or keeps until the flow is open.
    pub fn transmit(&mut self, path: Path, bytes: Vec<u8>) {
        match self
            .outgoing
            .get_mut(&path.flow)
            .map(|outgoing| &mut outgoing.state)
        {
            Some(OutgoingState::Opening { waiting, .. }) => {
                if waiting.len() < WAITING {
                    waiting.push(bytes);
                }
            }
            Some(OutgoingState::Open { .. }) => self.outputs.push_back(Output::Transmit(path, bytes)),
            // A listening flow, or a connection of theirs.
            None if path.to.is_some() || self.accepted.contains_key(&path.flow) => {
                self.outputs.push_back(Output::Transmit(path, bytes));
            }
            None => tracing::debug!(
                flow = path.flow.0,
                "the connection is gone, a SIP message was not sent"
            ),
        }
    }

    /// It is open: what waited leaves.
    pub fn opened(&mut self, flow: FlowId, local: SocketAddr) {
        let Some(outgoing) = self.outgoing.get_mut(&flow) else {
            return;
        };
        let path = Path {
            flow,
            to: None,
            is_reliable: outgoing.target.transport.is_stream(),
        };
        if let OutgoingState::Opening { waiting, .. } =
            std::mem::replace(&mut outgoing.state, OutgoingState::Open { local })
        {
            tracing::debug!(flow = flow.0, remote = %outgoing.target.address, "SIP flow Opening -> Open");
            self.outputs
                .extend(waiting.into_iter().map(|bytes| Output::Transmit(path, bytes)));
        }
    }

    /// Others connected; the connection that is closed for it, if any, is given back.
    pub fn accepted(&mut self, now: Now, flow: FlowId, remote: SocketAddr) -> Option<FlowId> {
        let oldest = self
            .accepted
            .iter()
            .min_by_key(|(_, accepted)| accepted.heard)
            .map(|(flow, _)| *flow);
        let evicted = oldest.filter(|_| self.accepted.len() >= ACCEPTED);
        if let Some(evicted) = evicted {
            self.close(evicted);
        }
        self.accepted.insert(
            flow,
            Accepted {
                remote,
                heard: now.moment,
                reader: StreamReader::new(),
            },
        );
        evicted
    }

    /// The reader of a stream, when the flow is one.
    pub fn reader(&mut self, now: Now, flow: FlowId) -> Option<&mut StreamReader> {
        if let Some(accepted) = self.accepted.get_mut(&flow) {
            accepted.heard = now.moment;
            return Some(&mut accepted.reader);
        }
        let outgoing = self.outgoing.get_mut(&flow)?;
        outgoing
            .target
            .transport
            .is_stream()
            .then_some(&mut outgoing.reader)
    }

    /// Whether others opened it.
    pub fn is_accepted(&self, flow: FlowId) -> bool {
        self.accepted.contains_key(&flow)
    }

    /// The far end of a flow.
    pub fn remote(&self, flow: FlowId) -> Option<SocketAddr> {
        let accepted = self.accepted.get(&flow).map(|accepted| accepted.remote);
        accepted.or_else(|| self.outgoing.get(&flow).map(|outgoing| outgoing.target.address))
    }

    /// The port that datagrams should have left from is not to be had: any other is better than silence, since the far
    /// end knows a dialog by its tags. Whether it is tried.
    pub fn leave_from_any_port(&mut self, flow: FlowId, fault: &ConnectFault) -> bool {
        let Some(outgoing) = self.outgoing.get_mut(&flow) else {
            return false;
        };
        match (&mut outgoing.state, fault) {
            (OutgoingState::Opening { local_port, .. }, ConnectFault::Socket(why))
                if outgoing.target.transport == Transport::Udp && *local_port != 0 =>
            {
                let remote = outgoing.target.address;
                tracing::warn!(port = *local_port, why, %remote, "the SIP port is taken, messages leave from another one");
                *local_port = 0;
                let request = FlowRequest::ConnectUdp {
                    local_port: 0,
                    remote,
                };
                self.outputs.push_back(Output::Open(flow, request));
                true
            }
            (OutgoingState::Opening { .. } | OutgoingState::Open { .. }, _) => false,
        }
    }

    /// It could not be opened, or a stream ended. `false` when it lives on: an ICMP error on an open datagram flow.
    pub fn failed(&mut self, flow: FlowId) -> bool {
        if let Some(outgoing) = self.outgoing.get(&flow)
            && matches!(outgoing.state, OutgoingState::Open { .. })
            && !outgoing.target.transport.is_stream()
        {
            return false;
        }
        self.outgoing.remove(&flow).is_some() | self.accepted.remove(&flow).is_some()
    }

    /// Closes a flow.
    pub fn close(&mut self, flow: FlowId) {
        if self.outgoing.remove(&flow).is_some() | self.accepted.remove(&flow).is_some() {
            self.outputs.push_back(Output::Close(flow));
        }
    }

    /// Closes what we opened and nobody has needed for a while.
    pub fn close_unused(&mut self, now: Now, is_used: impl Fn(FlowId, &Target) -> bool) {
        let mut unused = Vec::new();
        for (flow, outgoing) in &mut self.outgoing {
            let is_waited_for = match &outgoing.state {
                OutgoingState::Opening { waiting, .. } => !waiting.is_empty(),
                OutgoingState::Open { .. } => false,
            };
            if is_waited_for || is_used(*flow, &outgoing.target) {
                outgoing.unused = None;
            } else if *outgoing.unused.get_or_insert(now.moment) + T4 <= now.moment {
                unused.push(*flow);
            }
        }
        for flow in unused {
            self.close(flow);
        }
    }

    /// Keeps those flows alive that the far end must find us on.
    pub fn keep_alive(&mut self, now: Now, is_wanted: impl Fn(&Target) -> bool) {
        for (flow, outgoing) in &mut self.outgoing {
            if !matches!(outgoing.state, OutgoingState::Open { .. }) || !is_wanted(&outgoing.target) {
                (outgoing.kept, outgoing.pongs) = (None, Pongs::Unseen);
                continue;
            }
            let kept = *outgoing.kept.get_or_insert(now.moment);
            if kept + KEEP_ALIVE > now.moment {
                continue;
            }
            outgoing.kept = Some(now.moment);
            if outgoing.pongs == Pongs::Seen {
                outgoing.pongs = Pongs::Awaited {
                    until: now.moment + PONG,
                };
            }
            let path = Path {
                flow: *flow,
                to: None,
                is_reliable: outgoing.target.transport.is_stream(),
            };
            self.outputs.push_back(Output::Transmit(path, PING.to_vec()));
        }
    }

    /// The far end answered a keep-alive.
    pub fn note_pong(&mut self, flow: FlowId) {
        if let Some(outgoing) = self.outgoing.get_mut(&flow) {
            outgoing.pongs = Pongs::Seen;
        }
    }

    /// Closes flows that took too long to open or to answer a keep-alive, and silent connections of others, and says which.
    pub fn close_expired(&mut self, now: Now) -> Vec<(FlowId, Option<Target>, SocketAddr)> {
        let slow = self.outgoing.iter().filter(|(_, outgoing)| match outgoing.state {
            OutgoingState::Opening { until, .. } => until <= now.moment,
            OutgoingState::Open { .. } => {
                matches!(outgoing.pongs, Pongs::Awaited { until } if until <= now.moment)
            }
        });
        let slow =
            slow.map(|(flow, outgoing)| (*flow, Some(outgoing.target.clone()), outgoing.target.address));
        let idle = self
            .accepted
            .iter()
            .filter(|(_, accepted)| accepted.heard + IDLE <= now.moment);
        let gone: Vec<_> = slow
            .chain(idle.map(|(flow, accepted)| (*flow, None, accepted.remote)))
            .collect();
        for (flow, _, _) in &gone {
            self.close(*flow);
        }
        gone
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let opening = self.outgoing.values().map(|outgoing| match outgoing.state {
            OutgoingState::Opening { until, .. } => Some(Deadline {
                at: until,
                why: "SIP connection opens",
            }),
            OutgoingState::Open { .. } => None,
        });
        let idle = self.accepted.values().map(|accepted| {
            Some(Deadline {
                at: accepted.heard + IDLE,
                why: "SIP connection from outside is silent",
            })
        });
        let unused = self.outgoing.values().map(|outgoing| {
            outgoing.unused.map(|since| Deadline {
                at: since + T4,
                why: "SIP connection that nobody needs",
            })
        });
        let kept = self.outgoing.values().map(|outgoing| {
            outgoing.kept.map(|kept| Deadline {
                at: kept + KEEP_ALIVE,
                why: "SIP connection is kept alive",
            })
        });
        let pongs = self.outgoing.values().map(|outgoing| match outgoing.pongs {
            Pongs::Awaited { until } => Some(Deadline {
                at: until,
                why: "SIP keep-alive is answered",
            }),
            Pongs::Unseen | Pongs::Seen => None,
        });
        Deadline::earliest(opening.chain(idle).chain(unused).chain(kept).chain(pongs))
    }
}
