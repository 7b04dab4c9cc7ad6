//! Offers as they leave, answers good and bad, offers of theirs.

use std::time::Duration;

use super::*;
use crate::chance::Chance;
use crate::media::srtp::{Key, Suite};
use crate::media::{Control, Encryption, Plan, TelephoneEvent};
use crate::network::Transport;

#[test]
fn our_offer_is_what_the_rfcs_ask_for() {
    let text = String::from_utf8(offer(&ours())).unwrap();
    assert_eq!(
        text,
        "v=0\r\no=- 7 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 16384 RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
         a=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\na=rtcp-mux\r\n"
    );
}

#[test]
fn an_offer_over_ipv6_says_so_and_codecs_keep_their_order() {
    let parts = OfferParts {
        address: "[2001:db8::9]:20000".parse().unwrap(),
        codecs: vec![CodecName::Pcma, CodecName::Pcmu],
        telephone_event: false,
        direction: Direction::SendOnly,
        ..ours()
    };
    let text = String::from_utf8(offer(&parts)).unwrap();
    assert!(
        text.contains("o=- 7 1 IN IP6 2001:db8::9\r\n") && text.contains("c=IN IP6 2001:db8::9\r\n"),
        "{text}"
    );
    assert!(
        text.contains("m=audio 20000 RTP/AVP 8 0\r\n") && text.contains("a=sendonly\r\n"),
        "{text}"
    );
    assert!(!text.contains("telephone-event"));
}

#[test]
fn wideband_is_offered_and_answered_under_the_clock_that_it_always_had() {
    let parts = OfferParts {
        codecs: vec![CodecName::G722, CodecName::Pcmu],
        ..ours()
    };
    let text = String::from_utf8(offer(&parts)).unwrap();
    assert!(
        text.contains("m=audio 16384 RTP/AVP 9 0 101\r\na=rtpmap:9 G722/8000\r\n"),
        "{text}"
    );
    for lines in [
        &["m=audio 4000 RTP/AVP 9 101", EVENTS][..],
        &["m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 g722/8000", EVENTS],
    ] {
        let body = description(&[&[ADDRESS], lines].concat());
        let plan = read_answer(&parts, &body).unwrap();
        assert_eq!(
            (plan.codec, plan.telephone_event),
            (CodecName::G722, Some(TelephoneEvent::USUAL))
        );
    }
}

#[cfg(feature = "opus")]
#[test]
fn opus_is_offered_as_its_rfc_has_it_with_digits_at_both_clocks() {
    let parts = OfferParts {
        codecs: vec![CodecName::Opus, CodecName::Pcmu],
        ..ours()
    };
    let text = String::from_utf8(offer(&parts)).unwrap();
    assert!(
        text.contains(
            "m=audio 16384 RTP/AVP 96 0 101 102\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
             a=rtpmap:102 telephone-event/48000\r\na=fmtp:102 0-16\r\n"
        ),
        "{text}"
    );
    for (events, expected) in [
        ("a=rtpmap:102 telephone-event/48000", Some((102, 48_000))),
        ("a=rtpmap:102 telephone-event/8000", Some((102, 8000))),
        ("a=rtpmap:102 telephone-event/16000", None),
    ] {
        let lines = [
            ADDRESS,
            "m=audio 4000 RTP/AVP 111 102",
            "a=rtpmap:111 OPUS/48000/2",
            events,
        ];
        let plan = read_answer(&parts, &description(&lines)).unwrap();
        assert_eq!(
            (plan.codec, plan.send_payload_type, plan.receive_payload_type),
            (CodecName::Opus, 111, 96)
        );
        let found = plan
            .telephone_event
            .map(|event| (event.payload_type, event.clock_rate));
        assert_eq!(found, expected, "{events}");
    }
    for wrong in ["a=rtpmap:96 opus/48000", "a=rtpmap:96 opus/48000/1", "a=x"] {
        let body = description(&[ADDRESS, "m=audio 4000 RTP/AVP 96", wrong]);
        assert_eq!(
            read_answer(&parts, &body),
            Err(AnswerFault::NoCommonCodec),
            "{wrong}"
        );
    }
}

#[test]
fn a_plain_answer_makes_a_plan() {
    let plan = read(&[
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 8 101",
        EVENTS,
    ])
    .unwrap();
    assert_eq!(
        plan,
        Plan {
            codec: CodecName::Pcma,
            send_payload_type: 8,
            receive_payload_type: 8,
            telephone_event: Some(TelephoneEvent::USUAL),
            local: ours().address,
            remote: "198.51.100.1:4000".parse().unwrap(),
            control: Control::beside("198.51.100.1:4000".parse().unwrap()),
            packet_time: Duration::from_millis(20),
            direction: Direction::SendReceive,
            is_early: false,
            keys: None,
        }
    );
}

#[test]
fn reports_go_where_the_far_end_says_or_with_the_audio() {
    for (line, expected) in [
        ("a=x", Some((4001, false))),
        ("a=rtcp-mux", Some((4000, true))),
        ("a=rtcp:5000", Some((5000, false))),
        ("a=rtcp:5000 IN IP4 203.0.113.9", Some((5000, false))),
        ("a=rtcp:0", Some((4001, false))),
        ("a=rtcp:many", Some((4001, false))),
    ] {
        let lines = [ADDRESS, "m=audio 4000 RTP/AVP 0", line];
        let control = read(&lines).unwrap().control;
        let found = control.map(|control| (control.remote.port(), control.is_multiplexed));
        assert_eq!(found, expected, "{line}");
        let (body, _) = answer(&ours(), &description(&lines)).unwrap();
        let says_so = String::from_utf8(body).unwrap().contains("a=rtcp-mux\r\n");
        assert_eq!(says_so, line == "a=rtcp-mux", "only when offered");
    }
    let last = read(&[ADDRESS, "m=audio 65535 RTP/AVP 0"]).unwrap();
    assert_eq!(last.control, None);
}

#[test]
fn our_own_offer_is_a_good_answer() {
    let theirs = OfferParts {
        address: "198.51.100.1:4000".parse().unwrap(),
        ..ours()
    };
    assert_eq!(
        read_answer(&ours(), &offer(&theirs)).unwrap().codec,
        CodecName::Pcmu
    );
}

#[test]
fn the_first_codec_of_the_answer_that_was_offered_is_taken() {
    let first = |line: &str| read(&[ADDRESS, line]).map(|plan| plan.codec);
    assert_eq!(first("m=audio 4000 RTP/AVP 18 8 0"), Ok(CodecName::Pcma));
    assert_eq!(
        first("m=audio 4000 RTP/AVP 18 9 101"),
        Err(AnswerFault::NoCommonCodec)
    );
    let only_one = OfferParts {
        codecs: vec![CodecName::Pcmu],
        ..ours()
    };
    let answer = description(&[ADDRESS, "m=audio 4000 RTP/AVP 8"]);
    assert_eq!(read_answer(&only_one, &answer), Err(AnswerFault::NoCommonCodec));
}

#[test]
fn numbers_beyond_the_static_ones_mean_what_their_rtpmap_says() {
    let plan = read(&[
        ADDRESS,
        "m=audio 4000 RTP/AVP 96 97",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:97 pcmu/8000/1",
    ]);
    let plan = plan.unwrap();
    assert_eq!(
        (plan.codec, plan.send_payload_type, plan.receive_payload_type),
        (CodecName::Pcmu, 97, 0)
    );
    for map in [
        "a=rtpmap:0 G726-32/8000",
        "a=rtpmap:0 PCMU/16000",
        "a=rtpmap:0 PCMU/8000/2",
    ] {
        assert_eq!(
            read(&[ADDRESS, "m=audio 4000 RTP/AVP 0", map]),
            Err(AnswerFault::NoCommonCodec),
            "{map}"
        );
    }
    assert_eq!(
        read(&[ADDRESS, "m=audio 4000 RTP/AVP 200 -1 x"]),
        Err(AnswerFault::NoCommonCodec)
    );
}

#[test]
fn digits_are_agreed_only_as_offered_and_at_the_rate_of_the_audio() {
    let digits = |map: &str| {
        read(&[ADDRESS, "m=audio 4000 RTP/AVP 0 96", map])
            .unwrap()
            .telephone_event
            .map(|event| event.payload_type)
    };
    assert_eq!(digits("a=rtpmap:96 telephone-event/8000"), Some(96));
    assert_eq!(digits("a=rtpmap:96 TELEPHONE-EVENT/8000 "), Some(96));
    assert_eq!(digits("a=rtpmap:96 telephone-event/48000"), None);
    assert_eq!(digits("a=rtpmap:97 telephone-event/8000"), None);
    let silent = OfferParts {
        telephone_event: false,
        ..ours()
    };
    let answer = description(&[ADDRESS, "m=audio 4000 RTP/AVP 0 101", EVENTS]);
    assert_eq!(read_answer(&silent, &answer).unwrap().telephone_event, None);
}

#[test]
fn a_refused_stream_is_passed_over_for_the_next() {
    assert_eq!(read(&[ADDRESS, "m=audio 0 RTP/AVP 0"]), Err(AnswerFault::NoAudio));
    assert_eq!(
        read(&[ADDRESS, "m=video 4000 RTP/AVP 31"]),
        Err(AnswerFault::NoAudio)
    );
    assert_eq!(read(&[ADDRESS]), Err(AnswerFault::NoAudio));
    let lines = [
        ADDRESS,
        "m=video 0 RTP/AVP 31",
        "m=audio 4000 RTP/AVP 18",
        "m=AUDIO 4002 RTP/AVP 0",
    ];
    assert_eq!(read(&lines).unwrap().remote.port(), 4002);
}

#[test]
fn encrypted_audio_is_not_taken_for_plain() {
    for protocol in ["RTP/SAVP", "RTP/AVPF", "UDP/TLS/RTP/SAVPF", "udp"] {
        let fault = read(&[ADDRESS, &format!("m=audio 4000 {protocol} 0")]).unwrap_err();
        assert_eq!(fault, AnswerFault::Protocol(protocol.to_owned()));
    }
}

#[test]
fn the_address_of_the_stream_goes_before_that_of_the_session() {
    let plan = read(&[
        "c=IN IP4 198.51.100.1",
        "m=audio 4000 RTP/AVP 0",
        "c=IN IP4 198.51.100.2",
    ])
    .unwrap();
    assert_eq!(plan.remote, "198.51.100.2:4000".parse().unwrap());
    assert_eq!(read(&["m=audio 4000 RTP/AVP 0"]), Err(AnswerFault::NoAddress));
}

#[test]
fn audio_goes_to_no_address_that_is_not_one_far_end_of_our_family() {
    for (address, why) in [
        ("IP4 224.2.1.1/127/3", "not a single address"),
        ("IP4 239.1.1.1", "multicast"),
        ("IP4 255.255.255.255", "broadcast or reserved"),
        ("IP4 240.0.0.1", "broadcast or reserved"),
        ("IP4 0.1.2.3", "no host address"),
        ("IP4 127.0.0.1", "our own loopback"),
        ("IP6 ::1", "another family than ours"),
        ("IP6 ::ffff:127.0.0.1", "our own loopback"),
        ("IP6 ff02::1", "multicast"),
        ("IP6 2001:db8::1", "another family than ours"),
        ("IP4 host.example.com", "not a single address"),
        ("IP4 192.0.2.9", "our own port"),
        ("IP6 ::ffff:192.0.2.9", "our own port"),
    ] {
        let connection = format!("c=IN {address}");
        let fault = read(&[&connection, "m=audio 16384 RTP/AVP 0"]).unwrap_err();
        assert!(
            matches!(fault, AnswerFault::Address { why: found, .. } if found == why),
            "{address}: {fault}"
        );
    }
    assert!(read(&["c=IN IP4 192.0.2.9", "m=audio 16386 RTP/AVP 0"]).is_ok());
    let mapped = read(&["c=IN IP6 ::ffff:198.51.100.1", "m=audio 4000 RTP/AVP 0"]).unwrap();
    assert_eq!(mapped.remote, "198.51.100.1:4000".parse().unwrap());
    let here = OfferParts {
        address: "127.0.0.1:16384".parse().unwrap(),
        ..ours()
    };
    assert!(
        read_answer(
            &here,
            &description(&["c=IN IP4 127.0.0.1", "m=audio 4000 RTP/AVP 0"])
        )
        .is_ok()
    );
}

#[test]
fn packet_times_stay_within_bounds() {
    for (lines, milliseconds) in [
        (&["a=ptime:30"][..], 30),
        (&["a=ptime:5"], 10),
        (&["a=ptime:0"], 20),
        (&["a=ptime:-20"], 20),
        (&["a=ptime:25.5"], 20),
        (&["a=ptime"], 20),
        (&["a=ptime:much"], 20),
        (&["a=ptime:200"], 60),
        (&["a=ptime:99999999999999999999999999"], 60),
        (&["a=ptime:60", "a=maxptime:40"], 40),
        (&["a=maxptime:10"], 10),
        (&["a=maxptime:150"], 20),
    ] {
        let all = [&[ADDRESS, "m=audio 4000 RTP/AVP 0"], lines].concat();
        assert_eq!(
            read(&all).unwrap().packet_time,
            Duration::from_millis(milliseconds),
            "{lines:?}"
        );
    }
}

#[test]
fn hold_is_understood_in_every_spelling() {
    use Direction::{Inactive, ReceiveOnly, SendOnly, SendReceive};
    let held = |of_session: &str, of_stream: &str| {
        read(&[ADDRESS, of_session, "m=audio 4000 RTP/AVP 0", of_stream])
            .unwrap()
            .direction
    };
    assert_eq!(held("a=x", "a=sendrecv"), SendReceive);
    assert_eq!(held("a=x", "a=sendonly"), ReceiveOnly);
    assert_eq!(held("a=x", "a=recvonly"), SendOnly);
    assert_eq!(held("a=x", "a=inactive"), Inactive);
    assert_eq!(held("a=inactive", "a=x"), Inactive);
    assert_eq!(held("a=inactive", "a=sendrecv"), SendReceive);
    for address in ["IP4 0.0.0.0", "IP6 ::"] {
        let plan = read(&[&format!("c=IN {address}"), "m=audio 4000 RTP/AVP 0"]).unwrap();
        assert_eq!(plan.direction, Inactive);
    }
}

#[test]
fn what_we_do_not_offer_we_do_not_get() {
    let held = OfferParts {
        direction: Direction::SendOnly,
        ..ours()
    };
    let direction = |line: &str| {
        read_answer(&held, &description(&[ADDRESS, "m=audio 4000 RTP/AVP 0", line]))
            .unwrap()
            .direction
    };
    assert_eq!(direction("a=recvonly"), Direction::SendOnly);
    assert_eq!(direction("a=sendrecv"), Direction::SendOnly);
    assert_eq!(direction("a=sendonly"), Direction::Inactive);
}

#[test]
fn bombs_are_refused() {
    let long = vec![b'v'; 16 * 1024 + 1];
    assert_eq!(read_answer(&ours(), &long), Err(AnswerFault::Long(long.len())));
    let many: Vec<_> = std::iter::once(ADDRESS)
        .chain(std::iter::repeat_n("m=audio 0 RTP/AVP 0", 17))
        .collect();
    assert_eq!(read(&many), Err(AnswerFault::Streams { found: 17, most: 16 }));
    assert_eq!(
        answer(&ours(), &description(&many)),
        Err(AnswerFault::Streams { found: 17, most: 16 })
    );
}

#[test]
fn what_is_no_session_description_is_malformed() {
    for body in [
        "",
        "hello",
        "v=1\r\n",
        "o=- 1 1 IN IP4 1.1.1.1\r\n",
        "v=0\r\nm=audio 70000 RTP/AVP 0\r\n",
    ] {
        let fault = read_answer(&ours(), body.as_bytes()).unwrap_err();
        assert!(matches!(fault, AnswerFault::Malformed(_)), "{body:?}: {fault}");
        assert_eq!(fault.status(), 400);
    }
    assert_eq!(AnswerFault::NoCommonCodec.status(), 488);
}

#[test]
fn names_in_other_character_sets_are_no_fault() {
    let mut body = description(&[ADDRESS, "m=audio 4000 RTP/AVP 0"]);
    let at = body.windows(4).position(|window| window == b"s=-\r").unwrap();
    body[at + 2] = 0xe9;
    assert!(read_answer(&ours(), &body).is_ok());
}

#[test]
fn what_they_wrote_is_shown_without_control_characters() {
    let protocol = format!("m=audio 4000 A\u{1b}[31m\u{7}{} 0", "x".repeat(500));
    let said = read(&[ADDRESS, &protocol]).unwrap_err().to_string();
    assert!(said.len() < 120 && !said.chars().any(char::is_control), "{said}");
}

#[test]
fn an_offer_of_theirs_is_answered_stream_by_stream() {
    let theirs = description(&[
        "t=3338481189 3370017201",
        "m=video 6000 RTP/AVP 31",
        "c=IN IP6 2001:db8::1",
        "a=sendrecv",
        "m=audio 4000/2 RTP/AVP 18 97 96 0",
        ADDRESS,
        "a=rtpmap:97 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=ptime:40",
        "a=sendonly",
        "m=audio 4002 RTP/AVP 0",
        ADDRESS,
        "m=application 9 TCP/BFCP *",
    ]);
    let (body, plan) = answer(&ours(), &theirs).unwrap();
    assert_eq!(
        String::from_utf8(body).unwrap(),
        "v=0\r\no=- 7 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=3338481189 3370017201\r\n\
         m=video 0 RTP/AVP 31\r\nm=audio 16384 RTP/AVP 97 96\r\na=rtpmap:97 PCMA/8000\r\n\
         a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\na=ptime:40\r\na=maxptime:60\r\na=recvonly\r\nm=audio 0 RTP/AVP 0\r\n\
         m=application 0 TCP/BFCP *\r\n"
    );
    assert_eq!(
        (
            plan.send_payload_type,
            plan.receive_payload_type,
            plan.telephone_event.map(|event| event.payload_type)
        ),
        (97, 97, Some(96))
    );
    assert_eq!(
        (plan.remote.port(), plan.direction),
        (4000, Direction::ReceiveOnly)
    );
}

#[test]
fn an_offer_without_usable_audio_is_refused() {
    let refused = answer(&ours(), &description(&[ADDRESS, "m=audio 4000 RTP/AVP 18"])).unwrap_err();
    assert_eq!(
        (refused.clone(), refused.status()),
        (AnswerFault::NoCommonCodec, 488)
    );
}

#[test]
fn both_sides_of_an_exchange_agree() {
    let theirs = OfferParts {
        address: "198.51.100.1:4000".parse().unwrap(),
        ..ours()
    };
    let (body, at_answerer) = answer(&ours(), &offer(&theirs)).unwrap();
    let at_offerer = read_answer(&theirs, &body).unwrap();
    assert_eq!(
        (at_answerer.codec, at_answerer.packet_time),
        (at_offerer.codec, at_offerer.packet_time)
    );
    assert_eq!(
        (at_answerer.local, at_answerer.remote),
        (at_offerer.remote, at_offerer.local)
    );
    assert_eq!(at_answerer.telephone_event, at_offerer.telephone_event);
}

#[test]
fn an_encrypted_offer_has_a_key_of_each_suite() {
    let text = String::from_utf8(offer(&encrypted(Encryption::Require))).unwrap();
    assert!(text.contains("m=audio 16384 RTP/SAVP 0 8 101\r\n"), "{text}");
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("a=crypto:"))
        .map(|line| line.split_once(" inline:").unwrap())
        .collect();
    let suites: Vec<_> = lines.iter().map(|(suite, key)| (*suite, key.len())).collect();
    assert_eq!(
        suites,
        [
            ("1 AEAD_AES_256_GCM", 60),
            ("2 AEAD_AES_128_GCM", 40),
            ("3 AES_CM_128_HMAC_SHA1_80", 40)
        ]
    );
    let beside = String::from_utf8(offer(&encrypted(Encryption::Prefer))).unwrap();
    assert!(beside.contains("m=audio 16384 RTP/AVP 0 8 101\r\n") && beside.contains("a=crypto:3 "));
    let printed = format!("{:?}", encrypted(Encryption::Require));
    assert!(!lines.iter().any(|(_, key)| printed.contains(key)), "{printed}");
}

#[test]
fn the_suite_of_the_answer_is_taken_with_our_key_and_theirs() {
    for (tag, suite) in [
        (1, Suite::AeadAes256Gcm),
        (2, Suite::AeadAes128Gcm),
        (3, Suite::AesCm128HmacSha1_80),
    ] {
        let theirs = Key::fresh(suite, &mut Chance::from_seed([tag; 32]));
        let line = format!("a=crypto:{tag} {} inline:{}|2^31", suite.name(), theirs.expose());
        for (wanted, protocol) in [
            (Encryption::Require, "RTP/SAVP"),
            (Encryption::Prefer, "RTP/AVP"),
            (Encryption::Prefer, "RTP/SAVP"),
        ] {
            let ours = encrypted(wanted);
            let lines = [ADDRESS, &format!("m=audio 4000 {protocol} 0"), &line];
            let keys = read_answer(&ours, &description(&lines)).unwrap().keys.unwrap();
            assert_eq!(keys.receive, theirs);
            let offered = String::from_utf8(offer(&ours)).unwrap();
            assert!(offered.contains(&format!(
                "a=crypto:{tag} {} inline:{}\r\n",
                suite.name(),
                keys.send.expose()
            )));
        }
    }
}

#[test]
fn an_answer_without_the_keys_that_it_owes_is_refused() {
    let key = Key::fresh(Suite::AesCm128HmacSha1_80, &mut Chance::from_seed([5; 32]));
    let line = |tag: u32| format!("a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{}", key.expose());
    let read = |wanted, protocol: &str, line: &str| {
        let lines = [ADDRESS, &format!("m=audio 4000 {protocol} 0"), line];
        read_answer(&encrypted(wanted), &description(&lines)).map(|plan| plan.keys.is_some())
    };
    let (require, prefer) = (Encryption::Require, Encryption::Prefer);
    assert_eq!(
        read(prefer, "RTP/AVP", "a=x"),
        Ok(false),
        "either answer is accepted"
    );
    assert_eq!(read(require, "RTP/AVP", "a=x"), Err(AnswerFault::NoKeys));
    assert_eq!(read(require, "RTP/SAVP", "a=x"), Err(AnswerFault::NoKeys));
    assert_eq!(read(prefer, "RTP/SAVP", "a=x"), Err(AnswerFault::NoKeys));
    for wrong in [
        line(1),
        line(0),
        line(4),
        line(4_000_000_000),
        "a=crypto:3 X".to_owned(),
    ] {
        assert_eq!(
            read(prefer, "RTP/AVP", &wrong),
            Err(AnswerFault::NoKeys),
            "{wrong}"
        );
    }
    assert_eq!(read(require, "RTP/SAVP", &line(3)), Ok(true));
    assert_eq!(AnswerFault::NoKeys.status(), 488);
}

#[test]
fn a_call_that_began_encrypted_stays_so() {
    let mut ours = encrypted(Encryption::Prefer);
    let plain = description(&[ADDRESS, "m=audio 4000 RTP/AVP 0"]);
    assert_eq!(answer(&ours, &plain).unwrap().1.keys, None);
    ours.crypto = ours.crypto.map(Crypto::kept);
    assert_eq!(answer(&ours, &plain).unwrap_err(), AnswerFault::NoKeys);
}

#[test]
fn both_sides_of_an_encrypted_exchange_agree_and_a_second_one_changes_no_key() {
    let theirs = OfferParts {
        address: "198.51.100.1:4000".parse().unwrap(),
        crypto: Crypto::of_call(
            Encryption::Require,
            false,
            Transport::Tls,
            &mut Chance::from_seed([77; 32]),
        ),
        ..ours()
    };
    for wanted in [Encryption::Require, Encryption::Prefer] {
        let ours = encrypted(wanted);
        let (body, at_answerer) = answer(&ours, &offer(&theirs)).unwrap();
        let at_offerer = read_answer(&theirs, &body).unwrap();
        let (here, there) = (at_answerer.keys.unwrap(), at_offerer.keys.unwrap());
        assert_eq!((&here.send, &here.receive), (&there.receive, &there.send));
        let (_, again) = answer(&ours, &offer(&theirs)).unwrap();
        assert_eq!(again.keys, Some(here));
        assert!(
            String::from_utf8(body)
                .unwrap()
                .contains("m=audio 16384 RTP/SAVP 0 101\r\n")
        );
    }
}

fn encrypted(wanted: Encryption) -> OfferParts {
    OfferParts {
        crypto: Crypto::of_call(wanted, false, Transport::Tls, &mut Chance::from_seed([6; 32])),
        ..ours()
    }
}

const ADDRESS: &str = "c=IN IP4 198.51.100.1";
const EVENTS: &str = "a=rtpmap:101 telephone-event/8000";

fn ours() -> OfferParts {
    OfferParts {
        address: "192.0.2.9:16384".parse().unwrap(),
        codecs: vec![CodecName::Pcmu, CodecName::Pcma],
        telephone_event: true,
        session_id: 7,
        version: 1,
        direction: Direction::SendReceive,
        crypto: None,
    }
}

fn read(lines: &[&str]) -> Result<Plan, AnswerFault> {
    read_answer(&ours(), &description(lines))
}

fn description(lines: &[&str]) -> Vec<u8> {
    let mut text = "v=0\r\no=- 1 2 IN IP4 198.51.100.1\r\ns=-\r\n".to_owned();
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.into_bytes()
}
