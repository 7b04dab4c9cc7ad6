//! What a change of the network means for a try, a wait and a connection.

use super::*;

#[test]
fn not_even_a_network_change_comes_before_retry_after() {
    let mut world = World::started();
    world.lose(http(429, Some("30"), None));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.input(Input::NetworkChanged), []);
    let waited = world.wait_for_next_try();
    assert_eq!(waited, Duration::from_secs(25));
}

#[test]
fn a_network_change_ends_the_waiting() {
    let mut world = World::started();
    for _ in 0..10 {
        world.pass(Duration::from_secs(1));
        world.fail(refused());
        world.wait_for_next_try();
    }
    world.pass(Duration::from_secs(1));
    world.fail(refused());
    let attempt = world.session.attempt;
    assert_eq!(world.input(Input::NetworkChanged), [open(attempt + 1, URL)]);
}

#[test]
fn another_network_forgives_what_went_wrong_in_the_last() {
    for seed in 0..20 {
        let mut world = World::started_with(settings(), seed);
        for _ in 0..10 {
            world.fail(refused());
            world.wait_for_next_try();
        }
        world.fail(refused());
        world.pass(Duration::from_secs(1));
        world.input(Input::NetworkChanged);
        world.fail(refused());
        assert!(world.wait_for_next_try() <= Duration::from_secs(1), "seed {seed}");
    }
}

#[test]
fn a_storm_of_network_changes_is_no_storm_of_tries() {
    let mut world = World::started();
    let mut tries = 0;
    for _ in 0..100 {
        world.lose(LinkFault::Connect(ConnectFault::Unreachable(
            "192.0.2.1:443".parse().unwrap(),
        )));
        tries += opens(&world.input(Input::NetworkChanged));
        world.pass(Duration::from_millis(100));
        tries += opens(&world.input(Input::Deadline));
    }
    // One a second that the changes bring, and those of a back-off that begins anew.
    assert!((10..=25).contains(&tries), "{tries} tries in 10 s");
}

#[test]
fn a_network_change_while_connecting_begins_anew_after_a_head_start() {
    let mut world = World::started();
    world.pass(Duration::from_secs(2));
    assert_eq!(world.input(Input::NetworkChanged), []);
    let (after, outputs) = world.until_deadline();
    assert_eq!(after, Duration::from_secs(3));
    assert_eq!(outputs, [Output::Close(1, GOING_AWAY), open(2, URL)]);

    world.pass(Duration::from_secs(6));
    let outputs = world.input(Input::NetworkChanged);
    assert_eq!(
        outputs,
        [Output::Close(2, GOING_AWAY), open(3, URL)],
        "an old attempt is replaced at once"
    );
}

#[test]
fn an_attempt_that_fails_after_a_network_change_is_followed_at_once() {
    let mut world = World::started();
    world.pass(Duration::from_secs(2));
    world.input(Input::NetworkChanged);
    let outputs = world.lose(refused());
    assert_eq!(outputs.last(), Some(&open(2, URL)));
}

#[test]
fn an_attempt_that_opens_after_a_network_change_stays() {
    let mut world = World::started();
    world.input(Input::NetworkChanged);
    world.link(LinkEvent::Opened);
    assert_eq!(
        world.until_deadline(),
        (Duration::from_secs(20), vec![Output::Ping(1)])
    );
}

#[test]
fn a_network_change_while_open_asks_whether_the_bridge_is_still_there() {
    let mut world = World::opened();
    assert_eq!(world.input(Input::NetworkChanged), [Output::Ping(1)]);
    assert_eq!(world.input(Input::NetworkChanged), [], "one ping asks for both");
    let (after, outputs) = world.until_deadline();
    assert_eq!(after, Duration::from_secs(5));
    assert_eq!(outputs.last(), Some(&Output::Failed(Failure::PingUnanswered)));

    let mut world = World::opened();
    world.input(Input::NetworkChanged);
    world.link(LinkEvent::Pong);
    assert_eq!(
        world.until_deadline(),
        (Duration::from_secs(20), vec![Output::Ping(1)])
    );
}
