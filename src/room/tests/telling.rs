//! What the room tells of itself: snapshot, status, journal; and what it never tells.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

use super::*;
use crate::room::Microphone;

#[test]
fn a_room_without_a_call_says_so() {
    let world = World::new();
    let status = world.room.status();
    assert_eq!((status.call, status.last_call), (None, None));
}

#[test]
fn the_status_follows_the_call() {
    let mut world = World::new();
    world.join("77");
    let call = world.call();
    let placed = world.now.wall;
    world.wait(3_000);
    let status = world.room.status().call.unwrap();
    assert_eq!(
        (status.call, status.state, status.since),
        (call, CallStateName::Dialing, placed)
    );
    assert_eq!(
        (status.remote.as_str(), status.provider.as_str()),
        ("77.***@zoomcrc.example", "zoom")
    );
    assert_eq!(
        (status.protocol.name(), status.agreed, status.figures),
        ("sip", None, None)
    );
    world.ringing(call);
    assert_eq!(
        world.room.status().call.unwrap().state,
        CallStateName::OutboundRinging
    );
    world.answered(call);
    world.figures(20);
    let status = world.room.status().call.unwrap();
    assert_eq!(
        (status.state, status.since),
        (CallStateName::Active, world.now.wall)
    );
    assert_eq!(status.agreed, Some(agreed()));
    assert_eq!(status.figures.map(|figures| figures.received), Some(500));
    world.wait(9_500);
    world.ended(call, EndReason::HungUp(None));
    let status = world.room.status();
    assert_eq!(status.call, None);
    let last = status.last_call.unwrap();
    assert_eq!((last.call, last.code, last.sip_status), (call, None, None));
    assert_eq!(last.duration, Duration::from_millis(9_500));
    assert_eq!(last.message, "the far end hung up");
}

#[test]
fn only_an_answered_call_is_put_on_hold() {
    let mut world = World::new();
    assert!(world.room.hold(true).is_err());
    world.join("77");
    let call = world.call();
    assert!(world.room.hold(true).is_err());
    world.answered(call);
    world.wait(1_000);
    world.said();
    for is_held in [true, false] {
        assert!(world.room.hold(is_held).is_ok());
        let said = world.room.poll_output().map(|output| in_words(&output));
        assert_eq!(said, Some(Said::Hold(call, is_held)));
        let microphone = world.room.status().call.unwrap().microphone;
        assert_eq!(microphone == Microphone::Hold, is_held);
    }
}

#[test]
fn the_status_remembers_why_the_last_call_failed() {
    let mut world = World::new();
    world.join("77");
    let call = world.call();
    world.ended(call, refused(486));
    let last = world.room.status().last_call.unwrap();
    assert_eq!(
        (last.code, last.sip_status),
        (Some(CallFailedCode::Busy), Some(486))
    );
    assert_eq!(
        (last.duration, last.message.as_str()),
        (Duration::ZERO, "the far end is busy (486 No)")
    );
}

#[test]
fn a_dry_run_says_what_would_be_dialled_and_why_it_may() {
    let world = World::new();
    let said = world.room.explain(&meeting("77")).unwrap();
    assert_eq!(
        said,
        "77.***@zoomcrc.example by sip through the dialer \"sip\", \
         made by the template \"{id}[.{pin}]@{endpoint}\" of zoom; allowed by \"*.example\" in calls.allow"
    );
    let said = world.room.explain(&meeting_by_digits()).unwrap();
    assert!(said.ends_with("; after the answer digits: the PIN"), "{said}");
    let mut forbidden = meeting("77");
    forbidden.endpoint = "elsewhere.test".to_owned();
    assert!(
        world
            .room
            .explain(&forbidden)
            .unwrap_err()
            .message
            .contains("calls.allow")
    );
}

#[test]
fn the_journal_has_one_line_for_each_change() {
    let journal = journal_of(|| {
        let mut world = World::new();
        world.directive(Directive::JoinMeeting(meeting_by_digits()));
        let call = world.call();
        world.proceeding(call);
        world.ringing(call);
        world.answered(call);
        world.tell(Input::Call(CallEvent::DigitsSent { call }));
        world.figures(0);
        world.wait(12_000);
        world.figures(12_000);
        world.figures(0);
        let quiet = media::Figures {
            received: 500,
            is_sending: true,
            microphone_level_dbfs: -127.0,
            mos: Some(4.4),
            ..media::Figures::default()
        };
        for _ in 0..11 {
            let event = media::Event::Figures(quiet);
            world.tell(Input::Media { call, event });
            world.wait(1_000);
        }
        let why = "unplugged".to_owned();
        let event = media::Event::DeviceLost { why };
        world.tell(Input::Media { call, event });
        world.ended(call, EndReason::HungUp(None));
        world.join("78");
        let call = world.call();
        world.join("79");
        world.ended(call, refused(486));
        world.directive(Directive::JoinMeeting(JoinMeeting {
            protocol: "carrier pigeon".to_owned(),
            ..meeting("77")
        }));
    });
    let events: Vec<&str> = journal
        .lines()
        .filter_map(|line| line.split("event=\"").nth(1)?.split('"').next())
        .collect();
    let expected = [
        "call-placed",
        "call-answered",
        "digits-sent",
        "no-far-audio",
        "microphone-silent",
        "audio-device-lost",
        "call-ended",
        "call-placed",
        "directive-refused",
        "call-failed",
        "directive-refused",
    ];
    assert_eq!(events, expected, "{journal}");
    let line = |event: &str| journal.lines().find(|line| line.contains(event)).unwrap();
    for event in ["call-placed", "call-answered", "call-ended", "call-failed"] {
        assert!(
            line(event).contains("directive_id=\"directive-"),
            "{event}: {journal}"
        );
    }
    assert!(
        line("digits-sent").contains("entered as digits: the PIN"),
        "{journal}"
    );
    for field in [
        "call_id=",
        "meeting_provider=\"chime\"",
        "end_reason=\"hung-up\"",
        "duration_seconds=23",
        "received_packets=500",
        "loss_percent=0",
        "jitter_ms=0",
        "playout_delay_ms=0",
        "concealed_percent=0",
        "far_level_dbfs=0",
        "near_level_dbfs=0",
        "microphone_level_dbfs=-127",
        "device_slips=0",
        "mos=4.4",
        "hung up; it sounded like 4.4 of 4.5: 0.0 % lost, 0.0 % made up, 0 ms jitter, 0 ms held back",
    ] {
        assert!(line("call-ended").contains(field), "{field}: {journal}");
    }
    for field in [
        "call_id=",
        "sip_status=486",
        "call_failed_code=\"BUSY\"",
        "end_reason=\"refused\"",
        "WARN",
    ] {
        assert!(line("call-failed").contains(field), "{field}: {journal}");
    }
}

#[test]
fn the_pin_turns_up_nowhere() {
    let mut seen = String::new();
    let journal = journal_of(|| {
        for (join, why) in [
            (meeting("77"), "in the dial string"),
            (meeting_by_digits(), "in the digits"),
            (
                JoinMeeting {
                    endpoint: format!("77.{PIN}@zoomcrc.example"),
                    ..meeting("77")
                },
                "in the endpoint",
            ),
            (
                JoinMeeting {
                    endpoint: format!("77.{PIN}@elsewhere.test"),
                    ..meeting("77")
                },
                "in a refused endpoint",
            ),
            (
                JoinMeeting {
                    endpoint: format!("{PIN}?x@zoomcrc.example"),
                    ..meeting("77")
                },
                "in a broken endpoint",
            ),
            (
                JoinMeeting {
                    protocol: PIN.to_owned(),
                    ..meeting("77")
                },
                "in the protocol",
            ),
            (
                JoinMeeting {
                    endpoint: "elsewhere.test".to_owned(),
                    ..meeting("77")
                },
                "in nothing that is dialled",
            ),
        ] {
            let mut world = World::new();
            seen += &format!("{:?}", world.room.explain(&join));
            let ask = world.directive(Directive::JoinMeeting(join));
            if let Some(call) = world.room.status().call.map(|call| call.call) {
                seen += &format!("{:?} {:?}", world.room, world.room.status());
                world.answered(call);
                seen += &format!("{:?}", world.room);
                let said = format!("bad PIN {PIN}");
                world.tell(Input::Call(CallEvent::DigitsFailed {
                    call,
                    why: said.clone(),
                }));
                world.ended(call, EndReason::Broken(said));
                assert!(world.room.status().last_call.is_some(), "{why}");
            }
            seen += &format!("{ask:?} {:?} {:?}", world.said, world.room);
        }
    });
    assert!(journal.contains("call-failed") && seen.contains("***"));
    assert!(!journal.contains(PIN), "{journal}");
    assert!(!seen.contains(PIN), "{seen}");
}

/// What is written to the journal, at every level, while this runs.
fn journal_of(story: impl FnOnce()) -> String {
    // While there is only one subscriber, tracing asks the thread that reaches a line first whether anybody listens,
    // and remembers its no for all threads. A second subscriber makes it ask them all.
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(NoSubscriber::default()));
    let journal = Journal::default();
    let writer = journal.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(subscriber, story);
    let written = journal.0.lock().unwrap().clone();
    String::from_utf8(written).unwrap()
}

#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<u8>>>);

impl Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
