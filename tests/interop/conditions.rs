//! The conditions that a caller meets: each a scenario of sipp beside this file, told over each transport
//! it applies to. `tests/data/sip_conditions.tsv` holds the list of all of them against these and against the
//! transcripts.

use std::time::{Duration, Instant};

use crate::peers::HANG_GUARD;
use crate::peers::directives::{self, outcome};
use crate::peers::programs::Skipped;
use crate::sipp::{Over, Sipp};
use crate::sipp_stories::{Called, Unusual};

/// One condition.
pub struct Condition {
    /// Its name, which is also that of its scenario.
    pub name: &'static str,
    course: Course,
    /// What it applies to.
    pub transports: &'static [Over],
    unusual: Unusual<'static>,
    /// Arguments of sipp beside the usual ones.
    arguments: &'static [&'static str],
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
    /// Cancelled here once it rings.
    Cancelled,
    /// Answered; ended here by itself, and the status of the last call says this.
    GivenUp(&'static str),
    /// Answered; still there after this long; then ended here.
    Lives(Duration),
    /// Answered; its connection breaks; then ended here.
    ConnectionBreaks,
}

const fn condition(name: &'static str, course: Course) -> Condition {
    Condition {
        name,
        course,
        transports: &Over::ALL,
        unusual: Unusual { keys: &[], pin: "" },
        arguments: &[],
    }
}

impl Condition {
    /// Only over these.
    const fn over(mut self, transports: &'static [Over]) -> Self {
        self.transports = transports;
        self
    }

    /// In a room with these keys.
    const fn with_keys(mut self, keys: &'static [(&'static str, &'static str)]) -> Self {
        self.unusual.keys = keys;
        self
    }

    /// In a meeting with this PIN.
    const fn with_pin(mut self, pin: &'static str) -> Self {
        self.unusual.pin = pin;
        self
    }

    /// The scenario has each repetition of ours and of sipp's itself.
    const fn with_repetitions(mut self) -> Self {
        self.arguments = &["-nr"];
        self
    }
}

/// Less than the usual 30 s.
const SHORT_SILENCE: &[(&str, &str)] = &[("media.rtp_timeout", "\"2s\"")];

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
    condition("cancelled", Course::Cancelled),
    condition("cancel_crosses_answer", Course::Cancelled),
    condition("lost_invite", Course::Answered)
        .over(&[Over::Udp])
        .with_repetitions(),
    condition("lost_acknowledgement", Course::AnsweredThen("CSeq: 1 ACK", 3)).with_repetitions(),
    condition("lost_answer", Course::Answered)
        .over(&[Over::Udp])
        .with_repetitions(),
    condition("answer_repeated", Course::AnsweredThen("CSeq: 1 ACK", 20)).with_repetitions(),
    condition("forked", Course::AnsweredThen("CSeq: 2 BYE", 2)),
    condition("update_in_early_dialog", Course::Answered),
    condition("digits_by_info", Course::AnsweredThen("CSeq: 4 INFO", 2)).with_pin("42"),
    condition("no_audio", Course::GivenUp("no audio came from the far end")).with_keys(SHORT_SILENCE),
    condition("no_audio_on_hold", Course::Lives(Duration::from_millis(4500))).with_keys(SHORT_SILENCE),
    condition("connection_breaks", Course::ConnectionBreaks).over(&[Over::Tcp, Over::Tls]),
];

impl Condition {
    /// Tells it.
    pub fn tell(&self, over: Over) -> Result<(), Skipped> {
        let scenario = Sipp::scenario(&format!("{}.xml", self.name));
        let mut arguments = vec!["-sf", scenario.as_str()];
        arguments.extend(self.arguments);
        let called = Called::without_answer(over, &arguments, self.unusual)?;
        if let Course::Cancelled = self.course {
            cancel(called);
            return Ok(());
        }
        let mut called = called.and_answer();
        match self.course {
            Course::Cancelled => unreachable!("it is not answered"),
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
            Course::Lives(time) => {
                called.is_answered();
                std::thread::sleep(time);
                assert_eq!(called.room.home.status()["call"]["state"], "ACTIVE");
                called.end();
            }
            Course::ConnectionBreaks => {
                called.is_answered();
                wait_for(&called, "CSeq: 1 ACK", 1);
                called.sipp.front.as_ref().expect("a stream").break_connection();
                called.end();
            }
            Course::HungUp(why) | Course::GivenUp(why) => {
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

fn cancel(mut called: Called) {
    called.room.bridge.wait_for_call_state("OUTBOUND_RINGING");
    assert_eq!(outcome(&called.room.bridge.ask(&directives::end())), "Response");
    let join = called.room.bridge.answer_to(&called.event);
    assert_eq!(outcome(&join), "NOT_IN_OPERATION", "{join}");
    called.sipp.wait_for_success();
    called.leave();
}

/// Waits until sipp has written this down so often.
#[track_caller]
pub fn wait_for(called: &Called, text: &str, times: usize) {
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
