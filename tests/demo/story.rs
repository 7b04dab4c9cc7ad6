//! The demo's steps, each told when it was seen, with the time at which it passed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::peers::bridge::{Bridge, Happened, action};
use crate::peers::daemon::Home;
use crate::peers::directives::{self, outcome};
use crate::peers::sdp::Audio;
use crate::peers::sip_text::Message;
use crate::peers::tap::{Leg, Tap, Wire};
use crate::{MEETING_TONE, PIN, PROMPT_TONE, ROOM_TONE};

/// How much audio is wanted in each direction after the PIN: half a second in one unbroken tone.
const HALF_A_SECOND: u64 = 25;

/// Tells the whole story; panics where a step is missing.
pub fn tell() {
    let (mut far_end, address) = start_far_end();
    let tap = Tap::start(address);
    let bridge = Bridge::start();
    let mut home = Home::new(&bridge);
    home.set("calls.dtmf_delay", "\"0.5s\"")
        .set("log.level", "\"info\"");
    introduce(&home, &bridge, &tap);
    let timeline = Timeline {
        start: Instant::now(),
    };
    let mut meetd = home.start();

    timeline.line(
        bridge.wait_for_connection(1),
        "meetd   -> bridge ",
        "websocket opened",
    );
    bridge.wait_for_snapshot(1);
    timeline.line(
        message_at(&bridge, "ConnectionStatusChanged", "status", "CONNECTED"),
        "meetd   -> bridge ",
        "status: CONNECTED",
    );
    timeline.line(
        message_at(&bridge, "CallStateChanged", "state", "IDLE"),
        "meetd   -> bridge ",
        "call state: IDLE",
    );

    join(&timeline, &bridge, &tap);
    talk(&timeline, &tap);
    end(&timeline, &bridge, &tap);

    meetd.terminate();
    let status = meetd.wait();
    assert_eq!(status.code(), Some(0), "meetd ended with {status}");
    timeline.line(
        Instant::now(),
        "meetd             ",
        "stopped by SIGTERM, exit code 0",
    );
    drop(far_end.stdin.take());
    let content = far_end.wait().unwrap();
    assert!(content.success(), "the far end has something to complain of");
    println!(
        "\nPROVED in {:.1} s: a directive became a SIP call with audio both ways, the PIN was entered, the meeting was ended,\n\
         and every change was published. Each line above was seen on the wire between three processes.",
        timeline.start.elapsed().as_secs_f32()
    );
}

/// From the directive to the answer.
fn join(timeline: &Timeline, bridge: &Bridge, tap: &Tap) {
    let directive = directives::join_with(&tap.address.to_string(), "standup", PIN);
    let sent = bridge.send(&directive);
    timeline.line(
        sent,
        "bridge  -> meetd  ",
        "directive: JoinMeeting \"standup\" over SIP, with a PIN",
    );
    let invited = tap.wait_for_sip("an INVITE", true, |message| message.is("INVITE"));
    let (target, offer) = tap.wire.look(|wire| {
        let invite = wire.sip.iter().find(|line| line.message.is("INVITE")).unwrap();
        (invite.message.start.clone(), Audio::read(&invite.message.body))
    });
    let offer = offer.expect("the INVITE offers audio");
    timeline.line(
        invited,
        "meetd   -> far end",
        &format!(
            "{} (audio at {})",
            target.trim_end_matches(" SIP/2.0"),
            offer.address
        ),
    );
    timeline.line(
        state_at(bridge, "DIALING"),
        "meetd   -> bridge ",
        "call state: DIALING",
    );
    timeline.line(answer_at(tap, "INVITE", 180), "far end -> meetd  ", "180 Ringing");
    timeline.line(
        state_at(bridge, "OUTBOUND_RINGING"),
        "meetd   -> bridge ",
        "call state: OUTBOUND_RINGING",
    );
    timeline.line(
        answer_at(tap, "INVITE", 200),
        "far end -> meetd  ",
        "200 OK: answered",
    );
    let acknowledged = tap.wait_for_sip("an ACK", true, |message| message.is("ACK"));
    timeline.line(acknowledged, "meetd   -> far end", "ACK");
    timeline.line(
        event_at(bridge, &directive),
        "meetd   -> bridge ",
        "event: Response, the room is in the meeting",
    );
    timeline.line(
        state_at(bridge, "ACTIVE"),
        "meetd   -> bridge ",
        "call state: ACTIVE",
    );
}

/// Audio both ways, and the PIN.
fn talk(timeline: &Timeline, tap: &Tap) {
    let prompt = tap.wait_for("the far end's prompt", |wire| {
        wire.to_daemon.ear.hears(PROMPT_TONE).then(Instant::now)
    });
    timeline.line(
        prompt,
        "far end -> meetd  ",
        &format!("audio: a tone of {PROMPT_TONE} Hz asks for the PIN"),
    );
    let wanted = format!("{PIN}#");
    let entered = tap.wait_for("the PIN as digits", |wire| {
        let leg = &wire.from_daemon;
        (leg.ear.digits == wanted).then(|| leg.digits.last().map(|(at, _)| *at))?
    });
    let shown = wanted.chars().map(String::from).collect::<Vec<_>>().join(" ");
    timeline.line(
        entered,
        "meetd   -> far end",
        &format!("digits {shown} (RFC 4733): PIN entered"),
    );
    let opened = tap.wait_for("the meeting's tone", |wire| {
        wire.to_daemon.ear.hears(MEETING_TONE).then(Instant::now)
    });
    timeline.line(
        opened,
        "far end -> meetd  ",
        &format!("audio: PIN accepted, the meeting sounds at {MEETING_TONE} Hz"),
    );
    for (from_daemon, who, hertz) in [
        (true, "meetd   -> far end", ROOM_TONE),
        (false, "far end -> meetd  ", MEETING_TONE),
    ] {
        let (at, words) = tap.wait_for("half a second of steady tone each way", |wire: &Wire| {
            let leg = wire.leg(from_daemon);
            (leg.ear.packets >= HALF_A_SECOND && leg.ear.hears(hertz))
                .then(|| (Instant::now(), in_words(leg)))
        });
        timeline.line(at, who, &words);
    }
}

/// From the directive to silence.
fn end(timeline: &Timeline, bridge: &Bridge, tap: &Tap) {
    let directive = directives::end();
    let sent = bridge.send(&directive);
    timeline.line(sent, "bridge  -> meetd  ", "directive: EndMeeting");
    let left = tap.wait_for_sip("a BYE", true, |message| message.is("BYE"));
    timeline.line(left, "meetd   -> far end", "BYE");
    timeline.line(
        answer_at(tap, "BYE", 200),
        "far end -> meetd  ",
        "200 OK: the call is over",
    );
    timeline.line(
        event_at(bridge, &directive),
        "meetd   -> bridge ",
        "event: Response, the room is free",
    );
    timeline.line(state_at(bridge, "IDLE"), "meetd   -> bridge ", "call state: IDLE");
}

struct Timeline {
    start: Instant,
}

impl Timeline {
    fn line(&self, at: Instant, who: &str, what: &str) {
        println!(
            "  {:7.3} s  {who}  {what}",
            at.saturating_duration_since(self.start).as_secs_f64()
        );
    }
}

fn introduce(home: &Home, bridge: &Bridge, tap: &Tap) {
    println!("\nmeetd joins a meeting and leaves it, on this machine alone.\n");
    println!(
        "  bridge   {} (this process, in place of the cloud)",
        bridge.url()
    );
    println!(
        "  meetd    {} run --config {}",
        env!("CARGO_BIN_EXE_meetd"),
        home.path().join("meetd.toml").display()
    );
    println!(
        "  far end  {} (another process, behind a tap that listens in)\n",
        tap.address
    );
    println!("The configuration:\n");
    home.text().lines().for_each(|line| println!("  {line}"));
    println!("\nWhat passed, in seconds after the start of meetd:\n");
}

fn in_words(leg: &Leg) -> String {
    let ear = &leg.ear;
    format!(
        "audio: {} packets so far, {} lost, {:.0} Hz at {:.0} dBFS",
        ear.packets,
        ear.gaps,
        ear.pitch(),
        ear.level_dbfs()
    )
}

fn start_far_end() -> (Child, SocketAddr) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command
        .arg("far-end")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line.trim().parse().expect("the far end says where it is"))
}

fn answer_at(tap: &Tap, method: &str, status: u16) -> Instant {
    let fits = |message: &Message| message.answers(method, status);
    tap.wait_for_sip(&format!("{status} for {method}"), false, fits)
}

/// When the bridge got the first frame that fits.
fn frame_at(bridge: &Bridge, what: &str, fits: impl Fn(&Value) -> bool) -> Instant {
    bridge.wait_for(what, |events| {
        events.iter().find_map(|event| match &event.what {
            Happened::Frame(frame) if fits(frame) => Some(event.at),
            _ => None,
        })
    })
}

fn message_at(bridge: &Bridge, of: &str, key: &str, value: &str) -> Instant {
    frame_at(bridge, &format!("{of} {value}"), |frame| {
        action(frame) == of && frame["payload"][key] == value
    })
}

fn state_at(bridge: &Bridge, state: &str) -> Instant {
    frame_at(bridge, &format!("the call state {state}"), |frame| {
        action(frame) == "CallStateChanged"
            && frame["payload"]["state"] == state
            && frame["payload"]["callId"] != ""
    })
}

fn event_at(bridge: &Bridge, directive: &Value) -> Instant {
    let token = &directive["directive"]["header"]["correlationToken"];
    frame_at(bridge, "the event", |frame| {
        frame["event"]["header"]["correlationToken"] == *token && outcome(&frame["event"]) == "Response"
    })
}
