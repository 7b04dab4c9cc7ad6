//! What the journal says: one line a change, and nothing that is nobody's business.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::settings;
use super::world::{BRIDGE, JOIN, World, ended};
use crate::bridge::Input;
use crate::bridge::link::{LinkEvent, LinkFault, LinkId};

#[test]
fn the_journal_has_one_line_a_change_and_none_a_retry() {
    let lines = journal_of(|| {
        let mut world = World::opened();
        for attempt in 1..20 {
            world.lose(LinkId::Bridge(attempt), ended());
            world.next_deadline();
        }
        world.link(LinkId::Bridge(20), LinkEvent::Opened);
    });
    assert_eq!(count(&lines, "event=\"bridge-up\""), 2, "{lines:#?}");
    assert_eq!(count(&lines, "event=\"bridge-down\""), 1, "{lines:#?}");
    assert_eq!(
        count(&lines, "reason=\"SERVER_SIDE_DISCONNECT\""),
        1,
        "{lines:#?}"
    );
}

#[test]
fn two_hundred_failures_in_an_hour_are_a_handful_of_lines_and_the_last_one_is_true() {
    let lines = journal_of(|| {
        let mut settings = settings();
        settings.reconnect_max = Duration::from_secs(2);
        let mut world = World::started_with(settings);
        for attempt in 1..=200 {
            world.link(LinkId::Bridge(attempt), LinkEvent::Opened);
            world.pass(Duration::from_secs(16));
            world.lose(LinkId::Bridge(attempt), ended());
            world.next_deadline();
        }
        world.link(LinkId::Bridge(201), LinkEvent::Opened);
        for _ in 0..60 {
            world.next_deadline();
            world.link(LinkId::Bridge(201), LinkEvent::Pong);
        }
    });
    let told: Vec<_> = lines
        .iter()
        .filter(|line| {
            [" INFO", " WARN", "ERROR"]
                .iter()
                .any(|level| line.starts_with(level))
        })
        .collect();
    assert!((4..=12).contains(&told.len()), "{told:#?}");
    let last = told.last().unwrap();
    assert!(
        last.contains("event=\"bridge-up\"") && last.contains("failures="),
        "{last}"
    );
}

#[test]
fn a_token_that_is_taken_and_refused_in_turns_does_not_fill_the_journal() {
    let lines = journal_of(|| {
        let mut world = World::started();
        for attempt in 1..=200 {
            world.link(LinkId::Bridge(attempt), LinkEvent::Opened);
            let fault = LinkFault::Closed {
                code: 4401,
                reason: String::new(),
            };
            world.lose(LinkId::Bridge(attempt), fault);
            world.next_deadline();
        }
    });
    let errors = lines.iter().filter(|line| line.starts_with("ERROR")).count();
    assert!((1..=30).contains(&errors), "{errors}");
}

#[test]
fn a_refused_token_is_an_error_with_its_remedy_once() {
    let lines = journal_of(|| {
        let mut world = World::started();
        for attempt in 1..10 {
            let fault = LinkFault::Http {
                status: 401,
                retry_after: None,
                location: None,
            };
            world.lose(LinkId::Bridge(attempt), fault);
            world.next_deadline();
        }
    });
    let errors: Vec<&String> = lines
        .iter()
        .filter(|line| line.trim_start().starts_with("ERROR"))
        .collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    for words in [
        "event=\"auth-failed\"",
        "error=\"AUTHORIZATION_EXPIRED\"",
        "HTTP 401",
        "bridge.token_file",
    ] {
        assert!(errors[0].contains(words), "{words} is not in {}", errors[0]);
    }
}

#[test]
fn a_bridge_that_sends_nonsense_does_not_fill_the_journal() {
    let lines = journal_of(|| {
        let mut world = World::opened();
        for _ in 0..1000 {
            world.frame(BRIDGE, "nonsense");
        }
    });
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.trim_start().starts_with("WARN"))
            .count(),
        10
    );
}

#[test]
fn a_directive_leaves_its_name_and_id_but_not_what_it_carries() {
    let lines = journal_of(|| {
        let mut world = World::opened();
        world.frame(BRIDGE, JOIN);
        world.done(1);
        world.frame(BRIDGE, JOIN);
        world.frame(BRIDGE, &JOIN.replace("\"SIP\"", "7"));
        world.frame(BRIDGE, &JOIN.replace("\"JoinMeeting\"", "\"JoinMeetinG\""));
        world.frame(BRIDGE, &JOIN.replace("\"0012345\"", "\"0012345"));
        world.input(Input::Leave);
    });
    let said = lines.join("\n");
    assert!(
        said.contains("directive_id=5f8a426e-01e4-4cc9-8b79-65f8bd0fd8a4"),
        "{said}"
    );
    assert!(
        said.contains("Alexa.MeetingClientController.JoinMeeting"),
        "{said}"
    );
    for secret in ["0012345", "123456789", "zoomcrc", "access-token", "dFMb0z"] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
}

/// The lines at TRACE that a story leaves.
fn journal_of(story: impl FnOnce()) -> Vec<String> {
    let page = Page::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(page.clone())
        .finish();
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(subscriber, story);
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn count(lines: &[String], words: &str) -> usize {
    lines.iter().filter(|line| line.contains(words)).count()
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Page {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
