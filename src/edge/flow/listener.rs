//! Stream sockets that take connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::agent::Wake;
use crate::network::{ConnectFault, FlowEvent, FlowId};

use super::{Flows, fault_of, stream};

/// How many connections others may hold to one listener.
pub(super) const ACCEPTED_AT_ONCE: usize = 64;

/// Connections that wait to be accepted; more than the limit would only wait for longer.
const BACKLOG: i32 = 64;

/// The pause after a failed accept: without descriptors each attempt would fail at once again.
const PAUSE: Duration = Duration::from_millis(200);

/// Opens a socket that accepts connections at `bind`.
pub(super) fn listen(bind: SocketAddr) -> Result<(TcpListener, SocketAddr), ConnectFault> {
    let open = || {
        let socket = Socket::new(
            Domain::for_address(bind),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        if bind.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // What the last process left in TIME_WAIT does not keep us from its port.
        socket.set_reuse_address(true)?;
        socket.bind(&bind.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    open().map_err(|error: io::Error| fault_of(&error, bind))
}

/// Accepts until the flow is closed. Beyond the limit connections are closed at once.
pub(super) async fn accept_all(listener: TcpListener, flow: FlowId, flows: Flows) {
    let room = Arc::new(Semaphore::new(ACCEPTED_AT_ONCE));
    loop {
        let accepted = listener.accept().await.and_then(|(stream, remote)| {
            let local = stream.local_addr()?;
            Ok((stream, local, remote))
        });
        let (stream, local, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(flow = flow.0, error = %error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            tracing::debug!(remote = %remote, limit = ACCEPTED_AT_ONCE, "a connection too many is closed");
            continue;
        };
        stream::without_delay(&stream);
        let (writer, pieces) = stream::queue();
        let accepted = flows.insert_accepted(writer);
        let event = FlowEvent::Accepted {
            flow: accepted,
            local,
            remote,
        };
        // Told before its task can say anything of it.
        if !flows.wakes.send(Wake::Flow { flow, event }).await {
            return;
        }
        let (wakes, unfinished) = (flows.wakes.clone(), flows.unfinished());
        tokio::spawn(async move {
            let _held = (permit, unfinished);
            stream::run(stream, remote, pieces, accepted, &wakes).await;
        });
    }
}
