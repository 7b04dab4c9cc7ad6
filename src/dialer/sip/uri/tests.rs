//! URIs: what is read, what is refused, what is built.

use super::*;

#[test]
fn the_parts_of_a_sip_uri_are_found() {
    let uri = read("sips:alice:secret@Example.COM:5061;transport=TCP;lr;x=a%20b?subject=hi&to=x");
    assert_eq!((uri.scheme(), uri.port()), (Scheme::Sips, Some(5061)));
    assert_eq!((uri.user(), uri.password()), (Some("alice"), Some("secret")));
    assert!(uri.host().unwrap().is_same(&Host::Name("example.com".to_owned())));
    assert_eq!(uri.parameter("TRANSPORT").as_deref(), Some("TCP"));
    assert_eq!(uri.parameter("x").as_deref(), Some("a b"));
    assert_eq!(uri.parameter("lr").as_deref(), Some(""));
    assert_eq!(uri.parameter("y"), None);
    assert_eq!(
        (uri.is_loose_router(), uri.has_headers(), uri.headers()),
        (true, true, "subject=hi&to=x")
    );
    assert_eq!(
        uri.without_headers().as_str(),
        "sips:alice:secret@Example.COM:5061;transport=TCP;lr;x=a%20b"
    );
}

#[test]
fn addresses_are_read_as_such() {
    assert_eq!(
        read("sip:192.0.2.1").host(),
        Some(&Host::V4("192.0.2.1".parse().unwrap()))
    );
    let uri = read("sip:a@[2001:db8::10]:5070");
    assert_eq!(uri.host(), Some(&Host::V6("2001:db8::10".parse().unwrap())));
    assert_eq!(uri.host().unwrap().to_string(), "[2001:db8::10]");
    assert_eq!(uri.port(), Some(5070));
}

#[test]
fn only_the_one_at_sign_ends_the_user_part() {
    let uri = read("sip:user;par=u%40example.net?x/y@example.com;lr");
    assert_eq!(uri.user(), Some("user;par=u%40example.net?x/y"));
    assert_eq!(uri.host().unwrap().to_string(), "example.com");
    for ambiguous in ["sip:good@host;x=@evil", "sip:a@b@c", "sip:a@b?to=c@d"] {
        assert_eq!(Uri::parse(ambiguous), Err(UriFault::User), "{ambiguous}");
    }
}

#[test]
fn what_is_no_uri_is_refused() {
    for (text, fault) in [
        ("", UriFault::Scheme),
        ("example.com", UriFault::Scheme),
        ("1sip:host", UriFault::Scheme),
        (":host", UriFault::Scheme),
        ("sip:", UriFault::Host),
        ("sip:@host", UriFault::User),
        ("sip:user@", UriFault::Host),
        ("sip:ho st", UriFault::Character),
        ("sip:user@host; lr", UriFault::Character),
        ("sip:<host>", UriFault::Character),
        ("sip:ho\"st", UriFault::Character),
        ("sip:ho\u{0}st", UriFault::Character),
        ("sip:ho\r\nst", UriFault::Character),
        ("sip:a\u{a0}b@host", UriFault::Character),
        ("sip:h\u{f6}st", UriFault::Host),
        ("sip:2001:db8::10", UriFault::Host),
        ("sip:[2001:db8::10", UriFault::Host),
        ("sip:[host]", UriFault::Host),
        ("sip:[::1]x", UriFault::Host),
        ("sip:300.1.1.1", UriFault::Host),
        ("sip:host:0", UriFault::Port),
        ("sip:host:65536", UriFault::Port),
        ("sip:host:+5", UriFault::Port),
        ("sip:host:", UriFault::Port),
        ("sip:host;", UriFault::Parameter),
        ("sip:host;;lr", UriFault::Parameter),
        ("tel:", UriFault::User),
    ] {
        assert_eq!(Uri::parse(text), Err(fault), "{text:?}");
    }
    assert_eq!(
        Uri::parse(&format!("sip:{}@h", "x".repeat(LONGEST))),
        Err(UriFault::Long)
    );
}

#[test]
fn other_schemes_are_opaque() {
    let tel = read("tel:+4930123456;phone-context=example.com");
    assert_eq!(
        (tel.scheme(), tel.user(), tel.host()),
        (Scheme::Tel, Some("+4930123456"), None)
    );
    assert_eq!(tel.parameter("phone-context").as_deref(), Some("example.com"));
    let other = read("soap.beep://192.0.2.103:3002");
    assert_eq!(
        (other.scheme(), other.user(), other.host()),
        (Scheme::Other, None, None)
    );
    assert!(!other.has_headers() && other.parameters().next().is_none());
}

#[test]
fn what_is_built_reads_as_built() {
    let host = Host::V6("2001:db8::1".parse().unwrap());
    let uri = Uri::build(Scheme::Sip, Some("12#3@ \r\n;x"), &host, Some(5062));
    assert_eq!(uri.as_str(), "sip:12%233%40%20%0D%0A%3Bx@[2001:db8::1]:5062");
    assert_eq!(Uri::parse(uri.as_str()).unwrap(), uri);
    assert_eq!(uri.user_decoded().as_deref(), Some("12#3@ \r\n;x"));
    let plain = Uri::build(Scheme::Tel, None, &Host::Name("example.com".to_owned()), None);
    assert_eq!(plain.as_str(), "sip:example.com");
    assert_eq!(Uri::parse(plain.as_str()).unwrap(), plain);
}

#[test]
fn parameters_are_added_in_front_of_headers() {
    let uri = read("sip:a@h;lr?x=1")
        .with_parameter("ob", None)
        .with_parameter("t", Some("a;b"));
    assert_eq!(uri.as_str(), "sip:a@h;lr;ob;t=a%3Bb?x=1");
    assert_eq!(uri.parameter("t").as_deref(), Some("a;b"));
}

#[test]
fn escapes_in_names_of_parameters_mean_what_they_stand_for() {
    assert!(read("sip:caller@host5.example.net;%6C%72").is_loose_router());
    assert_eq!(read("sip:h;x=%").parameter("x").as_deref(), Some("%"));
}

#[test]
fn the_user_part_is_not_printed_for_logs() {
    let printed = format!(
        "{:?} {:?}",
        read("sip:12345*0012345@example.com:5060"),
        read("tel:+49301234")
    );
    assert_eq!(printed, "Sip:***@example.com:5060 Tel:***");
}

fn read(text: &str) -> Uri {
    let uri = Uri::parse(text).unwrap();
    assert_eq!(uri.to_string(), text);
    uri
}
