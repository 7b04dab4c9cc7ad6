//! Ends: asked for, by the watch, by the daemon's stop, and by dialers that break their promise.

use super::Said::{Dial, Done, Failed, HangUp, Refused, State};
use super::*;
use CallStateName::{Active, Dialing, Idle};

#[test]
fn end_meeting_without_a_meeting_is_done() {
    let mut world = World::new();
    let ask = world.end_meeting();
    assert_eq!(world.said(), [Done(ask)]);
}

#[test]
fn end_meeting_is_answered_when_the_call_is_over() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let ask = world.end_meeting();
    assert_eq!(world.said(), [HangUp(call, EndedHere::Asked)]);
    assert_eq!(world.state(), Active);
    let again = world.end_meeting();
    assert_eq!(world.said(), []);
    world.ended_here(call, EndedHere::Asked);
    assert_eq!(world.said(), [Done(ask), Done(again), State(Idle, call)]);
}

#[test]
fn end_meeting_during_a_join_ends_it_and_both_are_answered() {
    let mut world = World::new();
    let join = world.join("77");
    let call = world.call();
    world.ringing(call);
    world.said();
    let end = world.end_meeting();
    let cancelled = [
        Refused(join, ErrorType::NotInOperation),
        HangUp(call, EndedHere::Asked),
    ];
    assert_eq!(world.said(), cancelled);
    // An answer that crosses the CANCEL changes nothing.
    world.answered(call);
    assert_eq!(world.said(), []);
    world.ended_here(call, EndedHere::Asked);
    assert_eq!(world.said(), [Done(end), State(Idle, call)]);
}

#[test]
fn a_failure_that_crosses_our_hang_up_is_no_failure() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.end_meeting();
    world.said();
    world.ended(call, EndReason::Broken("reset".to_owned()));
    assert!(!world.said().iter().any(|said| matches!(said, Failed(..))));
}

#[test]
fn stop_foreground_ends_the_call_or_the_join() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.tell(Input::StopForeground);
    assert_eq!(world.said(), [HangUp(call, EndedHere::Asked)]);
    world.ended_here(call, EndedHere::Asked);
    assert_eq!(world.said(), [State(Idle, call)]);

    let join = world.join("78");
    let call = world.call();
    world.said();
    world.tell(Input::StopForeground);
    let stopped = [
        Refused(join, ErrorType::NotInOperation),
        HangUp(call, EndedHere::Asked),
    ];
    assert_eq!(world.said(), stopped);
    world.ended_here(call, EndedHere::Asked);
    world.said();
    world.tell(Input::StopForeground);
    assert_eq!(world.said(), []);
}

#[test]
fn a_broken_call_has_failed() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.ended(call, EndReason::Broken("the refresh was refused".to_owned()));
    assert_eq!(
        world.said(),
        [Failed(call, CallFailedCode::Other), State(Idle, call)]
    );
}

#[test]
fn the_longest_call_ends_orderly() {
    let (mut world, call) = World::in_meeting("77", |settings| {
        settings.max_duration = Some(Duration::from_secs(60))
    });
    world.wait(59_999);
    assert_eq!(world.said(), []);
    world.wait(1);
    assert_eq!(world.said(), [HangUp(call, EndedHere::LastedTooLong)]);
    world.ended_here(call, EndedHere::LastedTooLong);
    assert_eq!(world.said(), [State(Idle, call)]);
}

#[test]
fn a_call_without_audio_ends_at_the_timeout_to_the_millisecond() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    for _ in 0..5 {
        world.wait(1_000);
        world.figures(20);
    }
    // The last packet came at 4.98 s.
    for second in 6..=34 {
        world.wait(1_000);
        world.figures(second * 1_000 - 4_980);
    }
    world.wait(979);
    assert_eq!(world.said(), []);
    world.wait(1);
    assert_eq!(world.said(), [HangUp(call, EndedHere::NoAudio)]);
    world.ended_here(call, EndedHere::NoAudio);
    assert_eq!(world.said(), [State(Idle, call)]);
}

#[test]
fn a_call_is_kept_while_audio_comes() {
    let (mut world, _) = World::in_meeting("77", |_| {});
    for _ in 0..3_600 {
        world.wait(1_000);
        world.figures(20);
    }
    assert_eq!(world.said(), []);
}

#[test]
fn figures_of_another_call_change_nothing() {
    let (mut world, _) = World::in_meeting("77", |_| {});
    let event = media::Event::Figures(media::Figures {
        silent_for: Duration::from_secs(400),
        ..media::Figures::default()
    });
    let call = CallId(uuid::Uuid::nil());
    world.tell(Input::Media { call, event });
    assert_eq!(world.said(), []);
}

#[test]
fn the_daemons_stop_ends_the_call_and_places_none_any_more() {
    let mut world = World::new();
    let join = world.join("77");
    let call = world.call();
    world.said();
    world.tell(Input::Leave);
    let left = [
        Refused(join, ErrorType::NotInOperation),
        HangUp(call, EndedHere::Stopped),
    ];
    assert_eq!(world.said(), left);
    let during = world.join("78");
    assert_eq!(world.said(), [Refused(during, ErrorType::NotInOperation)]);
    // Whoever stops it again does not call the daemon's stop off.
    world.tell(Input::StopForeground);
    world.ended_here(call, EndedHere::Stopped);
    assert_eq!(world.said(), [State(Idle, call)]);
    let after = world.join("78");
    let end = world.end_meeting();
    assert_eq!(
        world.said(),
        [Refused(after, ErrorType::NotInOperation), Done(end)]
    );
    assert!(!world.room.is_in_call());
}

#[test]
fn the_daemons_stop_without_a_call_places_none_any_more() {
    let mut world = World::new();
    world.tell(Input::Leave);
    let ask = world.join("77");
    assert_eq!(world.said(), [Refused(ask, ErrorType::NotInOperation)]);
}

#[test]
fn the_daemons_stop_drops_the_join_that_waits_for_a_call_to_end() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let end = world.end_meeting();
    let join = world.join("78");
    world.said();
    world.tell(Input::Leave);
    assert_eq!(world.said(), [Refused(join, ErrorType::NotInOperation)]);
    world.ended_here(call, EndedHere::Asked);
    assert_eq!(world.said(), [Done(end), State(Idle, call)]);
    world.tell(Input::StopForeground);
    let late = world.join("78");
    assert_eq!(world.said(), [Refused(late, ErrorType::NotInOperation)]);
}

#[test]
fn a_dialer_that_does_not_say_that_a_call_is_over_is_not_waited_for() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let end = world.end_meeting();
    world.said();
    world.wait(999);
    assert_eq!(world.said(), []);
    world.wait(1);
    assert_eq!(world.said(), [Done(end), State(Idle, call)]);
    // What it says late must not disturb the next call.
    world.join("78");
    let next = world.call();
    assert_eq!(world.said(), [Dial(next), State(Dialing, next)]);
    world.ended_here(call, EndedHere::Asked);
    world.answered(call);
    assert_eq!(world.said(), []);
    assert_eq!(world.state(), Dialing);
}

#[test]
fn a_dialer_that_never_gives_up_is_told_to() {
    let mut world = World::new();
    let ask = world.join("77");
    let call = world.call();
    world.ringing(call);
    world.wait(99_999);
    assert_eq!(world.said().last(), Some(&Done(ask)));
    world.wait(1);
    assert_eq!(world.said(), [HangUp(call, EndedHere::RangTooLong)]);
    world.ended_here(call, EndedHere::RangTooLong);
    assert_eq!(
        world.said(),
        [Failed(call, CallFailedCode::NoAnswer), State(Idle, call)]
    );
}
