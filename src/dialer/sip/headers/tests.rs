//! Header values: printing and parsing agree, what is ambiguous is refused.

use super::*;
use crate::dialer::sip::uri::Host;
use crate::dialer::sip::wire::Method;
use crate::network::Transport;

#[test]
fn a_via_of_ours_prints_and_reads_the_same() {
    let via = Via::new(
        Transport::Tcp,
        "[2001:db8::1]:5062".parse().unwrap(),
        "z9hG4bKabc",
    );
    assert_eq!(
        via.to_string(),
        "SIP/2.0/TCP [2001:db8::1]:5062;branch=z9hG4bKabc;rport"
    );
    assert_eq!(Via::parse(&via.to_string()), Ok(via.clone()));
    assert!(via.has_magic_branch() && via.has_rport());
    assert_eq!(
        (via.rport(), via.received(), via.transport.as_str()),
        (None, None, "TCP")
    );
}

#[test]
fn a_via_is_read_with_all_that_others_put_into_it() {
    let via = Via::parse(
        "SIP / 2.0 /  UNKNOWN\tt4.example.com : 5061 ; branch = z9hG4bKx;ttl=16;maddr=224.2.0.1;a=\"b;c\"",
    )
    .unwrap();
    assert_eq!((via.transport.as_str(), via.port), ("UNKNOWN", Some(5061)));
    assert_eq!(via.host, Host::Name("t4.example.com".to_owned()));
    assert_eq!(
        (via.branch(), via.parameters.get("a")),
        (Some("z9hG4bKx"), Some("b;c"))
    );
    assert_eq!(Via::parse(&via.to_string()), Ok(via));
}

#[test]
fn received_is_read_with_and_without_brackets() {
    for received in ["2001:db8::9:255", "[2001:db8::9:255]"] {
        let via = Via::parse(&format!("SIP/2.0/UDP h;received={received};rport=4040")).unwrap();
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(via.rport(), Some(4040));
    }
    assert_eq!(
        Via::parse("SIP/2.0/UDP h;received=unknown").unwrap().received(),
        None
    );
}

#[test]
fn a_malformed_via_is_refused() {
    for text in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 h",
        "SIP/3.0/UDP h",
        "HTTP/2.0/UDP h",
        "SIP/2.0/UDP h;;branch=x",
        "SIP/2.0/UDP h;branch=x;branch=y",
        "SIP/2.0/UDP h:0",
        "SIP/2.0/UDP h, SIP/2.0/UDP i",
        "SIP/2.0/UDP h;a=\"b",
    ] {
        assert!(Via::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_source_of_a_request_is_noted_where_its_via_is_silent_or_asks() {
    let source = "192.0.2.9:1024".parse().unwrap();
    for (via, noted) in [
        (
            "SIP/2.0/UDP 192.0.2.9:5060;branch=x",
            "SIP/2.0/UDP 192.0.2.9:5060;branch=x",
        ),
        (
            "SIP/2.0/UDP 10.0.0.1;branch=x",
            "SIP/2.0/UDP 10.0.0.1;branch=x;received=192.0.2.9",
        ),
        (
            "SIP/2.0/UDP h;received=6.6.6.6",
            "SIP/2.0/UDP h;received=192.0.2.9",
        ),
        (
            "SIP/2.0/UDP 192.0.2.9;rport",
            "SIP/2.0/UDP 192.0.2.9;rport=1024;received=192.0.2.9",
        ),
    ] {
        let mut via = Via::parse(via).unwrap();
        via.note_source(source);
        assert_eq!(via.to_string(), noted);
    }
}

#[test]
fn addresses_are_read_in_every_form() {
    for (text, display, uri, tag) in [
        ("<sip:a@h>;tag=1", None, "sip:a@h", Some("1")),
        ("sip:a@h;tag=1", None, "sip:a@h", Some("1")),
        (
            "\"A, B\" <sip:a@h;x=y?z=1> ; tag = 1",
            Some("A, B"),
            "sip:a@h;x=y?z=1",
            Some("1"),
        ),
        (
            "\"A \\\"B\\\" \\\\\"<sip:a@h>",
            Some("A \"B\" \\"),
            "sip:a@h",
            None,
        ),
        ("\"A<B>\" <sip:a@h>", Some("A<B>"), "sip:a@h", None),
        ("caller one <sip:a@h>", Some("caller one"), "sip:a@h", None),
        ("caller<sip:a@h>", Some("caller"), "sip:a@h", None),
        ("M\u{fc}ller <sip:a@h>", Some("M\u{fc}ller"), "sip:a@h", None),
        ("\"\" <sip:a@h>", Some(""), "sip:a@h", None),
        ("<tel:+49301>;tag=x", None, "tel:+49301", Some("x")),
    ] {
        let address = NameAddr::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(
            (address.display.as_deref(), address.uri.as_str(), address.tag()),
            (display, uri, tag),
            "{text}"
        );
        assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
    }
}

#[test]
fn malformed_addresses_are_refused() {
    for text in [
        "",
        "<sip:a@h",
        "\"A <sip:a@h>",
        "\"A\" sip:a@h",
        "A, B <sip:a@h>",
        "<sip:a@h> x",
        "<sip:a@h>;;tag=1",
        "<sip:a@h>;=1",
        "< sip:a@h >",
        "sip:a@h?x=1",
        "<sip:a@h>, <sip:b@h>",
        "no uri",
    ] {
        assert!(NameAddr::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_tag_is_added_once() {
    let address = NameAddr::new("sip:a@h".parse().unwrap())
        .with_tag("1")
        .with_tag("2");
    assert_eq!(address.to_string(), "<sip:a@h>;tag=2");
}

#[test]
fn contacts_come_with_preference_and_expiry() {
    let lines = [
        "<sip:a@h;x=1,2>;q=0.5;expires=60, \"B, b\" <sip:b@h>;+sip.instance=\"<urn:uuid:1>\"",
        "sip:c@h;q=0.501;expires=99999999999999, <sip:d@h>;q=2;expires=x",
    ];
    let contacts = Contacts::parse(lines.into_iter()).unwrap();
    let Contacts::These(these) = &contacts else {
        panic!("{contacts:?}")
    };
    let figures: Vec<_> = these
        .iter()
        .map(|contact| (contact.q(), contact.expires()))
        .collect();
    assert_eq!(
        figures,
        [(500, Some(60)), (1000, None), (501, Some(u32::MAX)), (1000, None)]
    );
    assert_eq!(these[1].0.parameters.get("+sip.instance"), Some("<urn:uuid:1>"));
    for contact in these {
        assert_eq!(NameAddr::parse(&contact.0.to_string()).as_ref(), Ok(&contact.0));
    }
    let best: Vec<_> = contacts
        .by_preference()
        .iter()
        .map(|contact| contact.uri().to_string())
        .collect();
    assert_eq!(best, ["sip:b@h", "sip:d@h", "sip:c@h", "sip:a@h;x=1,2"]);
    assert_eq!(Contacts::parse(["*"].into_iter()), Ok(Contacts::All));
    assert!(Contacts::parse(["*", "<sip:a@h>"].into_iter()).is_err());
}

#[test]
fn routes_keep_their_order_over_lines_and_commas() {
    let lines = ["<sip:p1;lr>,<sip:p2;lr>", "<sip:p3>"];
    let routes = read_name_addrs(lines.into_iter()).unwrap();
    let uris: Vec<_> = routes.iter().map(|route| route.uri.as_str()).collect();
    assert_eq!(uris, ["sip:p1;lr", "sip:p2;lr", "sip:p3"]);
    assert!(read_name_addrs(["<sip:p1;lr>, nonsense"].into_iter()).is_err());
}

#[test]
fn numbers_print_and_read_the_same_and_keep_their_bounds() {
    assert_eq!(
        CSeq::parse("0009 \t INVITE"),
        Ok(CSeq {
            number: 9,
            method: Method::Invite
        })
    );
    assert_eq!(CSeq::parse("2147483647 X").unwrap().to_string(), "2147483647 X");
    for text in [
        "",
        "1",
        "INVITE 1",
        "-1 INVITE",
        "2147483648 INVITE",
        "1 IN VITE",
        "1 I,N",
    ] {
        assert!(CSeq::parse(text).is_err(), "{text}");
    }
    let rack = RAck::parse("776656 1 INVITE").unwrap();
    assert_eq!(
        (rack.response, rack.cseq.number, rack.to_string().as_str()),
        (776_656, 1, "776656 1 INVITE")
    );
    assert!(RAck::parse("1 INVITE").is_err());
    assert_eq!(
        RSeq::parse("4294967295").map(|rseq| rseq.to_string()).as_deref(),
        Ok("4294967295")
    );
    assert!(RSeq::parse("0").is_err() && RSeq::parse("4294967296").is_err());
}

#[test]
fn timers_are_read_with_their_parameters() {
    let expires = SessionExpires {
        seconds: 1800,
        refresher: Some(Refresher::Uas),
    };
    assert_eq!(SessionExpires::parse("1800 ; Refresher = UAS;x=y"), Ok(expires));
    assert_eq!(SessionExpires::parse(&expires.to_string()), Ok(expires));
    assert_eq!(
        SessionExpires::parse("90").map(|expires| expires.refresher),
        Ok(None)
    );
    assert!(SessionExpires::parse("90;refresher=me").is_err() && SessionExpires::parse("soon").is_err());
    assert_eq!(
        MinSe::parse("90;lr").map(|least| least.to_string()).as_deref(),
        Ok("90")
    );
    for (text, seconds) in [
        ("120", 120),
        ("18000;duration=3600", 18_000),
        ("5 (in a meeting; really)", 5),
        ("99999999999", u32::MAX),
    ] {
        assert_eq!(RetryAfter::parse(text), Ok(RetryAfter(seconds)), "{text}");
    }
    assert!(RetryAfter::parse("(later)").is_err());
}

#[test]
fn a_reason_is_read_with_its_words() {
    let reason =
        Reason::parse("SIP ;cause=200 ;text=\"Call \\\"completed\\\", elsewhere\", Q.850;cause=16").unwrap();
    assert_eq!((reason.protocol.as_str(), reason.cause), ("SIP", Some(200)));
    assert_eq!(reason.text.as_deref(), Some("Call \"completed\", elsewhere"));
    assert_eq!(Reason::parse(&reason.to_string()), Ok(reason));
    assert!(Reason::parse("").is_err() && Reason::parse(";cause=1").is_err());
}

#[test]
fn challenges_are_read_in_every_form() {
    let one = Challenge::parse(
        "Digest realm=\"a, \\\"b\\\"\" , nonce=\"x\",qop=\"auth,auth-int\",algorithm=SHA-256",
    )
    .unwrap();
    assert_eq!(
        (one.get("realm"), one.get("QOP")),
        (Some("a, \"b\""), Some("auth,auth-int"))
    );
    assert!(one.is_digest());
    assert_eq!(Challenge::parse(&one.to_string()), Ok(one));
    let two = Challenge::parse_list("Negotiate abc==, Digest realm = \"r\", stale=TRUE, nonce=n").unwrap();
    assert_eq!(two.len(), 2);
    assert_eq!(
        (two[1].get("realm"), two[1].get("stale")),
        (Some("r"), Some("TRUE"))
    );
    for text in [
        "realm=\"r\"",
        "Digest realm=\"r",
        "Digest realm=\"r\"x",
        "Digest a=1, Digest b=2",
        "",
    ] {
        assert!(Challenge::parse(text).is_err(), "{text}");
    }
    let many = format!(
        "Digest {}",
        (0..100).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join(",")
    );
    assert!(Challenge::parse(&many).is_err());
}

#[test]
fn tokens_are_read_over_lines_and_commas() {
    assert_eq!(
        read_tokens(["INVITE, ACK,,BYE", " ", "timer"].into_iter()),
        ["INVITE", "ACK", "BYE", "timer"]
    );
}

#[test]
fn parameters_are_set_in_place_and_quoted_where_they_must_be() {
    let mut parameters = Parameters::parse(";a=1;B;c=\"x y\"").unwrap();
    parameters.set("A", Some("2;3"));
    parameters.set("d", Some("line\r\nend"));
    parameters.remove("b");
    assert_eq!(parameters.to_string(), ";a=\"2;3\";c=\"x y\";d=\"line  end\"");
    assert!(Parameters::parse("a=1").is_err() && Parameters::parse(";a=b c").is_err());
}
