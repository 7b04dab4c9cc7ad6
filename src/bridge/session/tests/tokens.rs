//! Tokens that are missing, forbidden, or changed.

use super::*;

#[test]
fn after_a_403_another_token_is_tried_at_once_and_the_same_one_at_reconnect_max() {
    let mut world = World::started();
    world.lose(http(403, None, None));
    for look in 1..60 {
        let (waited, outputs) = world.until_deadline();
        assert_eq!(waited, Duration::from_secs(2));
        assert_eq!(outputs, [Output::OpenWithAnotherToken(look + 1, URL.to_owned())]);
        assert_eq!(world.lose(LinkFault::SameToken), [], "nobody is told of a look");
    }
    let (waited, outputs) = world.until_deadline();
    assert_eq!((waited, outputs), (Duration::from_secs(2), vec![open(61, URL)]));
    // Refused again, and then there is another one.
    world.lose(http(403, None, None));
    world.until_deadline();
    assert_eq!(
        world.link(LinkEvent::Opened).last(),
        Some(&Output::Opened(62)),
        "the new token opens"
    );
}

#[test]
fn a_network_change_during_a_look_at_the_token_is_not_forgotten() {
    let mut world = World::started();
    world.lose(http(403, None, None));
    world.until_deadline();
    world.input(Input::NetworkChanged);
    assert_eq!(world.lose(LinkFault::SameToken), [open(3, URL)]);
}

#[test]
fn without_a_token_file_there_is_no_other_token_to_look_for() {
    let mut settings = settings();
    settings.token_file = None;
    let mut world = World::started_with(settings, 1);
    world.lose(http(403, None, None));
    assert_eq!(world.wait_for_next_try(), Duration::from_secs(120));
}

#[test]
fn a_missing_token_is_looked_at_again_with_back_off() {
    let mut world = World::started();
    for limit in [1, 2, 4, 8] {
        let outputs = world.lose(LinkFault::NoToken("empty".to_owned()));
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        assert!(world.wait_for_next_try() <= Duration::from_secs(limit));
    }
}
