//! `meetd status`: what the running daemon does, in words or as JSON.

use clap::Args;

use super::{Exit, Options, control_socket, terminal, watch};
use crate::control::{
    CallReport, LastCallReport, MediaReport, Microphone, Power, Reply, Request, StatusReport, Utc,
};

/// How to show it.
#[derive(Args, Clone, Debug)]
pub(super) struct Arguments {
    /// One JSON object, for programs
    #[arg(long)]
    json: bool,
    /// Follow it: a live screen on a terminal, with --json a line whenever something changes
    #[arg(long)]
    watch: bool,
}

/// Asks the daemon and shows its answer.
pub(super) fn run(options: &Options, arguments: &Arguments) -> Exit {
    if arguments.watch {
        return watch::run(options, arguments.json);
    }
    match control_socket::ask(options, &Request::Status) {
        Ok(Reply::Status(report)) if arguments.json => match serde_json::to_string(&report) {
            Ok(json) => {
                terminal::say_exactly(&json);
                Exit::Done
            }
            Err(error) => failed(&format!("the status cannot be written as JSON: {error}")),
        },
        Ok(Reply::Status(report)) => {
            in_words(&report).iter().for_each(|line| terminal::say(line));
            Exit::Done
        }
        Ok(Reply::NotUnderstood { message }) => failed(&format!("the daemon did not understand: {message}")),
        Ok(Reply::Refused { kind, message }) => failed(&format!("{kind}: {message}")),
        Ok(Reply::Done { .. } | Reply::Metrics { .. }) => failed("the daemon answered something else"),
        Err(error) => {
            terminal::complain(&error.to_string());
            error.exit()
        }
    }
}

fn failed(why: &str) -> Exit {
    terminal::complain(why);
    Exit::Failed
}

/// A line a subject, its name in front.
pub(super) fn in_words(report: &StatusReport) -> Vec<String> {
    let mut lines = vec![line("room", &room(report)), line("bridge", &bridge(report))];
    if report.local.status == "CONNECTED" {
        lines.push(line("voice engine", "connected on this device"));
    }
    let dialogs = report.dialogs.iter().filter(|dialog| dialog.state != "IDLE");
    for dialog in dialogs {
        let words = format!("assistant {} is {}", dialog.assistant_id, dialog.state);
        lines.push(line("dialog", &words));
    }
    if let Some(is_registered) = report.registered {
        let words = if is_registered {
            "registered"
        } else {
            "not registered"
        };
        lines.push(line("registrar", words));
    }
    match &report.call {
        Some(call) => lines.extend(call_lines(call)),
        None => lines.push(line("call", "none")),
    }
    let last_call = report.last_call.as_ref().map(last_call);
    lines.push(line("last call", last_call.as_deref().unwrap_or("none")));
    let last_error = report
        .last_error
        .as_ref()
        .map(|error| format!("{}, at {}", error.message, error.at));
    lines.push(line("last error", last_error.as_deref().unwrap_or("none")));
    if !report.needs_restart.is_empty() {
        let words = format!(
            "needed for {}: systemctl restart meetd",
            report.needs_restart.join(", ")
        );
        lines.push(line("restart", &words));
    }
    lines
}

fn line(subject: &str, words: &str) -> String {
    format!("{subject:<13} {words}")
}

fn room(report: &StatusReport) -> String {
    let power = match report.power {
        Power::On => "on",
        Power::Off => "off",
    };
    let muted = if report.muted { ", loudspeaker muted" } else { "" };
    format!(
        "{} is {power}, volume {}{muted} (meetd {})",
        report.endpoint_id, report.volume, report.version
    )
}

fn bridge(report: &StatusReport) -> String {
    let connection = &report.connection;
    let state = match connection.status.as_str() {
        "CONNECTED" => "connected".to_owned(),
        "PENDING" if connection.reason == "NONE" => "connecting".to_owned(),
        "PENDING" => format!("not connected, trying again: {}", connection.reason),
        _ => format!("not connected: {}", connection.reason),
    };
    let auth = match (report.auth.state.as_str(), report.auth.error.as_str()) {
        ("REFRESHED", _) | ("UNINITIALIZED", "NO_ERROR") => String::new(),
        (state, error) => format!("; sign-in {state}: {error}"),
    };
    format!("{state}{}{auth}", since(connection.since))
}

fn since(time: Option<Utc>) -> String {
    time.map(|time| format!(" since {time}")).unwrap_or_default()
}

fn call_lines(call: &CallReport) -> Vec<String> {
    let state = match call.state.as_str() {
        "DIALING" => "dialing",
        "OUTBOUND_RINGING" => "ringing at",
        "ACTIVE" => "in a call with",
        other => other,
    };
    let mut lines = vec![line(
        "call",
        &format!(
            "{state} {} ({}, {}){}",
            call.remote,
            call.protocol,
            call.provider,
            since(call.since)
        ),
    )];
    if let Some(codec) = &call.codec {
        let transport = call.transport.map_or("?", |transport| transport.in_capitals());
        let encryption = if call.srtp { "encrypted" } else { "not encrypted" };
        let microphone = match call.microphone {
            Microphone::On => "on",
            Microphone::Muted => "muted",
            Microphone::Dialog => "muted while the room talks to its assistant",
            Microphone::Hold => "silent, the call is on hold",
        };
        lines.push(line(
            "",
            &format!("{codec}, {encryption}, signalling over {transport}, microphone {microphone}"),
        ));
        lines.push(line("", &media(&call.media)));
        lines.extend(levels(&call.media).map(|levels| line("", &levels)));
    }
    lines
}

/// No sound that 16 bits can hold is weaker, in dBFS.
const SILENCE: f64 = -96.0;

fn media(media: &MediaReport) -> String {
    let figures = [
        (media.loss_percent, " % lost"),
        (media.jitter_ms, " ms jitter"),
        (media.rtt_ms, " ms round trip"),
        (media.delay_ms, " ms held back"),
        (media.concealed_percent, " % made up"),
        (media.mos, " MOS"),
    ];
    let measured: String = figures
        .into_iter()
        .filter_map(|(figure, unit)| figure.map(|figure| format!(", {figure:.1}{unit}")))
        .collect();
    format!(
        "received {} packets, sent {}{measured}",
        media.rx_packets, media.tx_packets
    )
}

/// `None` before the first figures.
fn levels(media: &MediaReport) -> Option<String> {
    let level = |dbfs: f64| match dbfs > SILENCE {
        true => format!("{dbfs:.0} dBFS"),
        false => "silence".to_owned(),
    };
    let microphone = level(media.microphone_dbfs?);
    let (sent, received) = (level(media.sent_dbfs?), level(media.received_dbfs?));
    let slips = media.device_slips.filter(|slips| *slips > 0);
    let slips = slips.map(|slips| format!(", the sound card ran dry or over {slips} times"));
    Some(format!(
        "the microphone hears {microphone}, sent is {sent}, received {received}{}",
        slips.unwrap_or_default()
    ))
}

fn last_call(call: &LastCallReport) -> String {
    let code = call
        .code
        .as_ref()
        .map(|code| format!("failed, {code}: "))
        .unwrap_or_default();
    let status = call
        .sip_status
        .map(|status| format!(" (SIP {status})"))
        .unwrap_or_default();
    format!(
        "{code}{}{status}, {}",
        call.message,
        spell_seconds(call.duration_seconds)
    )
}

fn spell_seconds(seconds: u64) -> String {
    match seconds {
        0 => "not answered".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests;
