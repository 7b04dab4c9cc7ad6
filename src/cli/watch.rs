//! `meetd status --watch`: the status as it changes, as a screen for people or a line of JSON a change.

use std::io::{self, IsTerminal, Write};

use super::status::in_words;
use super::{Exit, Options, control_socket, terminal};
use crate::config::problem::printable;
use crate::control::{MediaReport, Reply, StatusReport};

/// Follows the daemon until it leaves, or the reader of what is written does.
pub(super) fn run(options: &Options, is_json: bool) -> Exit {
    let mut shown = None;
    let is_screen = io::stdout().is_terminal();
    let followed = control_socket::follow(options, |reply| {
        let Reply::Status(report) = reply else {
            return true;
        };
        let news = match is_json {
            true => without_figures(&report),
            false => (*report).clone(),
        };
        if shown.as_ref() == Some(&news) {
            return true;
        }
        shown = Some(news);
        match is_json {
            true => serde_json::to_string(&report).is_ok_and(|line| write(&format!("{line}\n"))),
            false => write(&page(&report, is_screen)),
        }
    });
    match followed {
        Ok(()) => Exit::Done,
        Err(error) => {
            terminal::complain(&error.to_string());
            error.exit()
        }
    }
}

/// The figures of a call change every second, which is no change of the room.
fn without_figures(report: &StatusReport) -> StatusReport {
    let mut report = report.clone();
    if let Some(call) = &mut report.call {
        call.media = MediaReport::default();
    }
    report
}

/// On a terminal in place of the page before, else below it.
fn page(report: &StatusReport, is_screen: bool) -> String {
    // ECMA-48: cursor home, erase the rest of the line, erase the rest of the screen.
    let (start, line_end, end) = match is_screen {
        true => ("\x1b[H", "\x1b[K\n", "\x1b[J"),
        false => ("", "\n", "\n"),
    };
    let lines: String = in_words(report)
        .iter()
        .map(|line| printable(line) + line_end)
        .collect();
    format!("{start}{lines}{end}")
}

/// Whether somebody still reads.
fn write(text: &str) -> bool {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .is_ok()
}
