//! meetd calls through kamailio: over each transport, with each digest, past each certificate.

use serde_json::Value;

use crate::kamailio::{Kamailio, Manner, PASSWORD, Shows};
use crate::peers::directives::{self, outcome};
use crate::peers::programs::{self, Skipped};
use crate::peers::room::Room;
use crate::sipp::{Over, Sipp};

/// How the room reaches kamailio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Datagrams.
    Udp,
    /// A plain stream.
    Tcp,
    /// A stream under TLS.
    Tls,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// As URIs and the names of stories have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The callee behind that kamailio.
    pub fn endpoint(self, kamailio: &Kamailio) -> String {
        self.uri_of(kamailio).replacen("sip:", "sip:meet@", 1)
    }

    /// That kamailio.
    pub fn uri_of(self, kamailio: &Kamailio) -> String {
        let port = match self {
            Self::Udp | Self::Tcp => kamailio.port,
            Self::Tls => kamailio.tls_port(Shows::Good),
        };
        format!("sip:localhost:{port};transport={}", self.name())
    }
}

/// Two Record-Routes of a proxy in the middle, a callee behind it, and a password in front of it.
pub fn a_call_through_the_proxy(by: By, algorithm: &'static str) -> Result<(), Skipped> {
    let mut sipp = Sipp::start(Over::Udp, &["-sn", "uas", "-mi", "127.0.0.1"])?;
    let kamailio = Kamailio::start(&Manner {
        callee: sipp.port,
        algorithm,
        challenges_calls: true,
        ..Manner::default()
    })?;
    let room = room(&kamailio, &[]);
    let event = room.bridge.ask(&directives::join(&by.endpoint(&kamailio)));
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge.wait_for_call_state("ACTIVE");
    let transport = room.wait_for_status("the call", |status| {
        status["call"]["transport"].as_str().map(str::to_owned)
    });
    assert_eq!(transport, by.name());
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    sipp.wait_for_success();
    room.bridge.wait_for_call_state("IDLE");
    let over = by.name();
    kamailio.program.wait_for_line(&format!("got BYE over {over}"));
    let log = room.meetd.stop();
    assert!(!log.contains(PASSWORD), "the SIP password is in the log");
    let invites = kamailio.program.log().matches("got INVITE over").count();
    assert_eq!(invites, 2, "one is challenged, one is answered");
    Ok(())
}

/// A room that kamailio has registered.
fn registered_room(kamailio: &Kamailio, by: By) -> Room {
    let registrar = format!("\"{}\"", by.uri_of(kamailio));
    let room = room(kamailio, &[("sip.registrar", &registrar)]);
    room.wait_for_status("registered", |status| {
        (status["registered"] == true).then_some(())
    });
    room
}

/// The room registers, stays registered by refreshes, keeps the way open, calls through its registrar and takes its
/// registration back at the end.
pub fn registers(by: By) -> Result<(), Skipped> {
    let mut sipp = Sipp::start(Over::Udp, &["-sn", "uas", "-mi", "127.0.0.1"])?;
    let kamailio = Kamailio::start(&Manner {
        callee: sipp.port,
        min_expires: 1200,
        algorithm: if by == By::Tcp { "SHA-256" } else { "MD5" },
        ..Manner::default()
    })?;
    let room = registered_room(&kamailio, by);
    let saved = kamailio.program.wait_for_line("saved");
    assert!(
        saved.contains("expires 600") || saved.contains("expires 1200"),
        "{saved}"
    );
    let event = room.bridge.ask(&directives::join(&by.endpoint(&kamailio)));
    assert_eq!(outcome(&event), "Response", "{event}");
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    sipp.wait_for_success();
    let log = room.meetd.stop();
    assert!(log.contains("this room is registered"), "the journal says it");
    assert!(!log.contains(PASSWORD), "the SIP password is in the log");
    kamailio.program.wait_for_line("expires 0");
    let over = by.name();
    let said = kamailio.program.log();
    assert!(said.contains(&format!("got REGISTER over {over}")), "{said}");
    Ok(())
}

/// A registrar that wants longer registrations than we ask for gets them.
pub fn refuses_short_registrations(by: By) -> Result<(), Skipped> {
    let kamailio = Kamailio::start(&Manner {
        refused_below: 1800,
        ..Manner::default()
    })?;
    let room = registered_room(&kamailio, by);
    let saved = kamailio.program.wait_for_line("saved");
    assert!(saved.contains("expires 1800"), "{saved}");
    room.meetd.stop();
    kamailio.program.wait_for_line("expires 0");
    Ok(())
}

/// The outbound proxy stands between us and a domain that only it can find: the room registers there and calls there
/// through it.
pub fn registers_and_calls_through_the_outbound_proxy(by: By) -> Result<(), Skipped> {
    let mut sipp = Sipp::start(Over::Udp, &["-sn", "uas", "-mi", "127.0.0.1"])?;
    let kamailio = Kamailio::start(&Manner {
        callee: sipp.port,
        challenges_calls: true,
        ..Manner::default()
    })?;
    let proxy = format!("\"{}\"", by.uri_of(&kamailio));
    let room = room(
        &kamailio,
        &[
            ("sip.registrar", "\"registrar.invalid\""),
            ("sip.outbound_proxy", &proxy),
            ("calls.allow", "[\"registrar.invalid\"]"),
        ],
    );
    room.wait_for_status("registered", |status| {
        (status["registered"] == true).then_some(())
    });
    let asked = kamailio.program.wait_for_line("asked to register");
    assert!(
        asked.contains("sip:registrar.invalid over") && asked.contains(";lr>"),
        "{asked}"
    );
    let event = room.bridge.ask(&directives::join("sip:meet@registrar.invalid"));
    assert_eq!(outcome(&event), "Response", "{event}");
    let over = by.name();
    kamailio
        .program
        .wait_for_line(&format!("asked for sip:meet@registrar.invalid over {over}"));
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    sipp.wait_for_success();
    assert!(
        !sipp.messages().contains("\nRoute:"),
        "the proxy takes its own Route away"
    );
    room.meetd.stop();
    kamailio.program.wait_for_line("expires 0");
    Ok(())
}

/// A registrar that is not there is said in the status, and found again when it comes.
pub fn a_registrar_that_is_down_is_said() -> Result<(), Skipped> {
    let kamailio = Kamailio::start(&Manner::default())?;
    let registrar = format!("\"sip:127.0.0.1:{};transport=tcp\"", programs::free_port());
    let room = room(&kamailio, &[("sip.registrar", &registrar)]);
    room.meetd.wait_for_line("this room is not registered");
    assert_eq!(room.home.status()["registered"], false);
    let target = registrar.replacen("sip:", "sip:meet@", 1);
    let event = room.bridge.ask(&directives::join(target.trim_matches('"')));
    assert_eq!(outcome(&event), "BRIDGE_UNREACHABLE", "{event}");
    room.meetd.stop();
    Ok(())
}

/// What does not know sips is asked as sip, over the same TLS and with encrypted audio.
pub fn a_416_to_sips_is_tried_as_sip() -> Result<(), Skipped> {
    let mut sipp = Sipp::start(Over::Udp, &["-sf", &Sipp::scenario("busy_486.xml")])?;
    let kamailio = Kamailio::start(&Manner {
        callee: sipp.port,
        refuses_sips: true,
        ..Manner::default()
    })?;
    let room = room(&kamailio, &[]);
    let port = kamailio.tls_port(Shows::Good);
    let event = room
        .bridge
        .ask(&directives::join(&format!("sips:meet@localhost:{port}")));
    assert_eq!(outcome(&event), "ENDPOINT_BUSY", "{event}");
    sipp.wait_for_success();
    assert!(sipp.messages().contains("RTP/SAVP"), "{}", sipp.messages());
    for asked in ["sips:meet@localhost", "sip:meet@localhost"] {
        kamailio
            .program
            .wait_for_line(&format!("asked for {asked}:{port} over tls"));
    }
    room.meetd.stop();
    Ok(())
}

/// The call ends before the INVITE, and the answer names what is wrong with the certificate.
pub fn bad_certificates_end_the_call() -> Result<(), Skipped> {
    let kamailio = Kamailio::start(&Manner::default())?;
    for (shows, sentence) in [
        (Shows::Expired, "the certificate has expired"),
        (Shows::WrongName, "the certificate is for another name"),
        (Shows::SelfSigned, "the certificate's issuer is not trusted"),
        (Shows::UnknownIssuer, "the certificate's issuer is not trusted"),
    ] {
        is_refused(&kamailio, shows, &[], sentence);
    }
    let other_key = format!("[\"{}=\"]", "A".repeat(43));
    let pins = [("sip.pin_sha256", other_key.as_str())];
    is_refused(
        &kamailio,
        Shows::Good,
        &pins,
        "no key of the certificate chain matches pin_sha256",
    );
    let log = kamailio.program.log();
    assert!(
        !log.contains("got INVITE"),
        "nothing may be said to whoever that is"
    );
    Ok(())
}

#[track_caller]
fn is_refused(kamailio: &Kamailio, shows: Shows, keys: &[(&str, &str)], sentence: &str) {
    let room = room(kamailio, keys);
    let port = kamailio.tls_port(shows);
    let join = directives::join(&format!("sip:meet@localhost:{port};transport=tls"));
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "ENDPOINT_UNREACHABLE", "{shows:?}: {event}");
    assert!(message(&event).contains(sentence), "{shows:?}: {event}");
    room.bridge
        .wait_for_message("CallFailed", |payload| payload["code"] == "NO_CARRIER");
    room.meetd.stop();
}

fn message(event: &Value) -> String {
    event["payload"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A room that knows the password and trusts the certificate.
pub fn room(kamailio: &Kamailio, keys: &[(&str, &str)]) -> Room {
    let ca_file = format!("{:?}", kamailio.ca_file());
    let mut all = vec![
        ("calls.allow", "[\"localhost\", \"127.0.0.0/8\"]"),
        ("sip.identity", "\"sip:room@example.com\""),
        ("sip.password_file", "\"sip-password\""),
        ("sip.ca_file", ca_file.as_str()),
    ];
    all.extend_from_slice(keys);
    Room::open_with(&all)
}
