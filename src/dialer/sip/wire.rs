//! SIP messages as bytes and back (RFC 3261 7, 18.3). Behind it are rsip's headers; framing, folding, compact
//! names, limits, the checks that no message may miss, and printing are done here, since rsip 0.4.0 refuses or
//! silently changes what the RFC allows.

use std::fmt;
use std::net::SocketAddr;

use super::headers::{CSeq, NameAddr, Via};
use super::uri::Uri;

pub mod fields;
pub mod inspection;
pub mod method;
mod names;
mod phrases;
mod read;
mod stream;
#[cfg(test)]
mod tests;

pub use fields::Headers;
pub use inspection::{Abilities, Discard, discard, refusal};
pub use method::Method;
pub use phrases::reason_phrase;
pub use read::{LONGEST_MESSAGE, MOST_HEADERS, is_keep_alive, read_datagram};
pub use stream::{StreamItem, StreamReader};

/// A SIP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Somebody wants something.
    Request(Request),
    /// An answer.
    Response(Response),
}

/// A request. One that was read has a Via, From, To, Call-ID and CSeq that can be read, the CSeq with its method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is wanted.
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    /// The headers, Content-Length not among them: it is made when the message is written.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A response. One that was read has a Via, From, To, Call-ID and CSeq that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// From 100 to 699.
    pub status: u16,
    /// The words after it.
    pub phrase: String,
    /// The headers, Content-Length not among them: it is made when the message is written.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// Bytes that are no SIP message, or one that must be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong, for a log: nothing of the message but names is in it.
    pub why: String,
    /// How to answer, when it was a request that shows whom to answer.
    pub answer: Option<BadRequest>,
    /// On a stream: nothing after it can be read, the connection is to be closed.
    pub fatal: bool,
}

/// As much of a malformed request as its answer needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// 400, 501 or 505.
    pub status: u16,
    /// Via, From, To, Call-ID and CSeq, as far as they are there.
    pub headers: Headers,
}

impl BadRequest {
    /// The answer, for where the request came from. The tag of To, where it can have one, is the same for each copy
    /// of the request (RFC 3261 8.2.7).
    pub fn response(&self) -> Response {
        let mut headers = self.headers.clone();
        if let Some(to) = headers.to().filter(|to| to.tag().is_none()) {
            let copied: Vec<_> = self.headers.iter().map(|(_, value)| value).collect();
            let tag = format!("{:08x}", crc32fast::hash(copied.join("\n").as_bytes()));
            headers.set("To", to.with_tag(&tag).to_string());
        }
        Response {
            status: self.status,
            phrase: reason_phrase(self.status).to_owned(),
            headers,
            body: Vec::new(),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}

impl std::error::Error for Malformed {}

impl Message {
    /// The bytes for the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }

    /// The headers of either.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: Headers::default(),
            body: Vec::new(),
        }
    }

    /// The bytes for the wire, with the Content-Length that is right.
    pub fn to_bytes(&self) -> Vec<u8> {
        written(
            format_args!("{} {} SIP/2.0\r\n", self.method, self.uri),
            &self.headers,
            &self.body,
        )
    }

    /// Notes in the topmost Via where the request really came from (RFC 3261 18.2.1, RFC 3581 4).
    pub fn note_source(&mut self, source: SocketAddr) {
        if let Some(mut via) = self.via_top() {
            via.note_source(source);
            self.headers.replace_via_top(&via);
        }
    }

    /// An answer with what RFC 3261 8.2.6.2 copies: all Vias, From, To, Call-ID, CSeq; in a 100 Timestamp too.
    /// The tag of To and everything else is the caller's.
    pub fn response(&self, status: u16, phrase: &str) -> Response {
        let mut headers = Headers::default();
        let is_copied = |name: &str| match name {
            "Via" | "From" | "To" | "Call-ID" | "CSeq" => true,
            "Timestamp" => status == 100,
            _ => false,
        };
        for (name, value) in self.headers.iter().filter(|(name, _)| is_copied(name)) {
            headers.push(name, value);
        }
        Response {
            status,
            phrase: phrase.to_owned(),
            headers,
            body: Vec::new(),
        }
    }
}

impl Response {
    /// The bytes for the wire, with the Content-Length that is right.
    pub fn to_bytes(&self) -> Vec<u8> {
        let phrase = self.phrase.replace(['\r', '\n'], " ");
        written(
            format_args!("SIP/2.0 {} {phrase}\r\n", self.status),
            &self.headers,
            &self.body,
        )
    }

    /// Whether it is a 1xx.
    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    /// Whether it is a 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What requests and responses are asked alike.
macro_rules! read_headers_of {
    ($($message:ident),*) => {$(
        impl $message {
            /// The topmost Via.
            pub fn via_top(&self) -> Option<Via> {
                self.headers.via_top()
            }

            /// CSeq.
            pub fn cseq(&self) -> Option<CSeq> {
                self.headers.cseq()
            }

            /// Call-ID; empty when it is missing, which it is in no message that was read.
            pub fn call_id(&self) -> &str {
                self.headers.call_id()
            }

            /// From.
            pub fn from(&self) -> Option<NameAddr> {
                self.headers.from()
            }

            /// To.
            pub fn to(&self) -> Option<NameAddr> {
                self.headers.to()
            }
        }
    )*};
}

read_headers_of!(Request, Response);

fn written(start_line: fmt::Arguments<'_>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    use std::io::Write;

    let mut bytes = Vec::with_capacity(512 + body.len());
    // Writing into memory cannot fail.
    let _ = bytes.write_fmt(start_line);
    for (name, value) in headers.iter().filter(|(name, _)| *name != "Content-Length") {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let _ = write!(bytes, "Content-Length: {}\r\n\r\n", body.len());
    bytes.extend_from_slice(body);
    bytes
}
