//! What the wire promises: the torture tests of RFC 4475 and RFC 5118, each trap that rsip falls into, streams, and
//! any bytes at all.

use super::*;
use crate::dialer::sip::headers::Contacts;

mod fields;
mod inspections;
mod mutations;
mod streams;
mod torture;

#[test]
fn folded_headers_are_read_as_one_line() {
    let request = read_request(&lines(
        &["Subject: one\r\n two\r\n\t three", "To :\r\n <sip:b@h>"],
        "",
    ));
    assert_eq!(request.headers.get("Subject"), Some("one two three"));
    assert_eq!(request.to().unwrap().uri.as_str(), "sip:b@h");
}

#[test]
fn a_fold_cannot_hide_a_header() {
    let request = read_request(&lines(
        &["Subject: a\r\n Content-Length: 9", "To: <sip:b@h>"],
        "body",
    ));
    assert_eq!(request.headers.get("Subject"), Some("a Content-Length: 9"));
    assert_eq!(request.body, b"body");
}

#[test]
fn line_ends_before_the_start_line_are_skipped() {
    let mut bytes = b"\r\n\r\n".to_vec();
    bytes.extend(plain("OPTIONS sip:b@h SIP/2.0"));
    assert_eq!(read_request(&bytes).method, Method::Options);
}

#[test]
fn the_version_is_read_without_regard_to_case_and_written_in_capitals() {
    let request = read_request(&plain("OPTIONS sip:b@h sip/2.0"));
    assert!(request.to_bytes().starts_with(b"OPTIONS sip:b@h SIP/2.0\r\n"));
    let response = read_response(&plain("sip/2.0 200 fine"));
    assert!(response.to_bytes().starts_with(b"SIP/2.0 200 fine\r\n"));
}

#[test]
fn any_request_uri_goes_back_as_it_came() {
    for uri in [
        "sip:[2001:db8::10]:5070;transport=tcp",
        "tel:+4930123456;phone-context=example.com",
        "nobodyKnowsThisScheme:totallyopaquecontent",
        "sip:user;par=u%40example.net@example.com",
        "sips:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1@example.com",
    ] {
        let request = read_request(&plain(&format!("OPTIONS {uri} SIP/2.0")));
        assert_eq!(request.uri.as_str(), uri);
        assert!(
            request
                .to_bytes()
                .starts_with(format!("OPTIONS {uri} SIP/2.0\r\n").as_bytes())
        );
    }
}

#[test]
fn methods_are_told_apart_by_case_and_unknown_ones_are_kept() {
    assert_eq!(Method::from_token("INVITE"), Method::Invite);
    assert_eq!(Method::from_token("invite"), Method::Other("invite".to_owned()));
    let bytes = plain("RE%47IST%45R sip:b@h SIP/2.0");
    assert_eq!(
        read_request(&bytes).method,
        Method::Other("RE%47IST%45R".to_owned())
    );
}

#[test]
fn every_method_that_rsip_knows_is_known() {
    for method in rsip::Method::all() {
        let known = Method::from_token(&method.to_string());
        assert!(Method::KNOWN.contains(&known), "{method}");
    }
}

#[test]
fn bytes_beyond_utf8_in_a_header_are_no_reason_to_refuse() {
    let mut bytes = lines(&["Subject: gr??n"], "");
    let at = bytes.windows(2).position(|window| window == b"??").unwrap();
    bytes[at..at + 2].copy_from_slice(&[0xfc, 0xdf]);
    assert_eq!(
        read_request(&bytes).headers.get("Subject"),
        Some("gr\u{fffd}\u{fffd}n")
    );
}

#[test]
fn compact_names_mean_the_long_ones() {
    let bytes = b"OPTIONS sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\n\
        i: 1@h\r\nCSEQ: 1 OPTIONS\r\nm: <sip:a@h>\r\nk: timer\r\nx: 90\r\nl: 2\r\nc: text/plain\r\n\r\nhi";
    let request = read_request(bytes);
    assert_eq!(
        (request.call_id(), request.headers.get("Session-Expires")),
        ("1@h", Some("90"))
    );
    assert_eq!(request.headers.get("supported"), Some("timer"));
    assert!(matches!(request.headers.contacts(), Ok(Contacts::These(contacts)) if contacts.len() == 1));
    let written = String::from_utf8(request.to_bytes()).unwrap();
    assert!(
        written.contains("\r\nSession-Expires: 90\r\n") && written.ends_with("Content-Length: 2\r\n\r\nhi")
    );
}

#[test]
fn binary_bodies_pass_unchanged() {
    let body: Vec<u8> = (0..=255).collect();
    let mut request = read_request(&plain("OPTIONS sip:b@h SIP/2.0"));
    request.body.clone_from(&body);
    assert_eq!(read_request(&request.to_bytes()).body, body);
}

#[test]
fn vias_joined_by_commas_are_all_seen_and_the_top_one_can_be_replaced() {
    let joined = "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa;x=\",\" , SIP/2.0/TCP two;branch=z9hG4bKb";
    let bytes = replaced(
        &plain("OPTIONS sip:b@h SIP/2.0"),
        "Via: SIP/2.0/UDP h;branch=z9hG4bKx",
        joined,
    );
    let mut request = read_request(&bytes);
    assert_eq!(request.headers.vias().unwrap().len(), 2);
    assert_eq!(request.via_top().unwrap().branch(), Some("z9hG4bKa"));
    request.note_source("198.51.100.7:4444".parse().unwrap());
    let vias = request.headers.vias().unwrap();
    assert_eq!(vias[0].received(), Some("198.51.100.7".parse().unwrap()));
    assert_eq!(vias[1].branch(), Some("z9hG4bKb"));
}

#[test]
fn the_words_of_a_status_are_kept() {
    assert_eq!(
        read_response(&plain("SIP/2.0 480 Gone fishing, back soon")).phrase,
        "Gone fishing, back soon"
    );
    assert_eq!(read_response(&plain("SIP/2.0 100 ")).phrase, "");
    assert_eq!(read_response(&plain("SIP/2.0 100")).phrase, "");
}

#[test]
fn a_second_value_where_only_one_may_be_is_refused() {
    for second in [
        "Call-ID: 2@h",
        "i: 2@h",
        "CSeq: 2 OPTIONS",
        "From: <sip:c@h>",
        "To: <sip:c@h>",
        "Max-Forwards: 3",
        "Content-Type: text/plain",
        "Content-Length: 0\r\nl: 0",
    ] {
        let refused =
            read_datagram(&lines(&[second, "Max-Forwards: 70", "Content-Type: a/b"], "")).unwrap_err();
        assert_eq!(
            refused.answer.map(|answer| answer.status),
            Some(400),
            "{second}: {}",
            refused.why
        );
    }
}

#[test]
fn an_essential_header_that_is_missing_is_refused_as_far_as_can_be() {
    for (missing, is_answered) in [
        ("Via: ", false),
        ("From: ", true),
        ("To: ", true),
        ("Call-ID: ", true),
        ("CSeq: ", true),
    ] {
        let text = String::from_utf8(plain("OPTIONS sip:b@h SIP/2.0")).unwrap();
        let without: String = text
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with(missing))
            .collect();
        let refused = read_datagram(without.as_bytes()).unwrap_err();
        assert!(refused.why.starts_with(missing.trim_end()), "{}", refused.why);
        assert_eq!(refused.answer.is_some(), is_answered, "{missing}");
    }
}

#[test]
fn a_refusal_copies_what_an_answer_needs() {
    let bytes = replaced(
        &plain("OPTIONS sip:b@h SIP/2.0"),
        "CSeq: 1 OPTIONS",
        "CSeq: 4294967296 OPTIONS",
    );
    let answer = read_datagram(&bytes).unwrap_err().answer.unwrap().response();
    let text = String::from_utf8(answer.to_bytes()).unwrap();
    assert!(
        text.starts_with("SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"),
        "{text}"
    );
    assert!(
        text.contains("CSeq: 4294967296 OPTIONS\r\n") && text.contains("Call-ID: 1@h\r\n"),
        "{text}"
    );
    let tag = answer.to().unwrap().tag().map(str::to_owned);
    assert!(tag.is_some());
    let again = read_datagram(&bytes).unwrap_err().answer.unwrap().response();
    assert_eq!(again.to().unwrap().tag().map(str::to_owned), tag);
}

#[test]
fn a_refusal_of_doubled_headers_copies_the_first_of_each_and_all_vias() {
    let doubled = [
        "Via: SIP/2.0/UDP i",
        "From: <sip:c@h>",
        "Call-ID: 2@h",
        "CSeq: 2 OPTIONS",
    ];
    let answer = read_datagram(&lines(&doubled, ""))
        .unwrap_err()
        .answer
        .unwrap()
        .response();
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Via", "From", "To", "Call-ID", "CSeq", "Via"]);
    assert_eq!(answer.call_id(), "1@h");
}

#[test]
fn a_call_id_is_one_word() {
    let bytes = replaced(
        &plain("OPTIONS sip:b@h SIP/2.0"),
        "Call-ID: 1@h",
        "Call-ID: 1@h 2@h",
    );
    assert_eq!(read_datagram(&bytes).unwrap_err().why, "Call-ID: several words");
}

#[test]
fn a_status_is_a_number_from_100_to_699() {
    for status in ["099", "700", "1000", "20", "2OO", "-99", "+20", ""] {
        let refused = read_datagram(&plain(&format!("SIP/2.0 {status} OK"))).unwrap_err();
        assert_eq!(refused.answer, None, "{status}");
    }
    assert_eq!(read_response(&plain("SIP/2.0 699 OK")).status, 699);
}

#[test]
fn neither_an_ack_nor_a_response_is_ever_answered() {
    let ack = replaced(&plain("ACK sip:b@h SIP/2.0"), "CSeq: 1 ACK", "CSeq: 1 BYE");
    assert_eq!(read_datagram(&ack).unwrap_err().answer, None);
    let response = replaced(&plain("SIP/2.0 200 OK"), "CSeq: 1 OPTIONS", "CSeq: x OPTIONS");
    assert_eq!(read_datagram(&response).unwrap_err().answer, None);
}

#[test]
fn a_datagram_ends_where_content_length_says() {
    let request = read_request(&lines(&["Content-Length: 2"], "hi, and more"));
    assert_eq!(request.body, b"hi");
    let refused = read_datagram(&lines(&["Content-Length: 99"], "hi")).unwrap_err();
    assert_eq!(refused.answer.map(|answer| answer.status), Some(400));
    assert_eq!(read_request(&lines(&[], "all of it")).body, b"all of it");
}

#[test]
fn a_content_length_that_could_mean_two_things_is_refused() {
    for length in ["+2", "-2", "2, 2", "2 2", "0x2", "", "99999999999999999999"] {
        let bytes = lines(&[&format!("Content-Length: {length}")], "hi");
        assert!(read_datagram(&bytes).is_err(), "{length}");
    }
    assert!(read_datagram(&lines(&["Content-Length: 0002"], "hi")).is_ok());
}

#[test]
fn lone_line_ends_are_refused() {
    for value in ["a\nVia: SIP/2.0/UDP evil", "a\rb", "a\n", "\nb"] {
        let refused = read_datagram(&lines(&[&format!("Subject: {value}x")], "")).unwrap_err();
        assert_eq!(refused.why, "a header holds a lone CR or LF", "{value:?}");
    }
}

#[test]
fn headers_are_limited_in_number_and_size() {
    let many = |count: usize| {
        (0..count)
            .map(|number| format!("X-{number}: 1"))
            .collect::<Vec<_>>()
    };
    let lines_of = |headers: &[String]| lines(&headers.iter().map(String::as_str).collect::<Vec<_>>(), "");
    assert!(read_datagram(&lines_of(&many(MOST_HEADERS - 5))).is_ok());
    assert_eq!(
        read_datagram(&lines_of(&many(MOST_HEADERS))).unwrap_err().why,
        "too many headers"
    );
    let long = format!("Subject: {}", "x".repeat(20_000));
    assert_eq!(
        read_datagram(&lines(&[&long], "")).unwrap_err().why,
        "a header is too long"
    );
}

#[test]
fn nothing_of_a_message_that_may_hold_a_pin_is_printed_for_logs() {
    let bytes = replaced(
        &plain("OPTIONS sip:12345*0012345@h SIP/2.0"),
        "sip:b@h>",
        "sip:12345*0012345@h>",
    );
    let printed = format!("{:?} {:?}", read_datagram(&bytes), read_request(&bytes).to());
    assert!(!printed.contains("0012345"), "{printed}");
    let broken = replaced(&bytes, "<sip:12345", "<sip:12 345");
    let printed = format!("{:?} {0}", read_datagram(&broken).unwrap_err());
    assert!(!printed.contains("0012345"), "{printed}");
}

#[test]
fn a_keep_alive_is_no_message() {
    assert!(is_keep_alive(b"\r\n\r\n") && is_keep_alive(b"") && is_keep_alive(&[0; 4]));
    assert!(!is_keep_alive(b"\r\nO"));
    assert_eq!(read_datagram(b"\r\n\r\n").unwrap_err().answer, None);
}

/// A message with this start line and all that it must have.
pub(super) fn plain(start_line: &str) -> Vec<u8> {
    let method = start_line
        .split(' ')
        .next()
        .filter(|word| !word.to_uppercase().starts_with("SIP/"));
    let method = method.unwrap_or("OPTIONS");
    format!(
        "{start_line}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
         Call-ID: 1@h\r\nCSeq: 1 {method}\r\n\r\n"
    )
    .into_bytes()
}

/// A request with these header lines too (its own To only when there is none among them), and this body.
pub(super) fn lines(headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = String::from_utf8(plain("OPTIONS sip:b@h SIP/2.0")).unwrap();
    if headers
        .iter()
        .any(|line| line.starts_with("To :") || line.starts_with("To: <sip:b@h>"))
    {
        text = text.replace("To: <sip:b@h>\r\n", "");
    }
    text.truncate(text.len() - 2);
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(old), "{old} is not in {text}");
    text.replace(old, new).into_bytes()
}

pub(super) fn read_request(bytes: &[u8]) -> Request {
    match read_datagram(bytes).unwrap() {
        Message::Request(request) => request,
        Message::Response(response) => panic!("a response: {response:?}"),
    }
}

pub(super) fn read_response(bytes: &[u8]) -> Response {
    match read_datagram(bytes).unwrap() {
        Message::Response(response) => response,
        Message::Request(request) => panic!("a request: {request:?}"),
    }
}
