//! Every reason of ConnectionStatusChanged, by what brings it about in a real room.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::Watched;
use crate::peers::bridge::{Bridge, Welcome, action};
use crate::peers::daemon::Home;
use crate::peers::directives;
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

/// Before the first try, which waits for the calls of the last process.
#[test]
fn none() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let mut room = Room::open();
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("ACTIVE");
    room.meetd.crash();
    far_end.behave(Manner::Silent);
    let meetd = room.home.start();
    let until = std::time::Instant::now() + crate::peers::HANG_GUARD;
    let first = loop {
        let output = room.home.run(&["status", "--json"]);
        if output.status.success() {
            break serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
        }
        assert!(std::time::Instant::now() < until, "{output:?}");
    };
    assert_eq!(
        (&first["connection"]["status"], &first["connection"]["reason"]),
        (&json!("DISCONNECTED"), &json!("NONE"))
    );
    room.bridge.wait_for_snapshot(2);
    meetd.stop();
}

#[test]
fn success() {
    let room = Watched::met_with(Welcome::Accept);
    room.stands_at("CONNECTED", "SUCCESS");
    room.recovers(1);
}

#[test]
fn unrecoverable_error() {
    let room = Watched::met_with(Welcome::Refuse(410));
    room.stands_at("DISCONNECTED", "UNRECOVERABLE_ERROR");
    room.meetd.stop();
}

#[test]
fn acl_client_request() {
    let room = Watched::met_with(Welcome::Accept);
    room.is_told("CONNECTED", "SUCCESS");
    room.bridge.wait_for_snapshot(1);
    room.meetd.stop();
    let told = room.bridge.wait_for_frames("the last word", |frames| {
        let mut connections = frames
            .iter()
            .filter(|frame| action(frame) == "ConnectionStatusChanged");
        let last = connections.next_back()?["payload"].clone();
        (last["status"] == "DISCONNECTED").then_some(last)
    });
    assert_eq!(told["reason"], "ACL_CLIENT_REQUEST");
}

#[test]
fn acl_disabled() {
    let room = Watched::with(Welcome::Accept, &[("bridge.enabled", "false")]);
    room.stands_at("DISCONNECTED", "ACL_DISABLED");
    room.meetd.stop();
    assert!(
        room.bridge.events().is_empty(),
        "it was connected to all the same"
    );
}

/// No name server knows a name below `.invalid` (RFC 6761 6.4), and one that is silent is slow.
#[test]
fn dns_timedout() {
    let room = Watched::with(
        Welcome::Accept,
        &[
            ("bridge.url", "\"ws://bridge.of.nobody.invalid/rooms/1\""),
            ("bridge.allow_plaintext", "true"),
            ("bridge.connect_timeout", "\"1s\""),
        ],
    );
    room.stands_at("PENDING", "DNS_TIMEDOUT");
    room.meetd.stop();
    silent_name_server();
}

/// In a network of its own, where the name server is an address at which nobody is.
fn silent_name_server() {
    let bridge = Bridge::start_with(Welcome::Accept, None);
    let mut home = Home::new(&bridge);
    home.set("bridge.url", "\"ws://bridge.example.com/rooms/1\"")
        .set("bridge.allow_plaintext", "true")
        .set("bridge.connect_timeout", "\"1s\"");
    let servers = home.write("resolv.conf", "nameserver 192.0.2.53\n");
    let network = format!(
        "ip link set lo up && ip route add 192.0.2.0/24 dev lo && mount --bind {} /etc/resolv.conf",
        servers.display()
    );
    let tried = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", &network])
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return println!("skipped: no network of our own can be made here (it needs root and iproute2)");
    }
    let script = format!("{network} && exec \"$@\"");
    let meetd = home.start_under(&["unshare", "--net", "--mount", "sh", "-c", &script, "sh"]);
    meetd.said.wait_for("the first try", |said| {
        let slow = "no name server answered for bridge.example.com in time";
        said.lines.iter().any(|line| line.contains(slow)).then_some(())
    });
    let status = home.status();
    assert_eq!(status["connection"]["status"], "PENDING");
    assert_eq!(status["connection"]["reason"], "DNS_TIMEDOUT");
    meetd.stop();
    drop(bridge);
}

#[test]
fn connection_timedout() {
    // Nobody listens.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // The queue of a listener that never accepts is full: the next SYN is not answered.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let hanging = listener.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&hanging, Duration::from_millis(100)) {
        waiting.push(stream);
    }
    for address in [closed, hanging] {
        let url = format!("\"ws://{address}/rooms/1\"");
        let keys = [
            ("bridge.url", url.as_str()),
            ("bridge.connect_timeout", "\"0.3s\""),
        ];
        let room = Watched::with(Welcome::Accept, &keys);
        room.stands_at("PENDING", "CONNECTION_TIMEDOUT");
        room.meetd.stop();
    }
}

#[test]
fn connection_throttled() {
    for status in [429, 503] {
        let room = Watched::met_with(Welcome::Refuse(status));
        room.is_told("PENDING", "CONNECTION_THROTTLED");
        room.bridge.welcome(Welcome::Accept);
        room.recovers(1);
    }
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    room.bridge.close(1013);
    room.is_told("PENDING", "CONNECTION_THROTTLED");
    room.recovers(2);
}

#[test]
fn invalid_auth() {
    for status in [401, 403] {
        let room = Watched::met_with(Welcome::Refuse(status));
        room.is_told("PENDING", "INVALID_AUTH");
        room.bridge.welcome(Welcome::Accept);
        room.recovers(1);
    }
    for code in [1008, 4401] {
        let room = Watched::met_with(Welcome::Accept);
        room.bridge.wait_for_snapshot(1);
        room.bridge.close(code);
        room.is_told("PENDING", "INVALID_AUTH");
        room.recovers(2);
    }
    // Without a token there is nothing to try with.
    for content in [None, Some(""), Some("\n")] {
        let bridge = Bridge::start_with(Welcome::Accept, Some("the-token"));
        let mut home = Home::new(&bridge);
        home.set("bridge.token_file", "\"bridge-token\"");
        if let Some(content) = content {
            home.write("bridge-token", content);
        }
        let room = Watched::of(bridge, home);
        room.stands_at("DISCONNECTED", "INVALID_AUTH");
        assert!(
            room.bridge.events().is_empty(),
            "it was connected to all the same"
        );
        room.home.write("bridge-token", "the-token\n");
        room.recovers(1);
    }
}

#[test]
fn ping_timedout() {
    let room = Watched::with(
        Welcome::Accept,
        &[
            ("bridge.ping_interval", "\"0.3s\""),
            ("bridge.ping_timeout", "\"0.3s\""),
        ],
    );
    room.bridge.wait_for_snapshot(1);
    room.bridge.deafen();
    room.is_told("PENDING", "PING_TIMEDOUT");
    room.recovers(2);
}

#[test]
fn write_timedout() {
    let room = Watched::with(Welcome::Accept, &[("bridge.write_timeout", "\"0.3s\"")]);
    room.bridge.wait_for_snapshot(1);
    room.bridge.deafen();
    // Each answer carries its directive's token: more than the sockets of both sides hold.
    let mut directive = directives::end();
    for number in 0..150 {
        let header = &mut directive["directive"]["header"];
        header["messageId"] = format!("a-lot-to-answer-{number}").into();
        header["correlationToken"] = "x".repeat(60_000).into();
        room.bridge.send(&directive);
    }
    room.is_told("PENDING", "WRITE_TIMEDOUT");
    room.recovers(2);
}

#[test]
fn read_timedout() {
    let room = Watched::with(Welcome::Silent, &[("bridge.handshake_timeout", "\"0.3s\"")]);
    room.stands_at("PENDING", "READ_TIMEDOUT");
    room.bridge.welcome(Welcome::Accept);
    room.recovers(1);
}

#[test]
fn failure_protocol_error() {
    // Reserved bits, a reserved opcode and an absurd length; a binary message; one that is too large.
    let breaks: [fn(&Bridge); 3] = [
        |bridge| bridge.send_raw(&[0xff; 32]),
        |bridge| bridge.send_binary(b"\x00"),
        |bridge| {
            bridge.send_text(&"x".repeat(1024 * 1024));
        },
    ];
    for break_the_rules in breaks {
        let room = Watched::met_with(Welcome::Accept);
        room.bridge.wait_for_snapshot(1);
        break_the_rules(&room.bridge);
        room.is_told("PENDING", "FAILURE_PROTOCOL_ERROR");
        room.recovers(2);
    }
    for status in [400, 404] {
        let room = Watched::met_with(Welcome::Refuse(status));
        room.is_told("PENDING", "FAILURE_PROTOCOL_ERROR");
        room.bridge.welcome(Welcome::Accept);
        room.recovers(1);
    }
    // TLS with somebody who speaks none.
    let bridge = Bridge::start();
    let url = bridge.url().replace("ws://", "wss://");
    let mut home = Home::new(&bridge);
    home.set("bridge.url", &format!("{url:?}"));
    let room = Watched::of(bridge, home);
    room.stands_at("PENDING", "FAILURE_PROTOCOL_ERROR");
    room.meetd.stop();
}

/// No file descriptor is left for a socket.
#[test]
fn internal_error() {
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    room.panel.wait_for_snapshot();
    let limit = |soft: &str| {
        let process = room.meetd.id().to_string();
        let limited = Command::new("prlimit")
            .args(["--pid", &process, &format!("--nofile={soft}:")])
            .status();
        assert!(limited.expect("prlimit, of util-linux").success());
    };
    limit("3");
    room.bridge.cut();
    room.is_told("DISCONNECTED", "INTERNAL_ERROR");
    limit("1024");
    room.recovers(2);
}

#[test]
fn server_internal_error() {
    for status in [500, 502, 504] {
        let room = Watched::met_with(Welcome::Refuse(status));
        room.is_told("PENDING", "SERVER_INTERNAL_ERROR");
        room.bridge.welcome(Welcome::Accept);
        room.recovers(1);
    }
}

#[test]
fn server_side_disconnect() {
    let ends: [fn(&Bridge); 4] = [
        |bridge| bridge.close(1000),
        |bridge| bridge.close(1011),
        |bridge| bridge.close(4999),
        Bridge::cut,
    ];
    for end in ends {
        let room = Watched::met_with(Welcome::Accept);
        room.bridge.wait_for_snapshot(1);
        end(&room.bridge);
        room.is_told("PENDING", "SERVER_SIDE_DISCONNECT");
        room.recovers(2);
    }
}

#[test]
fn server_endpoint_changed() {
    // To the same host: followed, and told. The other port is silent at first, so that it can be seen.
    let other = Bridge::start();
    for status in [301, 302, 307, 308] {
        other.welcome(Welcome::Silent);
        let room = Watched::with(
            Welcome::Redirect(status, other.url()),
            &[("bridge.handshake_timeout", "\"1s\"")],
        );
        room.is_told("PENDING", "SERVER_ENDPOINT_CHANGED");
        other.welcome(Welcome::Accept);
        room.is_told("CONNECTED", "SUCCESS");
        room.meetd.stop();
    }
    // To another one: not followed, unless it is listed.
    let elsewhere = other.url().replace("127.0.0.1", "localhost");
    let room = Watched::met_with(Welcome::Redirect(307, elsewhere.clone()));
    room.stands_at("PENDING", "SERVER_ENDPOINT_CHANGED");
    room.meetd.stop();
    let room = Watched::with(
        Welcome::Redirect(307, elsewhere),
        &[
            ("bridge.redirect_allow", "[\"localhost\"]"),
            ("bridge.allow_plaintext", "true"),
        ],
    );
    room.is_told("CONNECTED", "SUCCESS");
    room.meetd.stop();
}
