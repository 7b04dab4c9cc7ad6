//! Digits during a meeting, and Stop.

use super::DigitsFailedCode::{CallNotInProgress, DtmfFailed};
use super::Said::{Digits, DigitsFailed, DigitsSent, Done, HangUp, Refused, State};
use super::*;

#[test]
fn digits_leave_and_that_is_told_once_they_have() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    for named in [
        None,
        Some(call.to_string()),
        Some(call.to_string().to_uppercase()),
    ] {
        world.send_digits(named, "12#");
        assert_eq!(world.said(), [Digits(call)]);
        world.tell(Input::Call(CallEvent::DigitsSent { call }));
        assert_eq!(world.said(), [DigitsSent(call.to_string())]);
    }
}

#[test]
fn the_joins_own_digits_are_nobodys_success() {
    let mut world = World::new();
    world.directive(Directive::JoinMeeting(meeting_by_digits()));
    let call = world.call();
    world.answered(call);
    world.send_digits(None, "5");
    world.said();
    world.tell(Input::Call(CallEvent::DigitsSent { call }));
    assert_eq!(world.said(), []);
    world.tell(Input::Call(CallEvent::DigitsSent { call }));
    assert_eq!(world.said(), [DigitsSent(call.to_string())]);
}

#[test]
fn without_the_call_that_is_named_digits_fail() {
    let mut world = World::new();
    world.send_digits(None, "1");
    assert_eq!(world.said(), [DigitsFailed(String::new(), CallNotInProgress)]);
    world.send_digits(Some("another".to_owned()), "1");
    assert_eq!(
        world.said(),
        [DigitsFailed("another".to_owned(), CallNotInProgress)]
    );
    world.join("77");
    let call = world.call();
    world.said();
    world.send_digits(None, "1");
    assert_eq!(
        world.said(),
        [DigitsFailed(call.to_string(), CallNotInProgress)],
        "it is not answered yet"
    );
    world.answered(call);
    world.said();
    world.send_digits(Some("another".to_owned()), "1");
    assert_eq!(
        world.said(),
        [DigitsFailed("another".to_owned(), CallNotInProgress)]
    );
    let endless = "x".repeat(10_000);
    world.send_digits(Some(endless), "1");
    let [DigitsFailed(shown, CallNotInProgress)] = &world.said()[..] else {
        panic!("told something else")
    };
    assert!(shown.len() < 200);
}

#[test]
fn what_is_no_digits_or_too_many_fails() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let failed = DigitsFailed(call.to_string(), DtmfFailed);
    for signal in ["x", "1 2", "\u{661}", "ww", &"1".repeat(151), &",".repeat(16)] {
        world.send_digits(None, signal);
        assert_eq!(world.said(), [failed.clone()], "{signal}");
    }
    for _ in 0..16 {
        world.send_digits(None, "1");
    }
    assert_eq!(world.said(), vec![Digits(call); 16]);
    world.send_digits(None, "1");
    assert_eq!(world.said(), [failed]);
}

#[test]
fn digits_that_do_not_leave_fail_and_so_do_those_of_a_call_that_ends() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.send_digits(None, "1");
    let ask = world.directive(Directive::PressDigits(Secret::new("2")));
    world.said();
    world.tell(Input::Call(CallEvent::DigitsFailed {
        call,
        why: "nobody hears them".to_owned(),
    }));
    assert_eq!(world.said(), [DigitsFailed(call.to_string(), DtmfFailed)]);
    world.send_digits(None, "3");
    world.said();
    world.ended(call, EndReason::HungUp);
    assert_eq!(
        world.said(),
        [
            Refused(ask, ErrorType::InvalidValue),
            DigitsFailed(call.to_string(), DtmfFailed),
            State(CallStateName::Idle, call),
        ]
    );
}

#[test]
fn a_commands_digits_are_answered_when_they_have_left() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let ask = world.directive(Directive::PressDigits(Secret::new("12w3")));
    assert_eq!(world.said(), [Digits(call)]);
    world.tell(Input::Call(CallEvent::DigitsSent { call }));
    assert_eq!(world.said(), [Done(ask)]);
    world.ended(call, EndReason::HungUp);
    world.said();
    let late = world.directive(Directive::PressDigits(Secret::new("1")));
    assert_eq!(world.said(), [Refused(late, ErrorType::NotInOperation)]);
}

#[test]
fn stop_ends_the_call_that_is_named_or_the_one_there_is() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    world.tell(Input::StopCall {
        call: Some("another".to_owned()),
    });
    assert_eq!(world.said(), []);
    world.tell(Input::StopCall {
        call: Some(call.to_string()),
    });
    assert_eq!(world.said(), [HangUp(call, EndedHere::Asked)]);
    world.ended_here(call, EndedHere::Asked);
    world.said();
    world.tell(Input::StopCall { call: None });
    assert_eq!(world.said(), []);
    let join = world.join("77");
    let call = world.call();
    world.said();
    world.tell(Input::StopCall { call: None });
    assert_eq!(
        world.said(),
        [
            Refused(join, ErrorType::NotInOperation),
            HangUp(call, EndedHere::Asked)
        ]
    );
}

impl World {
    fn send_digits(&mut self, call: Option<String>, signal: &str) {
        let signal = Secret::new(signal);
        self.tell(Input::SendDigits { call, signal });
    }
}
