//! SIP as text, just enough to be a far end: reading, framing and writing (RFC 3261 7), and what a far end may
//! complain about in a request.

/// One request or response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// Names as they came (compact ones spelt out), values trimmed.
    pub headers: Vec<(String, String)>,
    /// What follows the empty line.
    pub body: String,
}

impl Message {
    /// Reads one whole message.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or("it has no empty line")?;
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').ok_or(format!("no colon in {line:?}"))?;
                Ok((spelt_out(name.trim()), value.trim().to_owned()))
            })
            .collect::<Result<Vec<_>, String>>()?;
        if !start.starts_with("SIP/2.0 ") && !start.ends_with(" SIP/2.0") {
            return Err(format!("{start:?} starts no SIP message"));
        }
        Ok(Self {
            start,
            headers,
            body: body.to_owned(),
        })
    }

    /// Takes the next whole message off a stream's buffer (RFC 3261 18.3), if there is one.
    pub fn take_from(buffer: &mut Vec<u8>) -> Option<Result<Self, String>> {
        let blank = buffer
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        buffer.drain(..blank);
        let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let length = Self::read(&buffer[..head])
            .ok()
            .and_then(|message| message.header("Content-Length")?.parse::<usize>().ok());
        let Some(length) = length else {
            buffer.clear();
            return Some(Err("no Content-Length on a stream".to_owned()));
        };
        (buffer.len() >= head + length)
            .then(|| Self::read(&buffer.drain(..head + length).collect::<Vec<_>>()))
    }

    /// The bytes for the wire, with the right Content-Length.
    pub fn write(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            if !name.eq_ignore_ascii_case("Content-Length") {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str(&format!(
            "Content-Length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        ));
        text.into_bytes()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self
            .headers
            .iter()
            .filter(|(held, _)| held.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// All headers of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The method, when it is a request.
    pub fn method(&self) -> Option<&str> {
        (!self.start.starts_with("SIP/2.0")).then(|| self.start.split(' ').next().unwrap_or_default())
    }

    /// The status, when it is a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Whether it is a request with this method.
    pub fn is(&self, method: &str) -> bool {
        self.method() == Some(method)
    }

    /// Whether it answers this method with this status.
    pub fn answers(&self, method: &str, status: u16) -> bool {
        self.status() == Some(status) && self.cseq().is_some_and(|(_, of)| of == method)
    }

    /// CSeq's number and method.
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.header("CSeq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }

    /// The Call-ID, or nothing.
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// The URI of a name-addr header such as Contact.
    pub fn uri_of(&self, name: &str) -> Option<&str> {
        let value = self.header(name)?;
        Some(match value.split_once('<') {
            Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
            None => value.split(';').next().unwrap_or_default(),
        })
    }

    /// The tag of From or To.
    pub fn tag_of(&self, name: &str) -> Option<&str> {
        let value = self.header(name)?;
        let parameters = value.rsplit_once('>').map_or(value, |(_, after)| after);
        parameters
            .split(';')
            .find_map(|part| part.trim().strip_prefix("tag="))
    }

    /// A response to this request (RFC 3261 8.2.6): Via, From, To, Call-ID and CSeq go back, `tag` where it lacks one.
    pub fn response(&self, status: u16, phrase: &str, tag: &str) -> Self {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let copied = ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"]
                .iter()
                .any(|wanted| name.eq_ignore_ascii_case(wanted));
            if copied {
                let untagged = name.eq_ignore_ascii_case("To") && status > 100 && self.tag_of("To").is_none();
                let value = if untagged {
                    format!("{value};tag={tag}")
                } else {
                    value.clone()
                };
                headers.push((name.clone(), value));
            }
        }
        Self {
            start: format!("SIP/2.0 {status} {phrase}"),
            headers,
            body: String::new(),
        }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a body of SDP.
    pub fn with_sdp(mut self, sdp: String) -> Self {
        self.body = sdp;
        self.with("Content-Type", "application/sdp")
    }

    /// What RFC 3261 8.1.1 demands of a request and this one lacks.
    pub fn complaints(&self) -> Vec<String> {
        let Some(method) = self.method() else {
            return Vec::new();
        };
        let mut wrong = Vec::new();
        let mut demand = |right: bool, what: &str| {
            if !right {
                wrong.push(format!("{method}: {what}"));
            }
        };
        let once = |name| self.all(name).count() == 1;
        for name in ["From", "To", "Call-ID", "CSeq", "Max-Forwards"] {
            demand(once(name), &format!("not exactly one {name}"));
        }
        let via = self.header("Via").unwrap_or_default();
        demand(via.contains("branch=z9hG4bK"), "Via without a branch of RFC 3261");
        demand(via.contains("rport"), "Via without rport");
        demand(!via.contains("0.0.0.0"), "Via with 0.0.0.0");
        demand(self.tag_of("From").is_some(), "From without a tag");
        demand(
            self.cseq().is_some_and(|(_, of)| of == method),
            "CSeq names another method",
        );
        let length = self
            .header("Content-Length")
            .and_then(|value| value.parse::<usize>().ok());
        demand(
            length == Some(self.body.len()),
            "Content-Length is not that of the body",
        );
        if method == "INVITE" {
            demand(once("Contact"), "not exactly one Contact");
            demand(!self.body.contains("0.0.0.0"), "SDP with 0.0.0.0");
            demand(
                self.header("Content-Type") == Some("application/sdp"),
                "an offer of another type",
            );
        }
        if matches!(method, "ACK" | "BYE") {
            demand(self.tag_of("To").is_some(), "To without a tag inside a dialog");
        }
        wrong
    }
}

/// RFC 3261 7.3.3.
fn spelt_out(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "l" => "Content-Length",
        "c" => "Content-Type",
        _ => name,
    }
    .to_owned()
}
