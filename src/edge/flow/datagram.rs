//! Datagram flows. A connected one may share the port of a listening one: answers to what it sent find it, everything
//! else finds the listener.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::agent::Wake;
use crate::edge::wakes::Wakes;
use crate::network::{ConnectFault, FlowEvent, FlowId};

use super::{Task, fault_of};

/// The largest datagram there is.
const LARGEST: usize = 64 * 1024;

/// The pause after an error that is not about the far end, so that a broken socket does not keep us busy.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a socket that takes what anybody sends to `bind`.
pub(super) fn listen(bind: SocketAddr) -> Result<(Arc<UdpSocket>, SocketAddr), ConnectFault> {
    let open = || {
        let socket = new_socket(bind)?;
        socket.bind(&bind.into())?;
        // After the bind: a port that another program holds is refused, our own connected sockets may join later.
        socket.set_reuse_address(true)?;
        register(socket)
    };
    open().map_err(|error: io::Error| fault_of(&error, bind))
}

/// Opens a socket to `remote` that leaves from `local_port`, which a listener may hold already.
pub(super) fn connect(
    local_port: u16,
    remote: SocketAddr,
) -> Result<(Arc<UdpSocket>, SocketAddr), ConnectFault> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let open = || {
        let socket = new_socket(remote)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(any, local_port).into())?;
        socket.connect(&remote.into())?;
        register(socket)
    };
    open().map_err(|error: io::Error| fault_of(&error, remote))
}

fn new_socket(family: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(family),
        Type::DGRAM.nonblocking(),
        Some(Protocol::UDP),
    )?;
    if family.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn register(socket: Socket) -> io::Result<(Arc<UdpSocket>, SocketAddr)> {
    let socket = UdpSocket::from_std(socket.into())?;
    let local = socket.local_addr()?;
    Ok((Arc::new(socket), local))
}

/// The loop's hold on a datagram flow.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: Arc<UdpSocket>,
    remote: Option<SocketAddr>,
    _reader: Task,
}

impl Datagrams {
    pub(super) fn new(socket: Arc<UdpSocket>, remote: Option<SocketAddr>, reader: Task) -> Self {
        Self {
            socket,
            remote,
            _reader: reader,
        }
    }

    /// Sends one datagram, now or never. An ICMP error that an earlier one caused may come back from here.
    pub(super) fn transmit(&self, to: Option<SocketAddr>, bytes: &[u8]) -> Option<ConnectFault> {
        match self.send(to, bytes) {
            Ok(()) => None,
            Err(error) => {
                let fault = self.remote.or(to).map(|address| fault_of(&error, address));
                let is_theirs = matches!(
                    fault,
                    Some(ConnectFault::Refused(_) | ConnectFault::Unreachable(_))
                );
                if is_theirs && self.remote.is_some() {
                    // The pending error took the place of this datagram. What it is about is gone, so a second
                    // failure says nothing new.
                    let _ = self.send(to, bytes);
                } else if !is_theirs {
                    tracing::debug!(error = %error, length = bytes.len(), "a datagram did not leave");
                }
                fault.filter(|_| is_theirs)
            }
        }
    }

    /// Straight to the system: the runtime's own `try_send` refuses until it has polled the socket once.
    fn send(&self, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<()> {
        let socket = SockRef::from(&*self.socket);
        match to.filter(|_| self.remote.is_none()) {
            Some(to) => socket.send_to(bytes, &to.into()).map(drop),
            None => socket.send(bytes).map(drop),
        }
    }
}

/// Reads until the flow is closed. An ICMP error on a connected socket is told, and the flow lives on.
pub(super) async fn read_all(socket: Arc<UdpSocket>, flow: FlowId, remote: Option<SocketAddr>, wakes: Wakes) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let event = match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => FlowEvent::Received {
                from,
                bytes: buffer[..length].to_vec(),
            },
            Err(error) => match remote.map(|remote| fault_of(&error, remote)) {
                Some(fault @ (ConnectFault::Refused(_) | ConnectFault::Unreachable(_))) => {
                    FlowEvent::Failed(fault)
                }
                Some(_) | None => {
                    tracing::debug!(flow = flow.0, error = %error, "a datagram could not be read");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        if !wakes.send(Wake::Flow { flow, event }).await {
            return;
        }
    }
}
