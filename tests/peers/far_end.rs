//! A SIP far end on UDP and TCP that behaves as it is told: answers, asks for a PIN, rings for ever, refuses, or
//! breaks the rules.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub use super::conduct::{Call, Line, Manner, Phase, Seen, Voice};

use super::Watched;
use super::conduct::Path;
use super::sdp::Audio;
use super::sip_text::Message;
use super::sound::Ear;
use super::telephone::{Prompt, Telephone};

/// A running far end. It lives until the process ends.
pub struct FarEnd {
    /// Where it listens, on UDP and TCP.
    pub address: SocketAddr,
    /// What it saw so far.
    pub seen: Arc<Watched<Seen>>,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    address: SocketAddr,
    manner: Arc<Watched<Manner>>,
    voice: Voice,
    seen: Arc<Watched<Seen>>,
}

impl FarEnd {
    /// Starts one with the usual voice.
    pub fn start(manner: Manner) -> Self {
        Self::start_with(manner, Voice::default())
    }

    /// Starts one that answers at once and asks for this PIN.
    pub fn asking_for(pin: &str) -> Self {
        super::canaries::hand_out(pin);
        let prompt = Some(Prompt {
            pin: pin.to_owned(),
            tone: 1000,
        });
        Self::start_with(
            Manner::Answer {
                after: Duration::ZERO,
            },
            Voice { tone: 600, prompt },
        )
    }

    /// Starts one with this voice.
    pub fn start_with(manner: Manner, voice: Voice) -> Self {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().unwrap();
        let seen = Arc::new(Watched::new(Seen::default()));
        let manner = Arc::new(Watched::new(manner));
        let shared = Shared {
            address,
            manner,
            voice,
            seen: Arc::clone(&seen),
        };
        let for_udp = shared.clone();
        thread::spawn(move || serve_udp(&Arc::new(udp), &for_udp));
        let for_tcp = shared.clone();
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let shared = for_tcp.clone();
                thread::spawn(move || serve_tcp(&Arc::new(stream), &shared));
            }
        });
        Self {
            address,
            seen,
            shared,
        }
    }

    /// Behaves like this from the next INVITE on.
    pub fn behave(&self, manner: Manner) {
        self.shared.manner.change(|held| *held = manner);
    }

    /// `HOST:PORT`, as a directive's `meeting.endpoint`.
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Waits for what it sees.
    #[track_caller]
    pub fn wait_for<R>(&self, what: &str, question: impl FnMut(&Seen) -> Option<R>) -> R {
        self.seen.wait_for(what, question)
    }

    /// Waits until the newest call is in this phase.
    #[track_caller]
    pub fn wait_for_phase(&self, phase: Phase) {
        self.wait_for(&format!("a call in phase {phase:?}"), |seen| {
            (seen.calls.last()?.phase == phase).then_some(())
        });
    }

    /// Waits until every call is over and nothing was wrong with any request.
    #[track_caller]
    pub fn wait_until_all_is_over(&self) {
        self.wait_for("the end of every call", |seen| {
            seen.calls.iter().all(|call| call.phase.is_over()).then_some(())
        });
        self.seen
            .look(|seen| assert_eq!(seen.complaints, Vec::<String>::new()));
    }

    /// Hangs up the newest call.
    pub fn hang_up(&self) {
        let (call, bye) = self.seen.change(|seen| {
            let call = seen.calls.last_mut().expect("a call to hang up");
            call.phase = Phase::Leaving;
            (call.clone(), bye_of(call))
        });
        self.shared.send(&call.path, bye);
    }
}

/// Our BYE as the callee (RFC 3261 12.2.1.1): their From is our To.
fn bye_of(call: &Call) -> Message {
    let (invite, answer) = (&call.invite, call.answer.as_ref().expect("an answered call"));
    let via = match &call.path {
        Path::Udp(socket, _) => format!("SIP/2.0/UDP {};rport", socket.local_addr().unwrap()),
        Path::Tcp(stream) => format!("SIP/2.0/TCP {}", stream.local_addr().unwrap()),
    };
    Message {
        start: format!("BYE {} SIP/2.0", invite.uri_of("Contact").unwrap_or_default()),
        headers: Vec::new(),
        body: String::new(),
    }
    .with(
        "Via",
        format!("{via};branch=z9hG4bKbye{}", invite.call_id().len()),
    )
    .with("Max-Forwards", "70")
    .with("From", answer.header("To").unwrap_or_default())
    .with("To", invite.header("From").unwrap_or_default())
    .with("Call-ID", invite.call_id())
    .with("CSeq", "1 BYE")
}

fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

fn serve_udp(socket: &Arc<UdpSocket>, shared: &Shared) {
    let mut bytes = vec![0; 65536];
    loop {
        // A refused port of an earlier reply is reported here, and is no reason to stop.
        let Ok((count, from)) = socket.recv_from(&mut bytes) else {
            continue;
        };
        if bytes[..count]
            .iter()
            .all(|byte| matches!(byte, b'\r' | b'\n' | 0))
        {
            continue;
        }
        shared.receive(
            &Path::Udp(Arc::clone(socket), from),
            Message::read(&bytes[..count]),
        );
    }
}

fn serve_tcp(stream: &Arc<TcpStream>, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let (mut buffer, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = (&**stream).read(&mut piece) {
        buffer.extend_from_slice(&piece[..count]);
        while let Some(message) = Message::take_from(&mut buffer) {
            shared.receive(&Path::Tcp(Arc::clone(stream)), message);
        }
    }
}

impl Shared {
    fn receive(&self, path: &Path, message: Result<Message, String>) {
        let at = Instant::now();
        let message = match message {
            Ok(message) => message,
            Err(fault) => return self.seen.change(|seen| seen.complaints.push(fault)),
        };
        let known = self.seen.change(|seen| {
            seen.complaints.extend(message.complaints());
            seen.messages.push(Line {
                at,
                theirs: true,
                message: message.clone(),
            });
            seen.calls
                .iter()
                .position(|call| call.invite.call_id() == message.call_id())
        });
        match (message.method(), known) {
            (Some("INVITE"), None) => self.take_invite(path, &message),
            (Some("INVITE"), Some(call)) => self.repeat_answer(path, &message, call),
            (Some("ACK"), Some(call)) => self.move_on(call, Phase::Answered, Phase::Confirmed),
            (Some("ACK"), None) => {}
            (Some("CANCEL"), Some(call)) => self.take_cancel(path, &message, call),
            (Some("BYE"), Some(_)) if self.manner.look(|manner| matches!(manner, Manner::Silent)) => {}
            (Some("BYE"), Some(call)) => {
                self.send(path, message.response(200, "OK", "far"));
                self.seen.change(|seen| seen.calls[call].phase = Phase::TheyLeft);
            }
            (Some(_), Some(_)) => self.send(path, message.response(200, "OK", "far")),
            (Some("OPTIONS"), None) => self.send(path, message.response(200, "OK", "far")),
            (Some(_), None) => {
                self.send(
                    path,
                    message.response(481, "Call/Transaction Does Not Exist", "far"),
                );
            }
            (None, Some(call)) if message.answers("BYE", 200) => {
                self.move_on(call, Phase::Leaving, Phase::WeLeft)
            }
            (None, _) => {}
        }
    }

    fn move_on(&self, call: usize, from: Phase, to: Phase) {
        self.seen.change(|seen| {
            let phase = &mut seen.calls[call].phase;
            if *phase == from {
                *phase = to;
            }
        });
    }

    fn take_invite(&self, path: &Path, invite: &Message) {
        let call = self.seen.change(|seen| {
            seen.calls.push(Call {
                invite: invite.clone(),
                phase: Phase::Invited,
                ear: Ear::default(),
                pin_at: None,
                wrong_pins: 0,
                path: path.clone(),
                answer: None,
            });
            seen.calls.len() - 1
        });
        let tag = format!("far{call}");
        let ring = || {
            self.send(path, invite.response(100, "Trying", &tag));
            self.send(
                path,
                invite
                    .response(180, "Ringing", &tag)
                    .with("Contact", self.contact(path)),
            );
        };
        let bare = || {
            invite
                .response(200, "OK", &tag)
                .with("Contact", self.contact(path))
        };
        match self.manner.look(Manner::clone) {
            Manner::Answer { after } => {
                ring();
                self.answer_after(after, path, invite, call, tag);
            }
            Manner::RingForEver => ring(),
            Manner::Silent => {}
            Manner::Refuse(status, phrase) => {
                self.move_on(call, Phase::Invited, Phase::Refused);
                self.answer_with(path, call, invite.response(status, phrase, &tag));
            }
            Manner::HalfMessage => {
                let whole = bare().write();
                path.send(&whole[..whole.len() / 2]);
            }
            Manner::Garbage => {
                path.send(b"\x16\x03\x01\x00\xff\xfe SIP/2.0 200 \r\n\0\0Via: \xc3\x28\r\n\r\n")
            }
            Manner::WithoutSdp => {
                self.move_on(call, Phase::Invited, Phase::Answered);
                self.answer_with(path, call, bare());
            }
            Manner::PortZero => {
                let offer = Audio::read(&invite.body).expect("an offer");
                let refused = SocketAddr::new(self.address.ip(), 0);
                let (_, sdp) = offer.answer(refused).expect("G.711 in the offer");
                self.move_on(call, Phase::Invited, Phase::Answered);
                self.answer_with(path, call, bare().with_sdp(sdp));
            }
        }
    }

    /// Rings for this long, unless it is cancelled; then answers and talks.
    fn answer_after(&self, after: Duration, path: &Path, invite: &Message, call: usize, tag: String) {
        let (shared, path, invite) = (self.clone(), path.clone(), invite.clone());
        thread::spawn(move || {
            let over = |seen: &Seen| seen.calls[call].phase.is_over().then_some(());
            if shared.seen.wait_until(Instant::now() + after, over).is_some() {
                return;
            }
            let Some(offer) = Audio::read(&invite.body) else {
                return shared
                    .seen
                    .change(|seen| seen.complaints.push("an INVITE without an offer".to_owned()));
            };
            let socket = UdpSocket::bind((shared.address.ip(), 0)).unwrap();
            let Some((codec, sdp)) = offer.answer(socket.local_addr().unwrap()) else {
                return shared
                    .seen
                    .change(|seen| seen.complaints.push("an offer without G.711".to_owned()));
            };
            let answer = invite
                .response(200, "OK", &tag)
                .with("Contact", shared.contact(&path))
                .with_sdp(sdp);
            shared.move_on(call, Phase::Invited, Phase::Answered);
            shared.answer_with(&path, call, answer.clone());
            shared.repeat_until_acknowledged(call, path, answer);
            let telephone = Telephone {
                socket,
                remote: offer.address,
                codec,
                events: offer.events,
                tone: shared.voice.tone,
                prompt: shared.voice.prompt.clone(),
            };
            telephone.talk(call, Arc::clone(&shared.seen));
        });
    }

    /// A 2xx is sent again until its ACK comes, for 32 s at most (RFC 3261 13.3.1.4).
    fn repeat_until_acknowledged(&self, call: usize, path: Path, answer: Message) {
        let shared = self.clone();
        thread::spawn(move || {
            let mut interval = Duration::from_millis(500);
            let until = Instant::now() + interval * 64;
            let acknowledged = |seen: &Seen| (seen.calls[call].phase != Phase::Answered).then_some(());
            while Instant::now() < until
                && shared
                    .seen
                    .wait_until(Instant::now() + interval, acknowledged)
                    .is_none()
            {
                shared.send(&path, answer.clone());
                interval = (interval * 2).min(Duration::from_secs(4));
            }
        });
    }

    fn take_cancel(&self, path: &Path, cancel: &Message, call: usize) {
        self.send(path, cancel.response(200, "OK", &format!("far{call}")));
        let cancelled = self.seen.change(|seen| {
            let call = &mut seen.calls[call];
            let in_time = call.phase == Phase::Invited;
            if in_time {
                call.phase = Phase::Cancelled;
            }
            in_time.then(|| call.invite.clone())
        });
        if let Some(invite) = cancelled {
            self.answer_with(
                path,
                call,
                invite.response(487, "Request Terminated", &format!("far{call}")),
            );
        }
    }

    /// A retransmitted INVITE gets the final response again (RFC 3261 17.2.1); a refresh (RFC 4028) the same SDP.
    fn repeat_answer(&self, path: &Path, invite: &Message, call: usize) {
        let answer = self.seen.look(|seen| seen.calls[call].answer.clone());
        if let Some(answer) = answer {
            let mut again = invite.response(200, "OK", &format!("far{call}"));
            again.start = answer.start;
            again.body = answer.body;
            let kept = answer
                .headers
                .into_iter()
                .filter(|(name, _)| name.starts_with("Conta") || name == "Content-Type");
            again.headers.extend(kept);
            self.send(path, again);
        } else if self.manner.look(Manner::rings) {
            self.send(path, invite.response(180, "Ringing", &format!("far{call}")));
        }
    }

    fn answer_with(&self, path: &Path, call: usize, answer: Message) {
        self.seen
            .change(|seen| seen.calls[call].answer = Some(answer.clone()));
        self.send(path, answer);
    }

    fn contact(&self, path: &Path) -> String {
        let transport = if matches!(path, Path::Tcp(_)) {
            ";transport=tcp"
        } else {
            ""
        };
        format!("<sip:far@{}{transport}>", self.address)
    }

    /// Written down first: what answers it may be seen before this thread goes on.
    fn send(&self, path: &Path, message: Message) {
        let bytes = message.write();
        self.seen.change(|seen| {
            seen.messages.push(Line {
                at: Instant::now(),
                theirs: false,
                message,
            })
        });
        path.send(&bytes);
    }
}
