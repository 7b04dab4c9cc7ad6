//! `make demo`: one meeting from the directive to the BYE, between three processes on loopback (a bridge in this one,
//! meetd, a far end), told as it passes the wire. Ends with 0 only when every step was seen there.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own that reads clocks, prints, and fails aloud"
)]

#[path = "../peers/mod.rs"]
mod peers;

mod story;

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use peers::far_end::{FarEnd, Manner, Voice};
use peers::telephone::Prompt;

/// The PIN of the demo's meeting.
const PIN: &str = "4321";
/// What the far end sounds like while it wants the PIN, in hertz.
const PROMPT_TONE: u32 = 1000;
/// What the meeting sounds like, in hertz.
const MEETING_TONE: u32 = 600;
/// What the room's microphone hears, in hertz.
const ROOM_TONE: u32 = 440;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "far-end") {
        return be_the_far_end();
    }
    if arguments.iter().any(|argument| argument == "--list") {
        println!("demo: test");
        return ExitCode::SUCCESS;
    }
    let mut filters = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    if filters.peek().is_some() && !filters.any(|filter| "demo".contains(filter.as_str())) {
        return ExitCode::SUCCESS;
    }
    match std::panic::catch_unwind(story::tell) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => {
            println!(
                "\nNOT PROVED: the step after the last line above was not seen; the reason stands on standard error."
            );
            ExitCode::FAILURE
        }
    }
}

/// The other process: rings for a second, answers, asks for the PIN, and lives until its standard input ends.
fn be_the_far_end() -> ExitCode {
    let voice = Voice {
        tone: MEETING_TONE,
        prompt: Some(Prompt {
            pin: PIN.to_owned(),
            tone: PROMPT_TONE,
        }),
    };
    let far_end = FarEnd::start_with(
        Manner::Answer {
            after: Duration::from_secs(1),
        },
        voice,
    );
    println!("{}", far_end.address);
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
    far_end.seen.look(|seen| {
        seen.complaints
            .iter()
            .for_each(|complaint| eprintln!("the far end complains: {complaint}"));
        let whole = seen.complaints.is_empty() && seen.calls.len() == 1 && seen.calls[0].phase.is_over();
        if whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    })
}
