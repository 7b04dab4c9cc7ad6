//! An open link: frames, limits, broken rules, and each way to end.

use super::*;

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
fn leaving_says_what_was_queued_and_that_we_go() {
    in_runtime(async {
        let mut world = World::new();
        let (mut socket, _) = world.open().await.accept("").await;
        world.expect_opened().await;
        world.links.send(LINK, Frame::Text("last".to_owned()));
        let hearing = async {
            let last = socket.next().await.unwrap().unwrap();
            let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else {
                panic!()
            };
            drop(socket);
            (last, u16::from(frame.code))
        };
        let (heard, ()) = tokio::join!(hearing, world.links.finish(Duration::from_secs(20)));
        assert_eq!(heard, (Message::text("last"), 1001));
    });
}
