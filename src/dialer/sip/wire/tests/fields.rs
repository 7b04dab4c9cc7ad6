//! What headers of ours promise: one line each, found and replaced under any spelling of their name.

use super::super::*;
use super::{plain, read_request};

#[test]
fn no_value_can_end_its_line() {
    let mut request = read_request(&plain("OPTIONS sip:b@h SIP/2.0"));
    request.headers.push("Subject", "a\r\nX-Evil: 1");
    request.headers.set("User-Agent", "b\nX-Evil: 2");
    request.headers.push_front("Route", "<sip:p>\r\n\r\nbody");
    request.headers.push("Bad name\r\nX-Evil", "3");
    let mut response = request.response(200, "OK\r\nX-Evil: 4");
    response.headers.push("Server", "c\rd");
    for bytes in [request.to_bytes(), response.to_bytes()] {
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            !text.contains("\r\nX-Evil") && text.matches("\r\n\r\n").count() == 1,
            "{text}"
        );
    }
}

#[test]
fn a_method_of_ours_that_is_no_token_does_not_begin_a_line() {
    let mut request = read_request(&plain("OPTIONS sip:b@h SIP/2.0"));
    request.method = Method::Other("A B\r\n".to_owned());
    assert!(request.to_bytes().starts_with(b"UNKNOWN sip:b@h SIP/2.0\r\n"));
}

#[test]
fn headers_are_set_in_place_removed_by_any_name_and_others_left_alone() {
    let mut headers = Headers::default();
    for (name, value) in [
        ("X-One", "1"),
        ("x-two", "2"),
        ("k", "a"),
        ("X-Three", "3"),
        ("Supported", "b"),
    ] {
        headers.push(name, value);
    }
    headers.set("supported", "c");
    headers.remove("X-TWO");
    headers.set("Server", "new");
    let all: Vec<_> = headers.iter().collect();
    assert_eq!(
        all,
        [
            ("X-One", "1"),
            ("Supported", "c"),
            ("X-Three", "3"),
            ("Server", "new")
        ]
    );
    assert_eq!(headers.len(), 4);
}

#[test]
fn every_known_header_keeps_its_name_and_value() {
    for name in super::super::names::all() {
        let mut headers = Headers::default();
        headers.push(&name.to_ascii_uppercase(), "value");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [(name, "value")]);
    }
}
