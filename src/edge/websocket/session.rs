//! An open websocket: frames to wakes, orders to frames, until either side ends it.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::Callback;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::agent::Wake;
use crate::bridge::link::{Frame, LinkEvent, LinkFault, LinkId};
use crate::edge::links::{LinkEnd, Order};
use crate::edge::wakes::Wakes;

use super::connect::Stream;

/// An open websocket over whatever carries it.
pub(in crate::edge) type Socket = WebSocketStream<Box<dyn Stream>>;

/// The contract's limits, which are those of API Gateway too.
const LARGEST_MESSAGE: usize = 128 * 1024;
const LARGEST_FRAME: usize = 64 * 1024;
/// How much of ours may wait inside the websocket; the queue before it is bounded by itself.
const WRITE_BUFFER: usize = 512 * 1024;
const READ_BUFFER: usize = 16 * 1024;
/// How long a far end may take to end what both agreed to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// RFC 6455 7.4.1: the reason when a close frame has none.
const NO_STATUS: u16 = 1005;

/// Takes up the websocket's side of a stream that was upgraded.
pub(super) async fn over(stream: Box<dyn Stream>) -> Socket {
    WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits())).await
}

/// Takes the server's side of a stream, when its request passes.
pub(in crate::edge) async fn accept(
    stream: Box<dyn Stream>,
    guard: impl Callback + Unpin,
) -> Result<Socket, Error> {
    accept_hdr_async_with_config(stream, guard, Some(limits())).await
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_FRAME))
}

/// Carries frames until the end; why it was lost, or `None` when it was closed here. The connection is gone when this
/// returns, so that there is never a second one beside it.
pub(in crate::edge) async fn run(
    socket: Socket,
    link: LinkId,
    mut end: LinkEnd,
    wakes: &Wakes,
    write_timeout: Duration,
) -> Option<LinkFault> {
    let (mut sink, mut stream) = socket.split();
    let ending = tokio::select! {
        fault = read_all(&mut stream, link, wakes) => Ending::Lost(fault),
        ending = write_all(&mut sink, &mut end.orders, write_timeout) => ending,
        () = end.given_up.notified() => Ending::GivenUp,
    };
    let mut socket = stream.reunite(sink).ok()?;
    match ending {
        Ending::Lost(fault) => {
            if let Some(code) = close_code(&fault) {
                say_farewell(&mut socket, code).await;
            } else if matches!(fault, LinkFault::Closed { .. }) {
                answer_close(&mut socket).await;
            }
            Some(fault)
        }
        Ending::Closed(code) => {
            say_farewell(&mut socket, code).await;
            None
        }
        Ending::GivenUp => None,
    }
}

enum Ending {
    Lost(LinkFault),
    Closed(u16),
    GivenUp,
}

/// With which code we close after a fault; `None` where nobody would read it.
fn close_code(fault: &LinkFault) -> Option<u16> {
    match fault {
        LinkFault::Binary => Some(1003),
        LinkFault::TooLarge(_) => Some(1009),
        LinkFault::Protocol(_) => Some(1002),
        LinkFault::NoToken(_)
        | LinkFault::SameToken
        | LinkFault::Connect(_)
        | LinkFault::HandshakeSlow
        | LinkFault::Http { .. }
        | LinkFault::WriteStuck
        | LinkFault::Closed { .. }
        | LinkFault::Ended(_) => None,
    }
}

async fn read_all(stream: &mut SplitStream<Socket>, link: LinkId, wakes: &Wakes) -> LinkFault {
    loop {
        let wake = match stream.next().await {
            Some(Ok(Message::Text(text))) => Wake::Frame {
                link,
                text: text.as_str().to_owned(),
            },
            Some(Ok(Message::Pong(_))) => Wake::Link {
                link,
                event: LinkEvent::Pong,
            },
            // Answered by the websocket itself.
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Binary(_))) => return LinkFault::Binary,
            Some(Ok(Message::Close(frame))) => return closed(frame),
            Some(Err(error)) => return fault_of(error),
            None => return LinkFault::Ended("without a close frame".to_owned()),
        };
        if !wakes.send(wake).await {
            return LinkFault::Ended("the daemon leaves".to_owned());
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> LinkFault {
    match frame {
        Some(frame) => LinkFault::Closed {
            code: frame.code.into(),
            reason: frame.reason.as_str().to_owned(),
        },
        None => LinkFault::Closed {
            code: NO_STATUS,
            reason: String::new(),
        },
    }
}

fn fault_of(error: Error) -> LinkFault {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => LinkFault::Ended("without a close frame".to_owned()),
        Error::Io(error) => LinkFault::Ended(error.to_string()),
        Error::Capacity(error) => LinkFault::TooLarge(error.to_string()),
        Error::WriteBufferFull(_) => LinkFault::WriteStuck,
        other => LinkFault::Protocol(other.to_string()),
    }
}

async fn write_all(
    sink: &mut SplitSink<Socket, Message>,
    orders: &mut mpsc::Receiver<Order>,
    limit: Duration,
) -> Ending {
    while let Some(order) = orders.recv().await {
        let message = match order {
            Order::Send(Frame::Text(text)) => Message::text(text),
            Order::Send(Frame::Ping) => Message::Ping(Vec::new().into()),
            Order::Close(code) => return Ending::Closed(code),
        };
        match tokio::time::timeout(limit, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Ending::Lost(fault_of(error)),
            Err(_) => return Ending::Lost(LinkFault::WriteStuck),
        }
    }
    Ending::GivenUp
}

/// Sends a close frame and reads, unparsed, until the far end closes: what it still sends would otherwise reset the
/// connection under the close frame.
async fn say_farewell(socket: &mut Socket, code: u16) {
    let farewell = async {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        };
        if socket.close(Some(frame)).await.is_ok() {
            let mut unread = [0; 4096];
            while matches!(socket.get_mut().read(&mut unread).await, Ok(1..)) {}
        }
    };
    // A far end that does not close is left.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// The websocket answers a close frame by itself, given turns; then the server closes (RFC 6455 7.1.1).
async fn answer_close(socket: &mut Socket) {
    let farewell = async { while let Some(Ok(_)) = socket.next().await {} };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
