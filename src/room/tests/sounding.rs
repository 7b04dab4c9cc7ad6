//! What the room hears of a call besides voices, and how loud it hears.

use super::*;
use crate::media::{CallTone, Loudspeaker};
use CallTone::{Ended, Failed, RingBack};

#[test]
fn ringing_is_heard_until_the_answer_and_the_end_has_its_tone() {
    let mut world = World::new();
    world.join("77");
    let call = world.call();
    world.proceeding(call);
    assert_eq!(world.heard(), []);
    world.ringing(call);
    world.ringing(call);
    assert_eq!(world.heard(), [tone(call, Some(RingBack))]);
    world.answered(call);
    assert_eq!(world.heard(), [tone(call, None)]);
    world.ended(call, EndReason::HungUp(None));
    assert_eq!(world.heard(), [tone(call, Some(Ended))]);
}

#[test]
fn a_call_that_failed_sounds_like_it() {
    for reason in [refused(486), EndReason::Silent("77".to_owned())] {
        let mut world = World::new();
        world.join("77");
        let call = world.call();
        world.ended(call, reason);
        assert_eq!(world.heard(), [tone(call, Some(Failed))]);
    }
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.heard();
    world.ended(call, EndReason::Broken("reset".to_owned()));
    assert_eq!(world.heard(), [tone(call, Some(Failed))]);
}

#[test]
fn an_end_that_was_asked_for_sounds_as_any_other() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.heard();
    world.end_meeting();
    assert_eq!(world.heard(), [], "it is not over yet");
    world.ended_here(call, EndedHere::Asked);
    assert_eq!(world.heard(), [tone(call, Some(Ended))]);
}

#[test]
fn nothing_sounds_where_nobody_listens_or_another_call_follows() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.heard();
    world.directive(Directive::TurnOff);
    world.ended_here(call, EndedHere::PoweredOff);
    assert_eq!(world.heard(), [tone(call, None)]);

    let (mut world, call) = World::in_meeting("77", |settings| {
        settings.when_busy = crate::room::WhenBusy::Replace;
    });
    world.heard();
    world.join("78");
    world.ended_here(call, EndedHere::Replaced);
    assert_eq!(world.heard(), [tone(call, None)]);

    let (mut world, call) = World::in_meeting("77", |_| {});
    world.heard();
    world.tell(Input::Leave);
    world.ended_here(call, EndedHere::Stopped);
    assert_eq!(world.heard(), [tone(call, None)]);
}

#[test]
fn the_loudspeaker_is_told_each_change_and_nothing_twice() {
    let mut world = World::new();
    world.directive(Directive::SetVolume(40));
    world.directive(Directive::SetVolume(40));
    world.directive(Directive::AdjustVolume(-10));
    world.directive(Directive::SetMute(true));
    world.directive(Directive::SetMute(true));
    world.directive(Directive::TurnOff);
    world.directive(Directive::SetMute(false));
    let expected = [(40, false), (30, false), (30, true), (30, false)]
        .map(|(volume, is_muted)| Output::SetLoudspeaker(Loudspeaker { volume, is_muted }));
    assert_eq!(world.heard(), expected);
}

fn tone(call: CallId, tone: Option<CallTone>) -> Output {
    Output::Play { call, tone }
}
