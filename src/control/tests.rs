//! Lines of the control socket, good and bad.

use std::collections::BTreeSet;

use super::*;

#[test]
fn requests_survive_their_line() -> Result<(), ControlFault> {
    for request in [
        Request::Status,
        Request::End,
        Request::Hold(true),
        Request::Hold(false),
        Request::Mute(true),
        Request::Join(join()),
    ] {
        assert_eq!(Request::read(request.to_line().expose())?, request);
    }
    Ok(())
}

#[test]
fn a_join_is_spelt_like_this() {
    assert_eq!(
        Request::Join(join()).to_line().expose(),
        r#"{"request":"join","endpoint":"zoomcrc.com","protocol":"SIP","provider":"zoom","id":"123","pin":"0042","dryRun":true}"#
    );
    assert_eq!(Request::Status.to_line().expose(), r#"{"request":"status"}"#);
}

#[test]
fn empty_id_and_pin_are_none() -> Result<(), ControlFault> {
    let line = r#"{"request":"join","endpoint":"a","protocol":"sip","provider":"custom","id":"","pin":null}"#;
    let Request::Join(join) = Request::read(line)? else {
        panic!("no join");
    };
    assert_eq!((join.id, join.pin, join.dry_run), (None, None, false));
    Ok(())
}

#[test]
fn malformed_lines_are_faults_that_quote_nothing() {
    let secret = "0042";
    for line in [
        "",
        "0042",
        "{",
        "[]",
        "{}",
        r#""0042""#,
        r#"{"request":"0042"}"#,
        r#"{"request":"join"}"#,
        r#"{"request":"status","pin":"0042"}"#,
        r#"{"request":"join","endpoint":"a","protocol":"sip","provider":"b","dryRun":"0042"}"#,
        r#"{"request":"join","endpoint":"a","protocol":"sip","provider":"b","dryrun":true}"#,
        r#"{"request":"join","endpoint":"a","protocol":"sip","provider":"b","pin":"0042"#,
        r#"{"request":"end"} {"request":"end"}"#,
    ] {
        match Request::read(line) {
            Ok(request) => panic!("{line} was read as {request:?}"),
            Err(fault) => assert!(!fault.to_string().contains(secret), "{line}: {fault}"),
        }
    }
}

#[test]
fn a_line_may_have_64_kib_and_no_more() {
    let line = |length: usize| {
        let empty = r#"{"request":"join","endpoint":"","protocol":"sip","provider":"b"}"#;
        empty.replace(
            r#""endpoint":"""#,
            &format!(r#""endpoint":"{}""#, "a".repeat(length - empty.len())),
        )
    };
    assert!(Request::read(&line(LONGEST_LINE)).is_ok());
    assert_eq!(
        Request::read(&line(LONGEST_LINE + 1)),
        Err(ControlFault::TooLong(LONGEST_LINE + 1))
    );
}

#[test]
fn no_request_shows_its_pin() {
    assert!(!format!("{:?}", Request::Join(join())).contains("0042"));
}

#[test]
fn replies_survive_their_line() -> Result<(), ControlFault> {
    for reply in [
        Reply::Status(Box::new(status())),
        Reply::Done {
            sentence: "joined\nreally".to_owned(),
        },
        Reply::Refused {
            kind: "ENDPOINT_BUSY".to_owned(),
            message: "the room is in another meeting".to_owned(),
        },
        Reply::NotUnderstood {
            message: "the line is no JSON".to_owned(),
        },
    ] {
        let line = reply.to_line();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(Reply::read(&line)?, reply);
    }
    Ok(())
}

#[test]
fn a_later_version_may_tell_more() -> Result<(), ControlFault> {
    let line = Reply::Status(Box::new(status())).to_line();
    let longer = line.replacen('{', r#"{"more":1,"#, 1);
    assert_eq!(Reply::read(&longer)?, Reply::read(&line)?);
    Ok(())
}

#[test]
fn the_status_has_exactly_the_promised_fields() -> Result<(), serde_json::Error> {
    let value = serde_json::to_value(status())?;
    let names = |value: &serde_json::Value| -> BTreeSet<String> {
        value
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys().cloned())
            .collect()
    };
    let promised = |words: &str| words.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(
        names(&value),
        promised(
            "version endpointId connection local auth dialogs call lastCall registered power volume muted lastError \
             needsRestart"
        )
    );
    assert_eq!(
        names(&value["connection"]),
        promised("status reason since certificateExpires")
    );
    assert_eq!(names(&value["local"]), promised("status reason"));
    assert_eq!(names(&value["auth"]), promised("state error"));
    assert_eq!(names(&value["dialogs"][0]), promised("assistantId state"));
    assert_eq!(
        names(&value["call"]),
        promised("callId state protocol remote provider since transport codec srtp microphone media")
    );
    assert_eq!(
        names(&value["call"]["media"]),
        promised(
            "rxPackets txPackets lossPercent jitterMs rttMs delayMs concealedPercent microphoneDbfs sentDbfs receivedDbfs \
             deviceSlips mos"
        )
    );
    assert_eq!(
        names(&value["lastCall"]),
        promised("callId code message sipStatus durationSeconds")
    );
    assert_eq!(names(&value["lastError"]), promised("at message"));
    assert_eq!(value["connection"]["since"], "2026-11-21T23:10:40Z");
    assert_eq!(value["call"]["transport"], "udp");
    assert_eq!(value["call"]["microphone"], "on");
    assert_eq!(value["power"], "on");
    Ok(())
}

#[test]
fn times_are_cut_to_the_second() {
    assert_eq!(
        Utc("2026-11-21T23:10:40.9Z".parse().unwrap()).to_string(),
        "2026-11-21T23:10:40Z"
    );
}

#[test]
fn what_is_not_there_is_null() -> Result<(), serde_json::Error> {
    let value = serde_json::to_value(StatusReport {
        call: None,
        last_call: None,
        registered: None,
        last_error: None,
        ..status()
    })?;
    for name in ["call", "lastCall", "registered", "lastError"] {
        assert_eq!(value.get(name), Some(&serde_json::Value::Null), "{name}");
    }
    Ok(())
}

fn join() -> Join {
    Join {
        endpoint: "zoomcrc.com".to_owned(),
        protocol: "SIP".to_owned(),
        provider: "zoom".to_owned(),
        id: Some("123".to_owned()),
        pin: Some(Secret::new("0042")),
        dry_run: true,
    }
}

fn status() -> StatusReport {
    let at = Utc("2026-11-21T23:10:40Z".parse().unwrap());
    StatusReport {
        version: "0.1.0".to_owned(),
        endpoint_id: "room-15-104".to_owned(),
        connection: ConnectionReport {
            status: "CONNECTED".to_owned(),
            reason: "SUCCESS".to_owned(),
            since: Some(at),
            certificate_expires: None,
        },
        local: LocalReport {
            status: "DISCONNECTED".to_owned(),
            reason: "NONE".to_owned(),
        },
        auth: AuthReport {
            state: "REFRESHED".to_owned(),
            error: "NO_ERROR".to_owned(),
        },
        dialogs: vec![DialogReport {
            assistant_id: 2,
            state: "IDLE".to_owned(),
        }],
        call: Some(CallReport {
            call_id: "5b1a3c70-0000-4000-8000-000000000001".to_owned(),
            state: "ACTIVE".to_owned(),
            protocol: "SIP".to_owned(),
            remote: "sip:123.***@zoomcrc.com".to_owned(),
            provider: "zoom".to_owned(),
            since: Some(at),
            transport: Some(Transport::Udp),
            codec: Some("pcmu".to_owned()),
            srtp: false,
            microphone: Microphone::On,
            media: MediaReport {
                rx_packets: 500,
                tx_packets: 499,
                loss_percent: Some(0.5),
                jitter_ms: Some(1.25),
                ..MediaReport::default()
            },
        }),
        last_call: Some(LastCallReport {
            call_id: "5b1a3c70-0000-4000-8000-000000000000".to_owned(),
            code: Some("BUSY".to_owned()),
            message: "486 Busy Here".to_owned(),
            sip_status: Some(486),
            duration_seconds: 0,
        }),
        registered: Some(true),
        power: Power::On,
        volume: 70,
        muted: false,
        last_error: Some(LastError {
            at,
            message: "the bridge answered HTTP 503".to_owned(),
        }),
        needs_restart: vec!["sip.listen".to_owned()],
    }
}
