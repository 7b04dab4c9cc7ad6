//! Stories of those who wait.

use super::*;
use crate::alexa::messages::directive::Directive;

const BRIDGE: LinkId = LinkId::Bridge(1);
const NEXT: LinkId = LinkId::Bridge(2);
const PANEL: LinkId = LinkId::Local(1);

#[test]
fn a_directive_is_answered_once_with_its_own_token() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    assert!(askers.alexa_is_waiting());
    let answers = askers.answer(at(1), ask, &Outcome::Done, Some(BRIDGE));
    assert_eq!(answers, [answer(BRIDGE, "one", Outcome::Done)]);
    assert!(!askers.alexa_is_waiting());
    assert_eq!(
        askers.answer(at(1), ask, &Outcome::Done, Some(BRIDGE)),
        [],
        "a second outcome is none"
    );
}

#[test]
fn a_repeat_while_pending_shares_the_event() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    assert_eq!(
        askers.ask(at(1), BRIDGE, &directive("m", "two")),
        Asked::BeingWorkedOn
    );
    let answers = askers.answer(at(2), ask, &refused(), Some(BRIDGE));
    assert_eq!(answers, [answer(BRIDGE, "one", refused())]);
}

#[test]
fn a_repeat_afterwards_gets_the_same_with_its_own_token() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    askers.answer(at(1), ask, &refused(), Some(BRIDGE));
    let known = askers.ask(at(10_000), BRIDGE, &directive("m", "two"));
    assert_eq!(known, Asked::Known(answer(BRIDGE, "two", refused())));
    assert!(!askers.alexa_is_waiting());
}

#[test]
fn a_repeat_on_the_next_connection_is_answered_there_once() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    assert_eq!(askers.bridge_opened(at(2), NEXT), []);
    assert_eq!(
        askers.ask(at(3), NEXT, &directive("m", "two")),
        Asked::BeingWorkedOn
    );
    let answers = askers.answer(at(4), ask, &Outcome::Done, Some(NEXT));
    assert_eq!(answers, [answer(NEXT, "two", Outcome::Done)]);
}

#[test]
fn a_repeat_after_the_outcome_came_offline_is_answered_as_well() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    assert_eq!(askers.answer(at(1), ask, &Outcome::Done, None), []);
    assert_eq!(
        askers.bridge_opened(at(2), NEXT),
        [answer(NEXT, "one", Outcome::Done)]
    );
    let known = askers.ask(at(3), NEXT, &directive("m", "two"));
    assert_eq!(known, Asked::Known(answer(NEXT, "two", Outcome::Done)));
    assert_eq!(
        askers.bridge_opened(at(4), LinkId::Bridge(3)),
        [],
        "kept events are sent once"
    );
}

#[test]
fn an_event_is_kept_for_eight_seconds_from_its_directive() {
    for (opened, still_waits) in [(7, true), (8, false), (100, false)] {
        let mut askers = Askers::default();
        let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
        assert_eq!(askers.answer(at(5), ask, &Outcome::Done, None), []);
        let sent = !askers.bridge_opened(at(opened), NEXT).is_empty();
        assert_eq!(sent, still_waits, "{opened} s");
    }
}

#[test]
fn an_outcome_after_a_new_connection_goes_there_while_somebody_waits() {
    for (done, still_waits) in [(7, true), (8, false)] {
        let mut askers = Askers::default();
        let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
        askers.bridge_opened(at(1), NEXT);
        let answers = askers.answer(at(done), ask, &Outcome::Done, Some(NEXT));
        let expected = still_waits.then(|| answer(NEXT, "one", Outcome::Done));
        assert_eq!(answers, Vec::from_iter(expected), "{done} s");
    }
}

#[test]
fn on_the_same_connection_an_outcome_is_sent_however_late() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    assert_eq!(askers.answer(at(50), ask, &Outcome::Done, Some(BRIDGE)).len(), 1);
}

#[test]
fn a_lost_client_waits_for_nothing_but_the_work_is_remembered() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), PANEL, &directive("m", "one")));
    askers.lost(PANEL);
    assert!(askers.alexa_is_waiting(), "the work goes on");
    assert_eq!(askers.answer(at(1), ask, &Outcome::Done, Some(BRIDGE)), []);
    let known = askers.ask(at(2), LinkId::Local(2), &directive("m", "two"));
    assert_eq!(
        known,
        Asked::Known(answer(LinkId::Local(2), "two", Outcome::Done))
    );
}

#[test]
fn the_same_directive_from_two_links_answers_both() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    assert_eq!(
        askers.ask(at(1), PANEL, &directive("m", "two")),
        Asked::BeingWorkedOn
    );
    let answers = askers.answer(at(2), ask, &Outcome::Done, Some(BRIDGE));
    let expected = [
        answer(BRIDGE, "one", Outcome::Done),
        answer(PANEL, "two", Outcome::Done),
    ];
    assert_eq!(answers, expected);
}

#[test]
fn the_same_message_id_on_something_else_is_a_new_directive() {
    let mut askers = Askers::default();
    let mut other = directive("m", "two");
    other.identity = Identity::of("m", "Alexa", "Other", "room", "{}");
    let first = new(askers.ask(at(0), BRIDGE, &directive("m", "one")));
    assert!(askers.is_message_id_of_another(other.identity), "while pending");
    let second = new(askers.ask(at(1), BRIDGE, &other));
    assert_ne!(first, second);
    askers.answer(at(2), first, &Outcome::Done, Some(BRIDGE));
    askers.answer(at(2), second, &refused(), Some(BRIDGE));
    let third = Identity::of("m", "Alexa", "Third", "room", "{}");
    assert!(askers.is_message_id_of_another(third), "afterwards");
    assert!(!askers.is_message_id_of_another(Identity::of("n", "", "", "", "")));
    let known = askers.ask(at(3), BRIDGE, &other);
    assert_eq!(known, Asked::Known(answer(BRIDGE, "two", refused())));
}

#[test]
fn commands_are_answered_and_never_repeats() {
    let mut askers = Askers::default();
    let command = LinkId::Control(1);
    let one = new(askers.ask_at_control(at(0), command));
    let other = new(askers.ask_at_control(at(0), LinkId::Control(2)));
    assert_ne!(one, other);
    assert!(!askers.alexa_is_waiting(), "nobody spoke to Alexa");
    let answers = askers.answer(at(9), one, &Outcome::Done, None);
    assert_eq!(answers.len(), 1, "with or without a bridge");
    assert_eq!(answers[0].link, command);
    askers.lost(LinkId::Control(2));
    assert_eq!(askers.answer(at(9), other, &Outcome::Done, None), []);
}

#[test]
fn too_many_at_once_are_refused_and_may_be_repeated() {
    let mut askers = Askers::default();
    let mut first = None;
    for number in 0..MOST_PENDING {
        let ask = new(askers.ask(at(0), BRIDGE, &directive(&number.to_string(), "t")));
        first.get_or_insert(ask);
    }
    let Asked::TooMany(refusal) = askers.ask(at(0), BRIDGE, &directive("more", "t")) else {
        panic!("taken in");
    };
    let Outcome::Refused(why) = refusal.outcome else {
        panic!("not refused");
    };
    assert_eq!(why.kind, ErrorType::InternalError);
    assert!(matches!(
        askers.ask_at_control(at(0), LinkId::Control(1)),
        Asked::TooMany(_)
    ));
    askers.answer(at(1), first.unwrap(), &Outcome::Done, Some(BRIDGE));
    new(askers.ask(at(1), BRIDGE, &directive("more", "t")));
}

#[test]
fn clients_without_end_that_repeat_one_directive_are_bounded() {
    let mut askers = Askers::default();
    let ask = new(askers.ask(at(0), LinkId::Local(0), &directive("m", "t")));
    let joined = (1..100)
        .filter(|client| {
            askers.ask(at(0), LinkId::Local(*client), &directive("m", "t")) == Asked::BeingWorkedOn
        })
        .count();
    assert_eq!(joined, MOST_WAITING - 1);
    assert_eq!(
        askers.answer(at(1), ask, &Outcome::Done, None).len(),
        MOST_WAITING
    );
}

#[test]
fn the_last_4096_are_remembered() {
    let mut askers = Askers::default();
    for number in 0..=MOST_REMEMBERED {
        let ask = new(askers.ask(at(0), BRIDGE, &directive(&number.to_string(), "t")));
        askers.answer(at(0), ask, &Outcome::Done, Some(BRIDGE));
    }
    assert_eq!(askers.remembered.len(), MOST_REMEMBERED);
    assert_eq!(askers.order.len(), MOST_REMEMBERED);
    assert!(matches!(
        askers.ask(at(1), BRIDGE, &directive("1", "t")),
        Asked::Known(_)
    ));
    assert!(
        matches!(askers.ask(at(1), BRIDGE, &directive("0", "t")), Asked::New(_)),
        "the oldest is forgotten"
    );
}

#[test]
fn work_without_an_outcome_becomes_overdue() {
    let mut askers = Askers::default();
    assert_eq!(askers.next_deadline(), None);
    let ask = new(askers.ask(at(0), BRIDGE, &directive("m", "t")));
    assert_eq!(askers.next_deadline().unwrap().at, at(60).moment);
    assert_eq!(askers.overdue(at(59)), []);
    assert_eq!(askers.overdue(at(60)), [ask]);
}

fn new(asked: Asked) -> AskId {
    match asked {
        Asked::New(ask) => ask,
        other => panic!("{other:?} is not new"),
    }
}

fn directive(message_id: &str, token: &str) -> Received {
    Received {
        message_id: message_id.to_owned(),
        namespace: "Alexa.MeetingClientController",
        name: "EndMeeting",
        correlation_token: Some(token.to_owned()),
        endpoint_id: Some("room".to_owned()),
        identity: Identity::of(
            message_id,
            "Alexa.MeetingClientController",
            "EndMeeting",
            "room",
            "{}",
        ),
        directive: Directive::EndMeeting,
    }
}

fn answer(link: LinkId, token: &str, outcome: Outcome) -> Answer {
    Answer {
        link,
        correlation_token: Some(token.to_owned()),
        outcome,
    }
}

fn refused() -> Outcome {
    Outcome::Refused(Refusal::new(ErrorType::EndpointBusy, "busy"))
}

fn at(seconds: u64) -> Now {
    Now {
        moment: Moment::since_boot(Duration::from_secs(seconds)),
        wall: jiff::Timestamp::UNIX_EPOCH,
    }
}
