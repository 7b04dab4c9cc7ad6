//! Pings: when, and what follows without an answer.

use super::*;

#[test]
fn a_flapping_bridge_is_tried_ever_less() {
    let mut total = Duration::ZERO;
    for seed in 0..20 {
        let mut world = World::started_with(settings(), seed);
        for _ in 0..10 {
            world.link(LinkEvent::Opened);
            world.live(Duration::from_secs(1));
            world.lose(ended());
            total += world.wait_for_next_try();
        }
    }
    // Half of 1 + 2 + 4 + … + 64 + 3 · 120 seconds, 20 times.
    let expected = Duration::from_secs((127 + 360) / 2 * 20);
    assert!(
        total > expected * 7 / 10 && total < expected * 13 / 10,
        "{total:?}, not {expected:?}"
    );
}

#[test]
fn pings_go_out_and_answers_keep_the_connection() {
    let mut world = World::opened();
    for _ in 0..100 {
        assert_eq!(
            world.until_deadline(),
            (Duration::from_secs(20), vec![Output::Ping(1)])
        );
        world.pass(Duration::from_secs(9));
        assert_eq!(world.link(LinkEvent::Pong), []);
    }
    assert_eq!(world.session.open_attempt(), Some(1));
}

#[test]
fn a_ping_without_an_answer_ends_the_connection() {
    let mut world = World::opened();
    world.until_deadline();
    let (after, outputs) = world.until_deadline();
    assert_eq!(after, Duration::from_secs(10));
    let expected = [
        Output::Close(1, UNEXPECTED),
        Output::Gone(1),
        Output::Failed(Failure::PingUnanswered),
    ];
    assert_eq!(outputs, expected);
    assert_eq!(world.session.open_attempt(), None);
    world.wait_for_next_try();
}

#[test]
fn a_dead_bridge_is_noticed_within_ten_seconds_of_a_call() {
    let mut world = World::opened();
    assert_eq!(world.input(Input::CallUp(true)), []);
    assert_eq!(
        world.until_deadline(),
        (Duration::from_secs(5), vec![Output::Ping(1)])
    );
    let (after, outputs) = world.until_deadline();
    assert_eq!((after, outputs.len()), (Duration::from_secs(5), 3));

    let mut world = World::opened();
    world.until_deadline();
    world.input(Input::CallUp(true));
    let (after, outputs) = world.until_deadline();
    assert_eq!(
        (after, outputs.len()),
        (Duration::from_secs(5), 3),
        "a ping on its way counts from here"
    );
}

#[test]
fn shorter_pings_than_those_of_a_call_stay_short() {
    let mut quick = settings();
    quick.ping_interval = Duration::from_secs(2);
    quick.ping_timeout = Duration::from_secs(1);
    let mut world = World::opened_with(quick, 0);
    world.input(Input::CallUp(true));
    assert_eq!(world.until_deadline().0, Duration::from_secs(2));
    assert_eq!(world.until_deadline().0, Duration::from_secs(1));
}

#[test]
fn after_a_call_pings_go_back_to_their_interval() {
    let mut world = World::opened();
    world.input(Input::CallUp(true));
    world.until_deadline();
    world.input(Input::CallUp(false));
    world.link(LinkEvent::Pong);
    assert_eq!(world.until_deadline().0, Duration::from_secs(20));
}
