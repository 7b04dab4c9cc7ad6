//! The bridge's websocket against servers that are good, refuse, break rules, or say nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::*;
use crate::bridge::link::Frame;
use crate::edge::testing::{bridge_settings, in_runtime};
use crate::network::{CertFault, ConnectFault};

const LINK: LinkId = LinkId::Bridge(1);
const SHORT: Duration = Duration::from_millis(200);

mod frames;
mod opening;

struct Tee(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn big_frame(payload: usize) -> Vec<u8> {
    let mut bytes = vec![0x81, 127];
    bytes.extend((payload as u64).to_be_bytes());
    bytes.resize(bytes.len() + payload, b'x');
    bytes
}

struct Server(TcpListener);

impl Server {
    async fn stream(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }

    async fn accept(&self, more_headers: &str) -> (WebSocketStream<TcpStream>, String) {
        accept_on(self.stream().await, more_headers).await
    }
}

/// Answers the upgrade as a server does, with more headers; the socket, and the request's head.
async fn accept_on<S: connect::Stream>(mut stream: S, more_headers: &str) -> (WebSocketStream<S>, String) {
    let head = read_head(&mut stream).await;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.to_owned())
    });
    let accept = derive_accept_key(key.unwrap().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more_headers}\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    (
        WebSocketStream::from_raw_socket(stream, Role::Server, None).await,
        head,
    )
}

async fn read_head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

struct World {
    settings: Settings,
    scheme: &'static str,
    names: Names,
    links: Links,
    sender: Option<Wakes>,
    wakes: Receiver<Wake>,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (sender, wakes) = Wakes::channel();
        let world = Self {
            settings: bridge_settings(),
            scheme: "ws",
            names: Names::default(),
            links: Links::default(),
            sender: Some(sender),
            wakes,
            directory,
        };
        world.write_token("canary-1\n");
        world
    }

    fn write_token(&self, content: &str) {
        std::fs::write(self.directory.path().join("token"), content).unwrap();
    }

    fn bridge(&self) -> Bridge {
        let secrets = SecretFiles::new(None, self.directory.path().to_owned());
        Bridge::new(self.settings.clone(), secrets, self.names.clone())
    }

    /// Opens the link to a new server.
    async fn open(&self) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        self.open_url(&format!("{}://{address}/rooms/15?v=1", self.scheme));
        Server(listener)
    }

    fn open_url(&self, url: &str) {
        let request = LinkRequest {
            url: url.to_owned(),
            only_with_another_token: false,
        };
        self.bridge()
            .open(LINK, request, &self.links, self.sender.as_ref().unwrap());
    }

    /// A server for 127.0.0.1, whose issuer is trusted from here on.
    fn trust_a_new_server(&mut self) -> tokio_rustls::TlsAcceptor {
        let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(self.directory.path().join("ca.pem"), signed.cert.pem()).unwrap();
        self.settings.ca_file = Some("ca.pem".to_owned());
        let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }

    async fn event(&mut self) -> LinkEvent {
        match self.wakes.recv().await {
            Some(Wake::Link { link: LINK, event }) => event,
            other => panic!("{other:?}"),
        }
    }

    async fn expect_opened(&mut self) {
        let event = self.event().await;
        assert!(matches!(event, LinkEvent::Opened), "{event:?}");
    }

    async fn lost(&mut self) -> LinkFault {
        match self.event().await {
            LinkEvent::Lost(fault) => fault,
            other => panic!("{other:?}"),
        }
    }

    async fn frame(&mut self) -> String {
        match self.wakes.recv().await {
            Some(Wake::Frame { link: LINK, text }) => text,
            other => panic!("{other:?}"),
        }
    }
}
