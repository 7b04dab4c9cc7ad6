//! What is looked at before a message is done: methods, schemes, extensions, bodies, Vias.

use super::super::*;
use super::{lines, plain, read_request, read_response};

const OURS: Abilities<'static> = Abilities {
    methods: &[
        Method::Invite,
        Method::Ack,
        Method::Cancel,
        Method::Bye,
        Method::Options,
        Method::Info,
    ],
    extensions: &["timer"],
};

#[test]
fn methods_that_a_room_does_not_do_are_refused_with_those_it_does() {
    for (method, status) in [
        ("REGISTER", 405),
        ("REFER", 405),
        ("NEWMETHOD", 501),
        ("invite", 501),
    ] {
        let request = read_request(&plain(&format!("{method} sip:b@h SIP/2.0")));
        let answer = refusal(&request, OURS).unwrap();
        assert_eq!(answer.status, status, "{method}");
        assert_eq!(
            answer.headers.tokens("Allow"),
            ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO"]
        );
        assert_eq!(answer.call_id(), "1@h");
    }
    assert_eq!(
        refusal(&read_request(&plain("OPTIONS sip:b@h SIP/2.0")), OURS),
        None
    );
}

#[test]
fn schemes_that_nobody_can_call_are_refused() {
    let status = |uri: &str| {
        let request = read_request(&plain(&format!("OPTIONS {uri} SIP/2.0")));
        refusal(&request, OURS).map(|answer| answer.status)
    };
    assert_eq!(status("mailto:room"), Some(416));
    assert_eq!((status("sips:b@h"), status("tel:+4930")), (None, None));
}

#[test]
fn extensions_that_must_be_understood_are_named_when_they_are_not() {
    let request = read_request(&lines(&["Require: Timer, 100rel", "Require: other"], ""));
    let answer = refusal(&request, OURS).unwrap();
    assert_eq!(answer.status, 420);
    assert_eq!(answer.headers.get("Unsupported"), Some("100rel, other"));
    assert_eq!(
        refusal(&read_request(&lines(&["Require: timer"], "")), OURS),
        None
    );
}

#[test]
fn a_cancel_and_an_ack_are_never_refused_for_what_they_require() {
    for method in ["CANCEL", "ACK"] {
        let text = String::from_utf8(plain(&format!("{method} sip:b@h SIP/2.0"))).unwrap();
        let request = read_request(text.replace("Via:", "Require: other\r\nVia:").as_bytes());
        assert_eq!(refusal(&request, OURS), None, "{method}");
    }
}

#[test]
fn bodies_that_cannot_be_read_are_refused_unless_they_may_be_skipped() {
    let status =
        |headers: &[&str]| refusal(&read_request(&lines(headers, "body")), OURS).map(|answer| answer.status);
    assert_eq!(status(&["c: Application/SDP;charset=x"]), None);
    assert_eq!(status(&["c: application/sdp", "e: gzip"]), Some(415));
    assert_eq!(status(&["c: text/plain"]), Some(415));
    assert_eq!(status(&[]), Some(415));
    let skipped = "Content-Disposition: render ; Handling = Optional";
    assert_eq!(status(&["c: text/plain", skipped]), None);
    let answer = refusal(&read_request(&lines(&["c: text/plain"], "body")), OURS).unwrap();
    assert_eq!(answer.headers.get("Accept"), Some("application/sdp"));
}

#[test]
fn the_digits_of_an_info_are_for_its_receiver_to_read() {
    let text = String::from_utf8(plain("INFO sip:b@h SIP/2.0")).unwrap() + "Signal=1";
    let text = text.replace("Via:", "Content-Type: application/dtmf-relay\r\nVia:");
    assert_eq!(refusal(&read_request(text.as_bytes()), OURS), None);
}

#[test]
fn an_invitation_from_who_cannot_read_our_answer_is_refused() {
    let status = |accept: &str| {
        let text = String::from_utf8(plain("INVITE sip:b@h SIP/2.0")).unwrap();
        let request = read_request(
            text.replace("Via:", &format!("Accept: {accept}\r\nVia:"))
                .as_bytes(),
        );
        refusal(&request, OURS).map(|answer| answer.status)
    };
    assert_eq!(status("text/plain, text/html"), Some(406));
    assert_eq!(status("text/plain, application/sdp;level=1"), None);
    assert_eq!((status("*/*"), status("application/*")), (None, None));
}

#[test]
fn responses_that_are_for_others_are_discarded() {
    let response = read_response(&plain("SIP/2.0 200 OK"));
    let via = |text: &str| Via::parse(text).unwrap();
    assert_eq!(discard(&response, &via("SIP/2.0/UDP H;branch=z9hG4bKx")), None);
    assert_eq!(discard(&response, &via("SIP/2.0/UDP i")), Some(Discard::NotOurs));
    assert_eq!(
        discard(&response, &via("SIP/2.0/UDP h:5062")),
        Some(Discard::NotOurs)
    );
    let mut two = response.clone();
    two.headers.push("Via", "SIP/2.0/UDP j");
    assert_eq!(discard(&two, &via("SIP/2.0/UDP h")), Some(Discard::SeveralVias));
}
