//! Every way in which a call ends, and that nothing of it is left at the far end.

use std::time::Duration;

use crate::peers::bridge::action;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::room::Room;

/// A room in a meeting.
fn in_a_meeting() -> (Room, FarEnd) {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room::open();
    let event = room.bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&event), "Response", "{event}");
    far_end.wait_for("the room's tone", |seen| {
        seen.calls.last()?.ear.hears(440).then_some(())
    });
    (room, far_end)
}

#[test]
fn the_far_end_hangs_up() {
    let (room, far_end) = in_a_meeting();
    far_end.hang_up();
    far_end.wait_for_phase(Phase::WeLeft);
    room.bridge.wait_for_call_state("IDLE");
    assert!(
        !room
            .bridge
            .frames()
            .iter()
            .any(|frame| action(frame) == "CallFailed"),
        "an orderly end is IDLE only"
    );
    assert!(room.home.status()["call"].is_null());
    room.meetd.stop();
}

#[test]
fn end_meeting_without_a_meeting_succeeds() {
    let room = Room::open();
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.meetd.stop();
}

#[test]
fn end_meeting_while_it_rings_cancels() {
    let far_end = FarEnd::start(Manner::RingForEver);
    let room = Room::open();
    let join = directives::join(&far_end.endpoint());
    room.bridge.send(&join);
    room.bridge.wait_for_call_state("OUTBOUND_RINGING");
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    assert_eq!(outcome(&room.bridge.answer_to(&join)), "NOT_IN_OPERATION");
    room.bridge.wait_for_call_state("IDLE");
    far_end.wait_for_phase(Phase::Cancelled);
    room.meetd.stop();
}

#[test]
fn stop_foreground_activity_ends_the_meeting_without_a_reply() {
    let (room, far_end) = in_a_meeting();
    room.bridge.send(&directives::stop_foreground_activity());
    far_end.wait_for_phase(Phase::TheyLeft);
    room.bridge.wait_for_call_state("IDLE");
    let events = room
        .bridge
        .frames()
        .iter()
        .filter(|frame| frame["event"].is_object())
        .count();
    assert_eq!(events, 1, "the join's event and no other");
    room.meetd.stop();
}

#[test]
fn sigterm_in_a_call_sends_bye_and_exits_with_0() {
    let (room, far_end) = in_a_meeting();
    room.meetd.stop();
    far_end.wait_for_phase(Phase::TheyLeft);
}

#[test]
fn sigterm_while_it_rings_cancels_and_exits_with_0() {
    let far_end = FarEnd::start(Manner::RingForEver);
    let room = Room::open();
    room.bridge.send(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("OUTBOUND_RINGING");
    room.meetd.stop();
    far_end.wait_for_phase(Phase::Cancelled);
}

#[test]
fn a_call_that_outlived_a_crash_is_ended_by_the_next_start() {
    let (mut room, far_end) = in_a_meeting();
    room.meetd.crash();
    far_end
        .seen
        .look(|seen| assert_eq!(seen.calls[0].phase, Phase::Confirmed));
    room.meetd = room.home.start();
    far_end.wait_for_phase(Phase::TheyLeft);
    room.bridge.wait_for_snapshot(2);
    room.meetd.wait_for_line("orphan-ended");
    assert!(room.home.status()["call"].is_null());
    far_end.wait_until_all_is_over();
    room.meetd.stop();
}

#[test]
fn an_invite_that_outlived_a_crash_is_cancelled_by_the_next_start() {
    let far_end = FarEnd::start(Manner::RingForEver);
    let mut room = Room::open();
    room.bridge.send(&directives::join(&far_end.endpoint()));
    room.bridge.wait_for_call_state("OUTBOUND_RINGING");
    room.meetd.crash();
    room.meetd = room.home.start();
    far_end.wait_for_phase(Phase::Cancelled);
    room.bridge.wait_for_snapshot(2);
    far_end.wait_until_all_is_over();
    room.meetd.stop();
}

#[test]
fn a_restart_without_a_call_finds_nothing_to_end() {
    let (mut room, far_end) = in_a_meeting();
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end.wait_for_phase(Phase::TheyLeft);
    room.wait_for_status("an idle room", |status| status["call"].is_null().then_some(()));
    room.meetd.crash();
    let before = far_end.seen.look(|seen| seen.messages.len());
    room.meetd = room.home.start();
    room.bridge.wait_for_snapshot(2);
    let log = room.meetd.stop();
    assert!(!log.contains("orphan-ended"));
    assert_eq!(
        far_end.seen.look(|seen| seen.messages.len()),
        before,
        "the far end heard of it again"
    );
}
