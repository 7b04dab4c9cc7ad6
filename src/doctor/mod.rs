//! What a call needs, judged: `meetd doctor` finds facts, and each becomes a line here, with the remedy when something
//! is wrong. Pure: `cli::doctor` asks the world.

use std::fmt;

use jiff::Timestamp;

use crate::config::{Effective, Problem};
use crate::control::StatusReport;

mod bridge;

pub use bridge::{BridgeFact, bridge};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As a call needs it.
    Good,
    /// A call may be made, but somebody should know.
    Doubtful,
    /// No call, or none that is any use.
    Bad,
}

/// One line of the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub verdict: Verdict,
    /// What was looked at.
    pub name: &'static str,
    /// What was seen, and the remedy when it is bad.
    pub sentence: String,
}

/// As it is printed: `fail dns: SENTENCE`.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Doubtful => "warn",
            Verdict::Bad => "fail",
        };
        write!(formatter, "{verdict} {}: {}", self.name, self.sentence)
    }
}

fn good(name: &'static str, sentence: impl Into<String>) -> Finding {
    finding(Verdict::Good, name, sentence)
}

fn doubtful(name: &'static str, sentence: impl Into<String>) -> Finding {
    finding(Verdict::Doubtful, name, sentence)
}

fn bad(name: &'static str, sentence: impl Into<String>) -> Finding {
    finding(Verdict::Bad, name, sentence)
}

fn finding(verdict: Verdict, name: &'static str, sentence: impl Into<String>) -> Finding {
    let sentence = sentence.into();
    Finding {
        verdict,
        name,
        sentence,
    }
}

/// The first problem stands for all: `meetd check` shows the rest. `needs_restart`: the keys whose changed values the
/// running daemon has yet to take.
pub fn configuration(problems: &[Problem], needs_restart: &[String]) -> Finding {
    let errors: Vec<_> = problems.iter().filter(|problem| problem.is_error()).collect();
    match (errors.first(), problems.first()) {
        (Some(first), _) => bad(
            "configuration",
            format!(
                "{first}; correct it{}, then: systemctl start meetd",
                others(errors.len())
            ),
        ),
        (None, _) if !needs_restart.is_empty() => doubtful(
            "configuration",
            format!(
                "changed values of {} count after: systemctl restart meetd",
                needs_restart.join(", ")
            ),
        ),
        (None, Some(first)) => doubtful(
            "configuration",
            format!(
                "{}{}",
                first.to_string().trim_start_matches("warning: "),
                others(problems.len())
            ),
        ),
        (None, None) => good("configuration", "no problem found"),
    }
}

fn others(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        _ => format!(" (and {} more: meetd check)", count - 1),
    }
}

/// No certificate of today is valid before this version was made.
const MADE: Timestamp = Timestamp::constant(1_763_000_000, 0);

/// `is_synchronised`: what the system says of its time service, when it says something.
pub fn clock(wall: Timestamp, is_synchronised: Option<bool>) -> Finding {
    if wall < MADE {
        return bad(
            "clock",
            format!(
                "it says {wall:.0}, so no certificate is valid and no meeting is now; set it: timedatectl set-ntp true, \
                 and let UDP port 123 out"
            ),
        );
    }
    match is_synchronised {
        Some(true) => good("clock", "synchronised"),
        Some(false) => doubtful(
            "clock",
            format!("it says {wall:.0} and is not synchronised; timedatectl set-ntp true keeps it right"),
        ),
        None => good("clock", format!("it says {wall:.0}")),
    }
}

/// What became of looking up one name of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// The key that names it.
    pub key: &'static str,
    /// The name.
    pub host: String,
    /// Why there is no address.
    pub fault: Option<String>,
}

/// Whether the names of the configuration lead anywhere.
pub fn dns(looked_up: &[LookedUp]) -> Finding {
    if let Some((LookedUp { key, host, .. }, fault)) = looked_up
        .iter()
        .find_map(|asked| Some((asked, asked.fault.as_ref()?)))
    {
        return bad(
            "dns",
            format!(
                "{key} names {host}, which has no address ({fault}); look for a slip in {key}, then at the name \
                 servers: resolvectl query {host}"
            ),
        );
    }
    match looked_up {
        [] => good("dns", "the configuration names nothing but addresses"),
        _ => {
            let hosts: Vec<_> = looked_up.iter().map(|asked| asked.host.as_str()).collect();
            good("dns", format!("found {}", hosts.join(", ")))
        }
    }
}

/// Who may be dialled, whether we are registered, and how the last call went.
pub fn sip(allowed: usize, has_registrar: bool, report: Option<&StatusReport>) -> Finding {
    if allowed == 0 {
        return bad(
            "sip",
            "calls.allow is empty, so nobody may be dialled; write a line such as allow = [\"sip.example.com\"] below \
             [calls]",
        );
    }
    let last_failure = report
        .and_then(|report| report.last_call.as_ref())
        .filter(|call| call.code.is_some());
    match (report.and_then(|report| report.registered), last_failure) {
        (Some(false), _) => bad(
            "sip",
            "the registrar has not accepted this room; look at sip.registrar, sip.username and the password's file, \
             and at its answer: journalctl -x -u meetd",
        ),
        (Some(true) | None, Some(call)) => doubtful(
            "sip",
            format!(
                "the last call failed: {}; journalctl -x -u meetd CALL_ID={} tells more",
                call.message, call.call_id
            ),
        ),
        (Some(true), None) => good("sip", "registered"),
        (None, None) if has_registrar && report.is_none() => doubtful(
            "sip",
            "the daemon is not running, so the registrar was not asked; systemctl start meetd",
        ),
        (None, None) => good("sip", format!("entries in calls.allow: {allowed}")),
    }
}

/// One end of the room's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundEnd {
    /// `media.input` or `media.output`.
    pub key: &'static str,
    /// What it says.
    pub device: String,
    /// Why it cannot be used.
    pub fault: Option<String>,
}

/// Whether there is something to speak into and to hear from.
pub fn audio(ends: &[SoundEnd]) -> Finding {
    if let Some((end, fault)) = ends.iter().find_map(|end| Some((end, end.fault.as_ref()?))) {
        return bad("audio", format!("{} is {:?}: {fault}", end.key, end.device));
    }
    let nobody = ends.iter().find(|end| {
        let (kind, _) = end.device.split_once(':').unwrap_or((&end.device, ""));
        matches!(kind, "silence" | "tone" | "discard")
    });
    match nobody {
        Some(end) => doubtful(
            "audio",
            format!(
                "{} is {:?}: good for a test, not for a meeting",
                end.key, end.device
            ),
        ),
        None => {
            let devices: Vec<_> = ends.iter().map(|end| end.device.as_str()).collect();
            good("audio", devices.join(", "))
        }
    }
}

/// Whether the calendar can be read; `fault`: why not.
pub fn calendar(effective: &Effective, fault: Option<&str>) -> Finding {
    let source = effective.text("calendar.source").unwrap_or_default();
    match fault {
        _ if source.is_empty() => good("calendar", "none is configured"),
        Some(fault) => bad("calendar", format!("{fault}; look at calendar.url")),
        None => good("calendar", format!("{source} can be reached")),
    }
}

#[cfg(test)]
mod tests;
