//! `meetd doctor`: tries what a call needs, and says what to do about the rest.

use std::fs::File;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Configuration, Exit, Options, control_socket, terminal};
use crate::agent::Wake;
use crate::bridge::link::{LinkEvent, LinkFault, LinkId, LinkRequest};
use crate::config::{Config, Effective, addresses};
use crate::control::{Reply, Request, StatusReport};
use crate::doctor::{self, BridgeFact, Finding, LookedUp, SoundEnd, Verdict};
use crate::edge::audio;
use crate::edge::clock::Clock;
use crate::edge::links::Links;
use crate::edge::names::Names;
use crate::edge::secrets::SecretFiles;
use crate::edge::wakes::Wakes;
use crate::edge::websocket::Bridge;

/// How long a name may take: as long as `bridge.connect_timeout`.
const NAME: Duration = Duration::from_secs(10);
/// Our own attempt has to come to an end by itself; this is for one that does not.
const HANG_GUARD: Duration = Duration::from_secs(60);
/// The number of our attempt; no other is made.
const LINK: LinkId = LinkId::Bridge(1);

/// Prints a line for each thing that a call needs; 1 when one of them is missing.
pub(super) fn run(options: &Options, configuration: &Configuration) -> Exit {
    let effective = &configuration.checked.effective;
    let report = ask_the_daemon(options);
    let mut is_healthy = true;
    let mut tell = |finding: Finding| {
        is_healthy &= finding.verdict != Verdict::Bad;
        terminal::say(&finding.to_string());
    };
    let needs_restart = report.as_ref().map_or(&[][..], |report| &report.needs_restart);
    tell(doctor::configuration(
        &configuration.checked.problems,
        needs_restart,
    ));
    tell(doctor::clock(Clock.now().wall, is_synchronised()));
    tell(doctor::dns(&look_up(effective)));
    tell(bridge(configuration, report.as_ref()));
    let allowed = effective.texts("calls.allow").len();
    let has_registrar = effective
        .text("sip.registrar")
        .is_some_and(|registrar| !registrar.is_empty());
    tell(doctor::sip(allowed, has_registrar, report.as_ref()));
    let is_in_call = report.as_ref().is_some_and(|report| report.call.is_some());
    tell(doctor::audio(&sound(
        effective,
        &configuration.secrets,
        is_in_call,
    )));
    tell(doctor::calendar(effective, calendar_fault(effective).as_deref()));
    if is_healthy { Exit::Done } else { Exit::Failed }
}

fn ask_the_daemon(options: &Options) -> Option<StatusReport> {
    match control_socket::ask(options, &Request::Status) {
        Ok(Reply::Status(report)) => Some(*report),
        Ok(
            Reply::Done { .. } | Reply::Refused { .. } | Reply::NotUnderstood { .. } | Reply::Metrics { .. },
        )
        | Err(_) => None,
    }
}

/// What systemd says of the time service.
fn is_synchronised() -> Option<bool> {
    let output = Command::new("timedatectl")
        .args(["show", "--value", "--property=NTPSynchronized"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// Looks every name of the configuration up that a call waits for; addresses need no looking up.
fn look_up(effective: &Effective) -> Vec<LookedUp> {
    let bridge = effective
        .text("bridge.url")
        .and_then(|url| addresses::websocket_url(url).ok())
        .map(|url| ("bridge.url", url.authority.host));
    let calendar = effective
        .text("calendar.url")
        .and_then(|url| url.strip_prefix("https://")?.split(['/', '?']).next())
        .and_then(|authority| addresses::host_and_port(authority.rsplit('@').next()?).ok())
        .map(|authority| ("calendar.url", authority.host));
    bridge
        .into_iter()
        .chain(calendar)
        .filter(|(_, host)| host.parse::<IpAddr>().is_err())
        .map(|(key, host)| LookedUp {
            key,
            fault: name_fault(&host),
            host,
        })
        .collect()
}

/// Why a name has no address. The system's resolver knows no time limit, so that it gets a thread.
fn name_fault(host: &str) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    let asked = host.to_owned();
    thread::spawn(move || {
        let answer = (asked.as_str(), 443)
            .to_socket_addrs()
            .map(|mut addresses| addresses.next().is_some());
        // Whoever asked may have stopped waiting.
        let _ = sender.send(answer);
    });
    match receiver.recv_timeout(NAME) {
        Ok(Ok(true)) => None,
        Ok(Ok(false)) => Some("no address".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", NAME.as_secs())),
    }
}

fn bridge(configuration: &Configuration, report: Option<&StatusReport>) -> Finding {
    let checked = &configuration.checked;
    let shown = checked.config.as_ref().map_or("", |config| &config.bridge.url);
    // A key in the query is nobody's business.
    let shown = shown.split('?').next().unwrap_or_default();
    let fact = match (report, &checked.config) {
        (Some(report), _) => BridgeFact::Told {
            report,
            now: Clock.now().wall,
        },
        (None, None) => BridgeFact::Unknown,
        (None, Some(config)) if !config.bridge.enabled => BridgeFact::Disabled,
        (None, Some(config)) => BridgeFact::Tried(connect(config, &configuration.secrets)),
    };
    doctor::bridge(&fact, shown)
}

/// Connects once as the daemon would, and hangs up.
fn connect(config: &Config, secrets: &SecretFiles) -> Result<(), LinkFault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LinkFault::Ended(error.to_string()))?;
    let outcome = runtime.block_on(async {
        let (wakes, mut heard) = Wakes::channel();
        let links = Links::default();
        let request = LinkRequest {
            only_with_another_token: false,
            url: config.bridge.url.clone(),
        };
        Bridge::new(config.bridge.clone(), secrets.clone(), Names::default())
            .open(LINK, request, &links, &wakes);
        let first = tokio::time::timeout(HANG_GUARD, heard.recv()).await;
        links.finish(Duration::from_secs(1)).await;
        first
    });
    runtime.shutdown_background();
    match outcome {
        Ok(Some(Wake::Link {
            event: LinkEvent::Lost(fault),
            ..
        })) => Err(fault),
        Ok(Some(_)) => Ok(()),
        Ok(None) | Err(_) => Err(LinkFault::HandshakeSlow),
    }
}

/// In a call the daemon has the cards, and says itself when one is lost.
fn sound(effective: &Effective, secrets: &SecretFiles, is_in_call: bool) -> Vec<SoundEnd> {
    [("media.input", true), ("media.output", false)]
        .into_iter()
        .filter_map(|(key, is_input)| {
            let device = effective.text(key)?.to_owned();
            let fault = match device.strip_prefix("alsa:") {
                Some(_) if is_in_call => None,
                Some(name) => audio::try_card(name, is_input).err(),
                None => sound_fault(&device, is_input, secrets),
            };
            Some(SoundEnd { key, device, fault })
        })
        .collect()
}

fn sound_fault(device: &str, is_input: bool, secrets: &SecretFiles) -> Option<String> {
    match (device.split_once(':'), is_input) {
        (Some(("file", path)), true) => File::open(secrets.find(path))
            .err()
            .map(|error| format!("it cannot be read: {error}; look at name and rights")),
        (Some(("file", path)), false) => {
            let directory = Path::new(path).parent().unwrap_or(Path::new("/"));
            (!directory.is_dir()).then(|| format!("there is no directory {}; make it", directory.display()))
        }
        _ => None,
    }
}

/// A calendar that is a file has to be readable; one on the network is found by its name.
fn calendar_fault(effective: &Effective) -> Option<String> {
    let url = effective.text("calendar.url").filter(|url| !url.is_empty())?;
    let path = url.strip_prefix("file://").unwrap_or(url);
    if path.starts_with('/') {
        return File::open(path)
            .err()
            .map(|error| format!("the file cannot be read: {error}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_looked_at_and_tones_need_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = SecretFiles::new(None, directory.path().to_owned());
        let voice = directory.path().join("voice.wav");
        let device = format!("file:{}", voice.display());
        assert!(sound_fault(&device, true, &secrets).is_some());
        assert_eq!(sound_fault(&device, false, &secrets), None);
        fs::write(&voice, "").unwrap();
        assert_eq!(sound_fault(&device, true, &secrets), None);
        assert_eq!(sound_fault("tone:440", true, &secrets), None);
        assert!(sound_fault("file:/nowhere/at/all.wav", false, &secrets).is_some());
    }
}
