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

#[test]
fn the_request_carries_the_token_and_our_subprotocol_and_frames_go_both_ways() {
    in_runtime(async {
        let mut world = World::new();
        let server = world.open().await;
        let (mut socket, head) = server.accept("Sec-WebSocket-Protocol: meetd.v1\r\n").await;
        let head = head.to_ascii_lowercase();
        for line in [
            "get /rooms/15?v=1 http/1.1\r\n",
            "authorization: bearer canary-1\r\n",
            "sec-websocket-protocol: meetd.v1\r\n",
            concat!("user-agent: meetd/", env!("CARGO_PKG_VERSION"), "\r\n"),
            "sec-websocket-version: 13\r\n",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        world.expect_opened().await;

        socket.send(Message::text("{\"directive\": {}}")).await.unwrap();
        assert_eq!(world.frame().await, "{\"directive\": {}}");
        world.links.send(LINK, Frame::Text("{\"event\": {}}".to_owned()));
        assert_eq!(
            socket.next().await.unwrap().unwrap(),
            Message::text("{\"event\": {}}")
        );
        world.links.send(LINK, Frame::Ping);
        assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
        socket.flush().await.unwrap();
        assert!(matches!(world.event().await, LinkEvent::Pong));
    });
}

#[test]
fn a_server_that_chooses_no_subprotocol_is_accepted_and_one_that_chooses_another_is_not() {
    in_runtime(async {
        let mut world = World::new();
        let server = world.open().await;
        let _kept = server.accept("").await;
        world.expect_opened().await;

        let mut world = World::new();
        let server = world.open().await;
        let _kept = server.accept("Sec-WebSocket-Protocol: mqtt\r\n").await;
        let LinkFault::Protocol(why) = world.lost().await else {
            panic!()
        };
        assert!(why.contains("subprotocol"), "{why}");
    });
}

#[test]
fn the_token_is_read_anew_at_each_try_and_without_one_nothing_connects() {
    in_runtime(async {
        let mut world = World::new();
        let server = world.open().await;
        drop(server.accept("").await);
        world.expect_opened().await;
        world.lost().await;
        world.write_token("canary-2\n");
        let server = world.open().await;
        let (_, head) = server.accept("").await;
        assert!(head.contains("Bearer canary-2\r\n"), "{head}");
        world.expect_opened().await;
        world.lost().await;
        for content in ["", "\n", "canary\r\nX-Evil: 1"] {
            world.write_token(content);
            let _server = world.open().await;
            let fault = world.lost().await;
            assert!(matches!(fault, LinkFault::NoToken(_)), "{fault:?}");
            assert!(!format!("{fault:?} {fault}").contains("canary"));
        }
        std::fs::remove_file(world.directory.path().join("token")).unwrap();
        let _server = world.open().await;
        assert!(matches!(world.lost().await, LinkFault::NoToken(_)));
    });
}

#[test]
fn without_a_token_file_no_token_is_sent() {
    in_runtime(async {
        let mut world = World::new();
        world.settings.token_file = None;
        let server = world.open().await;
        let (_socket, head) = server.accept("").await;
        assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
        world.expect_opened().await;
    });
}

#[test]
fn a_refusal_comes_with_its_status_and_headers_as_they_came() {
    in_runtime(async {
        for (answer, status, retry_after, location) in [
            ("401 Unauthorized\r\n", 401, None, None),
            (
                "503 Busy\r\nRetry-After: Fri, 31 Dec 2027 23:59:59 GMT\r\n",
                503,
                Some("Fri, 31 Dec 2027 23:59:59 GMT"),
                None,
            ),
            (
                "307 Elsewhere\r\nLocation: wss://two.example.com/x\r\n",
                307,
                None,
                Some("wss://two.example.com/x"),
            ),
            ("200 OK\r\n", 200, None, None),
        ] {
            let mut world = World::new();
            let mut server = world.open().await.stream().await;
            read_head(&mut server).await;
            server
                .write_all(format!("HTTP/1.1 {answer}Content-Length: 0\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let expected = LinkFault::Http {
                status,
                retry_after: retry_after.map(str::to_owned),
                location: location.map(str::to_owned),
            };
            assert_eq!(world.lost().await, expected);
        }
    });
}

#[test]
fn an_upgrade_that_does_not_fit_our_request_is_refused() {
    in_runtime(async {
        for headers in [
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "Upgrade: websocket\r\nConnection: Upgrade\r\n",
            "Upgrade: h2c\r\nConnection: Upgrade\r\n",
        ] {
            let mut world = World::new();
            let mut server = world.open().await.stream().await;
            read_head(&mut server).await;
            let answer = format!("HTTP/1.1 101 Switching\r\n{headers}\r\n");
            server.write_all(answer.as_bytes()).await.unwrap();
            assert!(matches!(world.lost().await, LinkFault::Protocol(_)), "{headers}");
        }
        let mut world = World::new();
        let server = world.open().await;
        let _kept = server
            .accept("Sec-WebSocket-Extensions: permessage-deflate\r\n")
            .await;
        assert!(matches!(world.lost().await, LinkFault::Protocol(_)));
    });
}

#[test]
fn an_answer_that_is_no_http_breaks_the_rules_and_an_end_is_an_end() {
    in_runtime(async {
        let endless = [b"HTTP/1.1 101 Ok\r\nX: ".to_vec(), vec![b'x'; 70_000]].concat();
        for answer in [b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), endless] {
            let mut world = World::new();
            let mut server = world.open().await.stream().await;
            read_head(&mut server).await;
            // It may be cut off while it still writes.
            let _ = server.write_all(&answer).await;
            let fault = world.lost().await;
            assert!(matches!(fault, LinkFault::Protocol(_)), "{fault:?}");
        }
        let mut world = World::new();
        let mut server = world.open().await.stream().await;
        read_head(&mut server).await;
        drop(server);
        assert!(matches!(world.lost().await, LinkFault::Ended(_)));
    });
}

#[test]
fn a_handshake_that_is_not_answered_is_slow() {
    in_runtime(async {
        for url in ["ws", "wss"] {
            let mut world = World::new();
            world.settings.handshake_timeout = SHORT;
            world.scheme = url;
            let _silent = world.open().await.stream().await;
            assert_eq!(world.lost().await, LinkFault::HandshakeSlow);
        }
    });
}

#[test]
fn a_refused_connection_and_a_missing_name_have_their_faults() {
    in_runtime(async {
        let mut world = World::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        world.open_url(&format!("ws://{address}/"));
        assert_eq!(
            world.lost().await,
            LinkFault::Connect(ConnectFault::Refused(address))
        );
        world.open_url("wss://no name/");
        assert!(matches!(world.lost().await, LinkFault::Protocol(_)));
        world.open_url("wss://a..b/");
        let LinkFault::Connect(fault) = world.lost().await else {
            panic!()
        };
        assert!(
            matches!(fault, ConnectFault::Name(_) | ConnectFault::NameSlow(_)),
            "{fault:?}"
        );
    });
}

#[test]
fn every_address_of_a_name_is_tried() {
    in_runtime(async {
        let mut world = World::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Nobody listens on the first one.
        let hosts = world.directory.path().join("hosts");
        std::fs::write(&hosts, "127.0.0.77 bridge.test\n127.0.0.1 bridge.test\n").unwrap();
        world.names = Names::with_hosts(hosts);
        world.settings.allow_plaintext = true;
        world.open_url(&format!("ws://bridge.test:{port}/"));
        let (_socket, head) = Server(listener).accept("").await;
        assert!(head.contains(&format!("Host: bridge.test:{port}\r\n")), "{head}");
        world.expect_opened().await;
    });
}

#[test]
fn binary_is_closed_with_1003_and_too_much_with_1009() {
    in_runtime(async {
        let fragments = || {
            let frame = |payload: usize, first: bool, last: bool| {
                let opcode = if first { 1 } else { 0 } | if last { 0x80 } else { 0 };
                let mut bytes = vec![opcode, 127];
                bytes.extend((payload as u64).to_be_bytes());
                bytes.resize(bytes.len() + payload, b'x');
                bytes
            };
            [
                frame(60_000, true, false),
                frame(60_000, false, false),
                frame(60_000, false, true),
            ]
            .concat()
        };
        let cases: [(Vec<u8>, u16); 4] = [
            (vec![0x82, 1, 7], 1003),
            (big_frame(1 << 20), 1009),
            (big_frame(64 * 1024 + 1), 1009),
            (fragments(), 1009),
        ];
        for (bytes, code) in cases {
            let mut world = World::new();
            let (mut socket, _) = world.open().await.accept("").await;
            world.expect_opened().await;
            socket.get_mut().write_all(&bytes).await.unwrap();
            let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else {
                panic!("no close frame for {code}")
            };
            assert_eq!(u16::from(frame.code), code);
            drop(socket);
            let fault = world.lost().await;
            match code {
                1003 => assert_eq!(fault, LinkFault::Binary),
                _ => assert!(matches!(fault, LinkFault::TooLarge(_)), "{fault:?}"),
            }
        }
    });
}

#[test]
fn the_largest_frame_is_taken() {
    in_runtime(async {
        let mut world = World::new();
        let (mut socket, _) = world.open().await.accept("").await;
        world.expect_opened().await;
        socket.get_mut().write_all(&big_frame(64 * 1024)).await.unwrap();
        assert_eq!(world.frame().await.len(), 64 * 1024);
    });
}

#[test]
fn broken_rules_are_closed_with_1002_and_are_the_last_of_it() {
    in_runtime(async {
        // Reserved bits, a masked frame, a continuation of nothing, text that is no UTF-8.
        for bytes in [
            vec![0xF1, 0],
            vec![0x81, 0x81, 1, 2, 3, 4, 5],
            vec![0x80, 1, b'x'],
            vec![0x81, 2, 0xC3, 0x28],
        ] {
            let mut world = World::new();
            let (mut socket, _) = world.open().await.accept("").await;
            world.expect_opened().await;
            socket.get_mut().write_all(&bytes).await.unwrap();
            let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else {
                panic!("{bytes:?}")
            };
            assert_eq!(u16::from(frame.code), 1002);
            drop(socket);
            let fault = world.lost().await;
            assert!(matches!(fault, LinkFault::Protocol(_)), "{fault:?}");
        }
    });
}

#[test]
fn a_close_frame_is_answered_and_told_with_its_code() {
    in_runtime(async {
        let mut world = World::new();
        let (mut socket, _) = world.open().await.accept("").await;
        world.expect_opened().await;
        let frame = CloseFrame {
            code: 4401.into(),
            reason: "token".into(),
        };
        socket.close(Some(frame)).await.unwrap();
        let Some(Ok(Message::Close(Some(answer)))) = socket.next().await else {
            panic!()
        };
        assert_eq!(u16::from(answer.code), 4401);
        drop(socket);
        assert_eq!(
            world.lost().await,
            LinkFault::Closed {
                code: 4401,
                reason: "token".to_owned()
            }
        );

        let mut world = World::new();
        let (mut socket, _) = world.open().await.accept("").await;
        world.expect_opened().await;
        socket.close(None).await.unwrap();
        drop(socket);
        assert_eq!(
            world.lost().await,
            LinkFault::Closed {
                code: 1005,
                reason: String::new()
            }
        );
    });
}

#[test]
fn an_end_in_the_middle_of_a_frame_is_an_end() {
    in_runtime(async {
        let mut world = World::new();
        let (mut socket, _) = world.open().await.accept("").await;
        world.expect_opened().await;
        socket.get_mut().write_all(&[0x81, 100, b'{']).await.unwrap();
        socket.get_mut().shutdown().await.unwrap();
        assert!(matches!(world.lost().await, LinkFault::Ended(_)));
    });
}

#[test]
fn a_server_that_reads_nothing_is_stuck() {
    in_runtime(async {
        let mut world = World::new();
        world.settings.write_timeout = SHORT;
        let (_socket, _) = world.open().await.accept("").await;
        world.expect_opened().await;
        for _ in 0..200 {
            assert!(
                world
                    .links
                    .send(LINK, Frame::Text("x".repeat(64 * 1024)))
                    .is_none()
            );
        }
        assert_eq!(world.lost().await, LinkFault::WriteStuck);
    });
}

#[test]
fn closing_sends_what_was_queued_and_then_the_code_and_is_silent() {
    in_runtime(async {
        let mut world = World::new();
        let (mut socket, _) = world.open().await.accept("").await;
        world.expect_opened().await;
        world.links.send(LINK, Frame::Text("last".to_owned()));
        world.links.close(LINK, 1000);
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("last"));
        let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else {
            panic!()
        };
        assert_eq!(u16::from(frame.code), 1000);
        drop(socket);
        world.links.finish(Duration::from_secs(20)).await;
        drop(world.sender.take());
        assert!(world.wakes.recv().await.is_none(), "nothing more is said");
    });
}

#[test]
fn closing_while_it_connects_ends_the_try() {
    in_runtime(async {
        let mut world = World::new();
        let mut server = world.open().await.stream().await;
        read_head(&mut server).await;
        world.links.close(LINK, 1000);
        assert_eq!(server.read(&mut [0; 1]).await.unwrap_or(0), 0);
        drop(world.sender.take());
        assert!(world.wakes.recv().await.is_none(), "nothing is said");
    });
}

#[test]
fn a_proxy_is_asked_for_the_target_and_never_sees_the_token() {
    in_runtime(async {
        let mut world = World::new();
        let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        world.settings.proxy = Some(format!("http://anna:secret@{}", proxy.local_addr().unwrap()));
        world.settings.allow_plaintext = true;
        world.open_url("ws://bridge.example.com:8080/x");
        let (mut stream, _) = proxy.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(
            head.starts_with("CONNECT bridge.example.com:8080 HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.contains("Proxy-Authorization: Basic YW5uYTpzZWNyZXQ=\r\n"),
            "{head}"
        );
        assert!(!head.contains("canary"), "{head}");
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await
            .unwrap();
        let (mut socket, head) = accept_on(stream, "").await;
        assert!(
            head.contains("Host: bridge.example.com:8080\r\n") && head.contains("canary-1"),
            "{head}"
        );
        world.expect_opened().await;
        socket.send(Message::text("through")).await.unwrap();
        assert_eq!(world.frame().await, "through");
    });
}

#[test]
fn a_proxy_that_refuses_or_is_away_is_the_proxys_fault() {
    in_runtime(async {
        let mut world = World::new();
        let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = proxy.local_addr().unwrap();
        world.settings.proxy = Some(format!("http://{address}"));
        world.settings.allow_plaintext = true;
        world.open_url("ws://bridge.example.com/");
        let (mut stream, _) = proxy.accept().await.unwrap();
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(
            world.lost().await,
            LinkFault::Connect(ConnectFault::Proxy(format!("{address} (HTTP 407)")))
        );
        drop((stream, proxy));
        world.open_url("ws://bridge.example.com/");
        assert!(matches!(
            world.lost().await,
            LinkFault::Connect(ConnectFault::Proxy(_))
        ));
    });
}

#[test]
fn wss_verifies_the_server_and_carries_frames() {
    in_runtime(async {
        let mut world = World::new();
        world.scheme = "wss";
        let acceptor = world.trust_a_new_server();
        let stream = world.open().await.stream().await;
        let (mut socket, head) = accept_on(acceptor.accept(stream).await.unwrap(), "").await;
        assert!(head.contains("Bearer canary-1\r\n"), "{head}");
        world.expect_opened().await;
        socket.send(Message::text("safe")).await.unwrap();
        assert_eq!(world.frame().await, "safe");
    });
}

#[test]
fn a_server_that_cannot_prove_its_name_never_sees_the_token() {
    in_runtime(async {
        let mut world = World::new();
        world.scheme = "wss";
        let _trusted = world.trust_a_new_server();
        let stranger = World::new().trust_a_new_server();
        let stream = world.open().await.stream().await;
        assert!(stranger.accept(stream).await.is_err());
        let LinkFault::Connect(ConnectFault::Tls { server_name, fault }) = world.lost().await else {
            panic!()
        };
        assert_eq!(
            (server_name.as_str(), fault),
            ("127.0.0.1", CertFault::UnknownIssuer)
        );
    });
}

#[test]
fn nothing_that_is_logged_or_debugged_shows_the_token() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || Tee(Arc::clone(&writer)))
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        in_runtime(async {
            let mut world = World::new();
            tracing::trace!(bridge = ?world.bridge(), "about to connect");
            let (socket, head) = world.open().await.accept("").await;
            assert!(head.contains("canary-1"));
            world.expect_opened().await;
            drop(socket);
            world.lost().await;
        });
    });
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("about to connect") && !text.contains("canary"),
        "{text}"
    );
}

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
        let request = LinkRequest { url: url.to_owned() };
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
