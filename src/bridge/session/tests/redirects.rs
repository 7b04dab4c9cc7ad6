//! Redirects: followed, told, refused.

use super::*;

#[test]
fn a_redirect_is_followed_and_told() {
    let mut world = World::started();
    let outputs = world.lose(http(307, None, Some("wss://bridge.example.com:8443/two")));
    let told = connection(Status::Pending, Reason::ServerEndpointChanged);
    assert_eq!(outputs, [told, open(2, "wss://bridge.example.com:8443/two")]);
    world.link(LinkEvent::Opened);
    world.lose(ended());
    world.wait_for_next_try_to(URL);
}

#[test]
fn a_redirect_on_the_way_of_every_retry_is_told_once() {
    let mut world = World::started();
    let mut told = 0;
    for _ in 0..5 {
        let outputs = world.lose(http(302, None, Some("/two")));
        told += outputs
            .iter()
            .filter(|output| matches!(output, Output::Connection(_)))
            .count();
        world.fail(refused());
        world.wait_for_next_try();
    }
    assert_eq!(told, 1);
}

#[test]
fn redirects_in_a_circle_end_in_the_back_off() {
    let mut world = World::started();
    for _ in 0..MOST_HOPS {
        let outputs = world.lose(http(308, None, Some(URL)));
        assert_eq!(opens(&outputs), 1);
    }
    let outputs = world.lose(http(308, None, Some(URL)));
    assert_eq!(
        outputs,
        [Output::Failed(Failure::Redirect(RedirectFault::TooMany))]
    );
    world.wait_for_next_try();
    let outputs = world.lose(http(308, None, Some(URL)));
    assert_eq!(opens(&outputs), 1, "each try may follow anew");
}

#[test]
fn a_redirect_elsewhere_is_a_failure() {
    let mut world = World::started();
    let outputs = world.lose(http(301, None, Some("wss://evil.example.com/")));
    let fault = RedirectFault::OtherHost("evil.example.com".to_owned());
    assert_eq!(outputs, [Output::Failed(Failure::Redirect(fault))]);
    world.wait_for_next_try_to(URL);
}
