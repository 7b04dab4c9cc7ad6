//! A join while the room is in another meeting.

use super::Said::{Dial, Done, HangUp, Refused, State};
use super::*;
use crate::room::WhenBusy;
use CallStateName::{Active, Dialing, Idle};

#[test]
fn a_join_in_another_meeting_is_refused_as_busy() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let ask = world.join("78");
    assert_eq!(world.said(), [Refused(ask, ErrorType::EndpointBusy)]);
    assert_eq!((world.call(), world.state()), (call, Active));
}

#[test]
fn a_join_while_another_is_dialled_is_refused_as_busy() {
    let mut world = World::new();
    let first = world.join("77");
    let call = world.call();
    let second = world.join("78");
    assert_eq!(
        world.said().last(),
        Some(&Refused(second, ErrorType::EndpointBusy))
    );
    world.answered(call);
    assert_eq!(world.said(), [Done(first), State(Active, call)]);
}

#[test]
fn the_same_dial_string_by_another_protocol_is_another_meeting() {
    let (mut world, _) = World::in_meeting("77", |_| {});
    let mut join = meeting("77");
    join.protocol = "sips".to_owned();
    let ask = world.directive(Directive::JoinMeeting(join));
    assert_eq!(world.said(), [Refused(ask, ErrorType::EndpointBusy)]);
}

#[test]
fn a_join_takes_the_place_of_the_meeting_when_it_may() {
    let (mut world, old) = World::in_meeting("77", replace);
    let ask = world.join("78");
    assert_eq!(world.said(), [HangUp(old, EndedHere::Replaced)]);
    world.ended_here(old, EndedHere::Replaced);
    let new = world.call();
    assert_ne!(old, new);
    assert_eq!(world.said(), [State(Idle, old), Dial(new), State(Dialing, new)]);
    // A late word of the old call must not disturb the new one.
    world.ended(old, EndReason::HungUp(None));
    world.ringing(old);
    assert_eq!(world.said(), []);
    world.answered(new);
    assert_eq!(world.said(), [Done(ask), State(Active, new)]);
}

#[test]
fn a_replaced_join_is_answered_at_once() {
    let mut world = World::with(replace);
    let first = world.join("77");
    let old = world.call();
    world.said();
    let second = world.join("78");
    let replaced = [
        Refused(first, ErrorType::NotInOperation),
        HangUp(old, EndedHere::Replaced),
    ];
    assert_eq!(world.said(), replaced);
    world.ended_here(old, EndedHere::Replaced);
    let new = world.call();
    world.said();
    world.answered(new);
    assert_eq!(world.said(), [Done(second), State(Active, new)]);
}

#[test]
fn the_deadline_of_a_replacing_join_counts_from_its_own_arrival() {
    let (mut world, old) = World::in_meeting("77", replace);
    let ask = world.join("78");
    world.wait(800);
    world.ended_here(old, EndedHere::Replaced);
    world.said();
    world.wait(5_699);
    assert_eq!(world.said(), []);
    world.wait(1);
    assert_eq!(world.said()[0], Refused(ask, ErrorType::EndpointUnreachable));
}

#[test]
fn a_join_that_may_not_be_placed_leaves_the_meeting_alone() {
    let (mut world, old) = World::in_meeting("77", |settings| {
        replace(settings);
        settings.per_minute = Some(1);
    });
    let ask = world.join("78");
    assert_eq!(world.said(), [Refused(ask, ErrorType::RateLimitExceeded)]);
    let mut forbidden = meeting("78");
    forbidden.endpoint = "elsewhere.test".to_owned();
    let ask = world.directive(Directive::JoinMeeting(forbidden));
    assert_eq!(world.said(), [Refused(ask, ErrorType::InvalidValue)]);
    assert_eq!((world.call(), world.state()), (old, Active));
}

#[test]
fn a_join_right_after_end_meeting_waits_for_the_end() {
    let (mut world, old) = World::in_meeting("77", |_| {});
    let end = world.end_meeting();
    let join = world.join("77");
    let same = world.join("77");
    let other = world.join("78");
    world.said.remove(0);
    assert_eq!(world.said(), [Refused(other, ErrorType::EndpointBusy)]);
    world.ended_here(old, EndedHere::Asked);
    let new = world.call();
    assert_eq!(
        world.said(),
        [Done(end), State(Idle, old), Dial(new), State(Dialing, new)]
    );
    world.answered(new);
    assert_eq!(world.said(), [Done(join), Done(same), State(Active, new)]);
}

#[test]
fn the_last_of_several_replacing_joins_wins() {
    let (mut world, old) = World::in_meeting("77", replace);
    let second = world.join("78");
    let third = world.join("79");
    assert_eq!(
        world.said(),
        [
            HangUp(old, EndedHere::Replaced),
            Refused(second, ErrorType::NotInOperation)
        ]
    );
    let end = world.end_meeting();
    assert_eq!(world.said(), [Refused(third, ErrorType::NotInOperation)]);
    world.ended_here(old, EndedHere::Replaced);
    assert_eq!(world.said(), [Done(end), State(Idle, old)]);
}

fn replace(settings: &mut Settings) {
    settings.when_busy = WhenBusy::Replace;
}
