//! Joins that are not answered in time.

use std::time::Duration;

use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::room::Room;

const SOON: (&str, &str) = ("calls.response_deadline", "\"0.5s\"");

#[test]
fn a_join_that_still_rings_at_the_deadline_succeeds_and_goes_on() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::from_millis(1500),
    });
    let room = Room::open_with(&[SOON]);
    let event = room.bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&event), "Response", "{event}");
    assert_eq!(
        room.bridge.call_states(),
        ["DIALING", "OUTBOUND_RINGING"],
        "not answered yet"
    );
    room.bridge.wait_for_call_state("ACTIVE");
    room.meetd.stop();
    far_end.wait_until_all_is_over();
}

#[test]
fn a_far_end_that_says_nothing_is_given_up_at_the_deadline() {
    let far_end = FarEnd::start(Manner::Silent);
    let room = Room::open_with(&[SOON]);
    let event = room.bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&event), "ENDPOINT_UNREACHABLE", "{event}");
    room.bridge
        .wait_for_message("CallFailed", |payload| payload["code"] == "NO_ANSWER");
    room.bridge.wait_for_call_state("IDLE");
    far_end
        .seen
        .look(|seen| assert_eq!(seen.count("CANCEL"), 0, "no CANCEL before a provisional response"));
    room.meetd.stop();
}

#[test]
fn a_far_end_that_rings_for_ever_is_cancelled_after_the_ring_timeout() {
    let far_end = FarEnd::start(Manner::RingForEver);
    let room = Room::open_with(&[SOON, ("calls.ring_timeout", "\"1s\"")]);
    let event = room.bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge
        .wait_for_message("CallFailed", |payload| payload["code"] == "NO_ANSWER");
    far_end.wait_for_phase(Phase::Cancelled);
    room.bridge.wait_for_call_state("IDLE");
    far_end.wait_for("the ACK for 487", |seen| (seen.count("ACK") > 0).then_some(()));
    room.meetd.stop();
}

#[test]
fn a_port_where_nobody_listens_ends_the_try_at_once() {
    for transport in ["udp", "tcp"] {
        let room = Room::open();
        let port = crate::peers::programs::free_port();
        let sent = std::time::Instant::now();
        let event = room.bridge.ask(&directives::join(&format!(
            "sip:far@127.0.0.1:{port};transport={transport}"
        )));
        assert_eq!(outcome(&event), "ENDPOINT_UNREACHABLE", "{transport}: {event}");
        assert!(
            sent.elapsed() < Duration::from_secs(5),
            "{transport}: only after {:?}",
            sent.elapsed()
        );
        room.bridge
            .wait_for_message("CallFailed", |payload| payload["code"] == "NO_CARRIER");
        room.meetd.stop();
    }
}

#[test]
fn a_call_that_lasts_too_long_is_ended() {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open_with(&[("calls.max_duration", "\"1s\"")]);
    assert_eq!(
        outcome(&room.bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    far_end.wait_for_phase(Phase::TheyLeft);
    room.bridge.wait_for_call_state("IDLE");
    room.meetd.stop();
}
