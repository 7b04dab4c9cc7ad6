//! meetd calls sipp: its built-in callee and scenarios of ours, on UDP, TCP and TLS.

use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use serde_json::Value;
use sha2::Sha256;

use crate::front::Front;
use crate::peers::HANG_GUARD;
use crate::peers::directives::{self, outcome};
use crate::peers::programs::{self, Skipped};
use crate::peers::room::Room;
use crate::peers::sip_text::Message;
use crate::sipp::{self, Over, Sipp};

/// Far less than the 6.5 s that a join may take, and more than a loaded machine needs.
const AT_ONCE: Duration = Duration::from_secs(3);

const PASSWORD: &str = "password-canary-88c1";

/// A callee with these arguments of sipp, and what the room answered to the join of it.
pub struct Called {
    /// The room.
    pub room: Room,
    /// The callee.
    pub sipp: Sipp,
    /// The answer to the join.
    pub event: Value,
}

/// What is not usual about a call.
#[derive(Clone, Copy, Default)]
pub struct Unusual<'a> {
    /// Keys of the room's configuration.
    pub keys: &'a [(&'a str, &'a str)],
    /// The PIN of the meeting.
    pub pin: &'a str,
}

impl Called {
    /// Joins the callee, and waits for the answer to that.
    #[track_caller]
    pub fn by(over: Over, arguments: &[&str]) -> Result<Self, Skipped> {
        Ok(Self::without_answer(over, arguments, Unusual::default())?.and_answer())
    }

    /// Waits for the answer to the join.
    #[track_caller]
    pub fn and_answer(self) -> Self {
        let event = self.room.bridge.answer_to(&self.event);
        Self { event, ..self }
    }

    /// The same, but `event` is still the directive.
    pub fn without_answer(over: Over, arguments: &[&str], unusual: Unusual<'_>) -> Result<Self, Skipped> {
        let media_port = programs::free_port().to_string();
        let mut all = vec!["-mi", "127.0.0.1", "-mp", media_port.as_str()];
        all.extend(arguments);
        let sipp = Sipp::start(over, &all)?;
        let ca_file = sipp.front.as_ref().and_then(Front::ca_file);
        let ca_file = format!("{:?}", ca_file.unwrap_or_default());
        let mut keys = vec![
            ("sip.username", "\"room\""),
            ("sip.password_file", "\"sip-password\""),
            ("sip.ca_file", ca_file.as_str()),
            ("calls.allow", "[\"localhost\", \"127.0.0.0/8\"]"),
        ];
        keys.extend_from_slice(unusual.keys);
        let room = Room::open_with(&keys);
        let host = host_for(over);
        let endpoint = format!("sip:far@{host}:{};transport={}", sipp.port, over.name());
        let mut directive = directives::join(&endpoint);
        directive["directive"]["payload"]["meeting"]["pin"] = unusual.pin.into();
        room.bridge.send(&directive);
        Ok(Self {
            room,
            sipp,
            event: directive,
        })
    }

    /// It was answered.
    #[track_caller]
    pub fn is_answered(&self) -> &Self {
        assert_eq!(outcome(&self.event), "Response", "{}", self.event);
        self.room.bridge.wait_for_call_state("ACTIVE");
        self
    }

    /// Ends it here; what sipp wrote down.
    #[track_caller]
    pub fn end(mut self) -> String {
        assert_eq!(outcome(&self.room.bridge.ask(&directives::end())), "Response");
        self.sipp.wait_for_success();
        self.leave()
    }

    /// The call is over, and the daemon stops; what sipp wrote down.
    #[track_caller]
    pub fn leave(self) -> String {
        self.room.bridge.wait_for_call_state("IDLE");
        let log = self.room.meetd.stop();
        assert!(!log.contains(PASSWORD), "the SIP password is in the log");
        self.sipp.messages()
    }
}

/// What a certificate bears, where there is one.
fn host_for(over: Over) -> &'static str {
    match over {
        Over::Tls => "localhost",
        Over::Udp | Over::Tcp => "127.0.0.1",
    }
}

/// sipp's own callee: 180, 200, and audio that comes back as it went.
pub fn built_in_callee(over: Over) -> Result<(), Skipped> {
    let called = Called::by(over, &["-sn", "uas", "-rtp_echo"])?;
    called.is_answered();
    let media = called.room.wait_for_status("audio both ways", |status| {
        let media = &status["call"]["media"];
        let enough = |name: &str| media[name].as_u64().is_some_and(|packets| packets >= 25);
        (enough("rxPackets") && enough("txPackets")).then(|| media.clone())
    });
    assert_eq!(media["lossPercent"].as_f64(), Some(0.0), "{media}");
    called.end();
    Ok(())
}

/// sipp verifies the digest itself (RFC 7616 with MD5), and so do we.
pub fn challenge_401_md5(over: Over) -> Result<(), Skipped> {
    let called = Called::by(over, &["-sf", &Sipp::scenario("challenge_401.xml")])?;
    called.is_answered();
    let messages = called.end();
    assert!(
        !messages.contains("Wrong Digest"),
        "sipp found the digest wrong:\n{messages}"
    );
    verify(&messages, "Authorization", |text| hex(&Md5::digest(text)));
    Ok(())
}

/// sipp 3.6 knows MD5 only: it checks the form, we the digest (RFC 8760).
pub fn challenge_407_sha256(over: Over) -> Result<(), Skipped> {
    let called = Called::by(over, &["-sf", &Sipp::scenario("challenge_407.xml")])?;
    called.is_answered();
    let messages = called.end();
    verify(&messages, "Proxy-Authorization", |text| {
        hex(&Sha256::digest(text))
    });
    Ok(())
}

pub fn busy_486(over: Over) -> Result<(), Skipped> {
    let mut called = Called::by(over, &["-sf", &Sipp::scenario("busy_486.xml")])?;
    assert_eq!(outcome(&called.event), "ENDPOINT_BUSY", "{}", called.event);
    called.sipp.wait_for_success();
    called
        .room
        .bridge
        .wait_for_message("CallFailed", |payload| payload["code"] == "BUSY");
    called.leave();
    Ok(())
}

/// Three contacts: the best may not be called, the next one is busy, the last one answers.
pub fn moved_302(over: Over) -> Result<(), Skipped> {
    let mut first = Sipp::start(over, &["-sf", &Sipp::scenario("busy_486.xml")])?;
    let media_port = programs::free_port().to_string();
    let mut second = Sipp::start(over, &["-sn", "uas", "-mi", "127.0.0.1", "-mp", &media_port])?;
    let (first_port, second_port) = (first.port.to_string(), second.port.to_string());
    let mut called = Called::by(
        over,
        &[
            "-sf",
            &Sipp::scenario("moved_302.xml"),
            "-key",
            "first_port",
            &first_port,
            "-key",
            "second_port",
            &second_port,
            "-key",
            "far_host",
            host_for(over),
            "-key",
            "over",
            over.name(),
        ],
    )?;
    called.is_answered();
    called.sipp.wait_for_success();
    first.wait_for_success();
    assert!(
        first.messages().contains("INVITE sip:first@"),
        "{}",
        first.messages()
    );
    assert_eq!(outcome(&called.room.bridge.ask(&directives::end())), "Response");
    second.wait_for_success();
    let log = called.room.meetd.stop();
    assert!(log.contains("add \"192.0.2.66\" to calls.allow"), "{log}");
    Ok(())
}

pub fn progress_183_then_200(over: Over) -> Result<(), Skipped> {
    let called = Called::by(over, &["-sf", &Sipp::scenario("progress_183.xml")])?;
    called.is_answered();
    called.end();
    Ok(())
}

pub fn far_end_hangs_up(over: Over) -> Result<(), Skipped> {
    let mut called = Called::by(over, &["-sf", &Sipp::scenario("far_end_bye.xml")])?;
    called.is_answered();
    called.sipp.wait_for_success();
    let bridge = &called.room.bridge;
    bridge.wait_for_call_state("IDLE");
    let failed = bridge
        .frames()
        .iter()
        .any(|frame| crate::peers::bridge::action(frame) == "CallFailed");
    assert!(!failed, "an orderly hang-up is IDLE only");
    called.leave();
    Ok(())
}

/// A registrar that takes nobody for less than half an hour gets that; it is given back at the end.
pub fn registrar_423(over: Over) -> Result<(), Skipped> {
    let mut sipp = Sipp::start(over, &["-sf", &Sipp::scenario("registrar_423.xml")])?;
    let ca_file = sipp.front.as_ref().and_then(Front::ca_file).unwrap_or_default();
    let registrar = format!("\"sip:localhost:{};transport={}\"", sipp.port, over.name());
    let room = Room::open_with(&[
        ("sip.registrar", &registrar),
        ("sip.ca_file", &format!("{ca_file:?}")),
    ]);
    room.wait_for_status("registered", |status| {
        (status["registered"] == true).then_some(())
    });
    room.meetd.stop();
    sipp.wait_for_success();
    Ok(())
}

/// The connection breaks between our answer to a re-INVITE and the ACK: the answer comes again, on a new connection to
/// where sipp says that it listens (RFC 3261 18.2.2).
pub fn answer_comes_anew() -> Result<(), Skipped> {
    let called = Called::by(
        Over::Tcp,
        &["-nr", "-sf", &Sipp::scenario("answer_comes_anew.xml")],
    )?;
    called.is_answered();
    let answers = |called: &Called| {
        let read = called.sipp.read_messages();
        let ours = |message: &&Message| message.answers("INVITE", 200) && message.header("Server").is_some();
        read.iter().filter(ours).count()
    };
    let wait_for_answers = |count| {
        let until = Instant::now() + HANG_GUARD;
        while answers(&called) < count {
            assert!(
                Instant::now() < until,
                "no answer came:\n{}",
                called.sipp.messages()
            );
            std::thread::yield_now();
        }
    };
    wait_for_answers(1);
    called.sipp.front.as_ref().expect("a stream").break_connection();
    wait_for_answers(2);
    called.end();
    Ok(())
}

/// A port where nobody listens: ICMP says so, or a reset, and the try ends at once (contract 4).
pub fn nobody_is_there(over: Over) -> Result<(), Skipped> {
    let room = Room::open();
    let port = programs::free_port();
    let began = Instant::now();
    let join = directives::join(&format!("sip:far@127.0.0.1:{port};transport={}", over.name()));
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "ENDPOINT_UNREACHABLE", "{event}");
    assert!(began.elapsed() < AT_ONCE, "{:?} is not at once", began.elapsed());
    room.bridge
        .wait_for_message("CallFailed", |payload| payload["code"] == "NO_CARRIER");
    room.meetd.stop();
    Ok(())
}

/// The digest of the last INVITE in sipp's message log, computed anew (RFC 7616 3.4.1).
#[track_caller]
fn verify(messages: &str, header: &str, hash: impl Fn(String) -> String) {
    let read = sipp::read_messages(messages);
    let invite = read
        .into_iter()
        .rfind(|message| message.is("INVITE") && message.header(header).is_some());
    let invite = invite.unwrap_or_else(|| panic!("no INVITE with {header} in sipp's log:\n{messages}"));
    let answer = invite.header(header).unwrap().to_owned();
    let part = |name: &str| {
        let found = answer.trim_start_matches("Digest ").split(',').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            (key == name).then(|| value.trim_matches('"').to_owned())
        });
        found.unwrap_or_else(|| panic!("no {name} in {answer}"))
    };
    let secret = hash(format!("{}:{}:{PASSWORD}", part("username"), part("realm")));
    let action = hash(format!("INVITE:{}", part("uri")));
    let (nonce, count, cnonce, qop) = (part("nonce"), part("nc"), part("cnonce"), part("qop"));
    assert_eq!(
        (nonce.as_str(), count.as_str(), qop.as_str()),
        ("6d65657464206e6f6e6365", "00000001", "auth")
    );
    let expected = hash(format!("{secret}:{nonce}:{count}:{cnonce}:{qop}:{action}"));
    assert_eq!(part("response"), expected, "{answer}");
    assert_eq!(
        part("uri"),
        invite.start.split(' ').nth(1).unwrap(),
        "digest-uri is the Request-URI"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
