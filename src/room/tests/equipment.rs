//! Power, volume and mute.

use super::Said::{Changed, Dial, Discovered, Done, HangUp, Kept, Refused, State, Told};
use super::*;
use crate::alexa::messages::outcome::DeviceMode;
use crate::alexa::messages::property::Property::{Muted, Power, Volume};

const ASLEEP: ErrorType = ErrorType::NotSupportedInCurrentMode(DeviceMode::Asleep);

#[test]
fn volumes_from_0_to_100_are_set_and_kept() {
    let mut world = World::new();
    for volume in [0, 37, 100] {
        let ask = world.directive(Directive::SetVolume(volume.into()));
        let kept = Equipment {
            volume,
            ..Equipment::default()
        };
        assert_eq!(world.said(), [Kept(kept), Changed(ask, vec![Volume(volume)])]);
    }
    let again = world.directive(Directive::SetVolume(100));
    assert_eq!(
        world.said(),
        [Changed(again, vec![Volume(100)])],
        "nothing to write"
    );
}

#[test]
fn volumes_outside_are_out_of_range_and_change_nothing() {
    let mut world = World::new();
    for volume in [-1, 101, 256, i64::MAX, i64::MIN] {
        let ask = world.directive(Directive::SetVolume(volume));
        assert_eq!(
            world.said(),
            [Refused(ask, ErrorType::ValueOutOfRange)],
            "{volume}"
        );
    }
    assert_eq!(world.room.equipment(), Equipment::default());
}

#[test]
fn adjusting_stops_at_the_ends() {
    let mut world = World::new();
    for (by, volume) in [
        (10, 100),
        (-30, 70),
        (-100, 0),
        (-5, 0),
        (20, 20),
        (i64::MIN, 0),
        (i64::MAX, 100),
    ] {
        let ask = world.directive(Directive::AdjustVolume(by));
        assert_eq!(
            world.said().last(),
            Some(&Changed(ask, vec![Volume(volume)])),
            "{by}"
        );
    }
}

#[test]
fn mute_is_the_loudspeakers_and_leaves_the_volume() {
    let mut world = World::new();
    world.directive(Directive::SetVolume(40));
    world.said();
    let ask = world.directive(Directive::SetMute(true));
    let kept = Equipment {
        is_on: true,
        volume: 40,
        is_muted: true,
    };
    assert_eq!(world.said(), [Kept(kept), Changed(ask, vec![Muted(true)])]);
    let told = world.directive(Directive::ReportState);
    assert_eq!(
        world.said(),
        [Told(told, vec![Power(true), Volume(40), Muted(true)])]
    );
}

#[test]
fn turning_off_ends_the_call_and_is_answered_when_that_is_on_its_way() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let off = world.directive(Directive::TurnOff);
    let is_off = Equipment {
        is_on: false,
        ..Equipment::default()
    };
    assert_eq!(world.said(), [Kept(is_off), HangUp(call, EndedHere::PoweredOff)]);
    world.ended_here(call, EndedHere::PoweredOff);
    assert_eq!(
        world.said(),
        [Changed(off, vec![Power(false)]), State(CallStateName::Idle, call)]
    );
}

#[test]
fn turning_off_during_a_join_ends_it_and_refuses_it() {
    let mut world = World::new();
    let join = world.join("77");
    let call = world.call();
    world.said();
    world.directive(Directive::TurnOff);
    let said = world.said();
    assert!(
        said.contains(&Refused(join, ErrorType::NotInOperation)),
        "{said:?}"
    );
    assert!(said.contains(&HangUp(call, EndedHere::PoweredOff)), "{said:?}");
}

#[test]
fn a_join_turns_the_room_on_and_its_answer_says_so_once() {
    let mut world = World::new();
    let off = world.directive(Directive::TurnOff);
    assert_eq!(world.said().last(), Some(&Changed(off, vec![Power(false)])));
    let join = world.join("77");
    let call = world.call();
    assert_eq!(
        world.said(),
        [
            Kept(Equipment::default()),
            Dial(call),
            State(CallStateName::Dialing, call)
        ]
    );
    world.answered(call);
    assert_eq!(world.said()[0], Changed(join, vec![Power(true)]));
    let again = world.join("77");
    assert_eq!(world.said(), [Done(again)]);
}

#[test]
fn a_join_that_is_refused_wakes_nobody() {
    let mut world = World::new();
    world.directive(Directive::TurnOff);
    let forbidden = JoinMeeting {
        endpoint: "elsewhere.invalid".to_owned(),
        ..meeting("77")
    };
    world.directive(Directive::JoinMeeting(forbidden));
    assert!(!world.room.equipment().is_on);
}

#[test]
fn without_join_wakes_a_room_that_is_off_sleeps_on() {
    let mut world = World::with(|settings| settings.join_wakes = false);
    let on = world.join("77");
    assert!(!world.said().contains(&Refused(on, ASLEEP)), "it is on at first");
    world.directive(Directive::TurnOff);
    let call = world.call();
    world.ended_here(call, EndedHere::PoweredOff);
    world.said();
    let join = world.join("77");
    assert_eq!(world.said(), [Refused(join, ASLEEP)]);
    world.directive(Directive::TurnOn);
    world.said();
    world.join("77");
    assert!(matches!(world.said()[..], [Dial(_), State(..)]));
}

#[test]
fn what_was_written_down_holds_after_a_restart() {
    let record = Equipment {
        is_on: false,
        volume: 12,
        is_muted: true,
    }
    .to_record(None);
    let room = Room::new(settings_for_tests(), Chance::from_seed([9; 32])).restored(Some(&record));
    assert_eq!(room.equipment().to_record(None), record);
    let broken = Room::new(settings_for_tests(), Chance::from_seed([9; 32])).restored(Some(b"broken"));
    assert_eq!(broken.equipment(), Equipment::default());
}

#[test]
fn the_room_is_discovered_as_it_is_configured() {
    let mut world = World::new();
    let ask = world.directive(Directive::Discover);
    assert_eq!(world.said(), [Discovered(ask)]);
}
