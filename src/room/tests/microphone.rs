//! What the meeting hears of the room.

use super::*;
use crate::room::Microphone;

#[test]
fn without_a_call_there_is_nothing_to_mute() {
    let mut world = World::new();
    let refusal = world.room.mute(true).unwrap_err();
    assert_eq!(refusal.kind, ErrorType::NotInOperation);
    world.tell(Input::AssistantListens(true));
    world.tell(Input::AssistantListens(false));
    assert_eq!(world.said(), []);
}

#[test]
fn a_mute_ends_with_its_call() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    assert_eq!(mute(&mut world, true), [Said::Mute(call, true)]);
    assert_eq!(mute(&mut world, true), [], "it is muted already");
    assert_eq!(microphone(&world), Microphone::Muted);
    world.ended(call, EndReason::HungUp(None));
    world.said();
    world.join("78");
    let call = world.call();
    assert!(!world.said().contains(&Said::Mute(call, true)));
    assert_eq!(microphone(&world), Microphone::On);
}

#[test]
fn a_call_may_be_muted_before_it_is_answered() {
    let mut world = World::new();
    world.join("77");
    let call = world.call();
    world.said();
    assert_eq!(mute(&mut world, true), [Said::Mute(call, true)]);
    world.answered(call);
    world.said();
    assert_eq!(microphone(&world), Microphone::Muted);
    assert_eq!(mute(&mut world, false), [Said::Mute(call, false)]);
    assert_eq!(microphone(&world), Microphone::On);
}

#[test]
fn during_a_dialog_the_meeting_hears_nothing() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    assert_eq!(listens(&mut world, true), [Said::Mute(call, true)]);
    assert_eq!(microphone(&world), Microphone::Dialog);
    assert_eq!(listens(&mut world, false), [Said::Mute(call, false)]);
    assert_eq!(microphone(&world), Microphone::On);
}

#[test]
fn a_reloaded_mute_during_dialog_counts_in_the_dialog_that_goes_on() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    assert_eq!(listens(&mut world, true), [Said::Mute(call, true)]);
    for mutes in [false, true] {
        let mut settings = settings_for_tests();
        settings.mute_during_dialog = mutes;
        world.tell(Input::Settings(Box::new(settings)));
        assert_eq!(world.said(), [Said::Mute(call, mutes)]);
    }
}

#[test]
fn a_call_that_is_placed_in_a_dialog_is_silent_from_its_first_packet() {
    let mut world = World::new();
    world.tell(Input::AssistantListens(true));
    world.join("77");
    let call = world.call();
    let said = world.said();
    assert_eq!(said[..2], [Said::Dial(call), Said::Mute(call, true)]);
    world.answered(call);
    assert_eq!(microphone(&world), Microphone::Dialog);
}

#[test]
fn the_end_of_a_dialog_does_not_undo_what_a_person_muted() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    mute(&mut world, true);
    assert_eq!(listens(&mut world, true), []);
    assert_eq!(microphone(&world), Microphone::Muted);
    assert_eq!(listens(&mut world, false), []);
    assert_eq!(mute(&mut world, false), [Said::Mute(call, false)]);
    // And a person cannot open it in the middle of a dialog, but says how it is afterwards.
    listens(&mut world, true);
    assert_eq!(mute(&mut world, true), []);
    assert_eq!(mute(&mut world, false), []);
    assert_eq!(listens(&mut world, false), [Said::Mute(call, false)]);
}

#[test]
fn hold_is_what_counts_for_the_one_who_asks() {
    let (mut world, _) = World::in_meeting("77", |_| {});
    mute(&mut world, true);
    world.room.hold(true).unwrap();
    assert_eq!(microphone(&world), Microphone::Hold);
    world.room.hold(false).unwrap();
    assert_eq!(microphone(&world), Microphone::Muted);
}

#[test]
fn where_the_setting_says_so_the_meeting_hears_the_dialog() {
    let (mut world, _) = World::in_meeting("77", |settings| settings.mute_during_dialog = false);
    assert_eq!(listens(&mut world, true), []);
    assert_eq!(microphone(&world), Microphone::On);
}

fn mute(world: &mut World, is_muted: bool) -> Vec<Said> {
    world.room.mute(is_muted).unwrap();
    world.tell(Input::Deadline);
    world.said()
}

fn listens(world: &mut World, listens: bool) -> Vec<Said> {
    world.tell(Input::AssistantListens(listens));
    world.said()
}

fn microphone(world: &World) -> Microphone {
    world.room.status().call.unwrap().microphone
}
