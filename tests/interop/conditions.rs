//! The conditions that a caller meets: each a scenario of sipp beside this file, told over UDP and over TCP.

use std::time::Instant;

use crate::peers::HANG_GUARD;
use crate::peers::directives::{self, outcome};
use crate::peers::programs::Skipped;
use crate::sipp::{Over, Sipp};
use crate::sipp_stories::Called;

/// One condition.
pub struct Condition {
    /// Its name, which is also that of its scenario.
    pub name: &'static str,
    course: Course,
}

/// How the call goes.
#[derive(Clone, Copy)]
enum Course {
    /// Answered; ended here.
    Answered,
    /// Answered; ended here once this text stands so often in sipp's log.
    AnsweredThen(&'static str, usize),
    /// Answered; put on hold and taken off here, then ended, once this text stands so often in sipp's log.
    Held {
        on: (&'static str, usize),
        off: (&'static str, usize),
    },
    /// Answered; hung up there, and the status of the last call says this.
    HungUp(&'static str),
    /// The join is refused as this.
    Refused(&'static str),
}

const fn condition(name: &'static str, course: Course) -> Condition {
    Condition { name, course }
}

/// All of them.
pub const CONDITIONS: &[Condition] = &[
    condition("stale_nonce", Course::Answered),
    condition("wrong_password", Course::Refused("INSUFFICIENT_PERMISSIONS")),
    condition("proxy_then_callee", Course::Answered),
    condition("two_algorithms", Course::Answered),
    condition("reliable_183", Course::Answered),
    condition("session_too_small", Course::Answered),
    condition(
        "session_refreshed_by_update",
        Course::AnsweredThen("CSeq: 2 UPDATE", 2),
    ),
    condition(
        "session_refreshed_by_reinvite",
        Course::AnsweredThen("CSeq: 2 ACK", 1),
    ),
    condition("held_there", Course::AnsweredThen("CSeq: 2 ACK", 1)),
    condition(
        "held_here",
        Course::Held {
            on: ("CSeq: 2 ACK", 1),
            off: ("CSeq: 3 ACK", 1),
        },
    ),
    condition(
        "glare",
        Course::Held {
            on: ("CSeq: 3 ACK", 1),
            off: ("CSeq: 4 ACK", 1),
        },
    ),
    condition("reinvite_without_offer", Course::AnsweredThen("CSeq: 1 ACK", 2)),
    condition("video_added", Course::AnsweredThen("CSeq: 1 ACK", 2)),
    condition("bye_with_reason", Course::HungUp("(Q.850 16 Terminated)")),
    condition("options_in_dialog", Course::AnsweredThen("CSeq: 1 OPTIONS", 2)),
    condition("unwanted_requests", Course::AnsweredThen("CSeq: 3 FROBNICATE", 2)),
    condition("no_description", Course::Refused("NOT_SUPPORTED_IN_CURRENT_MODE")),
    condition("audio_refused", Course::Refused("NOT_SUPPORTED_IN_CURRENT_MODE")),
    condition(
        "not_acceptable_488",
        Course::Refused("NOT_SUPPORTED_IN_CURRENT_MODE"),
    ),
    condition("declined_603", Course::Refused("ENDPOINT_BUSY")),
    condition("nowhere_604", Course::Refused("ENDPOINT_UNREACHABLE")),
    condition("two_record_routes", Course::Answered),
    condition("compact_and_folded", Course::Answered),
    condition("contact_without_user", Course::Answered),
    condition("display_names", Course::Answered),
    condition("flood_of_progress", Course::Answered),
];

impl Condition {
    /// Tells it.
    pub fn tell(&self, over: Over) -> Result<(), Skipped> {
        let scenario = Sipp::scenario(&format!("{}.xml", self.name));
        let mut called = Called::by(over, &["-sf", &scenario])?;
        match self.course {
            Course::Answered => {
                called.is_answered();
                called.end();
            }
            Course::AnsweredThen(text, times) => {
                called.is_answered();
                wait_for(&called, text, times);
                called.end();
            }
            Course::Held { on, off } => {
                called.is_answered();
                for (state, (text, times), microphone) in [("on", on, "hold"), ("off", off, "on")] {
                    let said = called.room.home.run(&["hold", state]);
                    assert_eq!(said.status.code(), Some(0), "{said:?}");
                    assert_eq!(called.room.home.status()["call"]["microphone"], microphone);
                    wait_for(&called, text, times);
                }
                called.end();
            }
            Course::HungUp(why) => {
                called.is_answered();
                called.sipp.wait_for_success();
                called.room.bridge.wait_for_call_state("IDLE");
                let last = called.room.home.status()["lastCall"].clone();
                assert!(last["code"].is_null(), "an orderly end is no failure: {last}");
                let message = last["message"].as_str().unwrap_or_default();
                assert!(message.contains(why), "{message}");
                called.leave();
            }
            Course::Refused(kind) => {
                assert_eq!(outcome(&called.event), kind, "{}", called.event);
                called.sipp.wait_for_success();
                // A call that was answered and ended at once leaves nothing to end.
                assert_eq!(outcome(&called.room.bridge.ask(&directives::end())), "Response");
                called.leave();
            }
        }
        Ok(())
    }
}

/// Waits until sipp has written this down so often.
#[track_caller]
fn wait_for(called: &Called, text: &str, times: usize) {
    let until = Instant::now() + HANG_GUARD;
    while called.sipp.messages().matches(text).count() < times {
        assert!(
            Instant::now() < until,
            "{text:?} not {times} times in sipp's log:\n{}",
            called.sipp.messages()
        );
        std::thread::yield_now();
    }
}
