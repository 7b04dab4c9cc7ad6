//! A websocket bridge as the cloud would run it: checks the token, keeps every frame with its time, sends directives,
//! and misbehaves when asked to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::{Watched, frames};

/// What it does with whoever connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Welcome {
    /// 101, when the token is right.
    #[default]
    Accept,
    /// This HTTP status.
    Refuse(u16),
    /// This HTTP status, and this place in `Location`.
    Redirect(u16, String),
    /// Takes the connection and says nothing.
    Silent,
}

/// One thing that happened, in order.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A websocket was opened, with these request headers.
    Opened(Vec<(String, String)>),
    /// Somebody connected and was refused with this status, or met with silence (0).
    Turned(u16),
    /// A text frame came: JSON, or as text what is none.
    Frame(Value),
    /// The connection is over; the close code when one came.
    Over(Option<u16>),
}

/// Something that happened on one connection.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// On the n-th connection, from 1.
    pub connection: usize,
    /// What.
    pub what: Happened,
}

#[derive(Debug)]
enum Order {
    Send(Message),
    Raw(Vec<u8>),
    Deafen,
    Drop,
}

#[derive(Debug, Default)]
struct Inside {
    welcome: Welcome,
    token: Option<String>,
    connections: usize,
    current: Option<mpsc::UnboundedSender<Order>>,
}

/// A running bridge. It lives until the process ends.
pub struct Bridge {
    address: SocketAddr,
    events: Arc<Watched<Vec<Event>>>,
    inside: Arc<Watched<Inside>>,
}

impl Bridge {
    /// Starts one that accepts everyone.
    pub fn start() -> Self {
        Self::start_with(Welcome::Accept, None)
    }

    /// Starts one that wants this token.
    pub fn start_with(welcome: Welcome, token: Option<&str>) -> Self {
        token.into_iter().for_each(super::canaries::hand_out);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let events = Arc::new(Watched::new(Vec::new()));
        let inside = Arc::new(Watched::new(Inside {
            welcome,
            token: token.map(str::to_owned),
            ..Inside::default()
        }));
        let (shared_events, shared_inside) = (Arc::clone(&events), Arc::clone(&inside));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(serve(
                        stream,
                        Arc::clone(&shared_events),
                        Arc::clone(&shared_inside),
                    ));
                }
            });
        });
        Self {
            address,
            events,
            inside,
        }
    }

    /// Where a daemon connects to.
    pub fn url(&self) -> String {
        format!("ws://{}/rooms/room-15-104", self.address)
    }

    /// Meets the next connections like this.
    pub fn welcome(&self, welcome: Welcome) {
        self.inside.change(|inside| inside.welcome = welcome);
    }

    /// Wants this token from now on.
    pub fn want_token(&self, token: &str) {
        super::canaries::hand_out(token);
        self.inside.change(|inside| inside.token = Some(token.to_owned()));
    }

    /// Sends one JSON text frame on the newest connection, and says when it was handed over.
    pub fn send(&self, value: &Value) -> Instant {
        self.send_text(&value.to_string())
    }

    /// Sends this text as one frame.
    pub fn send_text(&self, text: &str) -> Instant {
        let at = Instant::now();
        self.order(Order::Send(Message::text(text)));
        at
    }

    /// Sends a binary frame.
    pub fn send_binary(&self, bytes: &[u8]) {
        self.order(Order::Send(Message::binary(bytes.to_vec())));
    }

    /// Writes bytes below the websocket: the start of a frame that never ends, for one.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.order(Order::Raw(bytes.to_vec()));
    }

    /// Sends a close frame.
    pub fn close(&self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.order(Order::Send(Message::Close(Some(frame))));
    }

    /// Reads nothing any more on the newest connection; what is to be sent is still sent.
    pub fn deafen(&self) {
        self.order(Order::Deafen);
    }

    /// Drops the TCP connection without a close frame.
    pub fn cut(&self) {
        self.order(Order::Drop);
    }

    /// Waits for what happens.
    #[track_caller]
    pub fn wait_for<R>(&self, what: &str, question: impl FnMut(&Vec<Event>) -> Option<R>) -> R {
        self.events.wait_for(what, question)
    }

    /// Waits until the frames so far have what is wanted.
    #[track_caller]
    pub fn wait_for_frames<R>(&self, what: &str, mut question: impl FnMut(&[Value]) -> Option<R>) -> R {
        self.wait_for(what, |events| question(&frames_of(events.iter())))
    }

    /// Waits for the n-th connection to be open.
    #[track_caller]
    pub fn wait_for_connection(&self, number: usize) -> Instant {
        self.wait_for(&format!("websocket connection {number}"), |events| {
            let mut opened = events
                .iter()
                .filter(|event| matches!(event.what, Happened::Opened(_)));
            opened.nth(number - 1).map(|event| event.at)
        })
    }

    /// Waits until the daemon has published its whole snapshot on the n-th open connection, and returns it.
    #[track_caller]
    pub fn wait_for_snapshot(&self, number: usize) -> Vec<Value> {
        self.wait_for(&format!("the snapshot on connection {number}"), |events| {
            let mut opened = events
                .iter()
                .filter(|event| matches!(event.what, Happened::Opened(_)));
            let connection = opened.nth(number - 1)?.connection;
            let frames = frames_of(events.iter().filter(|event| event.connection == connection));
            let last = frames
                .iter()
                .position(|frame| action(frame) == "CallStateChanged")?;
            Some(frames[..=last].to_vec())
        })
    }

    /// Every JSON frame so far, on all connections.
    pub fn frames(&self) -> Vec<Value> {
        self.events.look(|events| frames_of(events.iter()))
    }

    /// Everything so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.look(Clone::clone)
    }

    /// Sends a directive and waits for its event.
    #[track_caller]
    pub fn ask(&self, directive: &Value) -> Value {
        self.send(directive);
        self.answer_to(directive)
    }

    /// Waits for the event that carries this directive's correlation token, and returns its `event` object.
    #[track_caller]
    pub fn answer_to(&self, directive: &Value) -> Value {
        let token = directive["directive"]["header"]["correlationToken"].clone();
        self.wait_for(&format!("the event of the directive {token}"), |events| {
            let frames = frames_of(events.iter());
            let answer = frames
                .into_iter()
                .find(|frame| frame["event"]["header"]["correlationToken"] == token);
            answer.map(|frame| frame["event"].clone())
        })
    }

    /// Waits for `CallStateChanged` with this state, on any connection; returns its payload.
    #[track_caller]
    pub fn wait_for_call_state(&self, state: &str) -> Value {
        self.wait_for_message("CallStateChanged", |payload| {
            payload["state"] == state && payload["callId"] != ""
        })
    }

    /// Waits for a message with this action whose payload fits; returns the payload.
    #[track_caller]
    pub fn wait_for_message(&self, of: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(&format!("a {of} that fits"), |events| {
            let frames = frames_of(events.iter());
            let mut fitting = frames
                .iter()
                .filter(|frame| action(frame) == of && fits(&frame["payload"]));
            fitting.next().map(|frame| frame["payload"].clone())
        })
    }

    /// The states of `CallStateChanged` so far, those of snapshots without a call left out.
    pub fn call_states(&self) -> Vec<String> {
        call_states(&self.frames())
    }

    fn order(&self, order: Order) {
        let current = self
            .inside
            .wait_for("a connection to send on", |inside| inside.current.clone());
        // A connection that is just going away takes no orders; what the test waits for next tells.
        let _ = current.send(order);
    }
}

impl Drop for Bridge {
    /// Whatever the test was about, all that the daemon said must fit the schema.
    fn drop(&mut self) {
        frames::all_fit(&self.frames());
    }
}

/// The action of an AASB message, or `""`.
pub fn action(frame: &Value) -> &str {
    frame["header"]["messageDescription"]["action"]
        .as_str()
        .unwrap_or_default()
}

/// The states of `CallStateChanged` among these frames, those of snapshots without a call left out.
pub fn call_states(frames: &[Value]) -> Vec<String> {
    let changed = frames.iter().filter(|frame| action(frame) == "CallStateChanged");
    let called = changed
        .map(|frame| &frame["payload"])
        .filter(|payload| payload["callId"] != "");
    called
        .map(|payload| payload["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn frames_of<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Value> {
    events
        .filter_map(|event| match &event.what {
            Happened::Frame(value) => Some(value.clone()),
            Happened::Opened(_) | Happened::Turned(_) | Happened::Over(_) => None,
        })
        .collect()
}

async fn serve(mut stream: TcpStream, events: Arc<Watched<Vec<Event>>>, inside: Arc<Watched<Inside>>) {
    let (connection, welcome, token) = inside.change(|inside| {
        inside.connections += 1;
        (inside.connections, inside.welcome.clone(), inside.token.clone())
    });
    let note = |what| {
        let at = Instant::now();
        events.change(|events| events.push(Event { at, connection, what }));
    };
    if welcome == Welcome::Silent {
        note(Happened::Turned(0));
        let mut bytes = [0; 4096];
        while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
        return note(Happened::Over(None));
    }
    let mut headers = Vec::new();
    let mut turned = None;
    #[expect(clippy::result_large_err, reason = "tungstenite's callback is typed so")]
    let callback = |request: &Request, mut response: Response| {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect();
        let given = request
            .headers()
            .get("Authorization")
            .map(|value| text(value.as_bytes()));
        let wanted = token.map(|token| format!("Bearer {token}"));
        let mut location = None;
        let status = match welcome {
            Welcome::Refuse(status) => status,
            Welcome::Redirect(status, whither) => {
                location = Some(whither);
                status
            }
            _ if wanted.is_some() && given != wanted => 401,
            _ => {
                if request
                    .headers()
                    .get("Sec-WebSocket-Protocol")
                    .is_some_and(|value| value == "meetd.v1")
                {
                    response
                        .headers_mut()
                        .insert("Sec-WebSocket-Protocol", "meetd.v1".parse().unwrap());
                }
                return Ok(response);
            }
        };
        turned = Some(status);
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = status.try_into().unwrap();
        if let Some(location) = location {
            refusal
                .headers_mut()
                .insert("Location", location.parse().unwrap());
        }
        Err(refusal)
    };
    let accepted = tokio_tungstenite::accept_hdr_async(stream, callback).await;
    match (accepted, turned) {
        (_, Some(status)) => note(Happened::Turned(status)),
        (Err(_), None) => note(Happened::Over(None)),
        (Ok(socket), None) => {
            let (orders, taken) = mpsc::unbounded_channel();
            inside.change(|inside| inside.current = Some(orders));
            note(Happened::Opened(headers));
            let code = keep(socket, taken, &note).await;
            note(Happened::Over(code));
        }
    }
}

/// Serves one open websocket until it is over; returns the close code that came.
async fn keep(
    mut socket: WebSocketStream<TcpStream>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    note: &impl Fn(Happened),
) -> Option<u16> {
    let mut is_deaf = false;
    loop {
        tokio::select! {
            // What cannot be written is no end yet: the close frame that says why may still be on its way.
            Some(order) = orders.recv() => match order {
                Order::Send(message) => drop(socket.send(message).await),
                Order::Raw(bytes) => drop(socket.get_mut().write_all(&bytes).await),
                Order::Deafen => {
                    // What is not read shall not wait in the kernel for ever either.
                    let socket = socket2::SockRef::from(socket.get_ref());
                    socket.set_recv_buffer_size(4096).unwrap();
                    is_deaf = true;
                }
                Order::Drop => return None,
            },
            message = socket.next(), if !is_deaf => match message.and_then(Result::ok) {
                Some(Message::Text(text)) => {
                    let text = text.as_str();
                    note(Happened::Frame(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))));
                }
                Some(Message::Close(frame)) => return Some(frame.map_or(1005, |frame| frame.code.into())),
                Some(_) => {}
                None => return None,
            },
            // Deaf, and replaced by a newer connection: the far end is to find out by itself.
            else => std::future::pending().await,
        }
    }
}
