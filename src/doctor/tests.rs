use std::path::PathBuf;

use super::*;
use crate::bridge::link::LinkFault;
use crate::config::Origin;
use crate::network::{CertFault, ConnectFault};

#[test]
fn each_usual_way_to_break_a_room_is_named_with_its_remedy() {
    let tried = |fault| bridge(&BridgeFact::Tried(Err(fault)), "wss://b.example.com/").to_string();
    let unauthorised = tried(LinkFault::Http {
        status: 401,
        retry_after: None,
        location: None,
    });
    let certificate = tried(LinkFault::Connect(ConnectFault::Tls {
        server_name: "b.example.com".to_owned(),
        fault: CertFault::UnknownIssuer,
    }));
    let host = dns(&[LookedUp {
        key: "bridge.url",
        host: "b.exmaple.com".to_owned(),
        fault: Some("not found".to_owned()),
    }]);
    let no_card = audio(&[SoundEnd {
        key: "media.input",
        device: "alsa:default".to_owned(),
        fault: Some("there is no sound card".to_owned()),
    }]);
    for (line, parts) in [
        (unauthorised, ["fail bridge: ", "HTTP 401", "bridge.token_file"]),
        (
            certificate,
            ["fail bridge: ", "issuer is not trusted", "bridge.ca_file"],
        ),
        (
            host.to_string(),
            ["fail dns: ", "b.exmaple.com", "a slip in bridge.url"],
        ),
        (
            sip(0, false, None).to_string(),
            ["fail sip: ", "calls.allow is empty", "allow = ["],
        ),
        (
            no_card.to_string(),
            ["fail audio: ", "media.input", "no sound card"],
        ),
    ] {
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
    }
}

#[test]
fn what_is_right_is_ok() {
    let named = LookedUp {
        key: "bridge.url",
        host: "b.example.com".to_owned(),
        fault: None,
    };
    let end = SoundEnd {
        key: "media.input",
        device: "alsa:default".to_owned(),
        fault: None,
    };
    for finding in [
        configuration(&[], &[]),
        clock(Timestamp::constant(1_800_000_000, 0), Some(true)),
        dns(&[named]),
        sip(1, false, None),
        audio(&[end]),
    ] {
        assert_eq!(finding.verdict, Verdict::Good, "{finding}");
    }
}

#[test]
fn errors_come_before_warnings_and_the_rest_is_counted() {
    let problem = |severity| Problem {
        origin: Origin::File {
            layer: 0,
            path: PathBuf::from("meetd.toml"),
            line: 3,
        },
        key: "bridge.url".to_owned(),
        severity,
        sentence: "it is wrong".to_owned(),
    };
    use crate::config::problem::Severity::{Error, Warning};
    let both = configuration(&[problem(Warning), problem(Error), problem(Error)], &[]);
    assert_eq!(
        both.to_string(),
        "fail configuration: meetd.toml:3: bridge.url: it is wrong; correct it (and 1 more: meetd check), then: \
         systemctl start meetd"
    );
    assert_eq!(
        configuration(&[problem(Warning)], &[]).to_string(),
        "warn configuration: meetd.toml:3: bridge.url: it is wrong"
    );
}

#[test]
fn a_clock_from_before_this_version_keeps_calls_from_being_made() {
    assert_eq!(clock(Timestamp::UNIX_EPOCH, Some(true)).verdict, Verdict::Bad);
    let free_running = clock(Timestamp::constant(1_800_000_000, 0), Some(false));
    assert_eq!(free_running.verdict, Verdict::Doubtful);
}

#[test]
fn sound_that_nobody_makes_or_hears_is_said() {
    let end = |device: &str| SoundEnd {
        key: "media.output",
        device: device.to_owned(),
        fault: None,
    };
    for device in ["tone:440", "silence", "discard"] {
        assert_eq!(audio(&[end(device)]).verdict, Verdict::Doubtful, "{device}");
    }
    assert_eq!(audio(&[end("file:/tmp/a.wav")]).verdict, Verdict::Good);
}

#[test]
fn what_waits_for_a_restart_is_remarked() {
    let waiting = ["sip.listen".to_owned()];
    assert_eq!(
        configuration(&[], &waiting).to_string(),
        "warn configuration: changed values of sip.listen count after: systemctl restart meetd"
    );
}

#[test]
fn a_certificate_that_ends_soon_is_remarked_before_it_does() {
    let now = Timestamp::constant(1_800_000_000, 0);
    let line = |days: i64| {
        let expires = now + jiff::SignedDuration::from_hours(24 * days);
        let mut report = connected();
        report.connection.certificate_expires = Some(crate::control::Utc(expires));
        bridge(&BridgeFact::Told { report: &report, now }, "wss://b.example.com/").to_string()
    };
    assert_eq!(
        line(20),
        "ok bridge: the daemon is connected to wss://b.example.com/"
    );
    assert!(line(13).starts_with("warn bridge: "), "{}", line(13));
    assert!(line(13).contains("expires on 2027-01-28"), "{}", line(13));
}

fn connected() -> crate::control::StatusReport {
    serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "endpointId": "room",
        "connection": {"status": "CONNECTED", "reason": "SUCCESS", "since": null},
        "local": {"status": "DISCONNECTED", "reason": "NONE"},
        "auth": {"state": "REFRESHED", "error": "NO_ERROR"},
        "dialogs": [], "call": null, "lastCall": null, "registered": null,
        "power": "on", "volume": 50, "muted": false, "lastError": null,
    }))
    .unwrap()
}
