//! Streams: framing, keep-alives, smuggling.

use super::super::*;
use super::{lines, plain};

#[test]
fn messages_are_framed_by_content_length_alone() {
    let one = lines(&["Content-Length: 30"], "OPTIONS sip:evil@h SIP/2.0\r\n\r\n");
    let two = lines(&["Content-Length: 0"], "");
    let items = read_all(&[one, two].concat());
    assert_eq!(items.len(), 2);
    assert!(
        items
            .iter()
            .all(|item| matches!(item, Ok(StreamItem::Message(_))))
    );
}

#[test]
fn a_stream_without_content_length_is_given_up() {
    let bytes = [
        plain("OPTIONS sip:b@h SIP/2.0"),
        lines(&["Content-Length: 0"], ""),
    ]
    .concat();
    let items = read_all(&bytes);
    let [Err(malformed)] = items.as_slice() else {
        panic!("{items:?}")
    };
    assert!(malformed.fatal);
    assert_eq!(malformed.answer.as_ref().map(|answer| answer.status), Some(400));
}

#[test]
fn a_stream_whose_framing_two_readers_could_see_differently_is_given_up() {
    for header in [
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length: 0\r\nl: 0",
        "Content-Length: +0",
        "Content-Length: 0, 5",
        "Content-Length: 18446744073709551615",
        "Content-Length: 5\r\nSubject: a\nContent-Length: 0",
        "Content-Length: 5\r\nX: a\r\n\0 b\r\nno colon",
        "Content-Length: 5\r\nContent-Length\0: 0",
    ] {
        let items = read_all(&lines(&[header], "12345"));
        assert!(
            matches!(items.as_slice(), [Err(Malformed { fatal: true, .. })]),
            "{header:?}: {items:?}"
        );
    }
}

#[test]
fn what_is_no_sip_is_given_up_at_once() {
    let items = read_all(b"GET / HTTP/1.1\r\nHost: room\r\n\r\n");
    assert!(
        matches!(items.as_slice(), [Err(Malformed { fatal: true, .. })]),
        "{items:?}"
    );
    let items = read_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
    assert!(
        matches!(
            items.as_slice(),
            [Err(Malformed {
                fatal: true,
                answer: None,
                ..
            })]
        ),
        "{items:?}"
    );
}

#[test]
fn a_malformed_message_in_a_sound_frame_does_not_end_the_stream() {
    let bad = lines(&["Content-Length: 2", "Max-Forwards: 1", "Max-Forwards: 2"], "hi");
    let good = lines(&["Content-Length: 0"], "");
    let items = read_all(&[bad, good].concat());
    assert!(matches!(
        items.as_slice(),
        [Err(Malformed { fatal: false, .. }), Ok(StreamItem::Message(_))]
    ));
}

#[test]
fn line_ends_between_messages_are_keep_alives() {
    let message = lines(&["Content-Length: 0"], "");
    let items = read_all(&[b"\r\n".as_slice(), &message, b"\r\n\r\n", &message].concat());
    let kinds: Vec<_> = items
        .iter()
        .map(|item| item.as_ref().map(kind).unwrap())
        .collect();
    assert_eq!(kinds, ["pong", "message", "pong", "ping", "message"]);
}

#[test]
fn a_stream_holds_no_more_than_one_message_needs() {
    let mut reader = StreamReader::new();
    let endless = [
        b"OPTIONS sip:b@h SIP/2.0\r\nSubject: ".as_slice(),
        &[b'x'; 70_000],
    ]
    .concat();
    reader.push(&endless);
    assert!(matches!(reader.next(), Some(Err(Malformed { fatal: true, .. }))));
    reader.push(&lines(&["Content-Length: 0"], ""));
    assert_eq!(reader.next(), None);
    let ended = [endless.as_slice(), b"\r\n\r\n"].concat();
    assert_eq!(read_all(&ended), read_in_pieces(&ended, 1));
    let items = read_all(&lines(&["Content-Length: 65500"], ""));
    let [Err(malformed)] = items.as_slice() else {
        panic!("{items:?}")
    };
    assert_eq!(malformed.answer.as_ref().map(|answer| answer.status), Some(513));
}

#[test]
fn a_stream_that_comes_byte_by_byte_gives_the_same() {
    let message = lines(&["Content-Length: 5"], "12345");
    let bytes = [
        b"\r\n\r\n".as_slice(),
        &message,
        b"\r\n",
        &message,
        b"\rx\r\n\r\n",
    ]
    .concat();
    let at_once = read_all(&bytes);
    assert_eq!(at_once.len(), 6);
    assert_eq!(read_in_pieces(&bytes, 1), at_once);
    assert_eq!(read_in_pieces(&bytes, 7), at_once);
}

fn kind(item: &StreamItem) -> &'static str {
    match item {
        StreamItem::Message(_) => "message",
        StreamItem::KeepAlivePing => "ping",
        StreamItem::KeepAlivePong => "pong",
    }
}

pub(super) fn read_all(bytes: &[u8]) -> Vec<Result<StreamItem, Malformed>> {
    read_in_pieces(bytes, bytes.len().max(1))
}

pub(super) fn read_in_pieces(bytes: &[u8], size: usize) -> Vec<Result<StreamItem, Malformed>> {
    let mut reader = StreamReader::new();
    let mut items = Vec::new();
    for piece in bytes.chunks(size) {
        reader.push(piece);
        items.extend(std::iter::from_fn(|| reader.next()));
    }
    items
}
