//! `log.metrics`: what Prometheus reads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::peers::HANG_GUARD;
use crate::peers::bridge::Bridge;
use crate::peers::daemon::Home;
use crate::peers::directives;
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

#[test]
fn a_call_is_counted_and_measured() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open_with(&[("log.metrics", "\"127.0.0.1:0\"")]);
    let address = address(&room);
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("ACTIVE");
    room.wait_for_status("audio", |status| {
        status["call"]["media"]["rxPackets"]
            .as_u64()
            .filter(|count| *count > 0)
    });
    assert_eq!(figure(&address, "meetd_call_active"), 1.0);
    room.bridge.ask(&directives::end());
    room.bridge.wait_for_call_state("IDLE");
    room.bridge.cut();
    room.bridge.wait_for_snapshot(2);

    let (head, text) = get(&address, "GET /metrics");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
    for (name, value) in [
        ("meetd_build_info{version=\"0.1.0\"}", 1.0),
        ("meetd_bridge_connected", 1.0),
        ("meetd_call_active", 0.0),
        ("meetd_call_setup_seconds_count", 1.0),
        ("meetd_calls_ended_total{end_reason=\"asked\"}", 1.0),
        (
            "meetd_bridge_reconnects_total{reason=\"SERVER_SIDE_DISCONNECT\"}",
            1.0,
        ),
        ("meetd_call_loss_ratio", 0.0),
    ] {
        assert_eq!(value_of(&text, name), Some(value), "{name} in\n{text}");
    }
    for name in ["meetd_call_jitter_seconds", "meetd_call_concealed_ratio"] {
        assert!(
            value_of(&text, name).is_some_and(|value| (0.0..1.0).contains(&value)),
            "{name} in\n{text}"
        );
    }
    for (name, least, most) in [
        ("meetd_call_microphone_level_dbfs", -15.0, -5.0),
        ("meetd_call_received_level_dbfs", -127.0, 0.0),
        ("meetd_call_mean_opinion_score", 1.0, 4.5),
    ] {
        assert!(
            value_of(&text, name).is_some_and(|value| (least..=most).contains(&value)),
            "{name} in\n{text}"
        );
    }
    assert!(get(&address, "GET /").0.starts_with("HTTP/1.1 404"));
    assert!(get(&address, "POST /metrics").0.starts_with("HTTP/1.1 405"));
    room.meetd.stop();
}

#[test]
fn figures_are_served_where_a_reload_says_and_not_to_other_machines() {
    let mut room = Room::open();
    room.home.set("log.metrics", "\"127.0.0.1:0\"");
    room.home.write("meetd.toml", &room.home.text());
    room.meetd.reload();
    let address = address(&room);
    assert_eq!(figure(&address, "meetd_bridge_connected"), 1.0);
    room.home.set("log.metrics", "\"\"");
    room.home.write("meetd.toml", &room.home.text());
    room.meetd.reload();
    room.meetd.wait_for_line("at once: log.metrics");
    room.meetd.stop();

    let bridge = Bridge::start();
    let mut home = Home::new(&bridge);
    home.set("log.metrics", "\"0.0.0.0:9560\"");
    let file = home.write("meetd.toml", &home.text());
    let checked = home.run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(78), "{checked:?}");
}

fn address(room: &Room) -> String {
    let line = room.meetd.wait_for_line("event=metrics");
    let rest = line.split_once("http://").unwrap().1;
    rest.split('/').next().unwrap().to_owned()
}

fn figure(address: &str, name: &str) -> f64 {
    let (_, text) = get(address, "GET /metrics");
    value_of(&text, name).unwrap_or_else(|| panic!("{name} is not in\n{text}"))
}

fn value_of(text: &str, name: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Head and body of the answer.
fn get(address: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG_GUARD)).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}
