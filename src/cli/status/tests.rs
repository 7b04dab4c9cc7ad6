//! What a person reads.

use super::*;
use crate::control::{AuthReport, ConnectionReport, DialogReport, LastError, LocalReport};
use crate::network::Transport;

#[test]
fn an_idle_room_is_told_in_five_lines() {
    assert_eq!(
        in_words(&idle()),
        [
            "room          room-15-104 is on, volume 70 (meetd 0.1.0)",
            "bridge        connected since 2026-11-21T23:10:40Z",
            "call          none",
            "last call     none",
            "last error    none",
        ]
    );
}

#[test]
fn a_room_in_a_call_tells_how_it_goes() {
    let report = StatusReport {
        call: Some(call()),
        dialogs: vec![DialogReport {
            assistant_id: 2,
            state: "LISTENING".to_owned(),
        }],
        registered: Some(false),
        muted: true,
        ..idle()
    };
    assert_eq!(
        in_words(&report)[..8],
        [
            "room          room-15-104 is on, volume 70, loudspeaker muted (meetd 0.1.0)",
            "bridge        connected since 2026-11-21T23:10:40Z",
            "dialog        assistant 2 is LISTENING",
            "registrar     not registered",
            "call          in a call with sip:123.***@zoomcrc.com (SIP, zoom) since 2026-11-21T23:10:40Z",
            "              pcmu, not encrypted, signalling over UDP, microphone on",
            "              received 500 packets, sent 499, 0.5 % lost, 1.2 ms jitter, 60.0 ms held back",
            "              the microphone hears -31 dBFS, sent is silence, received -25 dBFS, the sound card ran dry or over 2 \
             times",
        ]
    );
}

#[test]
fn a_call_that_is_placed_has_no_figures_yet() {
    let dialing = CallReport {
        state: "DIALING".to_owned(),
        codec: None,
        ..call()
    };
    assert_eq!(
        call_lines(&dialing),
        ["call          dialing sip:123.***@zoomcrc.com (SIP, zoom) since 2026-11-21T23:10:40Z"]
    );
}

#[test]
fn what_went_wrong_is_told() {
    let report = StatusReport {
        connection: ConnectionReport {
            status: "PENDING".to_owned(),
            reason: "INVALID_AUTH".to_owned(),
            since: None,
            certificate_expires: None,
        },
        auth: AuthReport {
            state: "EXPIRED".to_owned(),
            error: "AUTHORIZATION_EXPIRED".to_owned(),
        },
        last_call: Some(LastCallReport {
            call_id: String::new(),
            code: Some("BUSY".to_owned()),
            message: "486 Busy Here".to_owned(),
            sip_status: Some(486),
            duration_seconds: 0,
        }),
        last_error: Some(LastError {
            at: at(),
            message: "the bridge answered HTTP 401".to_owned(),
        }),
        ..idle()
    };
    assert_eq!(
        in_words(&report)[1..],
        [
            "bridge        not connected, trying again: INVALID_AUTH; sign-in EXPIRED: AUTHORIZATION_EXPIRED",
            "call          none",
            "last call     failed, BUSY: 486 Busy Here (SIP 486), not answered",
            "last error    the bridge answered HTTP 401, at 2026-11-21T23:10:40Z",
        ]
    );
}

#[test]
fn durations_are_told_as_people_say_them() {
    for (seconds, words) in [
        (0, "not answered"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (7260, "2 h 1 min"),
    ] {
        assert_eq!(spell_seconds(seconds), words);
    }
}

fn at() -> Utc {
    Utc("2026-11-21T23:10:40Z".parse().unwrap())
}

fn idle() -> StatusReport {
    StatusReport {
        version: "0.1.0".to_owned(),
        endpoint_id: "room-15-104".to_owned(),
        connection: ConnectionReport {
            status: "CONNECTED".to_owned(),
            reason: "SUCCESS".to_owned(),
            since: Some(at()),
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
        call: None,
        last_call: None,
        registered: None,
        power: Power::On,
        volume: 70,
        muted: false,
        last_error: None,
        needs_restart: Vec::new(),
    }
}

fn call() -> CallReport {
    CallReport {
        call_id: String::new(),
        state: "ACTIVE".to_owned(),
        protocol: "SIP".to_owned(),
        remote: "sip:123.***@zoomcrc.com".to_owned(),
        provider: "zoom".to_owned(),
        since: Some(at()),
        transport: Some(Transport::Udp),
        codec: Some("pcmu".to_owned()),
        srtp: false,
        microphone: Microphone::On,
        media: MediaReport {
            rx_packets: 500,
            tx_packets: 499,
            loss_percent: Some(0.5),
            jitter_ms: Some(1.24),
            delay_ms: Some(60.0),
            microphone_dbfs: Some(-31.4),
            sent_dbfs: Some(-127.0),
            received_dbfs: Some(-24.6),
            device_slips: Some(2),
            ..MediaReport::default()
        },
    }
}
