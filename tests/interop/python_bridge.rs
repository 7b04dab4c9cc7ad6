//! meetd at a bridge that somebody else's websocket library serves.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::peers::bridge::{Bridge, action};
use crate::peers::daemon::{Home, Meetd};
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::frames;
use crate::peers::programs::{self, Skipped};

pub fn a_meeting_over_pythons_websockets() -> Result<(), Skipped> {
    let python = programs::python()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/bridge.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bridge = Meetd::guard("bridge.py", child);
    let port = wait_for(&bridge, "its port", |said| said["port"].as_u64());

    let unused = Bridge::start();
    let mut home = Home::new(&unused);
    home.set(
        "bridge.url",
        &format!("\"ws://127.0.0.1:{port}/rooms/room-15-104\""),
    );
    home.set("bridge.token_file", "\"bridge-token\"");
    home.write("bridge-token", "token-canary-1f6b\n");
    let meetd = home.start();
    let opened = wait_for(&bridge, "the connection", |said| {
        said["opened"].is_string().then(|| said.clone())
    });
    assert_eq!(opened["opened"], "/rooms/room-15-104");
    assert_eq!(opened["authorization"], "Bearer token-canary-1f6b");
    assert_eq!(opened["subprotocol"], "meetd.v1");
    assert_eq!(opened["extensions"], Value::Null, "no compression is offered");
    assert!(
        opened["agent"].as_str().unwrap().starts_with("meetd/"),
        "{opened}"
    );
    frame(&bridge, "the snapshot", |frame| {
        action(frame) == "CallStateChanged"
    });

    let far_end = FarEnd::start(Manner::Answer {
        after: std::time::Duration::ZERO,
    });
    for (directive, state) in [
        (directives::join(&far_end.endpoint()), "ACTIVE"),
        (directives::end(), "IDLE"),
    ] {
        writeln!(input, "{directive}").unwrap();
        let token = directive["directive"]["header"]["correlationToken"].clone();
        let event = frame(&bridge, "the event", |frame| {
            frame["event"]["header"]["correlationToken"] == token
        });
        assert_eq!(outcome(&event["event"]), "Response", "{event}");
        frame(&bridge, state, |frame| {
            frame["payload"]["state"] == state && frame["payload"]["callId"] != ""
        });
    }
    far_end.wait_until_all_is_over();
    meetd.stop();
    let closed = wait_for(&bridge, "the close frame", |said| said["closed"].as_u64());
    assert!(matches!(closed, 1000 | 1001), "closed with {closed}");
    let lines = bridge.said.look(|said| said.lines.clone());
    let frames: Vec<Value> = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|said| serde_json::from_str(said["frame"].as_str()?).ok())
        .collect();
    assert!(frames.len() >= 8, "{frames:#?}");
    frames::all_fit(&frames);
    Ok(())
}

#[track_caller]
fn wait_for<R>(bridge: &Meetd, what: &str, question: impl Fn(&Value) -> Option<R>) -> R {
    bridge.said.wait_for(what, |said| {
        let mut lines = said
            .lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find_map(|line| question(&line))
    })
}

#[track_caller]
fn frame(bridge: &Meetd, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    wait_for(bridge, what, |said| {
        let frame: Value = serde_json::from_str(said["frame"].as_str()?).ok()?;
        fits(&frame).then_some(frame)
    })
}
