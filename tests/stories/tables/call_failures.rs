//! The codes of CallFailed, each before the IDLE of its call.

use std::net::TcpListener;

use crate::peers::bridge::action;
use crate::peers::directives;
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

#[test]
fn busy() {
    for (status, phrase) in [(486, "Busy Here"), (600, "Busy Everywhere"), (603, "Decline")] {
        by_status(status, phrase, "BUSY");
    }
}

#[test]
fn no_answer() {
    for (status, phrase) in [(408, "Request Timeout"), (480, "Temporarily Unavailable")] {
        by_status(status, phrase, "NO_ANSWER");
    }
    // It rings for too long; it says nothing at all.
    for manner in [Manner::RingForEver, Manner::Silent] {
        let far_end = FarEnd::start(manner);
        let room = Room::open_with(&[
            ("calls.ring_timeout", "\"1s\""),
            ("calls.response_deadline", "\"0.5s\""),
        ]);
        fails(&room, &far_end.endpoint(), "NO_ANSWER");
        room.meetd.stop();
    }
}

#[test]
fn no_carrier() {
    by_status(503, "Service Unavailable", "NO_CARRIER");
    let room = Room::open_with(&[("calls.allow", "[\"127.0.0.0/8\", \"*.invalid\"]")]);
    fails(&room, "far@nobody.invalid", "NO_CARRIER");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fails(&room, &format!("{closed};transport=tcp"), "NO_CARRIER");
    fails(&room, &closed.to_string(), "NO_CARRIER");
    room.meetd.stop();
}

#[test]
fn other() {
    by_status(404, "Not Found", "OTHER");
    by_status(500, "Server Internal Error", "OTHER");
    by_status(488, "Not Acceptable Here", "OTHER");
}

#[track_caller]
fn by_status(status: u16, phrase: &'static str, code: &str) {
    let far_end = FarEnd::start(Manner::Refuse(status, phrase));
    let room = Room::open();
    fails(&room, &far_end.endpoint(), code);
    assert_eq!(room.home.status()["lastCall"]["sipStatus"], status);
    room.meetd.stop();
    far_end.wait_until_all_is_over();
}

/// Joins, and is told of the failure and then of the end of this call.
#[track_caller]
fn fails(room: &Room, endpoint: &str, code: &str) {
    let before = room.bridge.frames().len();
    room.bridge.send(&directives::join(endpoint));
    let (failed, idle) = room.bridge.wait_for_frames("the failure and the end", |frames| {
        let of_calls: Vec<_> = frames[before..]
            .iter()
            .filter(|frame| ["CallFailed", "CallStateChanged"].contains(&action(frame)))
            .collect();
        match of_calls[..] {
            [.., failed, idle] if idle["payload"]["state"] == "IDLE" => Some((failed.clone(), idle.clone())),
            _ => None,
        }
    });
    assert_eq!(action(&failed), "CallFailed", "{failed:#}");
    let failed = &failed["payload"];
    assert_eq!(failed["code"], code, "{failed:#}");
    assert!(
        failed["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
    assert_eq!(failed["callId"], idle["payload"]["callId"]);
    assert_eq!(room.home.status()["lastCall"]["code"], code);
}
