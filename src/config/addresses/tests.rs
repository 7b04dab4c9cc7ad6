//! Good and bad texts for each form.

use super::*;

#[test]
fn a_host_may_have_a_port() {
    let read = |text| host_and_port(text).map(|read| (read.host, read.port));
    assert_eq!(read("SIP.Example.com."), Ok(("sip.example.com".to_owned(), None)));
    assert_eq!(read("192.0.2.1:5060"), Ok(("192.0.2.1".to_owned(), Some(5060))));
    assert_eq!(
        read("[2001:db8::1]:443"),
        Ok(("2001:db8::1".to_owned(), Some(443)))
    );
    for text in [
        "",
        ":5060",
        "a:",
        "a:0",
        "a:65536",
        "a:+1",
        "a b",
        "-a",
        "a..b",
        "256.1.1.1",
        "1.2.3",
        "[::1",
        "[::1]5",
        "[x]:1",
        "2001:db8::1",
        "bücher.example",
        ".",
    ] {
        assert!(host_and_port(text).is_err(), "{text}");
    }
}

#[test]
fn only_loopback_is_this_machine() {
    let is_loopback = |text| host_and_port(text).is_ok_and(|read| read.is_loopback());
    for text in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]:80",
        "[::ffff:127.0.0.1]",
    ] {
        assert!(is_loopback(text), "{text}");
    }
    for text in [
        "127.0.0.1.example.com",
        "localhost.example.com",
        "192.0.2.1",
        "0.0.0.0",
        "[::]",
    ] {
        assert!(!is_loopback(text), "{text}");
    }
}

#[test]
fn a_bridge_url_is_a_websocket_without_secrets() {
    assert!(websocket_url("wss://bridge.example.com:8443/rooms/1?v=2").is_ok_and(|url| url.is_secure));
    assert!(websocket_url("ws://127.0.0.1:9/").is_ok_and(|url| !url.is_secure));
    for text in [
        "bridge.example.com",
        "https://bridge.example.com",
        "wss://",
        "wss:///path",
        "wss://user:word@bridge.example.com",
        "wss://bridge.example.com/#part",
        "wss://bridge.example.com/a b",
        "wss://bridge.example.com:99999",
        "wss://bridge.example.com\\@evil.example",
    ] {
        assert!(websocket_url(text).is_err(), "{text}");
    }
}

#[test]
fn a_sip_target_is_a_uri_or_a_host() {
    for text in [
        "sip.example.com",
        "192.0.2.1:5080",
        "sip:proxy.example.com;transport=tcp;lr",
        "SIPS:me@[::1]:5061",
    ] {
        assert!(sip_target(text).is_ok(), "{text}");
    }
    for text in [
        "sip:",
        "tel:+49",
        "sip:@host",
        "sip:me:word@host",
        "sip:host;transport=sctp",
        "sips:host;transport=udp",
        "<sip:host>",
        "sip:host?a=b",
        "sip:host;",
        "sip:host;maddr=192.0.2.1",
        "h323:a@b",
        "sip:a b@c",
    ] {
        assert!(sip_target(text).is_err(), "{text}");
    }
}

#[test]
fn an_identity_needs_scheme_user_and_domain() {
    assert!(sip_identity("sip:room-15-104@example.com").is_ok());
    for text in [
        "example.com",
        "room@example.com",
        "sip:example.com",
        "sip:room@",
        "sip:room@example.com;lr",
    ] {
        assert!(sip_identity(text).is_err(), "{text}");
    }
}

#[test]
fn a_calendar_is_encrypted_or_local() {
    for text in [
        "https://calendar.example.com/a.ics",
        "file:///srv/a.ics",
        "/srv/a.ics",
    ] {
        assert_eq!(calendar_url(text), Ok(()), "{text}");
    }
    for text in [
        "http://calendar.example.com/a.ics",
        "a.ics",
        "file://a.ics",
        "https://",
        "",
    ] {
        assert!(calendar_url(text).is_err(), "{text}");
    }
}

#[test]
fn proxies_and_origins_are_read() {
    for text in [
        "http://proxy:3128",
        "http://user:word@proxy.example.com/",
        "http://[::1]:8080",
    ] {
        assert_eq!(proxy(text), Ok(()), "{text}");
    }
    for text in [
        "proxy:3128",
        "https://proxy",
        "http://",
        "http://proxy/path",
        "http://user@",
    ] {
        assert!(proxy(text).is_err(), "{text}");
    }
    assert_eq!(web_origin("https://panel.example.com:8443"), Ok(()));
    assert!(web_origin("https://panel.example.com/").is_err());
}

#[test]
fn what_is_said_of_an_entry_is_not_quoted_twice() {
    assert_eq!(after_quote("a b", "\"a b\" is no host"), "is no host");
    assert_eq!(
        after_quote("", "an entry is empty"),
        "cannot be used: an entry is empty"
    );
}

#[test]
fn no_text_makes_a_form_panic() {
    let pieces = [
        "", "[", "]", ":", "@", ";", "-", ".", "é", "sip:", "sips:", "wss://", "http://", "9", "%", "=",
    ];
    for one in pieces {
        for two in pieces {
            for three in pieces {
                let text = format!("{one}{two}{three}");
                let _ = (
                    host_and_port(&text),
                    websocket_url(&text),
                    sip_identity(&text),
                    proxy(&text),
                );
                let _ = (
                    calendar_url(&text),
                    web_origin(&text),
                    socket_address(&text),
                    public_address(&text),
                );
            }
        }
    }
}
