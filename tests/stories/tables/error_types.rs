//! Every type of ErrorResponse, by what brings it about.

use std::net::{TcpListener, UdpSocket};

use serde_json::{Value, json};

use crate::peers::bridge::Bridge;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

#[test]
fn invalid_directive() {
    let room = Room::open();
    let mut without_meeting = directives::join("127.0.0.1");
    without_meeting["directive"]["payload"] = json!({});
    let mut mistyped = directives::join("127.0.0.1");
    mistyped["directive"]["payload"]["meeting"]["protocol"] = json!(5060);
    let mut unknown_version = directives::end();
    unknown_version["directive"]["header"]["payloadVersion"] = json!("2");
    for directive in [
        without_meeting,
        mistyped,
        unknown_version,
        directives::directive("LeaveMeeting", json!({})),
        directives::to_the_room("Alexa.Nothing", "JoinMeeting", json!({})),
    ] {
        is_refused(&room.bridge, &directive, "INVALID_DIRECTIVE");
    }
    room.meetd.stop();
}

#[test]
fn invalid_value() {
    let room = Room::open();
    let mut smoke = directives::join("127.0.0.1");
    smoke["directive"]["payload"]["meeting"]["protocol"] = json!("SMOKE");
    for directive in [
        smoke,
        directives::join("192.0.2.1"),
        directives::join("sip:a@b@c"),
        directives::join_with("127.0.0.1", "77", "no PIN"),
        directives::join("tel:+4989123456"),
    ] {
        is_refused(&room.bridge, &directive, "INVALID_VALUE");
    }
    room.meetd.stop();
}

#[test]
fn no_such_endpoint() {
    let room = Room::open();
    let mut elsewhere = directives::end();
    elsewhere["directive"]["endpoint"]["endpointId"] = json!("another-room");
    let event = is_refused(&room.bridge, &elsewhere, "NO_SUCH_ENDPOINT");
    assert!(
        event["payload"]["message"]
            .as_str()
            .unwrap()
            .contains("another-room")
    );
    room.meetd.stop();
}

#[test]
fn endpoint_busy() {
    for (status, phrase) in [(486, "Busy Here"), (600, "Busy Everywhere"), (603, "Decline")] {
        by_status(status, phrase, "ENDPOINT_BUSY");
    }
    let (first, second) = (FarEnd::start(ANSWER), FarEnd::start(ANSWER));
    let room = Room::open();
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&first.endpoint()))),
        "Response"
    );
    is_refused(
        &room.bridge,
        &directives::join(&second.endpoint()),
        "ENDPOINT_BUSY",
    );
    room.meetd.stop();
}

#[test]
fn insufficient_permissions() {
    for (status, phrase) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (407, "Proxy Authentication Required"),
    ] {
        by_status(status, phrase, "INSUFFICIENT_PERMISSIONS");
    }
}

#[test]
fn not_supported_in_current_mode() {
    for (status, phrase) in [
        (415, "Unsupported Media Type"),
        (488, "Not Acceptable Here"),
        (606, "Not Acceptable"),
    ] {
        let event = by_status(status, phrase, "NOT_SUPPORTED_IN_CURRENT_MODE");
        assert_eq!(event["payload"]["currentDeviceMode"], "OTHER");
    }
    for manner in [Manner::PortZero, Manner::WithoutSdp] {
        let far_end = FarEnd::start(manner);
        let room = Room::open();
        let join = directives::join(&far_end.endpoint());
        let event = is_refused(&room.bridge, &join, "NOT_SUPPORTED_IN_CURRENT_MODE");
        assert_eq!(event["payload"]["currentDeviceMode"], "OTHER");
        room.meetd.stop();
    }
    let room = Room::open_with(&[("power.join_wakes", "false")]);
    assert_eq!(
        outcome(&room.bridge.ask(&directives::power("TurnOff"))),
        "Response"
    );
    let join = directives::join("127.0.0.1");
    let event = is_refused(&room.bridge, &join, "NOT_SUPPORTED_IN_CURRENT_MODE");
    assert_eq!(event["payload"]["currentDeviceMode"], "ASLEEP");
    room.meetd.stop();
}

/// The join is ended here before it is answered: by EndMeeting, Stop, power off, and another join.
#[test]
fn not_in_operation() {
    let ends = [
        directives::end(),
        directives::phone_call("Stop", json!({})),
        directives::stop_foreground_activity(),
        directives::power("TurnOff"),
        directives::join("127.0.0.1:9;transport=tcp"),
    ];
    for end in ends {
        let far_end = FarEnd::start(Manner::RingForEver);
        let room = Room::open_with(&[("calls.when_busy", "\"replace\"")]);
        let join = directives::join(&far_end.endpoint());
        room.bridge.send(&join);
        room.bridge.wait_for_call_state("OUTBOUND_RINGING");
        room.bridge.send(&end);
        let event = room.bridge.answer_to(&join);
        assert_eq!(outcome(&event), "NOT_IN_OPERATION", "{end}: {event}");
        far_end.wait_until_all_is_over();
        room.meetd.stop();
    }
}

#[test]
fn endpoint_unreachable() {
    for (status, phrase) in [
        (404, "Not Found"),
        (480, "Temporarily Unavailable"),
        (500, "Server Internal Error"),
        (503, "Service Unavailable"),
        (604, "Does Not Exist Anywhere"),
    ] {
        by_status(status, phrase, "ENDPOINT_UNREACHABLE");
    }
    let silent = FarEnd::start(Manner::Silent);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let room = Room::open_with(&[
        ("calls.response_deadline", "\"0.5s\""),
        ("calls.allow", "[\"127.0.0.0/8\", \"*.invalid\"]"),
    ]);
    for endpoint in [
        silent.endpoint(),
        closed.to_string(),
        format!("{closed};transport=tcp"),
        "far@nobody.invalid".to_owned(),
    ] {
        is_refused(&room.bridge, &directives::join(&endpoint), "ENDPOINT_UNREACHABLE");
    }
    room.meetd.stop();
}

/// The proxy is ours, and down.
#[test]
fn bridge_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = format!("\"sip:{closed};transport=tcp\"");
    let room = Room::open_with(&[("sip.outbound_proxy", &proxy)]);
    is_refused(
        &room.bridge,
        &directives::join("far@127.0.0.2"),
        "BRIDGE_UNREACHABLE",
    );
    room.meetd.stop();
}

#[test]
fn value_out_of_range() {
    let room = Room::open();
    for volume in [-1, 101] {
        let set = directives::speaker("SetVolume", json!({"volume": volume}));
        let event = is_refused(&room.bridge, &set, "VALUE_OUT_OF_RANGE");
        assert_eq!(
            event["payload"]["validRange"],
            json!({"minimumValue": 0, "maximumValue": 100})
        );
    }
    room.meetd.stop();
}

#[test]
fn rate_limit_exceeded() {
    let far_end = FarEnd::start(Manner::Refuse(486, "Busy Here"));
    let room = Room::open_with(&[("calls.per_minute", "1")]);
    is_refused(
        &room.bridge,
        &directives::join(&far_end.endpoint()),
        "ENDPOINT_BUSY",
    );
    is_refused(
        &room.bridge,
        &directives::join(&far_end.endpoint()),
        "RATE_LIMIT_EXCEEDED",
    );
    room.meetd.stop();
}

/// The only port that audio may take is another's.
#[test]
fn internal_error() {
    let taken = loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        if socket.local_addr().unwrap().port().is_multiple_of(2) {
            break socket;
        }
    };
    let port = taken.local_addr().unwrap().port();
    let far_end = FarEnd::start(ANSWER);
    let ports = format!("\"{port}-{}\"", port + 1);
    let room = Room::open_with(&[("media.rtp_ports", &ports)]);
    is_refused(
        &room.bridge,
        &directives::join(&far_end.endpoint()),
        "INTERNAL_ERROR",
    );
    room.meetd.stop();
    far_end.seen.look(|seen| assert!(seen.calls.is_empty()));
}

const ANSWER: Manner = Manner::Answer {
    after: std::time::Duration::ZERO,
};

#[track_caller]
fn by_status(status: u16, phrase: &'static str, kind: &str) -> Value {
    let far_end = FarEnd::start(Manner::Refuse(status, phrase));
    let room = Room::open();
    let event = is_refused(&room.bridge, &directives::join(&far_end.endpoint()), kind);
    room.meetd.stop();
    far_end.wait_until_all_is_over();
    event
}

/// Asks, and wants this refusal, whole: with a sentence, and without a context.
#[track_caller]
fn is_refused(bridge: &Bridge, directive: &Value, kind: &str) -> Value {
    let event = bridge.ask(directive);
    assert_eq!(outcome(&event), kind, "{directive}: {event}");
    let message = event["payload"]["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.ends_with('.'), "{message}");
    let frames = bridge.frames();
    let frame = frames.iter().find(|frame| frame["event"] == event).unwrap();
    assert!(frame.get("context").is_none(), "{frame:#}");
    event
}
