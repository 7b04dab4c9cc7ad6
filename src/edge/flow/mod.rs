//! Flows: the sockets on which calls are signalled. What is opened here answers at once where the system does; what
//! takes time answers with a wake.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::agent::Wake;
use crate::network::{ConnectFault, FlowEvent, FlowId, FlowRequest};

use super::leaving::{Leaving, Unfinished};
use super::tls::Trust;
use super::wakes::Wakes;

use datagram::Datagrams;
use stream::{Layer, StreamWriter};

mod datagram;
mod listener;
mod stream;

/// All open flows. Cheap to clone: the tasks that accept connections add to it.
#[derive(Clone, Debug)]
pub struct Flows {
    table: Arc<Mutex<Table>>,
    next_accepted: Arc<AtomicU64>,
    trust: Trust,
    wakes: Wakes,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<FlowId, Flow>,
    leaving: Option<Leaving>,
}

/// What the loop holds of an open flow. Dropping it closes the flow.
#[derive(Debug)]
enum Flow {
    Datagrams(Datagrams),
    Listener {
        _accepting: Task,
    },
    Stream(StreamWriter),
    /// It could not be opened, which the loop has not heard yet.
    Unopened,
}

/// A task that ends with its flow.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Flows {
    /// No flows yet; `trust` is for those under TLS.
    pub fn new(trust: Trust, wakes: Wakes) -> Self {
        Self {
            table: Arc::default(),
            next_accepted: Arc::new(AtomicU64::new(FlowId::ACCEPTED)),
            trust,
            wakes,
        }
    }

    /// From the next connection on this is trusted.
    pub fn set_trust(&mut self, trust: Trust) {
        self.trust = trust;
    }

    /// Opens a flow. Datagrams and listeners are answered at once; a stream's answer comes as a wake. Must be called
    /// inside the runtime.
    pub fn open(&self, flow: FlowId, request: FlowRequest) -> Option<Wake> {
        let (opened, local, remote) = match request {
            FlowRequest::ListenUdp { bind } => match datagram::listen(bind) {
                Ok((socket, local)) => (self.datagrams(flow, socket, None), local, local),
                Err(fault) => return Some(self.unopened(flow, fault)),
            },
            FlowRequest::ConnectUdp { local_port, remote } => match datagram::connect(local_port, remote) {
                Ok((socket, local)) => (self.datagrams(flow, socket, Some(remote)), local, remote),
                Err(fault) => return Some(self.unopened(flow, fault)),
            },
            FlowRequest::ListenTcp { bind } => match listener::listen(bind) {
                Ok((socket, local)) => {
                    let task = tokio::spawn(listener::accept_all(socket, flow, self.clone()));
                    (
                        Flow::Listener {
                            _accepting: Task(task.abort_handle()),
                        },
                        local,
                        local,
                    )
                }
                Err(fault) => return Some(self.unopened(flow, fault)),
            },
            FlowRequest::ConnectTcp { remote } => {
                return self.stream(flow, remote, Layer::Plain);
            }
            FlowRequest::ConnectTls { remote, server_name } => {
                let trust = self.trust.clone();
                return self.stream(flow, remote, Layer::Tls { server_name, trust });
            }
        };
        self.insert(flow, opened);
        let event = FlowEvent::Opened { local, remote };
        Some(Wake::Flow { flow, event })
    }

    /// Sends bytes: a datagram in this very turn, a piece of a stream after those before it. The wake says what came
    /// back at once: an ICMP error, or that the flow is gone because its far end takes nothing.
    pub fn transmit(&self, flow: FlowId, to: Option<SocketAddr>, bytes: Vec<u8>) -> Option<Wake> {
        let mut table = self.table();
        let event = match table.open.get(&flow) {
            Some(Flow::Datagrams(socket)) => socket.transmit(to, &bytes).map(FlowEvent::Failed),
            Some(Flow::Stream(writer)) if writer.queue(bytes) => None,
            Some(Flow::Stream(_)) => {
                table.open.remove(&flow);
                tracing::debug!(flow = flow.0, "a far end that takes nothing is cut off");
                Some(FlowEvent::Closed)
            }
            Some(Flow::Listener { .. } | Flow::Unopened) | None => {
                tracing::debug!(flow = flow.0, "bytes for a flow that is gone");
                None
            }
        };
        event.map(|event| Wake::Flow { flow, event })
    }

    /// Closes a flow; a stream after what was queued. Nothing is heard of it from here on.
    pub fn close(&self, flow: FlowId) {
        self.table().open.remove(&flow);
    }

    /// Whether the loop still wants to hear of this flow. After the event that ends it, it does not.
    pub fn hears(&self, flow: FlowId, event: &FlowEvent) -> bool {
        let mut table = self.table();
        let is_last = match event {
            FlowEvent::Closed => true,
            FlowEvent::Failed(_) => matches!(table.open.get(&flow), Some(Flow::Stream(_) | Flow::Unopened)),
            FlowEvent::Opened { .. } | FlowEvent::Accepted { .. } | FlowEvent::Received { .. } => false,
        };
        if is_last {
            table.open.remove(&flow).is_some()
        } else {
            table.open.contains_key(&flow)
        }
    }

    /// Closes all flows and waits until what was queued has left, no longer than `limit`.
    pub async fn finish(&self, limit: Duration) {
        let leaving = {
            let mut table = self.table();
            table.open.clear();
            table.leaving.take()
        };
        if let Some(leaving) = leaving
            && !leaving.all_done(limit).await
        {
            tracing::debug!("some streams did not take what was sent in time");
        }
    }

    fn stream(&self, flow: FlowId, remote: SocketAddr, layer: Layer) -> Option<Wake> {
        let writer = stream::connect(flow, remote, layer, self.wakes.clone(), self.unfinished());
        self.insert(flow, Flow::Stream(writer));
        None
    }

    fn datagrams(
        &self,
        flow: FlowId,
        socket: Arc<tokio::net::UdpSocket>,
        remote: Option<SocketAddr>,
    ) -> Flow {
        let reader = datagram::read_all(Arc::clone(&socket), flow, remote, self.wakes.clone());
        let task = tokio::spawn(reader);
        Flow::Datagrams(Datagrams::new(socket, remote, Task(task.abort_handle())))
    }

    /// Takes in a connection that somebody opened to us; its number.
    fn insert_accepted(&self, writer: StreamWriter) -> FlowId {
        let flow = FlowId(self.next_accepted.fetch_add(1, Ordering::Relaxed));
        self.insert(flow, Flow::Stream(writer));
        flow
    }

    fn unopened(&self, flow: FlowId, fault: ConnectFault) -> Wake {
        self.insert(flow, Flow::Unopened);
        let event = FlowEvent::Failed(fault);
        Wake::Flow { flow, event }
    }

    fn insert(&self, flow: FlowId, opened: Flow) {
        self.table().open.insert(flow, opened);
    }

    fn unfinished(&self) -> Unfinished {
        self.table().leaving.get_or_insert_default().unfinished()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an error of the system means for the far end; one that is about ourselves is told with its address.
pub(super) fn fault_of(error: &io::Error, address: SocketAddr) -> ConnectFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => ConnectFault::Refused(address),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            ConnectFault::Unreachable(address)
        }
        io::ErrorKind::TimedOut => ConnectFault::TcpSlow(address),
        _ => ConnectFault::Socket(format!("{address}: {error}")),
    }
}

#[cfg(test)]
mod tests;
