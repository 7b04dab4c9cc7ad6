//! RFC 4475 and RFC 5118: each message gets one of the treatments that its verdict allows, and exactly the one that
//! is written down in `OUTCOMES.tsv`.

use std::collections::BTreeMap;

use super::super::*;

#[test]
fn every_torture_message_of_rfc_4475_is_treated_as_its_verdict_allows() {
    assert_eq!(check(VERDICTS_4475, &corpus_4475()), 49);
}

#[test]
fn every_torture_message_of_rfc_5118_is_treated_as_its_verdict_allows() {
    assert_eq!(check(VERDICTS_5118, &corpus_5118()), 12);
}

#[test]
fn what_is_done_with_each_torture_message_is_what_was_decided() {
    let mut rows = OUTCOMES.lines();
    assert_eq!(rows.next(), Some("file\tdatagram\tstream"));
    let decided: BTreeMap<_, _> = rows.filter_map(|line| line.split_once('\t')).collect();
    let corpus: Vec<_> = corpus_4475().into_iter().chain(corpus_5118()).collect();
    let found: Vec<_> = corpus
        .iter()
        .map(|(name, bytes)| (*name, format!("{}\t{}", by_datagram(bytes), by_stream(bytes))))
        .collect();
    let table: String = found
        .iter()
        .map(|(name, outcome)| format!("{name}\t{outcome}\n"))
        .collect();
    assert_eq!(decided.len(), found.len(), "{table}");
    for (name, outcome) in &found {
        assert_eq!(Some(outcome.as_str()), decided.get(name).copied(), "{name}");
    }
}

#[test]
fn torture_messages_that_are_accepted_are_understood() {
    let corpus: BTreeMap<_, _> = corpus_4475().into_iter().chain(corpus_5118()).collect();
    let request = |name: &str| super::read_request(corpus[name]);
    let wsinv = request("wsinv.dat");
    assert_eq!(wsinv.cseq().unwrap().to_string(), "9 INVITE");
    assert_eq!(wsinv.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(wsinv.from().unwrap().display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(wsinv.from().unwrap().tag(), Some("98asjd8"));
    let branches: Vec<_> = wsinv
        .headers
        .vias()
        .unwrap()
        .iter()
        .map(|via| via.branch().unwrap().to_owned())
        .collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    assert_eq!(wsinv.headers.contacts().unwrap().by_preference()[0].q(), 330);
    assert_eq!(wsinv.body.len(), 150);
    let escaped = request("esc01.dat");
    assert_eq!(
        escaped.uri.user_decoded().as_deref(),
        Some("sips:user@example.com")
    );
    assert!(
        escaped.headers.contacts().unwrap().by_preference()[0]
            .uri()
            .is_loose_router()
    );
    assert_eq!(request("dblreq.dat").body, b"");
    assert_eq!(
        request("intmeth.dat").from().unwrap().tag(),
        Some("_token~1'+`*%!-.")
    );
    assert_eq!(request("longreq.dat").headers.vias().unwrap().len(), 34);
    assert_eq!(request("inv2543.dat").via_top().unwrap().branch(), None);
    assert!(!request("badbranch.dat").via_top().unwrap().has_magic_branch());
    let escaped_route = &request("regescrt.dat")
        .headers
        .contacts()
        .unwrap()
        .by_preference()[0];
    assert_eq!(escaped_route.uri().headers(), "Route=%3Csip:sip.example.com%3E");
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        assert_eq!(
            request(name).via_top().unwrap().received(),
            Some("2001:db8::9:255".parse().unwrap())
        );
    }
    assert_eq!(request("port-ambiguous").uri.port(), None);
    assert_eq!(request("port-unambiguous").uri.port(), Some(5070));
}

/// How many messages there are verdicts for; panics at the first that is treated otherwise.
fn check(verdicts: &str, corpus: &[(&'static str, &'static [u8])]) -> usize {
    let mut rows = verdicts.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let column = rows
        .next()
        .unwrap()
        .iter()
        .position(|name| *name == "expected")
        .unwrap();
    let rows: Vec<_> = rows.collect();
    for row in &rows {
        let (name, bytes) = corpus.iter().find(|(name, _)| *name == row[0]).unwrap();
        let (datagram, stream) = (by_datagram(bytes), by_stream(bytes));
        assert!(
            is_allowed(row[column], &datagram),
            "{name} by datagram: {datagram}, not {}",
            row[column]
        );
        // Where a datagram's end tells the length, a stream has only Content-Length.
        let is_cut_by_length = stream == "waits" || stream.starts_with("closes");
        let is_allowed_on_stream = is_cut_by_length || is_allowed(row[column], &stream);
        assert!(
            is_allowed_on_stream,
            "{name} by stream: {stream}, not {}",
            row[column]
        );
    }
    assert_eq!(rows.len(), corpus.len());
    rows.len()
}

/// Whether one of the treatments in a verdict is this.
fn is_allowed(verdict: &str, outcome: &str) -> bool {
    let may = |word: &str| verdict.contains(word);
    match outcome {
        "accepted" => ["ACCEPT", "accept", "process", "ignore", "match"]
            .into_iter()
            .any(may),
        "discarded" => may("DISCARD") || may("drop"),
        // Read well, but not what a room does: any refusal by its user agent will do.
        answered if may("ACCEPT-PARSE") => answered != "400",
        answered => may(answered),
    }
}

/// `accepted`, `discarded`, or the status of the answer.
fn by_datagram(bytes: &[u8]) -> String {
    treated(read_datagram(bytes))
}

/// The same on a stream, where a reader may also wait for the rest, or close the connection.
fn by_stream(bytes: &[u8]) -> String {
    let mut reader = StreamReader::new();
    reader.push(bytes);
    match reader.next() {
        None => "waits".to_owned(),
        Some(Err(malformed)) if malformed.fatal => format!("closes, {}", treated(Err(malformed))),
        Some(item) => treated(item.map(|item| match item {
            StreamItem::Message(message) => message,
            StreamItem::KeepAlivePing | StreamItem::KeepAlivePong => {
                panic!("a torture message is a keep-alive")
            }
        })),
    }
}

fn treated(read: Result<Message, Malformed>) -> String {
    let everything = Abilities {
        methods: &Method::KNOWN,
        extensions: &["timer", "100rel"],
    };
    let answer = match read {
        Ok(Message::Request(request)) => refusal(&request, everything).map(|response| response.status),
        Ok(Message::Response(response)) => {
            let sent = response.via_top().unwrap();
            return if discard(&response, &sent).is_some() {
                "discarded"
            } else {
                "accepted"
            }
            .to_owned();
        }
        Err(malformed) => match malformed.answer {
            Some(answer) => Some(answer.response().status),
            None => return "discarded".to_owned(),
        },
    };
    answer.map_or("accepted".to_owned(), |status| status.to_string())
}

const VERDICTS_4475: &str = include_str!("../../../../../tests/data/sip/torture/rfc4475/VERDICTS.tsv");
const VERDICTS_5118: &str = include_str!("../../../../../tests/data/sip/torture/rfc5118/VERDICTS.tsv");
const OUTCOMES: &str = include_str!("../../../../../tests/data/sip/torture/OUTCOMES.tsv");

macro_rules! corpus {
    ($folder:literal, [$($name:literal,)*]) => {
        vec![$((
            $name,
            include_bytes!(concat!("../../../../../tests/data/sip/torture/", $folder, "/", $name)).as_slice(),
        ),)*]
    };
}

#[rustfmt::skip]
pub(super) fn corpus_4475() -> Vec<(&'static str, &'static [u8])> {
    corpus!("rfc4475", [
        "badaspec.dat", "badbranch.dat", "baddate.dat", "baddn.dat", "badinv01.dat", "badvers.dat",
        "bcast.dat", "bext01.dat", "bigcode.dat", "clerr.dat", "cparam01.dat", "cparam02.dat",
        "dblreq.dat", "esc01.dat", "esc02.dat", "escnull.dat", "escruri.dat", "insuf.dat",
        "intmeth.dat", "inv2543.dat", "invut.dat", "longreq.dat", "ltgtruri.dat", "lwsdisp.dat",
        "lwsruri.dat", "lwsstart.dat", "mcl01.dat", "mismatch01.dat", "mismatch02.dat",
        "mpart01.dat", "multi01.dat", "ncl.dat", "noreason.dat", "novelsc.dat", "quotbal.dat",
        "regaut01.dat", "regbadct.dat", "regescrt.dat", "scalar02.dat", "scalarlg.dat", "sdp01.dat",
        "semiuri.dat", "transports.dat", "trws.dat", "unkscm.dat", "unksm2.dat", "unreason.dat",
        "wsinv.dat", "zeromf.dat",
    ])
}

#[rustfmt::skip]
pub(super) fn corpus_5118() -> Vec<(&'static str, &'static [u8])> {
    corpus!("rfc5118", [
        "ipv4-mapped-ipv6", "ipv6-bad", "ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons",
        "ipv6-good", "ipv6-in-sdp", "mult-ip-in-header", "mult-ip-in-sdp", "port-ambiguous",
        "port-unambiguous", "via-received-param-no-delim", "via-received-param-with-delim",
    ])
}
