//! Opening a link: token, headers, refusals, time limits, addresses, proxies, TLS.

use super::*;

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
        let event = world.event().await;
        assert!(matches!(event, LinkEvent::Certificate { .. }), "{event:?}");
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
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
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
