//! Stream flows, plain or under TLS: one task each that connects, reads, and writes from a bounded queue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::agent::Wake;
use crate::edge::leaving::Unfinished;
use crate::edge::tls::Trust;
use crate::edge::wakes::Wakes;
use crate::network::{CertFault, ConnectFault, FlowEvent, FlowId};

use super::fault_of;

/// For the TCP handshake: SIP's timer B is 32 s, a caller's patience far less.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For the TLS handshake, on top of that.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// How much may wait for a far end that takes nothing, in bytes.
pub(super) const QUEUE_BYTES: usize = 256 * 1024;
/// How long one piece may be stuck. A flow that was closed here lives no longer than its queue takes.
const STUCK: Duration = Duration::from_secs(10);
/// The most that is read at once.
const READ: usize = 16 * 1024;

/// The loop's end of a stream. When it is dropped, what was queued is still written.
#[derive(Debug)]
pub(super) struct StreamWriter {
    pieces: mpsc::UnboundedSender<Vec<u8>>,
    queued: Arc<AtomicUsize>,
}

/// The task's end.
#[derive(Debug)]
pub(super) struct Pieces {
    pieces: mpsc::UnboundedReceiver<Vec<u8>>,
    queued: Arc<AtomicUsize>,
    /// Those that came before the connection was there.
    early: Vec<Vec<u8>>,
}

/// A queue that is bounded in bytes.
pub(super) fn queue() -> (StreamWriter, Pieces) {
    let (sender, pieces) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let writer = StreamWriter {
        pieces: sender,
        queued: Arc::clone(&queued),
    };
    let pieces = Pieces {
        pieces,
        queued,
        early: Vec::new(),
    };
    (writer, pieces)
}

impl StreamWriter {
    /// False when too much is waiting already.
    pub(super) fn queue(&self, piece: Vec<u8>) -> bool {
        let length = piece.len();
        if self.queued.fetch_add(length, Ordering::Relaxed) + length > QUEUE_BYTES {
            return false;
        }
        // A task that has ended says so by itself.
        let _ = self.pieces.send(piece);
        true
    }
}

/// What lies between TCP and the messages.
#[derive(Debug)]
pub(super) enum Layer {
    /// Nothing.
    Plain,
    /// TLS with a server that proves to be this one.
    Tls { server_name: String, trust: Trust },
}

/// A stream that is ready for messages.
trait Ready: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Ready for S {}

/// Connects in a task of its own and then carries bytes until either side closes.
pub(super) fn connect(
    flow: FlowId,
    remote: SocketAddr,
    layer: Layer,
    wakes: Wakes,
    unfinished: Unfinished,
) -> StreamWriter {
    let (writer, mut pieces) = queue();
    tokio::spawn(async move {
        let _unfinished = unfinished;
        let connected = tokio::select! {
            connected = connect_in_time(remote, layer) => connected,
            () = pieces.closed_early() => return,
        };
        match connected {
            Ok((stream, local)) => {
                let event = FlowEvent::Opened { local, remote };
                wakes.send(Wake::Flow { flow, event }).await;
                run(stream, remote, pieces, flow, &wakes).await;
            }
            Err(fault) => {
                let event = FlowEvent::Failed(fault);
                wakes.send(Wake::Flow { flow, event }).await;
            }
        }
    });
    writer
}

async fn connect_in_time(
    remote: SocketAddr,
    layer: Layer,
) -> Result<(Box<dyn Ready>, SocketAddr), ConnectFault> {
    let connecting = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(remote));
    let stream = match connecting.await {
        Err(_) => return Err(ConnectFault::TcpSlow(remote)),
        Ok(stream) => stream.map_err(|error| fault_of(&error, remote))?,
    };
    let local = stream.local_addr().map_err(|error| fault_of(&error, remote))?;
    without_delay(&stream);
    match layer {
        Layer::Plain => Ok((Box::new(stream), local)),
        Layer::Tls { server_name, trust } => {
            let shaking_hands = tokio::time::timeout(HANDSHAKE_LIMIT, trust.connect(&server_name, stream));
            let stream = shaking_hands.await.map_err(|_| ConnectFault::Tls {
                server_name,
                fault: CertFault::Handshake(format!("{remote} did not answer the handshake in time")),
            })??;
            Ok((Box::new(stream), local))
        }
    }
}

/// SIP messages are small and wait for one another.
pub(super) fn without_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "a stream keeps its delay");
    }
}

/// Carries bytes until either side closes, and says [`FlowEvent::Closed`].
pub(super) async fn run(
    stream: impl AsyncRead + AsyncWrite,
    remote: SocketAddr,
    pieces: Pieces,
    flow: FlowId,
    wakes: &Wakes,
) {
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        () = read_all(reader, remote, flow, wakes) => {}
        () = write_all(writer, pieces) => {}
    }
    let event = FlowEvent::Closed;
    wakes.send(Wake::Flow { flow, event }).await;
}

async fn read_all(mut reader: impl AsyncRead + Unpin, from: SocketAddr, flow: FlowId, wakes: &Wakes) {
    let mut buffer = vec![0; READ];
    loop {
        let bytes = match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => buffer[..length].to_vec(),
        };
        let event = FlowEvent::Received { from, bytes };
        if !wakes.send(Wake::Flow { flow, event }).await {
            return;
        }
    }
}

/// Ends when the flow was closed here and all is written, or when writing fails.
async fn write_all(mut writer: impl AsyncWrite + Unpin, mut pieces: Pieces) {
    for piece in std::mem::take(&mut pieces.early) {
        if !pieces.write(&mut writer, &piece).await {
            return;
        }
    }
    while let Some(piece) = pieces.pieces.recv().await {
        if !pieces.write(&mut writer, &piece).await {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

impl Pieces {
    async fn write(&self, writer: &mut (impl AsyncWrite + Unpin), piece: &[u8]) -> bool {
        let writing = async {
            writer.write_all(piece).await?;
            // TLS keeps what the socket did not take at once.
            writer.flush().await
        };
        let written = tokio::time::timeout(STUCK, writing).await;
        self.queued.fetch_sub(piece.len(), Ordering::Relaxed);
        matches!(written, Ok(Ok(())))
    }

    /// Returns when the flow is closed while it still connects.
    async fn closed_early(&mut self) {
        while let Some(piece) = self.pieces.recv().await {
            self.early.push(piece);
        }
    }
}
