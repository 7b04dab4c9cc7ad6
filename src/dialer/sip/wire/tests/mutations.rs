//! Any bytes: nothing panics, what is printed reads the same, and a stream does not care how it is cut.

use super::super::*;
use super::streams::{read_all, read_in_pieces};
use super::torture::{corpus_4475, corpus_5118};
use crate::chance::Chance;
use crate::dialer::sip::headers::{Challenge, NameAddr};
use crate::dialer::sip::offer_answer::{self, OfferParts};
use crate::media::{CodecName, Direction};

#[test]
fn any_bytes_are_read_without_harm_and_printed_as_read() {
    let corpus: Vec<&[u8]> = corpus_4475()
        .into_iter()
        .chain(corpus_5118())
        .map(|(_, bytes)| bytes)
        .collect();
    let mut chance = Chance::from_seed([0x51; 32]);
    let mut read = 0;
    for _ in 0..12_000 {
        let bytes = mutated(&mut chance, &corpus);
        if let Ok(message) = read_datagram(&bytes) {
            read += 1;
            check_message(&message);
        }
    }
    // Else the mutations would be so wild that nothing but refusing is tested.
    assert!(read > 1_000, "{read}");
}

#[test]
fn any_stream_gives_the_same_in_pieces_of_any_size() {
    let corpus: Vec<&[u8]> = corpus_4475()
        .into_iter()
        .chain(corpus_5118())
        .map(|(_, bytes)| bytes)
        .collect();
    let mut chance = Chance::from_seed([0x52; 32]);
    for round in 0..1_500 {
        let bytes = [
            mutated(&mut chance, &corpus),
            b"\r\n\r\n".to_vec(),
            mutated(&mut chance, &corpus),
        ]
        .concat();
        let size = if round % 4 == 0 {
            1
        } else {
            1 + chance.below(64) as usize
        };
        assert_eq!(read_in_pieces(&bytes, size), read_all(&bytes));
    }
}

#[test]
fn any_challenge_is_read_without_harm_and_printed_as_read() {
    let corpus: [&[u8]; 4] = [
        b"Digest realm=\"a, \\\"b\\\"\", nonce=\"x\", qop=\"auth,auth-int\", algorithm=SHA-256, opaque=\"\", stale=TRUE",
        b"Digest realm=\"a\", nonce=\"x\", Digest realm=\"b\", nonce=\"y\", algorithm=MD5-sess",
        b"NoOneKnowsThisScheme opaque-data=here",
        b"Negotiate YIIJvwYGKwYBBQUCoIIJszCC==, Basic realm=\"x\"",
    ];
    let mut chance = Chance::from_seed([0x53; 32]);
    for _ in 0..5_000 {
        let text = String::from_utf8_lossy(&mutated(&mut chance, &corpus)).into_owned();
        for challenge in Challenge::parse_list(&text).into_iter().flatten() {
            // RFC 3261 7.3: no header value holds a line end when it gets here.
            if !text.contains(['\r', '\n']) {
                assert_eq!(Challenge::parse(&challenge.to_string()), Ok(challenge));
            }
        }
    }
}

#[test]
fn any_session_description_is_read_without_harm() {
    let corpus: [&[u8]; 3] = [
        b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
          a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:30\r\na=maxptime:60\r\na=sendonly\r\n",
        b"v=0\r\no=- 1 2 IN IP6 2001:db8::1\r\ns=-\r\nt=0 0\r\nm=video 6000 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\n\
          m=audio 4000/2 RTP/AVP 96 97\r\nc=IN IP4 192.0.2.4/127\r\na=rtpmap:96 PCMU/8000/1\r\n",
        b"v=0\r\no=- 1 2 IN IP4 host.example.com\r\ns=\r\nt=3338481189 3370017201\r\nr=7d 1h 0 25h\r\nm=audio 0 RTP/AVP 0\r\n",
    ];
    let ours = OfferParts {
        address: "192.0.2.9:16384".parse().unwrap(),
        codecs: CodecName::BUILT_IN.to_vec(),
        telephone_event: true,
        session_id: 1,
        version: 1,
        direction: Direction::SendReceive,
        crypto: None,
    };
    let mut chance = Chance::from_seed([0x54; 32]);
    let mut planned = 0;
    for _ in 0..5_000 {
        let body = mutated(&mut chance, &corpus);
        if let Ok(plan) = offer_answer::read_answer(&ours, &body) {
            planned += 1;
            assert!((10..=60).contains(&plan.packet_time.as_millis()) && plan.remote.port() != 0);
            assert!(!plan.remote.ip().is_multicast() && plan.send_payload_type < 128);
        }
        if let Ok((answer, plan)) = offer_answer::answer(&ours, &body) {
            assert!(sdp_types::Session::parse(&answer).is_ok());
            assert_eq!(plan.local, ours.address);
        }
    }
    assert!(planned > 200, "{planned}");
}

fn check_message(message: &Message) {
    let headers = message.headers();
    // Read again and again by whoever needs them: whatever they hold.
    let _ = (
        headers.contacts(),
        headers.routes(),
        headers.record_routes(),
        headers.vias(),
    );
    for value in headers
        .all("From")
        .chain(headers.all("To"))
        .chain(headers.all("Contact"))
    {
        if let Ok(address) = NameAddr::parse(value) {
            assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
        }
    }
    let via = headers.via_top().unwrap();
    assert_eq!(Via::parse(&via.to_string()), Ok(via));
    let cseq = headers.cseq().unwrap();
    assert_eq!(CSeq::parse(&cseq.to_string()), Ok(cseq));
    let printed = message.to_bytes();
    assert_eq!(read_datagram(&printed).as_ref(), Ok(message));
    assert_eq!(read_all(&printed), [Ok(StreamItem::Message(message.clone()))]);
}

/// One of the corpus with a few bytes changed, dropped, doubled, or put together with another.
fn mutated(chance: &mut Chance, corpus: &[&[u8]]) -> Vec<u8> {
    const SPECIAL: &[u8] = b"\r\n\t ;,:=<>\"\\[]@?%/0\0\xff";
    let pick = |chance: &mut Chance| corpus[chance.below(corpus.len() as u64) as usize];
    let mut bytes = pick(chance).to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() as u64) as usize;
        let end = (at + chance.below(24) as usize).min(bytes.len());
        match chance.below(6) {
            0 => bytes[at] = SPECIAL[chance.below(SPECIAL.len() as u64) as usize],
            1 => bytes[at] = chance.u32() as u8,
            2 => bytes.insert(at, SPECIAL[chance.below(SPECIAL.len() as u64) as usize]),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            _ => {
                let other = pick(chance);
                let from = chance.below(other.len() as u64) as usize;
                let piece = other[from..(from + 24).min(other.len())].to_vec();
                drop(bytes.splice(at..end, piece));
            }
        }
        if bytes.is_empty() {
            return pick(chance).to_vec();
        }
    }
    bytes
}
