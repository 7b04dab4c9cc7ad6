//! Bytes to messages (RFC 3261 7, 18.3, 25): strict where a message could be read in two ways, lenient elsewhere.

use super::{BadRequest, Headers, Malformed, Message, Method, Request, Response, fields, names};
use crate::dialer::sip::headers::{CSeq, HeaderFault, NameAddr, Via, is_token};
use crate::dialer::sip::uri::Uri;

/// The longest message that is read, in bytes: what a datagram can hold.
pub const LONGEST_MESSAGE: usize = 64 * 1024;
/// The most header lines that are read.
pub const MOST_HEADERS: usize = 256;
/// The longest value of one header, in bytes; RFC 4475 3.1.1.7 has one of some 2,000.
const LONGEST_VALUE: usize = 16 * 1024;

/// Said of what has no start line that could be one.
const NO_MESSAGE: &str = "no SIP message";

/// Whether a datagram is a keep-alive and no message: nothing but line ends (RFC 5626 3.5.1), or NULs.
pub fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// Reads the message in a datagram. Bytes behind Content-Length are ignored; a Content-Length that the datagram
/// does not hold is a fault (RFC 3261 18.3); without one the body is the rest.
pub fn read_datagram(bytes: &[u8]) -> Result<Message, Malformed> {
    // RFC 3261 7.5: line ends before the start line are ignored.
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    if bytes.len() > LONGEST_MESSAGE {
        return Err(Malformed::silent("the message is too long"));
    }
    let (head, rest) = match end_of_head(bytes) {
        Some(end) => bytes.split_at(end),
        None => (bytes, &[][..]),
    };
    let head = Head::read(head);
    let length = match &head.length {
        Ok(length) => length.unwrap_or(rest.len()),
        Err(why) => return Err(head.refuse(400, why)),
    };
    if length > rest.len() {
        return Err(head.refuse(400, "Content-Length: longer than the datagram"));
    }
    head.finish(rest[..length].to_vec())
}

/// Where the head ends: behind the empty line.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut searched = 0;
    while let Some(found) = bytes[searched..].iter().position(|byte| *byte == b'\n') {
        let line_feed = searched + found;
        if bytes[..=line_feed].ends_with(b"\r\n\r\n") {
            return Some(line_feed + 1);
        }
        searched = line_feed + 1;
    }
    None
}

/// The start line and the headers, read as far as they can be: also what is wrong is answered.
pub(super) struct Head {
    start: Result<StartLine, Refusal>,
    headers: Headers,
    /// The first fault in the headers.
    fault: Option<String>,
    /// Content-Length; none when it is missing, what is wrong when it cannot be trusted.
    pub length: Result<Option<usize>, &'static str>,
}

enum StartLine {
    Request(Method, Uri),
    Response(u16, String),
}

/// A start line that is not accepted.
struct Refusal {
    /// The status of the answer; none for what is no request at all.
    status: Option<u16>,
    why: &'static str,
}

impl Head {
    /// Reads the bytes up to and with the empty line.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (start_line, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
        let mut head = Self {
            start: read_start_line(start_line),
            headers: Headers::default(),
            fault: None,
            length: Ok(None),
        };
        match rest
            .strip_suffix("\r\n\r\n")
            .or(rest.strip_suffix("\r\n").filter(|rest| rest.is_empty()))
        {
            Some(lines) => head.read_lines(lines),
            None => {
                head.read_lines(rest.trim_end_matches("\r\n"));
                head.note("no empty line ends the headers");
            }
        }
        head
    }

    fn note(&mut self, fault: impl Into<String>) {
        self.fault.get_or_insert_with(|| fault.into());
    }

    /// Splits at line ends that no white space follows, which would be a fold (RFC 3261 7.3.1).
    fn read_lines(&mut self, lines: &str) {
        let mut rest = lines;
        let mut count = 0;
        while !rest.is_empty() {
            let mut ends = end_of_line(rest, 0);
            while rest[ends..].starts_with("\r\n ") || rest[ends..].starts_with("\r\n\t") {
                ends = end_of_line(rest, ends + 3);
            }
            count += 1;
            if count > MOST_HEADERS {
                return self.note("too many headers");
            }
            let line = &rest[..ends];
            rest = rest.get(ends + 2..).unwrap_or("");
            if let Err(fault) = self.read_line(line) {
                self.note(fault);
            }
        }
    }

    fn read_line(&mut self, line: &str) -> Result<(), &'static str> {
        let (name, value) = line.split_once(':').ok_or("a header has no colon")?;
        let name = trimmed_end(name);
        if !is_token(name) {
            return Err("the name of a header is not a token");
        }
        if value.len() > LONGEST_VALUE {
            return Err("a header is too long");
        }
        let value = unfolded(value);
        // A lone CR or LF is a line end to some and none to others.
        if value.contains('\r') || value.contains('\n') {
            return Err("a header holds a lone CR or LF");
        }
        match names::canonical(name) {
            "Content-Length" => self.length = self.with_length(&value),
            name => self.headers.push_as_read(name, value),
        }
        Ok(())
    }

    /// The Content-Length with one more line of it.
    fn with_length(&self, value: &str) -> Result<Option<usize>, &'static str> {
        if self.length != Ok(None) {
            return Err("Content-Length: there are several");
        }
        let is_number =
            !value.is_empty() && value.len() <= 9 && value.bytes().all(|byte| byte.is_ascii_digit());
        match value.parse() {
            Ok(length) if is_number => Ok(Some(length)),
            _ => Err("Content-Length: not a number of bytes"),
        }
    }

    /// What makes it uncertain whether others see the same message: then a stream cannot be trusted any more.
    pub fn torn(&self) -> Option<&str> {
        match &self.start {
            Err(Refusal { status: None, why }) if *why == NO_MESSAGE => Some(why),
            _ => self.fault.as_deref(),
        }
    }

    /// The message with this body, when nothing is wrong with it.
    pub fn finish(mut self, body: Vec<u8>) -> Result<Message, Malformed> {
        if let Err(Refusal { status, why }) = &self.start {
            let (status, why) = (*status, *why);
            return Err(match status {
                Some(status) => self.refuse(status, why),
                None => Malformed::silent(why),
            });
        }
        if let Some(fault) = self.fault.take() {
            return Err(self.refuse(400, &fault));
        }
        let cseq = match self.check_essentials() {
            Ok(cseq) => cseq,
            Err(fault) => return Err(self.refuse(400, &fault)),
        };
        if let Ok(StartLine::Request(method, _)) = &self.start
            && *method != cseq.method
        {
            // RFC 4475 3.1.2.18 prefers to say that the method is unknown.
            let status = if matches!(method, Method::Other(_)) {
                501
            } else {
                400
            };
            return Err(self.refuse(status, "CSeq: another method than in the request line"));
        }
        match self.start {
            Ok(StartLine::Request(method, uri)) => Ok(Message::Request(Request {
                method,
                uri,
                headers: self.headers,
                body,
            })),
            Ok(StartLine::Response(status, phrase)) => Ok(Message::Response(Response {
                status,
                phrase,
                headers: self.headers,
                body,
            })),
            Err(refusal) => Err(Malformed::silent(refusal.why)),
        }
    }

    /// RFC 3261 8.1.1: without these no message is one, and none may be there twice.
    fn check_essentials(&self) -> Result<CSeq, String> {
        let mut essentials = Essentials::default();
        for (name, value) in self.headers.iter() {
            let place = match name {
                "Via" => {
                    essentials.via.get_or_insert(value);
                    continue;
                }
                "From" => &mut essentials.from,
                "To" => &mut essentials.to,
                "Call-ID" => &mut essentials.call_id,
                "CSeq" => &mut essentials.cseq,
                "Max-Forwards" => &mut essentials.max_forwards,
                "Content-Type" => &mut essentials.content_type,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(format!("{name}: there are several"));
            }
        }
        let via = essentials.via.ok_or("Via: missing")?;
        Via::parse(fields::first_element(via)).map_err(|fault| format!("Via: {fault}"))?;
        for (name, value) in [("From", essentials.from), ("To", essentials.to)] {
            let value = value.ok_or_else(|| format!("{name}: missing"))?;
            NameAddr::parse(value).map_err(|fault| format!("{name}: {fault}"))?;
        }
        match essentials.call_id.unwrap_or("") {
            "" => return Err("Call-ID: missing".to_owned()),
            call_id if call_id.contains([' ', '\t']) => return Err("Call-ID: several words".to_owned()),
            _ => {}
        }
        let cseq = essentials.cseq.ok_or("CSeq: missing")?;
        CSeq::parse(cseq).map_err(|HeaderFault(why)| format!("CSeq: {why}"))
    }

    /// Refuses it, with an answer when it was a request that can be answered.
    pub fn refuse(&self, status: u16, why: &str) -> Malformed {
        let can_be_answered = match &self.start {
            Ok(StartLine::Request(method, _)) => *method != Method::Ack,
            Ok(StartLine::Response(..)) => false,
            Err(refusal) => refusal.status.is_some(),
        };
        let mut headers = Headers::default();
        let is_copied = |name: &str| matches!(name, "Via" | "From" | "To" | "Call-ID" | "CSeq");
        for (name, value) in self.headers.iter().filter(|(name, _)| is_copied(name)) {
            // One of each, except of Via: which of two would be right nobody knows.
            if name == "Via" || headers.get(name).is_none() {
                headers.push(name, value);
            }
        }
        let answer =
            (can_be_answered && headers.get("Via").is_some()).then_some(BadRequest { status, headers });
        Malformed {
            why: why.to_owned(),
            answer,
            fatal: false,
        }
    }
}

/// The values of the headers that are looked at in every message; of Via the first.
#[derive(Default)]
struct Essentials<'a> {
    via: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    call_id: Option<&'a str>,
    cseq: Option<&'a str>,
    max_forwards: Option<&'a str>,
    content_type: Option<&'a str>,
}

impl Malformed {
    /// What is no message, and is not answered.
    pub(super) fn silent(why: &str) -> Self {
        Self {
            why: why.to_owned(),
            answer: None,
            fatal: false,
        }
    }

    /// The same, after which a stream cannot be read on.
    pub(super) fn fatal(self) -> Self {
        Self { fatal: true, ..self }
    }
}

/// Where the line ends that holds `from`: at its CRLF, or at the end of the text.
fn end_of_line(text: &str, from: usize) -> usize {
    let mut searched = from;
    while let Some(found) = text[searched..].find('\n') {
        let line_feed = searched + found;
        if line_feed > from && text[..line_feed].ends_with('\r') {
            return line_feed - 1;
        }
        searched = line_feed + 1;
    }
    text.len()
}

/// Makes each fold one space (RFC 3261 7.3.1), and takes the white space around the whole away.
fn unfolded(value: &str) -> String {
    if !value.contains("\r\n") {
        return trimmed(value).to_owned();
    }
    let mut whole = String::with_capacity(value.len());
    for piece in value.split("\r\n").map(trimmed).filter(|piece| !piece.is_empty()) {
        if !whole.is_empty() {
            whole.push(' ');
        }
        whole.push_str(piece);
    }
    whole
}

/// Without the spaces and tabs around it. What else is white to Unicode is not to SIP.
fn trimmed(text: &str) -> &str {
    let text = trimmed_end(text);
    let bytes = text.as_bytes();
    let mut start = 0;
    while matches!(bytes.get(start), Some(b' ' | b'\t')) {
        start += 1;
    }
    &text[start..]
}

/// The same at the end only.
fn trimmed_end(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut end = bytes.len();
    while end > 0 && matches!(bytes[end - 1], b' ' | b'\t') {
        end -= 1;
    }
    &text[..end]
}

fn read_start_line(line: &str) -> Result<StartLine, Refusal> {
    let begins_as_response = line
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
    if begins_as_response {
        read_status_line(line)
    } else {
        read_request_line(line)
    }
}

/// `SIP/2.0 200 OK`, words and the space before them optional, the version without regard to case.
fn read_status_line(line: &str) -> Result<StartLine, Refusal> {
    let refusal = |why| Refusal { status: None, why };
    let mut parts = line.splitn(3, ' ');
    let version = parts.next().unwrap_or("");
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(refusal("the version of the response is not SIP/2.0"));
    }
    let status = parts.next().unwrap_or("");
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let status = status
        .parse()
        .ok()
        .filter(|status| is_status && (100..700).contains(status));
    let phrase = parts.next().unwrap_or("");
    if phrase.contains('\r') || phrase.contains('\n') {
        return Err(refusal("the status line holds a lone CR or LF"));
    }
    status
        .map(|status| StartLine::Response(status, phrase.to_owned()))
        .ok_or(refusal("the status is not a number from 100 to 699"))
}

/// `INVITE sip:user@host SIP/2.0`, single spaces between (RFC 3261 7.1).
fn read_request_line(line: &str) -> Result<StartLine, Refusal> {
    let refusal = |status, why| Refusal {
        status: Some(status),
        why,
    };
    let (method, rest) = line.split_once(' ').ok_or(Refusal {
        status: None,
        why: NO_MESSAGE,
    })?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(Refusal {
        status: None,
        why: NO_MESSAGE,
    })?;
    if !is_token(method) {
        return Err(Refusal {
            status: None,
            why: NO_MESSAGE,
        });
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(match is_version(version) {
            true => refusal(505, "the version of the request is not SIP/2.0"),
            false => refusal(400, "the request line does not end in SIP/2.0"),
        });
    }
    match Uri::parse(uri) {
        Ok(uri) if uri.has_headers() => Err(refusal(400, "the request line's URI has headers")),
        Ok(uri) => Ok(StartLine::Request(Method::from_token(method), uri)),
        Err(_) => Err(refusal(400, "the request line's URI is malformed")),
    }
}

/// `SIP/7.0`.
fn is_version(text: &str) -> bool {
    let Some((name, number)) = text.split_once('/') else {
        return false;
    };
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    name.eq_ignore_ascii_case("SIP")
        && number
            .split_once('.')
            .is_some_and(|(a, b)| is_number(a) && is_number(b))
}
