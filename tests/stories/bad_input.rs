//! Input of every wrong shape, as data: each row of `tests/data/bad_input.tsv` gets its one clear answer or its line in the
//! log, the connection stays, and the memory with it.

use serde_json::{Value, json};

use crate::peers::bridge::Happened;
use crate::peers::directives::{self, outcome};
use crate::peers::room::Room;

const ROWS: &str = include_str!("../data/bad_input.tsv");
/// What stands in the text where the raw piece goes.
const HERE: &str = "here goes the raw piece";
/// What the daemon's memory may grow by, in KiB: a few of the largest messages.
const GROWTH: u64 = 8 * 1024;

#[test]
fn every_row_of_bad_input_gets_its_answer_or_its_line() {
    let room = Room::open();
    for row in rows() {
        let before = room.bridge.frames().len();
        let lines = dropped(&room);
        room.bridge.send_text(&row.frame);
        // What stands behind it is answered after it.
        let behind = directives::to_the_room("Alexa", "ReportState", json!({}));
        assert_eq!(outcome(&room.bridge.ask(&behind)), "StateReport", "{}", row.what);
        let token = &behind["directive"]["header"]["correlationToken"];
        let events: Vec<Value> = room.bridge.frames()[before..]
            .iter()
            .filter(|frame| frame.get("event").is_some())
            .filter(|frame| frame["event"]["header"]["correlationToken"] != *token)
            .map(|frame| frame["event"].clone())
            .collect();
        match (row.expected.split_once(' '), row.expected) {
            (_, "dropped") => {
                assert!(events.is_empty(), "{}: {events:#?}", row.what);
                room.meetd.said.wait_for(row.what, |said| {
                    (count_dropped(&said.lines) > lines).then_some(())
                });
            }
            (None, expected) => {
                assert_eq!(events.len(), 1, "{}: {events:#?}", row.what);
                assert_eq!(outcome(&events[0]), expected, "{}: {}", row.what, events[0]);
            }
            (Some((kind, piece)), _) => {
                assert_eq!(events.len(), 1, "{}: {events:#?}", row.what);
                assert_eq!(outcome(&events[0]), kind, "{}: {}", row.what, events[0]);
                let message = events[0]["payload"]["message"].as_str().unwrap();
                assert!(message.contains(piece), "{}: {message}", row.what);
                assert!(message.len() < 1_000, "{}: {} bytes", row.what, message.len());
            }
        }
    }
    assert_eq!(room.bridge.call_states(), Vec::<String>::new());
    stayed(&room);
    let log = room.meetd.stop();
    let longest = log.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest < 3_000, "a line of {longest} characters");
}

#[test]
fn a_flood_of_bad_input_takes_no_memory() {
    let room = Room::open();
    let large = [
        format!("{{\"directive\": {{\"x\": \"{}\"}}}}", "x".repeat(60_000)),
        format!("{{\"header\": {{\"id\": \"{}\"}}}}", "x".repeat(60_000)),
        "[".repeat(60_000),
    ];
    let flood = |rounds: usize| {
        for _ in 0..rounds {
            for text in &large {
                room.bridge.send_text(text);
            }
        }
        assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    };
    flood(10);
    let before = memory(&room);
    flood(150);
    let after = memory(&room);
    assert!(after < before + GROWTH, "from {before} to {after} KiB");
    stayed(&room);
    room.meetd.stop();
}

struct Row {
    what: &'static str,
    frame: String,
    expected: &'static str,
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = ROWS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [what, base, pointer, raw, expected] = columns[..] else {
                panic!("five columns: {line:?}");
            };
            Row {
                what,
                frame: frame(base, pointer, raw),
                expected,
            }
        })
        .collect();
    assert!(rows.len() > 80, "{} rows", rows.len());
    rows
}

fn frame(base: &str, pointer: &str, raw: &str) -> String {
    let raw = repeated(raw);
    if pointer == "." {
        return raw;
    }
    let mut frame = match base {
        "end" => directives::end(),
        "join" => directives::join("127.0.0.1:9"),
        "volume" => directives::speaker("SetVolume", json!({})),
        "dtmf" => directives::phone_call("SendDTMF", json!({"signal": "1"})),
        other => panic!("there is no base {other}"),
    };
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = frame.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if raw == "<gone>" {
        parent.remove(name);
        return frame.to_string();
    }
    parent.insert(name.to_owned(), json!(HERE));
    frame.to_string().replace(&json!(HERE).to_string(), &raw)
}

/// Writes `<xN>` and its like out.
fn repeated(raw: &str) -> String {
    let mut text = raw.to_owned();
    for (sign, piece) in [('x', "x"), ('[', "["), (']', "]"), ('{', "{\"a\":"), ('}', "}")] {
        while let Some(at) = text.find(&format!("<{sign}")) {
            let end = at + text[at..].find('>').unwrap();
            let times: usize = text[at + 2..end].parse().unwrap();
            text.replace_range(at..=end, &piece.repeat(times));
        }
    }
    text
}

fn dropped(room: &Room) -> usize {
    room.meetd.said.look(|said| count_dropped(&said.lines))
}

fn count_dropped(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.contains("was dropped")).count()
}

/// The daemon's largest memory so far, in KiB.
fn memory(room: &Room) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", room.meetd.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[track_caller]
fn stayed(room: &Room) {
    let is_over = |event: &crate::peers::bridge::Event| matches!(event.what, Happened::Over(_));
    assert!(
        !room.bridge.events().iter().any(is_over),
        "the connection was lost"
    );
}
