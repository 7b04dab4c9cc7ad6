//! A voice engine and a touch panel on the device, beside the bridge.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::peers::HANG_GUARD;
use crate::peers::bridge::{Bridge, action};
use crate::peers::daemon::{Home, Meetd};
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::local_client::LocalClient;

#[test]
fn a_panel_an_engine_and_the_bridge_drive_one_room_at_once() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let (meetd, bridge, home) = open(&[]);
    let panel = LocalClient::unix(&home.path().join("meetd.sock"), &[]);
    let engine = LocalClient::unix(&home.path().join("meetd.sock"), &[]);
    let snapshot = panel.wait_for_snapshot();
    assert_eq!(
        snapshot[..4],
        [
            "ConnectionStatusChanged",
            "AuthStateChanged",
            "DialogStateChanged",
            "CallStateChanged"
        ]
    );
    engine.wait_for_snapshot();

    // The engine hears "Alexa, join my meeting"; the panel's join is what is carried out.
    engine.dialog(2, "LISTENING");
    for listener in [&panel, &engine] {
        listener.wait_for("DialogStateChanged", |dialog| dialog["state"] == "LISTENING");
        listener.wait_for("ConnectionStatusChanged", |connection| {
            connection["detailed"]["local"] == json!({"status": "CONNECTED", "reason": "SUCCESS"})
        });
    }
    assert_eq!(
        home.status()["local"],
        json!({"status": "CONNECTED", "reason": "SUCCESS"})
    );
    let joined = panel.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&joined), "Response");
    for listener in [&panel, &engine] {
        listener.wait_for("CallStateChanged", |call| call["state"] == "ACTIVE");
    }
    bridge.wait_for_call_state("ACTIVE");

    // A stop during the dialog is the dialog's; the call goes on.
    bridge.send(&directives::stop_foreground_activity());
    engine.wait_for("StopForegroundActivity", |_| true);
    engine.dialog(2, "IDLE");
    bridge.wait_for_message("DialogStateChanged", |dialog| dialog["state"] == "IDLE");
    panel.send(&directives::stop_foreground_activity());
    let volume = panel.ask(&directives::speaker("SetVolume", json!({"volume": 20})));
    assert_eq!(outcome(&volume), "Response");
    assert_eq!(home.status()["call"]["state"], "ACTIVE", "a late stop hung up");

    // The bridge ends it, and all are told; the panel's events never went to the bridge.
    assert_eq!(outcome(&bridge.ask(&directives::end())), "Response");
    far_end.wait_for_phase(Phase::TheyLeft);
    for listener in [&panel, &engine] {
        listener.wait_for("CallStateChanged", |call| {
            call["state"] == "IDLE" && call["callId"] != ""
        });
    }
    let token = &joined["header"]["correlationToken"];
    let to_the_bridge = bridge.frames();
    assert!(
        !to_the_bridge
            .iter()
            .any(|frame| frame["event"]["header"]["correlationToken"] == *token)
    );
    meetd.stop();
    let code = panel
        .heard
        .wait_for("the end of the panel's link", |heard| heard.over);
    assert_eq!(code, Some(1001));
}

#[test]
fn a_lost_engine_leaves_no_dialog_hanging() {
    let (meetd, bridge, home) = open(&[("local.dialog_timeout", "\"0.5s\"")]);
    let path = home.path().join("meetd.sock");
    let engine = LocalClient::unix(&path, &[]);
    engine.dialog(3, "THINKING");
    bridge.wait_for_message("DialogStateChanged", |dialog| {
        *dialog == json!({"state": "THINKING", "assistantId": 3})
    });
    drop(engine);
    bridge.wait_for_message("DialogStateChanged", |dialog| {
        *dialog == json!({"state": "IDLE", "assistantId": 3})
    });
    let silent = LocalClient::unix(&path, &[]);
    silent.dialog(4, "SPEAKING");
    bridge.wait_for_message("DialogStateChanged", |dialog| {
        *dialog == json!({"state": "IDLE", "assistantId": 4})
    });
    silent.wait_for("DialogStateChanged", |dialog| {
        *dialog == json!({"state": "IDLE", "assistantId": 4})
    });
    meetd.stop();
}

#[test]
fn a_client_that_reads_nothing_is_dropped_and_nobody_waits_for_it() {
    let (meetd, bridge, home) = open(&[]);
    let path = home.path().join("meetd.sock");
    let (deaf, panel) = (LocalClient::deaf(&path), LocalClient::unix(&path, &[]));
    panel.wait_for_snapshot();
    deaf.dialog(9, "LISTENING");
    let dialog = |state: &str| json!({"state": state, "assistantId": 9});
    bridge.wait_for_message("DialogStateChanged", |told| *told == dialog("LISTENING"));
    // Everyone is told of each change, until more waits for the deaf one than a queue and a socket hold.
    for round in 0.. {
        for _ in 0..10 {
            panel.dialog(10, "SPEAKING");
            panel.dialog(10, "THINKING");
        }
        let volume = directives::speaker("SetVolume", json!({"volume": round % 100}));
        assert_eq!(outcome(&panel.ask(&volume)), "Response");
        if bridge
            .frames()
            .iter()
            .any(|frame| frame["payload"] == dialog("IDLE"))
        {
            break;
        }
        assert!(round < 500, "it was never dropped");
    }
    assert_eq!(outcome(&bridge.ask(&directives::end())), "Response");
    meetd.stop();
}

#[test]
fn over_tcp_only_the_token_opens_and_no_page_of_another_site() {
    let (meetd, _bridge, home) = open(&[
        ("local.tcp", "\"127.0.0.1:0\""),
        ("local.token_file", "\"local-token\""),
        ("local.origins", "[\"https://panel.example\"]"),
    ]);
    let line = meetd.wait_for_line("event=local-link");
    let address = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("address="))
        .unwrap()
        .to_owned();
    let right = ("Authorization", "Bearer local-token-canary-51");
    assert_eq!(LocalClient::tcp(&address, &[]).refused(), 401);
    assert_eq!(
        LocalClient::tcp(&address, &[("Authorization", "Bearer wrong")]).refused(),
        401
    );
    let evil = ("Origin", "https://evil.example");
    assert_eq!(LocalClient::tcp(&address, &[right, evil]).refused(), 403);
    let path = home.path().join("meetd.sock");
    assert_eq!(LocalClient::unix(&path, &[evil]).refused(), 403);
    let listed = [right, ("Origin", "https://panel.example")];
    assert_eq!(LocalClient::tcp(&address, &listed).wait_for_snapshot().len(), 4);
    home.write("local-token", "local-token-of-tomorrow\n");
    let tomorrow = ("Authorization", "Bearer local-token-of-tomorrow");
    LocalClient::tcp(&address, &[tomorrow]).wait_for_snapshot();
    std::fs::remove_file(home.path().join("local-token")).unwrap();
    assert_eq!(LocalClient::tcp(&address, &[tomorrow]).refused(), 503);
    let log = meetd.stop();
    assert!(!log.contains("local-token-canary-51"), "the token is in the log");
}

#[test]
fn the_unix_socket_is_for_its_group_and_goes_away_with_the_daemon() {
    let (meetd, _bridge, home) = open(&[]);
    let path = home.path().join("meetd.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let nonsense = LocalClient::unix(&path, &[]);
    nonsense.send(&json!(["no", "object"]));
    let answer = nonsense.ask(&directives::directive("JoinMeeting", json!({"meeting": 7})));
    assert_eq!(outcome(&answer), "INVALID_DIRECTIVE");
    meetd.stop();
    assert!(!path.exists(), "the socket was left behind");
}

#[test]
fn without_a_local_link_the_form_is_the_plain_one() {
    let room = crate::peers::room::Room::open();
    let frames = room.bridge.frames();
    let connections = frames
        .iter()
        .filter(|frame| action(frame) == "ConnectionStatusChanged");
    for connection in connections {
        assert!(connection["payload"].get("detailed").is_none(), "{connection:#}");
    }
    room.meetd.stop();
}

#[test]
fn a_reload_opens_moves_and_closes_the_local_link_and_keeps_who_is_connected() {
    let bridge = Bridge::start();
    let mut home = Home::new(&bridge);
    home.write("local-token", "local-token-canary-52\n");
    let meetd = home.start();
    bridge.wait_for_snapshot(1);
    let (first, second) = (home.path().join("first.sock"), home.path().join("second.sock"));

    reload(&mut home, &meetd, "local.listen", &format!("{first:?}"));
    let panel = connected(&first);
    bridge.wait_for_message("ConnectionStatusChanged", |connection| {
        connection["detailed"]["local"]["status"] == "DISCONNECTED"
    });
    home.set("local.tcp", "\"127.0.0.1:0\"");
    reload(&mut home, &meetd, "local.token_file", "\"local-token\"");
    let line = meetd.wait_for_line("event=local-link");
    let address = line.rsplit("address=").next().unwrap();
    let address = address.split_whitespace().next().unwrap();
    let over_tcp = LocalClient::tcp(address, &[("Authorization", "Bearer local-token-canary-52")]);
    over_tcp.wait_for_snapshot();

    reload(&mut home, &meetd, "local.listen", &format!("{second:?}"));
    let moved = connected(&second);
    assert!(!first.exists(), "the former socket was left behind");
    assert_eq!(outcome(&panel.ask(&directives::end())), "Response");
    assert_eq!(outcome(&moved.ask(&directives::end())), "Response");

    home.set("local.tcp", "\"\"").set("local.token_file", "\"\"");
    reload(&mut home, &meetd, "local.listen", "\"\"");
    let gone = Instant::now() + HANG_GUARD;
    while second.exists() || TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < gone, "somebody still listens");
        std::thread::yield_now();
    }
    assert_eq!(outcome(&over_tcp.ask(&directives::end())), "Response");
    meetd.stop();
}

/// Waits for the socket, and for what it says first.
fn connected(path: &Path) -> LocalClient {
    let until = Instant::now() + HANG_GUARD;
    while std::os::unix::net::UnixStream::connect(path).is_err() {
        assert!(Instant::now() < until, "nobody listens at {}", path.display());
        std::thread::yield_now();
    }
    let client = LocalClient::unix(path, &[]);
    client.wait_for_snapshot();
    client
}

fn reload(home: &mut Home, meetd: &Meetd, key: &str, value: &str) {
    home.set(key, value);
    home.write("meetd.toml", &home.text());
    let reloads = |lines: &[String]| {
        let is_one = |line: &&String| line.contains("event=config-reloaded");
        lines.iter().filter(is_one).count()
    };
    let before = meetd.said.look(|said| reloads(&said.lines));
    meetd.reload();
    meetd
        .said
        .wait_for("the reload", |said| (reloads(&said.lines) > before).then_some(()));
    assert!(!meetd.log().contains("only after a restart"), "{}", meetd.log());
}

fn open(keys: &[(&str, &str)]) -> (Meetd, Bridge, Home) {
    let bridge = Bridge::start();
    let mut home = Home::new(&bridge);
    let socket = format!("{:?}", home.path().join("meetd.sock"));
    home.set("local.listen", &socket);
    for (key, value) in keys {
        home.set(key, value);
    }
    home.write("local-token", "local-token-canary-51\n");
    let meetd = home.start();
    bridge.wait_for_snapshot(1);
    (meetd, bridge, home)
}
