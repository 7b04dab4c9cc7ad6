//! Joins: how they are answered, and when.

use super::Said::{Dial, Digits, Done, Failed, HangUp, Refused, State};
use super::*;
use crate::alexa::messages::outcome::DeviceMode;
use crate::call::DigitStep;
use CallStateName::{Active, Dialing, Idle, OutboundRinging};

#[test]
fn an_answered_join_is_done_and_told_step_by_step() {
    let mut world = World::new();
    let ask = world.join("77");
    let call = world.call();
    assert_eq!(world.said(), [Dial(call), State(Dialing, call)]);
    world.wait(100);
    world.proceeding(call);
    assert_eq!(world.said(), []);
    world.ringing(call);
    world.ringing(call);
    assert_eq!(world.said(), [State(OutboundRinging, call)]);
    world.answered(call);
    world.answered(call);
    assert_eq!(world.said(), [Done(ask), State(Active, call)]);
    world.wait(20_000);
    world.ended(call, EndReason::HungUp(None));
    assert_eq!(world.said(), [State(Idle, call)]);
    assert!(!world.room.is_in_call() && world.room.next_deadline().is_none());
}

#[test]
fn what_is_dialled_is_the_dial_plans_word() {
    let mut world = World::with(|settings| settings.ring_timeout = Duration::from_secs(45));
    world.join("7 7");
    let Some(Output::Command {
        command: CallCommand::Dial {
            target, ring_timeout, ..
        },
        ..
    }) = world.said.first()
    else {
        panic!("no dial: {:?}", world.said);
    };
    assert_eq!(target.address.expose(), format!("77.{PIN}@zoomcrc.example"));
    assert_eq!(target.shown, "77.***@zoomcrc.example");
    assert_eq!(*ring_timeout, Duration::from_secs(45));
}

#[test]
fn a_join_that_may_not_be_dialled_is_refused_and_places_nothing() {
    let mut world = World::new();
    let mut join = meeting("77");
    join.endpoint = "elsewhere.test".to_owned();
    let ask = world.directive(Directive::JoinMeeting(join));
    assert_eq!(world.said(), [Refused(ask, ErrorType::InvalidValue)]);
    assert!(!world.room.is_in_call());
}

#[test]
fn a_refused_join_says_so_and_failed_comes_before_idle() {
    let mode = ErrorType::NotSupportedInCurrentMode(DeviceMode::Other);
    for (status, kind, code) in [
        (486, ErrorType::EndpointBusy, CallFailedCode::Busy),
        (403, ErrorType::InsufficientPermissions, CallFailedCode::Other),
        (488, mode, CallFailedCode::Other),
        (404, ErrorType::EndpointUnreachable, CallFailedCode::Other),
        (503, ErrorType::EndpointUnreachable, CallFailedCode::NoCarrier),
    ] {
        let mut world = World::new();
        let ask = world.join("77");
        let call = world.call();
        world.said();
        world.ended(call, refused(status));
        let expected = [Refused(ask, kind), Failed(call, code), State(Idle, call)];
        assert_eq!(world.said(), expected, "{status}");
    }
}

#[test]
fn a_silent_far_end_is_given_up_at_the_deadline_to_the_millisecond() {
    let mut world = World::new();
    let ask = world.join("77");
    let call = world.call();
    world.said();
    world.wait(6_499);
    assert_eq!(world.said(), []);
    world.wait(1);
    let given_up = [
        Refused(ask, ErrorType::EndpointUnreachable),
        HangUp(call, EndedHere::NoResponse),
    ];
    assert_eq!(world.said(), given_up);
    // The dialer may say what crossed our CANCEL; what we did counts.
    world.ended(call, refused(486));
    assert_eq!(
        world.said(),
        [Failed(call, CallFailedCode::NoAnswer), State(Idle, call)]
    );
}

#[test]
fn a_far_end_that_works_on_it_makes_the_join_done_at_the_deadline_and_the_call_goes_on() {
    let mut world = World::new();
    let ask = world.join("77");
    let call = world.call();
    world.said();
    world.wait(6_400);
    world.proceeding(call);
    world.wait(99);
    assert_eq!(world.said(), []);
    world.wait(1);
    assert_eq!(world.said(), [Done(ask)]);
    world.wait(30_000);
    world.ended_here(call, EndedHere::RangTooLong);
    assert_eq!(
        world.said(),
        [Failed(call, CallFailedCode::NoAnswer), State(Idle, call)]
    );
}

#[test]
fn a_response_that_comes_with_the_deadline_counts() {
    let mut world = World::new();
    let ask = world.join("77");
    let call = world.call();
    world.said();
    let due = world.room.next_deadline().unwrap().at;
    world.set_clock(due);
    world.answered(call);
    assert_eq!(world.said(), [Done(ask), State(Active, call)]);
}

#[test]
fn the_deadline_is_the_configured_one() {
    let mut world = World::with(|settings| settings.response_deadline = Duration::from_millis(1_234));
    let ask = world.join("77");
    world.said();
    world.wait(1_233);
    assert_eq!(world.said(), []);
    world.wait(1);
    assert_eq!(world.said()[0], Refused(ask, ErrorType::EndpointUnreachable));
}

#[test]
fn a_refusal_after_the_answer_at_the_deadline_is_told_by_status_messages_only() {
    let mut world = World::new();
    let ask = world.join("77");
    let call = world.call();
    world.ringing(call);
    world.wait(6_500);
    assert_eq!(world.said().last(), Some(&Done(ask)));
    world.ended(call, refused(603));
    assert_eq!(
        world.said(),
        [Failed(call, CallFailedCode::Busy), State(Idle, call)]
    );
}

#[test]
fn joining_the_meeting_the_room_is_in_is_done_and_places_nothing() {
    let (mut world, call) = World::in_meeting("77", |_| {});
    let mut without_pin = meeting("7-7");
    without_pin.pin = None;
    without_pin.endpoint = "ZOOMCRC.example.".to_owned();
    let ask = world.directive(Directive::JoinMeeting(without_pin));
    assert_eq!(world.said(), [Done(ask)]);
    assert_eq!(world.call(), call);
}

#[test]
fn joins_of_the_meeting_being_dialled_share_its_result() {
    for (reason, kind) in [(Some(refused(486)), Some(ErrorType::EndpointBusy)), (None, None)] {
        let mut world = World::new();
        let first = world.join("77");
        let call = world.call();
        world.wait(3_000);
        let second = world.join("77");
        world.said();
        let answers = match (reason, kind) {
            (Some(reason), Some(kind)) => {
                world.ended(call, reason);
                [Refused(first, kind), Refused(second, kind)]
            }
            _ => {
                world.answered(call);
                [Done(first), Done(second)]
            }
        };
        assert_eq!(world.said()[..2], answers);
    }
}

#[test]
fn joins_of_the_meeting_being_dialled_do_not_move_its_deadline() {
    let mut world = World::new();
    let first = world.join("77");
    world.wait(6_000);
    let second = world.join("77");
    world.said();
    world.wait(500);
    let kind = ErrorType::EndpointUnreachable;
    assert_eq!(world.said()[..2], [Refused(first, kind), Refused(second, kind)]);
}

#[test]
fn a_join_of_the_meeting_that_still_rings_after_its_deadline_is_done_at_once() {
    let mut world = World::new();
    world.join("77");
    let call = world.call();
    world.ringing(call);
    world.wait(7_000);
    world.said();
    let late = world.join("77");
    assert_eq!(world.said(), [Done(late)]);
}

#[test]
fn more_joins_than_people_could_send_are_refused() {
    let mut world = World::new();
    let asks: Vec<AskId> = (0..65).map(|_| world.join("77")).collect();
    assert_eq!(
        world.said().last(),
        Some(&Refused(asks[64], ErrorType::RateLimitExceeded))
    );
}

#[test]
fn only_so_many_calls_are_placed_in_a_minute() {
    let mut world = World::with(|settings| settings.per_minute = Some(2));
    let place_and_fail = |world: &mut World| {
        let ask = world.join("77");
        let said = world.said();
        if let Some(Dial(call)) = said.first() {
            world.ended(*call, refused(486));
            world.said();
            return true;
        }
        assert_eq!(said, [Refused(ask, ErrorType::RateLimitExceeded)]);
        false
    };
    assert!(place_and_fail(&mut world));
    world.wait(10_000);
    assert!(place_and_fail(&mut world));
    // Those that are refused do not count.
    assert!(!place_and_fail(&mut world));
    world.wait(49_999);
    assert!(!place_and_fail(&mut world));
    world.wait(1);
    assert!(place_and_fail(&mut world));
    assert!(!place_and_fail(&mut world));
}

#[test]
fn without_a_limit_every_call_is_placed() {
    for limit in [None, Some(0)] {
        let mut world = World::with(|settings| settings.per_minute = limit);
        for _ in 0..50 {
            world.join("77");
            let call = world.call();
            world.ended(call, refused(486));
        }
        assert!(
            !world
                .said()
                .iter()
                .any(|said| matches!(said, Refused(_, ErrorType::RateLimitExceeded)))
        );
    }
}

#[test]
fn digits_follow_the_answer_once() {
    let mut world = World::new();
    world.directive(Directive::JoinMeeting(meeting_by_digits()));
    let call = world.call();
    world.answered(call);
    world.answered(call);
    let scripts: Vec<_> = world
        .said
        .iter()
        .filter_map(|output| match output {
            Output::Command {
                command: CallCommand::SendDigits { script, .. },
                ..
            } => Some(script.clone()),
            _ => None,
        })
        .collect();
    let [script] = &scripts[..] else {
        panic!("{} scripts", scripts.len());
    };
    assert!(script.0[0] == DigitStep::Pause(Duration::from_secs(2)) && script.digits() == PIN.len() + 1);
    let said = world.said();
    let position = |wanted: &Said| said.iter().position(|said| said == wanted).unwrap();
    assert!(position(&Done(AskId(1))) < position(&Digits(call)));
    // What becomes of them does not touch the call.
    world.tell(Input::Call(CallEvent::DigitsSent { call }));
    let why = "no".to_owned();
    world.tell(Input::Call(CallEvent::DigitsFailed { call, why }));
    assert_eq!(world.said(), []);
    assert_eq!(world.state(), Active);
}

#[test]
fn contacts_of_a_redirection_are_judged_like_what_was_dialled() {
    let mut world = World::with(|settings| {
        let entries = [
            "allowed.example",
            "*.rooms.example",
            "198.51.100.0/24",
            "*@us.example",
        ];
        settings.allow = entries.map(|entry| entry.parse().unwrap()).to_vec();
        settings.own_hosts.push("allowed.example".to_owned());
    });
    world.directive(Directive::JoinMeeting(JoinMeeting {
        endpoint: "meet@allowed.example".to_owned(),
        ..meeting("77")
    }));
    let call = world.call();
    world.said();
    let judged = [
        ("sip:00881234567@us.example", true),
        ("sip:meet@allowed.example", true),
        ("sip:meet@allowed.example:5070;transport=tcp", true),
        ("sips:meet@one.rooms.example", true),
        ("sip:meet@198.51.100.7", true),
        // Nobody named these.
        ("sip:meet@rooms.example", false),
        ("sip:meet@evil.example", false),
        ("sip:meet@192.0.2.66", false),
        // That is how toll fraud dials.
        ("sip:00881234567@allowed.example", false),
        ("sip:112@one.rooms.example", false),
        ("sip:meet@one.rooms.example;lr", false),
        ("", false),
    ];
    let contacts = judged.map(|(contact, _)| Secret::new(contact)).to_vec();
    world.tell(Input::Call(CallEvent::Moved { call, contacts }));
    let allowed = judged.map(|(_, is_allowed)| is_allowed).to_vec();
    assert_eq!(world.said(), [Said::Follow(call, allowed)]);
}

#[test]
fn a_meeting_under_sips_goes_on_to_no_contact_without() {
    let mut world = World::with(|settings| settings.allow.push("rooms.example".parse().unwrap()));
    let join = JoinMeeting {
        endpoint: "meet@rooms.example".to_owned(),
        protocol: "SIPS".to_owned(),
        provider: "custom".to_owned(),
        ..meeting("77")
    };
    world.directive(Directive::JoinMeeting(join));
    let call = world.call();
    world.said();
    let contacts = ["sip:meet@rooms.example", "sips:meet@rooms.example"]
        .map(Secret::new)
        .to_vec();
    world.tell(Input::Call(CallEvent::Moved { call, contacts }));
    assert_eq!(world.said(), [Said::Follow(call, vec![false, true])]);
}
