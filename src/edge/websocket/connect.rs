//! From a name to a TCP connection: all its addresses are tried, within one time limit.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::edge::names::Names;
use crate::network::{ConnectFault, NamesAnswer};

/// Whatever carries bytes both ways: TCP, TLS, a tunnel.
pub(in crate::edge) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to the first address that answers. Each has an even share of the time that is left.
pub(super) async fn tcp(
    names: &Names,
    host: &str,
    port: u16,
    limit: Duration,
) -> Result<TcpStream, ConnectFault> {
    let until = Instant::now() + limit;
    let answer = timeout(limit, names.addresses(host)).await;
    let addresses = match answer.unwrap_or(NamesAnswer::Slow) {
        NamesAnswer::Addresses(addresses) => addresses,
        NamesAnswer::NotFound | NamesAnswer::Naptr(_) | NamesAnswer::Srv(_) => {
            return Err(ConnectFault::Name(host.to_owned()));
        }
        NamesAnswer::Slow => return Err(ConnectFault::NameSlow(host.to_owned())),
    };
    let mut fault = ConnectFault::Name(host.to_owned());
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = until.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match one(address, port, share).await {
            Ok(stream) => return Ok(stream),
            Err(why) => fault = more_telling(fault, why),
        }
    }
    Err(fault)
}

async fn one(address: IpAddr, port: u16, limit: Duration) -> Result<TcpStream, ConnectFault> {
    let remote = SocketAddr::new(address, port);
    let stream = timeout(limit, TcpStream::connect(remote))
        .await
        .map_err(|_| ConnectFault::TcpSlow(remote))?
        .map_err(|error| crate::edge::flow::fault_of(&error, remote))?;
    // Frames are small and somebody waits for each.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "the connection keeps its delay");
    }
    Ok(stream)
}

/// That an address family is missing here says less than what another address did.
fn more_telling(former: ConnectFault, latest: ConnectFault) -> ConnectFault {
    match (&former, &latest) {
        (
            ConnectFault::Refused(_) | ConnectFault::TcpSlow(_),
            ConnectFault::Unreachable(_) | ConnectFault::Socket(_),
        ) => former,
        _ => latest,
    }
}
