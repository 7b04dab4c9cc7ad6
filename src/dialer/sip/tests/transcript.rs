//! Plays the transcripts of `tests/data/sip_calls`. A line is one of:
//! `! …` what the room or the network does, `> …` a message that must leave at this very moment, `< …` one that
//! comes, `= …` an event that the room must get, `~ …` a command that the audio side must get, `$ …` what is written
//! down, `? …` the connections that open, `@ +TIME` time passes. Nothing that is not in the transcript may happen but at its end.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::harness::{Sent, World};
use super::settings;
use crate::call::{CallCommand, CallEvent, CallId, DigitScript, EndedHere};
use crate::dialer::sip::Settings;
use crate::dialer::sip::headers::{CSeq, NameAddr};
use crate::dialer::sip::uri::Uri;
use crate::dialer::sip::wire::{Message, Method, Request, Response, reason_phrase};
use crate::dialer::{Dialer, Input};
use crate::media::{self, Direction};
use crate::network::{ConnectFault, FlowEvent, FlowId, NamesAnswer, Naptr, Question, Srv};
use crate::record::Restored;
use crate::secret::Secret;

mod manner;

use manner::{Manner, display_name};

struct Player {
    world: World,
    call: Option<CallId>,
    /// Every request of ours so far, the newest last.
    ours: Vec<(FlowId, Request)>,
    /// Every response of ours so far.
    answers: Vec<Response>,
    /// Where the far end sends its own requests.
    flow: Option<FlowId>,
    their_number: u32,
    line: String,
}

/// Plays a transcript in a room without a password.
pub fn play(transcript: &str) -> World {
    play_with(settings(), transcript)
}

/// Plays a transcript in a room with the password `secret`.
pub fn play_with_password(transcript: &str) -> World {
    play_with(
        Settings {
            password: Some(Secret::new("secret")),
            ..settings()
        },
        transcript,
    )
}

pub fn play_with(settings: Settings, transcript: &str) -> World {
    let mut player = Player {
        world: World::with(settings, Restored::default()),
        call: None,
        ours: Vec::new(),
        answers: Vec::new(),
        flow: None,
        their_number: 100,
        line: String::new(),
    };
    player.world.recovered.clear();
    for (number, line) in transcript.lines().enumerate() {
        player.line = format!("line {}: {line}", number + 1);
        let Some((kind, rest)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let words: VecDeque<&str> = rest.split_whitespace().collect();
        match kind {
            "!" => player.act(words),
            ">" => player.expect_message(words),
            "<" => player.receive(words),
            "=" => player.expect_event(rest.trim()),
            "~" => player.expect_media(rest.trim()),
            "?" => player.check_state(words),
            "$" => player.expect_record(rest.trim()),
            "@" => player.pass(rest.trim()),
            other => panic!("{}: unknown {other}", player.line),
        }
    }
    player.line = "the end".to_owned();
    player.expect_nothing();
    player.world
}

impl Player {
    fn act(&mut self, mut words: VecDeque<&str>) {
        match words.pop_front().unwrap_or_default() {
            "dial" => {
                let address = words.pop_front().expect("an address");
                let ring = words
                    .pop_front()
                    .and_then(|ring| ring.strip_prefix("ring="))
                    .map(seconds);
                self.call = Some(
                    self.world
                        .dial_with(address, ring.unwrap_or(Duration::from_secs(60))),
                );
            }
            "hangup" => {
                let call = self.call.expect("a call");
                self.world.input(Input::Command(CallCommand::HangUp {
                    call,
                    why: EndedHere::Asked,
                }));
            }
            "digits" => {
                let script = DigitScript::read(words.pop_front().unwrap_or_default()).expect("digits");
                let call = self.call.expect("a call");
                self.world
                    .input(Input::Command(CallCommand::SendDigits { call, script }));
            }
            "hold" => {
                let is_held = words.pop_front() == Some("on");
                let call = self.call.expect("a call");
                self.world
                    .input(Input::Command(CallCommand::Hold { call, is_held }));
            }
            "mute" => {
                let is_muted = words.pop_front() == Some("on");
                let call = self.call.expect("a call");
                self.world
                    .input(Input::Command(CallCommand::Mute { call, is_muted }));
            }
            "follow" => {
                let allowed = words.into_iter().map(|word| word == "yes").collect();
                let call = self.call.expect("a call");
                self.world
                    .input(Input::Command(CallCommand::Follow { call, allowed }));
            }
            "digits-sent" => {
                let call = self.call.expect("a call");
                self.world.input(Input::Media(call, media::Event::DigitsSent));
            }
            "names" => self.world.answer_names(&words.into_iter().collect::<Vec<_>>()),
            // `! answer CSEQ STATUS …`: a response to the INVITE of that number.
            "answer" => {
                let number = words.pop_front().expect("a number");
                self.receive_response_to(Some(number), words);
            }
            "network" => self.world.input(Input::NetworkChanged),
            "stop" => self.world.input(Input::Stop),
            "services" => self.world.has_services = true,
            "naptr" => self.answer_services(words, "NAPTR"),
            "srv" => self.answer_services(words, "SRV"),
            "slow" => self.world.slow.extend(addresses(words)),
            "connected" => {
                for remote in addresses(words) {
                    self.world.answer_connection(remote, None);
                }
            }
            "refused" => {
                for remote in addresses(words) {
                    let fault = ConnectFault::Refused(remote);
                    self.world.answer_connection(remote, Some(fault));
                }
            }
            "icmp" => {
                let flow = self.ours.last().expect("something was sent").0;
                let fault = ConnectFault::Refused("192.0.2.20:5060".parse().unwrap());
                self.world.input(Input::Flow(flow, FlowEvent::Failed(fault)));
            }
            "reset" => {
                let flow = self.ours.last().expect("something was sent").0;
                self.world.flows.remove(&flow);
                self.world.input(Input::Flow(flow, FlowEvent::Closed));
            }
            "refusing" => {
                self.world.refusing.extend(addresses(words));
            }
            other => panic!("{}: unknown act {other}", self.line),
        }
    }

    /// `! naptr NAME ORDER/PREFERENCE/SERVICE/REPLACEMENT …`, `! srv NAME PRIORITY/PORT/ADDRESS[,ADDRESS] …`: the
    /// question that must have been asked, and its answer; none: there are none.
    fn answer_services(&mut self, mut words: VecDeque<&str>, kind: &str) {
        let name = words.pop_front().expect("a name").to_owned();
        let part = |word: &str, index: usize| word.split('/').nth(index).expect("a part").to_owned();
        let number = |word: &str, index| part(word, index).parse::<u16>().expect("a number");
        let naptr = |word: &str| Naptr {
            order: number(word, 0),
            preference: number(word, 1),
            flags: "s".to_owned(),
            service: part(word, 2),
            replacement: part(word, 3),
        };
        let srv = |word: &str| Srv {
            priority: number(word, 0),
            weight: 0,
            port: number(word, 1),
            addresses: part(word, 2)
                .split(',')
                .map(|ip| ip.parse().expect("an address"))
                .collect(),
        };
        let (question, answer) = match kind {
            "NAPTR" => (
                Question::Naptr(name),
                NamesAnswer::Naptr(words.iter().map(|word| naptr(word)).collect()),
            ),
            _ => (
                Question::Srv(name),
                NamesAnswer::Srv(words.iter().map(|word| srv(word)).collect()),
            ),
        };
        let answer = Some(answer).filter(|_| !words.is_empty());
        assert_eq!(self.world.answer_services(answer), question, "{}", self.line);
    }

    /// `? opening ADDRESS …`: these connections and no others are being opened; `? registered yes|no`, `? quiet yes|no`:
    /// what the dialer says of itself; `? kept-alive COUNT`: so many keep-alives have left.
    fn check_state(&self, mut words: VecDeque<&str>) {
        let line = &self.line;
        let is_yes = |words: &VecDeque<&str>| words.front() == Some(&"yes");
        match words.pop_front().unwrap_or_default() {
            "opening" => assert_eq!(self.world.opening(), addresses(words), "{line}"),
            "registered" => {
                let found = self.world.agent.is_registered(self.world.now);
                assert_eq!(found, Some(is_yes(&words)), "{line}");
            }
            "quiet" => assert_eq!(self.world.agent.is_quiet(), is_yes(&words), "{line}"),
            "kept-alive" => assert_eq!(
                words.front(),
                Some(&&*self.world.kept_alive.len().to_string()),
                "{line}"
            ),
            other => panic!("{line}: unknown state {other}"),
        }
    }

    fn expect_message(&mut self, mut words: VecDeque<&str>) {
        let line = self.line.clone();
        let Some(Sent {
            at, flow, message, ..
        }) = self.world.sent.pop_front()
        else {
            panic!("{line}: nothing left; events {:?}", self.world.events)
        };
        assert_eq!(at, self.world.now.moment, "{line}: at another time");
        let what = words.pop_front().unwrap_or_default();
        match message {
            Message::Request(request) => {
                assert_eq!(request.method.as_str(), what, "{line}");
                for word in words {
                    self.check_request(&request, flow, word);
                }
                self.flow = Some(flow);
                self.ours.push((flow, request));
            }
            Message::Response(response) => {
                assert_eq!(response.status.to_string(), what, "{line}");
                for word in words {
                    match word.split_once('=') {
                        Some((name @ ("to" | "by"), value)) => self.check_flow(flow, name, value),
                        _ => check_response(&line, &response, word),
                    }
                }
                self.flow = self.world.remote_of(flow).map(|_| flow).or(self.flow);
                self.answers.push(response);
            }
        }
    }

    fn check_request(&self, request: &Request, flow: FlowId, word: &str) {
        let line = &self.line;
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let number = request
            .cseq()
            .map(|cseq| cseq.number.to_string())
            .unwrap_or_default();
        let before = |method: Method| {
            let found = self
                .ours
                .iter()
                .rev()
                .find(|(_, earlier)| earlier.method == method);
            &found.unwrap_or_else(|| panic!("{line}: no earlier {method}")).1
        };
        match name {
            "cseq" => assert_eq!(number, value, "{line}"),
            "uri" => assert_eq!(request.uri.as_str(), value, "{line}"),
            "route" => assert_eq!(
                request.headers.all("Route").collect::<Vec<_>>().join(","),
                value,
                "{line}"
            ),
            "tag" => assert_eq!(request.to().unwrap().tag(), Some(value), "{line}"),
            "auth" => {
                let credentials = request.headers.get("Authorization").expect(line);
                assert!(credentials.contains(value), "{line}: {credentials}");
            }
            "proxy-auth" => {
                let credentials = request.headers.get("Proxy-Authorization").expect(line);
                assert!(credentials.contains(value), "{line}: {credentials}");
            }
            "one-auth" => assert_eq!(request.headers.all("Authorization").count(), 1, "{line}"),
            "no-auth" => assert_eq!(request.headers.get("Authorization"), None, "{line}"),
            "same-branch" => {
                let branch = |request: &Request| request.via_top().unwrap().branch().map(str::to_owned);
                assert_eq!(branch(request), branch(before(Method::Invite)), "{line}");
            }
            "again" => assert_eq!(request, before(request.method.clone()), "{line}"),
            "body" => {
                let body = String::from_utf8_lossy(&request.body).replace("\r\n", "|");
                assert!(body.contains(value), "{line}: {body}");
            }
            // `Session-Expires:1800;refresher=uac`, or `Session-Expires:` for none.
            "has" => {
                let (header, value) = value.split_once(':').expect("a header and its value");
                let found = request.headers.get(header).unwrap_or_default();
                assert_eq!(found.replace(' ', "_"), value, "{line}");
            }
            "to" | "by" => self.check_flow(flow, name, value),
            "longer" => assert!(
                request.to_bytes().len() > value.parse().expect("a length"),
                "{line}"
            ),
            "new-flow" => assert_ne!(Some(flow), self.ours.last().map(|(flow, _)| *flow), "{line}"),
            other => panic!("{line}: unknown check {other}"),
        }
    }

    fn check_flow(&self, flow: FlowId, name: &str, value: &str) {
        let line = &self.line;
        match name {
            "to" => assert_eq!(
                self.world.remote_of(flow),
                Some(value.parse().expect("an address")),
                "{line}"
            ),
            _ => assert_eq!(self.world.transport_of(flow).in_lower_case(), value, "{line}"),
        }
    }

    fn receive(&mut self, mut words: VecDeque<&str>) {
        let what = words.pop_front().unwrap_or_default();
        match what.parse::<u16>() {
            Ok(_) => {
                words.push_front(what);
                self.receive_response_to(None, words);
            }
            Err(_) => self.receive_request(&Method::from_token(what), words),
        }
    }

    /// `< 200 [FIRST] [METHOD] [tag=…] [sdp=…] …`: a response to the newest (first) request of that method (INVITE).
    fn receive_response_to(&mut self, number: Option<&str>, mut words: VecDeque<&str>) {
        let status = words
            .pop_front()
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let is_to_the_first = words.front() == Some(&"FIRST");
        if is_to_the_first {
            words.pop_front();
        }
        let method = words
            .front()
            .filter(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()));
        let method = method.map_or(Method::Invite, |token| Method::from_token(token));
        let mut fitting = self.ours.iter().filter(|(_, request)| {
            let cseq = request.cseq().expect("one");
            request.method == method && number.is_none_or(|number| cseq.number.to_string() == number)
        });
        let found = match is_to_the_first {
            true => fitting.next(),
            false => fitting.next_back(),
        };
        let (flow, request) = found.expect("one");
        let (mut flow, mut response) = (*flow, request.response(status, reason_phrase(status)));
        let mut manner = Manner::default();
        let mut from = None;
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "tag" => {
                    let to = response.to().unwrap().with_tag(value);
                    response.headers.set("To", to.to_string());
                }
                "sdp" => {
                    response.headers.push("Content-Type", "application/sdp");
                    response.body = description(value);
                }
                "contact" => response.headers.push("Contact", format!("<{value}>")),
                "bare-contact" => response.headers.push("Contact", value),
                "record-route" => response.headers.push("Record-Route", value),
                "allow" => response.headers.push("Allow", value),
                "has" => {
                    let (header, value) = value.split_once(':').expect("a header and its value");
                    response.headers.push(header, value.replace('_', " "));
                }

                "challenge" | "proxy-challenge" => {
                    let header = if name == "challenge" {
                        "WWW-Authenticate"
                    } else {
                        "Proxy-Authenticate"
                    };
                    response.headers.push(header, challenge(value));
                }
                "elsewhere" => flow = self.world.listening(),
                "from" => from = Some(value.parse().expect("an address")),
                "compact" => manner.is_compact = true,
                "named" => manner.named = Some(display_name(value)),
                _ if Method::from_token(name) == method => {}
                other => panic!("{}: unknown {other}", self.line),
            }
        }
        let bytes = manner.write(response.to_bytes());
        match from {
            Some(from) => self.world.receive_from(from, bytes),
            None => self.world.receive(flow, bytes),
        }
    }

    /// `< BYE [sdp=…] [from=ADDRESS] [via=TRANSPORT/HOST:PORT] …`: a request of theirs in the dialog of the newest INVITE; with an address, as
    /// a datagram from there.
    fn receive_request(&mut self, method: &Method, words: VecDeque<&str>) {
        let invite = &self
            .ours
            .iter()
            .find(|(_, request)| request.method == Method::Invite)
            .expect("one")
            .1;
        self.their_number += u32::from(*method != Method::Ack);
        let mut request = Request::new(method.clone(), Uri::parse("sip:room@192.0.2.10:5062").unwrap());
        let mut number = self.their_number;
        let (mut from, mut to) = (invite.to().unwrap().with_tag("a"), invite.from().unwrap());
        let mut branch = None;
        let mut manner = Manner::default();
        let mut source = None;
        let mut via = "UDP 192.0.2.20:5060".to_owned();
        let mut extra = Vec::new();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "cseq" => number = value.parse().unwrap(),
                "tag" => from = from.with_tag(value),
                "via" => via = value.replace('/', " "),
                "from" => source = Some(value.parse().expect("an address")),
                "to-tag" => to = to.with_tag(value),
                "outside" => to = NameAddr::new(to.uri),
                "branch" => branch = Some(value.to_owned()),
                "sdp" => {
                    extra.push(("Content-Type", "application/sdp".to_owned()));
                    request.body = description(value);
                }
                "type" => {
                    extra.push(("Content-Type", value.to_owned()));
                    request.body = b"Signal=1".to_vec();
                }
                "contact" => extra.push(("Contact", format!("<{value}>"))),
                "has" => {
                    let (header, value) = value.split_once(':').expect("a header and its value");
                    let known = ["Session-Expires", "Supported", "Reason", "Allow", "Subject"];
                    let header = known.into_iter().find(|name| *name == header);
                    extra.push((header.expect("a known header"), value.replace('_', " ")));
                }
                "compact" => manner.is_compact = true,
                "named" => manner.named = Some(display_name(value)),
                "require" => extra.push(("Require", value.to_owned())),
                "replaces" => extra.push(("Replaces", "x;to-tag=1;from-tag=2".to_owned())),
                other => panic!("{}: unknown {other}", self.line),
            }
        }
        let branch = branch.unwrap_or_else(|| format!("z9hG4bK{method}{number}"));
        let headers = &mut request.headers;
        headers.push("Via", format!("SIP/2.0/{via};branch={branch}"));
        headers.push("Max-Forwards", "70");
        headers.push("From", from.to_string());
        headers.push("To", to.to_string());
        headers.push("Call-ID", invite.call_id());
        headers.push(
            "CSeq",
            CSeq {
                number,
                method: method.clone(),
            }
            .to_string(),
        );
        for (name, value) in extra {
            headers.push(name, value);
        }
        let bytes = manner.write(request.to_bytes());
        if let Some(source) = source {
            return self.world.receive_from(source, bytes);
        }
        let flow = self.flow.filter(|flow| self.world.flows.contains_key(flow));
        let flow = flow.unwrap_or_else(|| self.world.listening());
        self.world.receive(flow, bytes);
    }

    fn expect_event(&mut self, expected: &str) {
        let event = self
            .world
            .events
            .pop_front()
            .unwrap_or_else(|| panic!("{}: no event", self.line));
        let found = match event {
            CallEvent::Proceeding { .. } => "proceeding".to_owned(),
            CallEvent::Ringing { .. } => "ringing".to_owned(),
            CallEvent::Answered { agreed, .. } => {
                format!("answered {} {}", agreed.transport.in_lower_case(), agreed.codec)
            }
            CallEvent::Moved { contacts, .. } => {
                let contacts: Vec<_> = contacts.iter().map(Secret::expose).collect();
                format!("moved {}", contacts.join(" "))
            }
            CallEvent::DigitsSent { .. } => "digits-sent".to_owned(),
            CallEvent::DigitsFailed { why, .. } => format!("digits-failed {why}"),
            CallEvent::Ended { reason, .. } => format!("ended {reason:?}"),
        };
        assert_eq!(found, expected, "{}", self.line);
    }

    fn expect_media(&mut self, expected: &str) {
        let command = self
            .world
            .media
            .pop_front()
            .unwrap_or_else(|| panic!("{}: no command", self.line));
        let found = match command {
            media::Command::Reserve { source } => format!("reserve {source}"),
            media::Command::Start(plan) => format!("start {} {}", plan.remote, direction(plan.direction)),
            media::Command::Mute(is_muted) => format!("mute {}", if is_muted { "on" } else { "off" }),
            media::Command::SendDigits(script) => format!("digits {}", script.digits()),
            media::Command::Stop => "stop".to_owned(),
            media::Command::Play(tone) => format!("play {tone:?}"),
        };
        assert_eq!(found, expected, "{}", self.line);
    }

    fn expect_record(&mut self, expected: &str) {
        let contents: Vec<String> = self
            .world
            .slots
            .values()
            .map(|content| state_of(content))
            .collect();
        assert_eq!(
            contents.join(" "),
            expected.replace("nothing", ""),
            "{}",
            self.line
        );
    }

    fn pass(&mut self, time: &str) {
        self.expect_nothing();
        self.world.pass(seconds(time.trim_start_matches('+')));
    }

    fn expect_nothing(&self) {
        let line = &self.line;
        assert!(
            self.world.sent.is_empty(),
            "{line}: not in the transcript: {:?}",
            self.world.sent
        );
        assert!(
            self.world.events.is_empty(),
            "{line}: not in the transcript: {:?}",
            self.world.events
        );
        assert!(
            self.world.media.is_empty(),
            "{line}: not in the transcript: {:?}",
            self.world.media
        );
    }
}

fn addresses(words: VecDeque<&str>) -> Vec<SocketAddr> {
    let read = words.into_iter().map(|word| word.parse().expect("an address"));
    read.collect()
}

fn check_response(line: &str, response: &Response, word: &str) {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match name {
        "allow" => assert!(response.headers.has_token("Allow", "INVITE"), "{line}"),
        "has" => {
            let (header, value) = value.split_once(':').expect("a header and its value");
            let found = response.headers.get(header).unwrap_or_default();
            assert_eq!(found.replace(' ', "_"), value, "{line}");
        }
        "body" => {
            let body = String::from_utf8_lossy(&response.body).replace("\r\n", "|");
            let body = body.replace(' ', "_");
            assert!(body.contains(value), "{line}: {body}");
        }
        method => assert_eq!(response.cseq().unwrap().method.as_str(), method, "{line}"),
    }
}

/// The state that a record tells of.
pub fn state_of(content: &[u8]) -> String {
    let record: serde_json::Value = serde_json::from_slice(content).expect("a record");
    match &record["state"] {
        serde_json::Value::String(state) => state.clone(),
        serde_json::Value::Object(state) => state.keys().cloned().collect(),
        other => panic!("no state: {other}"),
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::SendReceive => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::ReceiveOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

/// `plain` (no telephone-event), `port0`, `video` (beside audio), `elsewhere` (at another address), or a direction;
/// else audio with telephone-event at port 30000.
pub fn description(kind: &str) -> Vec<u8> {
    let port = if kind == "port0" { 0 } else { 30000 };
    let direction = match kind {
        "sendonly" | "recvonly" | "inactive" => kind,
        _ => "sendrecv",
    };
    let (formats, events) = match kind {
        "plain" => ("0", ""),
        _ => ("0 101", "a=rtpmap:101 telephone-event/8000\r\n"),
    };
    let video = match kind {
        "video" => "m=video 30002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
        _ => "",
    };
    let address = match kind {
        "elsewhere" => "192.0.2.21",
        _ => "192.0.2.20",
    };
    format!(
        "v=0\r\no=far 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {formats}\r\na=rtpmap:0 PCMU/8000\r\n{events}a={direction}\r\n{video}"
    )
    .into_bytes()
}

fn challenge(kind: &str) -> String {
    match kind.split_once('-').unwrap_or((kind, "n1")) {
        ("md5", nonce) => format!("Digest realm=\"example.com\", nonce=\"{nonce}\", qop=\"auth\""),
        ("sha256", nonce) => {
            format!("Digest realm=\"proxy\", nonce=\"{nonce}\", qop=\"auth\", algorithm=SHA-256")
        }
        ("strong", nonce) => {
            format!("Digest realm=\"example.com\", nonce=\"{nonce}\", qop=\"auth\", algorithm=SHA-256")
        }
        ("stale", nonce) => {
            format!("Digest realm=\"example.com\", nonce=\"{nonce}\", qop=\"auth\", stale=true")
        }
        other => panic!("unknown challenge {other:?}"),
    }
}

fn seconds(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(milliseconds) => Duration::from_millis(milliseconds.parse().unwrap()),
        None => Duration::from_secs_f64(text.trim_end_matches('s').parse().unwrap()),
    }
}
