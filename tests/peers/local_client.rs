//! A client of the local link: a voice engine or a touch panel, over the unix socket or TCP.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::bridge::action;
use super::{HANG_GUARD, Watched, frames};

/// What came so far, and whether it is over; or with which HTTP status it was refused.
#[derive(Debug, Default)]
pub struct Heard {
    /// The frames.
    pub frames: Vec<Value>,
    /// Open, and not closed yet.
    pub is_open: bool,
    /// It ended, with this close code.
    pub over: Option<Option<u16>>,
    /// It was refused with this status.
    pub refused: Option<u16>,
}

/// A connected client. Dropped, it hangs up.
pub struct LocalClient {
    /// What it heard.
    pub heard: Arc<Watched<Heard>>,
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
enum Order {
    Send(Message),
    Deafen,
}

impl LocalClient {
    /// Connects to the unix socket, as soon as there is one; any headers may be sent.
    pub fn unix(path: &Path, headers: &[(&'static str, &str)]) -> Self {
        let path = path.to_owned();
        Self::connect(headers, async move || {
            let until = Instant::now() + HANG_GUARD;
            loop {
                match UnixStream::connect(&path).await {
                    Ok(stream) => return stream,
                    Err(error) if Instant::now() > until => panic!("{}: {error}", path.display()),
                    Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            }
        })
    }

    /// Connects to the unix socket, and reads nothing.
    pub fn deaf(path: &Path) -> Self {
        let client = Self::unix(path, &[]);
        client.wait_for_snapshot();
        client.orders.send(Order::Deafen).unwrap();
        client
    }

    /// Connects over TCP.
    pub fn tcp(address: &str, headers: &[(&'static str, &str)]) -> Self {
        let address = address.to_owned();
        Self::connect(headers, async move || TcpStream::connect(&address).await.unwrap())
    }

    fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        headers: &[(&'static str, &str)],
        stream: impl AsyncFn() -> S + Send + 'static,
    ) -> Self {
        let mut request = "ws://localhost/any/path".into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let heard = Arc::new(Watched::new(Heard::default()));
        let (orders, mut taken) = mpsc::unbounded_channel();
        let shared = Arc::clone(&heard);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let connected = tokio_tungstenite::client_async(request, stream().await).await;
                let mut socket = match connected {
                    Ok((socket, _)) => socket,
                    Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                        let status = response.status().as_u16();
                        return shared.change(|heard| heard.refused = Some(status));
                    }
                    Err(error) => panic!("the local link: {error}"),
                };
                shared.change(|heard| heard.is_open = true);
                let mut is_deaf = false;
                let over = loop {
                    tokio::select! {
                        order = taken.recv() => match order {
                            Some(Order::Send(message)) => drop(socket.send(message).await),
                            Some(Order::Deafen) => is_deaf = true,
                            None => break None,
                        },
                        message = socket.next(), if !is_deaf => match message.and_then(Result::ok) {
                            Some(Message::Text(text)) => {
                                let frame = serde_json::from_str(text.as_str()).unwrap();
                                shared.change(|heard| heard.frames.push(frame));
                            }
                            Some(Message::Close(frame)) => break frame.map(|frame| frame.code.into()),
                            Some(_) => {}
                            None => break None,
                        }
                    }
                };
                shared.change(|heard| heard.over = Some(over));
            });
        });
        Self { heard, orders }
    }

    /// Sends one frame.
    pub fn send(&self, frame: &Value) {
        let message = Message::text(frame.to_string());
        self.orders.send(Order::Send(message)).unwrap();
    }

    /// Sends a message of its AlexaClient.
    pub fn alexa_client(&self, action: &str, payload: Value) {
        self.send(&json!({
            "header": {
                "version": "4.0",
                "messageType": "Publish",
                "id": "b7a1c0de-0000-4000-8000-000000000001",
                "messageDescription": {"topic": "AlexaClient", "action": action},
            },
            "payload": payload,
        }));
    }

    /// Sends a dialog state.
    pub fn dialog(&self, assistant: u32, state: &str) {
        self.alexa_client(
            "DialogStateChanged",
            json!({"state": state, "assistantId": assistant}),
        );
    }

    /// Sends a directive and waits for its event.
    #[track_caller]
    pub fn ask(&self, directive: &Value) -> Value {
        self.send(directive);
        let token = directive["directive"]["header"]["correlationToken"].clone();
        self.heard.wait_for(&format!("the event of {token}"), |heard| {
            let mut frames = heard.frames.iter();
            let answer = frames.find(|frame| frame["event"]["header"]["correlationToken"] == token)?;
            Some(answer["event"].clone())
        })
    }

    /// Waits for the first message with this action whose payload fits.
    #[track_caller]
    pub fn wait_for(&self, of: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.heard.wait_for(&format!("a {of} that fits"), |heard| {
            let mut frames = heard.frames.iter();
            let frame = frames.find(|frame| action(frame) == of && fits(&frame["payload"]))?;
            Some(frame["payload"].clone())
        })
    }

    /// Waits for the snapshot.
    #[track_caller]
    pub fn wait_for_snapshot(&self) -> Vec<String> {
        self.wait_for("CallStateChanged", |_| true);
        self.heard.look(|heard| {
            heard
                .frames
                .iter()
                .map(|frame| action(frame).to_owned())
                .collect()
        })
    }

    /// Waits until it is refused, and says with which status.
    #[track_caller]
    pub fn refused(&self) -> u16 {
        self.heard.wait_for("the refusal", |heard| heard.refused)
    }
}

impl Drop for LocalClient {
    /// What clients are told must fit the schema as well.
    fn drop(&mut self) {
        frames::all_fit(&self.heard.look(|heard| heard.frames.clone()));
    }
}
