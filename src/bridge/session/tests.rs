//! Stories of the session, in virtual time.

use jiff::Timestamp;

use super::*;
use crate::bridge::tests::settings;
use crate::network::ConnectFault;
use crate::time::Moment;

mod network_changes;
mod pings;
mod redirects;
mod tokens;

const URL: &str = "wss://bridge.example.com/rooms/one";

#[test]
fn it_connects_at_once_at_start() {
    let mut world = World::new(settings());
    let outputs = world.input(Input::Start);
    assert_eq!(outputs, [connection(Status::Pending, Reason::None), open(1, URL)]);
    assert_eq!(world.input(Input::Start), [], "a second start is none");
}

#[test]
fn a_disabled_bridge_is_never_tried() {
    let mut disabled = settings();
    disabled.enabled = false;
    let mut world = World::new(disabled);
    let outputs = world.input(Input::Start);
    assert_eq!(outputs, [connection(Status::Disconnected, Reason::AclDisabled)]);
    for input in [
        Input::NetworkChanged,
        Input::Deadline,
        Input::CallUp(true),
        Input::Leave,
    ] {
        assert_eq!(world.input(input), []);
    }
    assert_eq!(world.session.next_deadline(), None);
}

#[test]
fn an_opened_link_is_authorised_and_connected_before_it_is_used() {
    let mut world = World::started();
    let refreshed = Output::Auth(AuthStatus {
        state: AuthState::Refreshed,
        error: AuthError::NoError,
    });
    let outputs = world.link(LinkEvent::Opened);
    let connected = connection(Status::Connected, Reason::Success);
    assert_eq!(outputs, [refreshed, connected, Output::Opened(1)]);
    assert_eq!(world.session.open_attempt(), Some(1));
}

#[test]
fn the_back_off_grows_with_each_failure_and_stays_within_its_limits() {
    for seed in 0..50 {
        let mut world = World::started_with(settings(), seed);
        for limit in [1, 2, 4, 8, 16, 32, 64, 120, 120, 120] {
            world.fail(refused());
            let waited = world.wait_for_next_try();
            assert!(
                waited <= Duration::from_secs(limit),
                "seed {seed}: {waited:?} > {limit} s"
            );
        }
    }
}

#[test]
fn rooms_do_not_come_back_in_step() {
    let waits = (0..100).map(|seed| {
        let mut world = World::started_with(settings(), seed);
        for _ in 0..8 {
            world.fail(refused());
            world.wait_for_next_try();
        }
        world.fail(refused());
        world.wait_for_next_try().as_secs() / 12
    });
    let tenths: std::collections::BTreeSet<u64> = waits.collect();
    assert!(tenths.len() >= 10, "{tenths:?}");
}

#[test]
fn a_stable_connection_is_sought_again_within_two_seconds() {
    for seed in 0..50 {
        let mut world = World::opened_with(settings(), seed);
        world.live(Duration::from_secs(60));
        assert_eq!(world.lose(ended())[0], Output::Gone(1));
        assert!(world.wait_for_next_try() <= Duration::from_secs(2));
        world.fail(refused());
        assert!(
            world.wait_for_next_try() <= Duration::from_secs(1),
            "the back-off began anew"
        );
    }
}

#[test]
fn retry_after_is_a_minimum() {
    for (text, least) in [
        ("30", 30),
        ("Sat, 21 Nov 2026 08:50:37 GMT", 60),
        ("999999", 3600),
    ] {
        for seed in 0..20 {
            let mut world = World::started_with(settings(), seed);
            world.lose(http(503, Some(text), None));
            let waited = world.wait_for_next_try();
            let least = Duration::from_secs(least);
            assert!(
                waited >= least && waited <= least + Duration::from_secs(1),
                "{text}: {waited:?}"
            );
        }
    }
}

#[test]
fn a_bridge_that_closes_with_1013_is_left_alone_for_up_to_reconnect_max() {
    let waits: Vec<Duration> = (0..100)
        .map(|seed| {
            let mut world = World::opened_with(settings(), seed);
            world.live(Duration::from_secs(90));
            world.lose(closed(1013));
            world.wait_for_next_try()
        })
        .collect();
    let max = Duration::from_secs(120);
    assert!(waits.iter().all(|wait| *wait <= max));
    assert!(waits.iter().any(|wait| *wait > max * 9 / 10) && waits.iter().any(|wait| *wait < max / 10));
}

#[test]
fn a_bridge_that_is_gone_for_good_is_asked_hourly() {
    let mut world = World::started();
    for _ in 0..3 {
        world.lose(http(410, None, None));
        assert_eq!(world.wait_for_next_try(), Duration::from_secs(3600));
    }
}

#[test]
fn an_attempt_of_which_the_edge_says_nothing_is_given_up() {
    let mut world = World::started();
    let (after, outputs) = world.until_deadline();
    assert!(after > Duration::from_secs(40), "above the edge's own limits");
    assert_eq!(
        outputs,
        [Output::Close(1, GOING_AWAY), Output::Failed(Failure::Stuck)]
    );
    world.wait_for_next_try();
}

#[test]
fn what_an_older_attempt_says_late_is_not_heard() {
    let mut world = World::started();
    world.fail(refused());
    world.wait_for_next_try();
    for event in [LinkEvent::Opened, LinkEvent::Pong, LinkEvent::Lost(ended())] {
        assert_eq!(world.input(Input::Link(1, event)), []);
    }
    world.link(LinkEvent::Opened);
    for event in [LinkEvent::Opened, LinkEvent::Lost(ended())] {
        assert_eq!(world.input(Input::Link(1, event)), []);
    }
    assert_eq!(world.session.open_attempt(), Some(2));
}

#[test]
fn events_that_make_no_sense_change_nothing() {
    let mut world = World::started();
    assert_eq!(world.link(LinkEvent::Pong), []);
    world.fail(refused());
    for event in [LinkEvent::Opened, LinkEvent::Pong, LinkEvent::Lost(ended())] {
        assert_eq!(world.input(Input::Link(1, event)), [], "the attempt is over");
    }
    world.wait_for_next_try();
    world.link(LinkEvent::Opened);
    assert_eq!(world.link(LinkEvent::Opened), []);
}

#[test]
fn leaving_says_so_before_it_closes() {
    let mut world = World::opened();
    let told = connection(Status::Disconnected, Reason::AclClientRequest);
    let outputs = world.input(Input::Leave);
    assert_eq!(outputs, [told.clone(), Output::Close(1, 1001), Output::Gone(1)]);
    assert_eq!(world.session.next_deadline(), None);
    for input in [
        Input::Leave,
        Input::Start,
        Input::NetworkChanged,
        Input::Deadline,
        Input::Link(1, LinkEvent::Lost(ended())),
    ] {
        assert_eq!(world.input(input), [], "left is left");
    }

    let mut world = World::started();
    assert_eq!(world.input(Input::Leave), [told.clone(), Output::Close(1, 1001)]);
    let mut world = World::started();
    world.fail(refused());
    assert_eq!(world.input(Input::Leave), [told]);
}

#[test]
fn no_random_story_stops_trying() {
    for seed in 0..200 {
        let mut world = World::started_with(settings(), seed);
        let mut chance = Chance::from_seed([seed ^ 0xff; 32]);
        for _ in 0..300 {
            let attempt =
                world.session.attempt - u32::from(chance.below(5) == 0 && world.session.attempt > 0);
            let input = match chance.below(9) {
                0 => Input::Link(attempt, LinkEvent::Opened),
                1 => Input::Link(attempt, LinkEvent::Pong),
                2 => Input::Link(attempt, LinkEvent::Lost(any_fault(&mut chance))),
                3 => Input::NetworkChanged,
                4 => Input::CallUp(chance.below(2) == 0),
                5 => Input::Start,
                _ => Input::Deadline,
            };
            world.pass(chance.up_to(Duration::from_secs(30)));
            let outputs = world.input(input);
            assert!(opens(&outputs) <= 1, "one connection at most");
            assert!(world.session.next_deadline().is_some(), "no state waits for ever");
        }
    }
}

fn any_fault(chance: &mut Chance) -> LinkFault {
    let retry_after = [None, Some("7"), Some("x")][chance.below(3) as usize];
    let location = [None, Some("/x"), Some("ws://x")][chance.below(3) as usize];
    match chance.below(6) {
        0 => http(100 + chance.below(500) as u16, retry_after, location),
        1 => closed(chance.below(5000) as u16),
        2 => http(308, retry_after, location),
        3 => refused(),
        4 => LinkFault::WriteStuck,
        _ => ended(),
    }
}

/// A session and its clock.
/// What [`World::reload`] brings where a connection was open.
fn reconnected(url: &str) -> [Output; 5] {
    [
        connection(Status::Disconnected, Reason::AclClientRequest),
        Output::Close(1, GOING_AWAY),
        Output::Gone(1),
        connection(Status::Pending, Reason::None),
        open(2, url),
    ]
}

#[test]
fn changed_settings_close_the_connection_and_open_another_at_once() {
    let mut world = World::opened_with(settings(), 0);
    let mut changed = settings();
    changed.url = "wss://other.example.com/".to_owned();
    assert_eq!(world.reload(changed), reconnected("wss://other.example.com/"));
    assert_eq!(world.link(LinkEvent::Opened).len(), 3, "the new one is used");
}

#[test]
fn settings_that_did_not_change_leave_the_connection_alone() {
    let mut world = World::opened_with(settings(), 0);
    assert_eq!(world.reload(settings()), []);
    let mut of_local_link = settings();
    of_local_link.local.dialog_timeout = Duration::from_secs(3);
    assert_eq!(world.reload(of_local_link), []);
    assert_eq!(world.session.open_attempt(), Some(1));
}

#[test]
fn a_reload_ends_the_back_off_but_not_what_the_server_asked_for() {
    let mut world = World::started();
    for _ in 0..6 {
        world.fail(refused());
        world.wait_for_next_try();
    }
    world.fail(refused());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.reload(settings()), [open(8, URL)]);
    world.lose(http(429, Some("30"), None));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.reload(settings()), []);
}

#[test]
fn a_bridge_is_switched_off_and_on_by_reloads() {
    let mut world = World::opened_with(settings(), 0);
    let mut off = settings();
    off.enabled = false;
    let disabled = connection(Status::Disconnected, Reason::AclDisabled);
    assert_eq!(
        world.reload(off.clone()),
        [
            disabled.clone(),
            Output::Close(1, GOING_AWAY),
            Output::Gone(1),
            disabled
        ]
    );
    assert_eq!(world.session.next_deadline(), None);
    assert_eq!(world.reload(off), []);
    assert_eq!(
        world.reload(settings()),
        [connection(Status::Pending, Reason::None), open(2, URL)]
    );
}

#[test]
fn who_has_left_is_not_brought_back_by_a_reload() {
    let mut world = World::opened_with(settings(), 0);
    world.input(Input::Leave);
    let mut changed = settings();
    changed.url = "wss://other.example.com/".to_owned();
    assert_eq!(world.reload(changed), []);
}

struct World {
    session: Session,
    now: Now,
}

impl World {
    fn new(settings: Settings) -> Self {
        Self::with_seed(settings, 0)
    }

    fn with_seed(settings: Settings, seed: u8) -> Self {
        Self {
            session: Session::new(settings, Chance::from_seed([seed; 32])),
            now: Now {
                moment: Moment::since_boot(Duration::from_secs(100)),
                wall: "2026-11-21T08:49:37Z".parse::<Timestamp>().unwrap(),
            },
        }
    }

    fn started() -> Self {
        Self::started_with(settings(), 0)
    }

    fn started_with(settings: Settings, seed: u8) -> Self {
        let mut world = Self::with_seed(settings, seed);
        world.input(Input::Start);
        world
    }

    fn opened() -> Self {
        Self::opened_with(settings(), 0)
    }

    fn opened_with(settings: Settings, seed: u8) -> Self {
        let mut world = Self::started_with(settings, seed);
        world.link(LinkEvent::Opened);
        world
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.session.handle_input(self.now, input);
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }

    fn link(&mut self, event: LinkEvent) -> Vec<Output> {
        self.input(Input::Link(self.session.attempt, event))
    }

    fn lose(&mut self, fault: LinkFault) -> Vec<Output> {
        self.link(LinkEvent::Lost(fault))
    }

    fn reload(&mut self, settings: Settings) -> Vec<Output> {
        self.input(Input::Settings(Box::new(settings)))
    }

    fn fail(&mut self, fault: LinkFault) {
        let outputs = self.lose(fault.clone());
        assert_eq!(outputs, [Output::Failed(Failure::Link(fault))]);
    }

    fn pass(&mut self, time: Duration) {
        self.now.moment = self.now.moment + time;
        self.now.wall += jiff::SignedDuration::try_from(time).unwrap();
    }

    /// Lets time pass while pings are answered.
    fn live(&mut self, time: Duration) {
        let until = self.now.moment + time;
        while let Some(due) = self
            .session
            .next_deadline()
            .filter(|deadline| deadline.at < until)
        {
            self.pass(due.at - self.now.moment);
            assert_eq!(self.input(Input::Deadline), [Output::Ping(self.session.attempt)]);
            self.link(LinkEvent::Pong);
        }
        self.pass(until - self.now.moment);
    }

    /// Goes on to the next deadline; says after how long, and what came of it.
    fn until_deadline(&mut self) -> (Duration, Vec<Output>) {
        let deadline = self.session.next_deadline().unwrap();
        let after = deadline.at - self.now.moment;
        if after > Duration::ZERO {
            self.pass(after - Duration::from_nanos(1));
            assert_eq!(self.input(Input::Deadline), [], "not before its time");
            self.pass(Duration::from_nanos(1));
        }
        (after, self.input(Input::Deadline))
    }

    fn wait_for_next_try(&mut self) -> Duration {
        self.wait_for_next_try_to(URL)
    }

    fn wait_for_next_try_to(&mut self, url: &str) -> Duration {
        let before = self.session.attempt;
        let (after, outputs) = self.until_deadline();
        assert_eq!(outputs, [open(before + 1, url)]);
        after
    }
}

fn opens(outputs: &[Output]) -> usize {
    outputs
        .iter()
        .filter(|output| matches!(output, Output::Open(..)))
        .count()
}

fn open(attempt: u32, url: &str) -> Output {
    Output::Open(attempt, url.to_owned())
}

fn connection(status: Status, reason: Reason) -> Output {
    Output::Connection(ConnectionStatus { status, reason })
}

fn refused() -> LinkFault {
    LinkFault::Connect(ConnectFault::Refused("192.0.2.1:443".parse().unwrap()))
}

fn ended() -> LinkFault {
    LinkFault::Ended("reset".to_owned())
}

fn closed(code: u16) -> LinkFault {
    LinkFault::Closed {
        code,
        reason: String::new(),
    }
}

fn http(status: u16, retry_after: Option<&str>, location: Option<&str>) -> LinkFault {
    LinkFault::Http {
        status,
        retry_after: retry_after.map(str::to_owned),
        location: location.map(str::to_owned),
    }
}
