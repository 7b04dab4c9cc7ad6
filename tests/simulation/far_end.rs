//! A far end in virtual time: a conference that speaks just enough SIP over UDP, written without a line of ours.
//! It knows which of its dialogs are alive, which is what the stories ask it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// RFC 3261 17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// A refusal that was repeated up to this interval is not acknowledged any more.
const GIVES_UP_AT: Duration = Duration::from_secs(4);

/// How the conference behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// From the INVITE to 180; `None`: it never rings.
    pub rings_after: Option<Duration>,
    /// From the INVITE to 200; `None`: it never answers.
    pub answers_after: Option<Duration>,
    /// Whether it is deaf to INVITEs.
    pub is_silent: bool,
    /// The status it refuses with, when it would answer.
    pub refuses_with: Option<u16>,
    /// Whether two of its telephones answer at once.
    pub forks: bool,
    /// How many ACKs it loses before one counts.
    pub loses_acks: u32,
    /// From the ACK to its own BYE; `None`: it stays.
    pub hangs_up_after: Option<Duration>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            rings_after: Some(Duration::from_millis(20)),
            answers_after: Some(Duration::from_millis(300)),
            is_silent: false,
            refuses_with: None,
            forks: false,
            loses_acks: 0,
            hangs_up_after: None,
        }
    }
}

/// What became of one INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    Trying,
    Ringing,
    /// 200 sent; repeated until the ACK.
    Answered,
    Confirmed,
    /// 487, or another refusal, sent; repeated until the ACK.
    Refused,
    Over,
}

impl Leg {
    /// Whether somebody in the conference would see this participant, or hear it ring.
    pub fn is_alive(self) -> bool {
        matches!(
            self,
            Self::Trying | Self::Ringing | Self::Answered | Self::Confirmed
        )
    }
}

struct Dialog {
    leg: Leg,
    invite: String,
    from: SocketAddr,
    tag: String,
    last_response: String,
    repeat: Option<(Duration, Duration)>,
    due: Vec<(Duration, u16)>,
    highest_sequence: u32,
    manners: Manners,
    acks_lost: u32,
    hangs_up_at: Option<Duration>,
}

/// A BYE of the conference, repeated until it is answered.
struct Bye {
    to: SocketAddr,
    text: String,
    at: Duration,
    interval: Duration,
    until: Duration,
}

/// The conference.
pub struct FarEnd {
    pub address: SocketAddr,
    pub manners: Manners,
    dialogs: BTreeMap<String, Dialog>,
    /// Datagrams on their way out.
    pub outbox: Vec<(SocketAddr, Vec<u8>)>,
    /// Every method and status that came in, in order.
    pub heard: Vec<String>,
    /// What broke the rules of SIP.
    pub complaints: Vec<String>,
    /// Who was called by each Call-ID: the user part of the first INVITE.
    pub called: BTreeMap<String, String>,
    byes: BTreeMap<String, Bye>,
    hangs_up: u32,
}

impl FarEnd {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            manners: Manners::default(),
            dialogs: BTreeMap::new(),
            outbox: Vec::new(),
            heard: Vec::new(),
            complaints: Vec::new(),
            called: BTreeMap::new(),
            byes: BTreeMap::new(),
            hangs_up: 0,
        }
    }

    /// The dialogs that are alive here, by Call-ID and branch.
    pub fn alive(&self) -> Vec<(&str, Leg)> {
        self.dialogs
            .iter()
            .filter(|(_, dialog)| dialog.leg.is_alive())
            .map(|(key, dialog)| (key.as_str(), dialog.leg))
            .collect()
    }

    /// How many INVITEs were new ones.
    pub fn invites(&self) -> usize {
        self.dialogs.len()
    }

    /// Every dialog is gone, as if somebody had cleared the conference.
    pub fn clear(&mut self) {
        self.dialogs.clear();
        self.byes.clear();
    }

    /// The conference ends all confirmed calls.
    pub fn hang_up(&mut self, now: Duration) {
        let confirmed: Vec<String> = self
            .dialogs
            .iter()
            .filter(|(_, dialog)| dialog.leg == Leg::Confirmed)
            .map(|(key, _)| key.clone())
            .collect();
        for key in confirmed {
            self.say_bye(now, &key);
        }
    }

    fn say_bye(&mut self, now: Duration, key: &str) {
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        dialog.leg = Leg::Over;
        dialog.hangs_up_at = None;
        self.hangs_up += 1;
        let contact = header(&dialog.invite, "Contact").unwrap_or_default();
        let uri = contact.split(['<', '>']).nth(1).unwrap_or(&contact).to_owned();
        let branch = format!("z9hG4bKfar{}", self.hangs_up);
        let text = format!(
            "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {};tag={}\r\n\
             To: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            self.address,
            header(&dialog.invite, "To").unwrap_or_default(),
            dialog.tag,
            header(&dialog.invite, "From").unwrap_or_default(),
            header(&dialog.invite, "Call-ID").unwrap_or_default(),
        );
        self.outbox.push((dialog.from, text.clone().into_bytes()));
        let bye = Bye {
            to: dialog.from,
            text,
            at: now + T1,
            interval: T1,
            until: now + T1 * 64,
        };
        self.byes.insert(branch, bye);
    }

    /// One datagram came in.
    pub fn receive(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let first = text.lines().next().unwrap_or_default().to_owned();
        let method = first.split(' ').next().unwrap_or_default().to_owned();
        self.heard.push(if method == "SIP/2.0" {
            first.clone()
        } else {
            method.clone()
        });
        if text.trim().is_empty() {
            return;
        }
        match method.as_str() {
            "INVITE" if header(&text, "To").is_some_and(|to| to.contains(";tag=")) => {
                self.reply(from, &text, 488)
            }
            "INVITE" => self.invite(now, from, text),
            "ACK" => self.acknowledge(now, &text),
            "CANCEL" => self.cancel(now, from, &text),
            "BYE" => self.bye(from, &text),
            "SIP/2.0" => {
                self.byes.remove(&branch_of(&text));
            }
            "INFO" | "OPTIONS" | "UPDATE" => self.reply(from, &text, 200),
            other => self.complaints.push(format!("unexpected {other}")),
        }
    }

    /// When it next wants [`FarEnd::tick`].
    pub fn next_due(&self) -> Option<Duration> {
        self.dialogs
            .values()
            .flat_map(|dialog| {
                dialog
                    .due
                    .iter()
                    .map(|(at, _)| *at)
                    .chain(dialog.repeat.iter().map(|(at, _)| *at))
                    .chain(dialog.hangs_up_at)
            })
            .chain(self.byes.values().map(|bye| bye.at))
            .min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        self.repeat_byes(now);
        let keys: Vec<String> = self.dialogs.keys().cloned().collect();
        for key in keys {
            let Some(dialog) = self.dialogs.get_mut(&key) else {
                continue;
            };
            let due: Vec<u16> = dialog
                .due
                .iter()
                .filter(|(at, _)| *at <= now)
                .map(|(_, status)| *status)
                .collect();
            dialog.due.retain(|(at, _)| *at > now);
            for status in due {
                self.respond(now, &key, status);
            }
            let Some(dialog) = self.dialogs.get_mut(&key) else {
                continue;
            };
            if dialog.hangs_up_at.is_some_and(|at| at <= now) {
                self.say_bye(now, &key);
                continue;
            }
            if let Some((at, interval)) = dialog.repeat
                && at <= now
            {
                if dialog.leg == Leg::Refused && interval >= GIVES_UP_AT {
                    dialog.leg = Leg::Over;
                    dialog.repeat = None;
                    continue;
                }
                self.outbox
                    .push((dialog.from, dialog.last_response.clone().into_bytes()));
                let next = (interval * 2).min(Duration::from_secs(4));
                dialog.repeat = Some((now + next, next));
            }
        }
    }

    fn repeat_byes(&mut self, now: Duration) {
        self.byes.retain(|_, bye| now < bye.until);
        for bye in self.byes.values_mut().filter(|bye| bye.at <= now) {
            self.outbox.push((bye.to, bye.text.clone().into_bytes()));
            bye.interval = (bye.interval * 2).min(Duration::from_secs(4));
            bye.at = now + bye.interval;
        }
    }

    fn invite(&mut self, now: Duration, from: SocketAddr, text: String) {
        let key = key_of(&text);
        if let Some(dialog) = self.dialogs.get_mut(&key) {
            // A repeated INVITE is answered with the last response, wherever it now comes from.
            dialog.from = from;
            if !dialog.last_response.is_empty() {
                self.outbox
                    .push((from, dialog.last_response.clone().into_bytes()));
            }
            return;
        }
        if self.manners.is_silent {
            return;
        }
        let user = text.split([':', '@']).nth(1).unwrap_or_default().to_owned();
        let call_id = header(&text, "Call-ID").unwrap_or_default();
        self.called.entry(call_id).or_insert(user);
        let last = self.manners.refuses_with.unwrap_or(200);
        // Nobody rings once it was answered.
        let is_before = |rings: &Duration| self.manners.answers_after.is_none_or(|answers| *rings < answers);
        let rings_after = self.manners.rings_after.filter(is_before);
        let dialog = Dialog {
            leg: Leg::Trying,
            highest_sequence: sequence(&text),
            invite: text,
            from,
            tag: format!("far{}", self.dialogs.len()),
            last_response: String::new(),
            repeat: None,
            due: [(rings_after, 180), (self.manners.answers_after, last)]
                .into_iter()
                .filter_map(|(after, status)| Some((now + after?, status)))
                .collect(),
            manners: self.manners,
            acks_lost: 0,
            hangs_up_at: None,
        };
        self.dialogs.insert(key.clone(), dialog);
        self.respond(now, &key, 100);
    }

    fn respond(&mut self, now: Duration, key: &str, status: u16) {
        if status == 200 {
            self.fork(now, key);
        }
        self.respond_as(now, key, status);
    }

    /// A second telephone answers the same INVITE.
    fn fork(&mut self, now: Duration, key: &str) {
        let Some(dialog) = self.dialogs.get(key).filter(|dialog| dialog.manners.forks) else {
            return;
        };
        let other = Dialog {
            leg: Leg::Ringing,
            invite: dialog.invite.clone(),
            from: dialog.from,
            tag: format!("{}fork", dialog.tag),
            last_response: String::new(),
            repeat: None,
            due: Vec::new(),
            highest_sequence: dialog.highest_sequence,
            manners: dialog.manners,
            acks_lost: 0,
            hangs_up_at: None,
        };
        let fork = format!("{key} fork");
        self.dialogs.insert(fork.clone(), other);
        self.respond_as(now, &fork, 200);
    }

    fn respond_as(&mut self, now: Duration, key: &str, status: u16) {
        let address = self.address;
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        let body = if status == 200 {
            format!(
                "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 101\r\n\
                 a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n",
                ip = address.ip()
            )
        } else {
            String::new()
        };
        let tag = if status == 100 {
            String::new()
        } else {
            format!(";tag={}", dialog.tag)
        };
        let mut text = response(&dialog.invite, status, &tag);
        text.push_str(&format!("Contact: <sip:conference@{address}>\r\n"));
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        dialog.last_response = text.clone();
        dialog.leg = match status {
            100 => Leg::Trying,
            180 => Leg::Ringing,
            200 => Leg::Answered,
            _ => Leg::Refused,
        };
        if status >= 200 {
            dialog.repeat = Some((now + Duration::from_millis(500), Duration::from_millis(500)));
        }
        self.outbox.push((dialog.from, text.into_bytes()));
    }

    fn acknowledge(&mut self, now: Duration, text: &str) {
        let call_id = header(text, "Call-ID").unwrap_or_default();
        let to = header(text, "To").unwrap_or_default();
        for (key, dialog) in &mut self.dialogs {
            let is_its = to.ends_with(&format!("tag={}", dialog.tag));
            if !is_its || !key.starts_with(&call_id) || sequence(text) != sequence(&dialog.invite) {
                continue;
            }
            if dialog.leg == Leg::Answered && dialog.acks_lost < dialog.manners.loses_acks {
                dialog.acks_lost += 1;
                continue;
            }
            match dialog.leg {
                Leg::Answered => {
                    dialog.leg = Leg::Confirmed;
                    dialog.hangs_up_at = dialog.manners.hangs_up_after.map(|after| now + after);
                }
                Leg::Refused => dialog.leg = Leg::Over,
                Leg::Confirmed | Leg::Over => {}
                Leg::Trying | Leg::Ringing => self.complaints.push("ACK before a final response".to_owned()),
            }
            dialog.repeat = None;
        }
    }

    fn cancel(&mut self, now: Duration, from: SocketAddr, text: &str) {
        let key = key_of(text);
        let known = self.dialogs.get_mut(&key).map(|dialog| {
            dialog.due.clear();
            dialog.leg
        });
        let status = if known.is_some() { 200 } else { 481 };
        self.reply(from, text, status);
        if matches!(known, Some(Leg::Trying | Leg::Ringing)) {
            self.respond(now, &key, 487);
        }
    }

    fn bye(&mut self, from: SocketAddr, text: &str) {
        let call_id = header(text, "Call-ID").unwrap_or_default();
        let found = self.dialogs.iter_mut().find(|(key, dialog)| {
            key.starts_with(&call_id)
                && header(text, "To")
                    .unwrap_or_default()
                    .ends_with(&format!("tag={}", dialog.tag))
                && matches!(dialog.leg, Leg::Answered | Leg::Confirmed)
        });
        let Some((_, dialog)) = found else {
            self.reply(from, text, 481);
            return;
        };
        dialog.hangs_up_at = None;
        if sequence(text) <= dialog.highest_sequence {
            self.complaints
                .push(format!("BYE with CSeq {} that is not above", sequence(text)));
        }
        dialog.highest_sequence = sequence(text);
        dialog.leg = Leg::Over;
        dialog.repeat = None;
        self.reply(from, text, 200);
    }

    fn reply(&mut self, to: SocketAddr, request: &str, status: u16) {
        let mut text = response(request, status, "");
        text.push_str("Content-Length: 0\r\n\r\n");
        self.outbox.push((to, text.into_bytes()));
    }
}

/// The value of a header; our messages have each once, unfolded and long.
pub fn header(text: &str, name: &str) -> Option<String> {
    text.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn response(request: &str, status: u16, to_tag: &str) -> String {
    let phrase = match status {
        100 => "Trying",
        180 => "Ringing",
        200 => "OK",
        486 => "Busy Here",
        487 => "Request Terminated",
        _ => "Call/Transaction Does Not Exist",
    };
    let mut text = format!("SIP/2.0 {status} {phrase}\r\n");
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let value = header(request, name).unwrap_or_default();
        let tag = if name == "To" { to_tag } else { "" };
        text.push_str(&format!("{name}: {value}{tag}\r\n"));
    }
    text
}

fn sequence(text: &str) -> u32 {
    header(text, "CSeq")
        .and_then(|value| value.split(' ').next().and_then(|number| number.parse().ok()))
        .unwrap_or_default()
}

fn key_of(text: &str) -> String {
    format!(
        "{} {}",
        header(text, "Call-ID").unwrap_or_default(),
        branch_of(text)
    )
}

fn branch_of(text: &str) -> String {
    header(text, "Via")
        .and_then(|via| {
            via.split(';')
                .find_map(|part| part.trim().strip_prefix("branch=").map(str::to_owned))
        })
        .unwrap_or_default()
}
