//! What a user agent looks at before it does what a message wants (RFC 3261 8.1.3.3, 8.2.1 to 8.2.3).

use super::{Method, Request, Response, reason_phrase};
use crate::dialer::sip::headers::Via;
use crate::dialer::sip::uri::Scheme;

/// What we can do: what Allow, Supported and Accept say.
#[derive(Clone, Copy, Debug)]
pub struct Abilities<'a> {
    /// Methods that are accepted.
    pub methods: &'a [Method],
    /// Option tags that are understood.
    pub extensions: &'a [&'a str],
}

/// The one kind of body that we read and write.
const SESSION_DESCRIPTION: &str = "application/sdp";

/// Looks at a request in the order of RFC 3261 8.2; the answer when it cannot be done. An ACK is never answered and
/// a CANCEL has no Require (8.2.2.3). The tag of To is the caller's.
pub fn refusal(request: &Request, abilities: Abilities<'_>) -> Option<Response> {
    let answer = |status| request.response(status, reason_phrase(status));
    if request.method == Method::Ack {
        return None;
    }
    if !abilities.methods.contains(&request.method) {
        let status = if matches!(request.method, Method::Other(_)) {
            501
        } else {
            405
        };
        let allow: Vec<_> = abilities.methods.iter().map(Method::as_str).collect();
        return Some(with(answer(status), "Allow", &allow.join(", ")));
    }
    if !matches!(request.uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
        return Some(answer(416));
    }
    let unknown: Vec<_> = match request.method {
        Method::Cancel => Vec::new(),
        _ => request.headers.tokens("Require"),
    };
    let is_unknown = |tag: &&str| {
        !abilities
            .extensions
            .iter()
            .any(|known| known.eq_ignore_ascii_case(tag))
    };
    let unknown: Vec<_> = unknown.into_iter().filter(is_unknown).collect();
    if !unknown.is_empty() {
        return Some(with(answer(420), "Unsupported", &unknown.join(", ")));
    }
    if !can_read_body(request) {
        return Some(with(answer(415), "Accept", SESSION_DESCRIPTION));
    }
    if request.method == Method::Invite && !accepts_session_description(request) {
        return Some(answer(406));
    }
    None
}

fn with(mut response: Response, name: &str, value: &str) -> Response {
    response.headers.push(name, value);
    response
}

/// RFC 3261 8.2.3: a body may be skipped when its sender says so.
fn can_read_body(request: &Request) -> bool {
    let is_optional = request.headers.get("Content-Disposition").is_some_and(|value| {
        value
            .to_ascii_lowercase()
            .replace(' ', "")
            .contains("handling=optional")
    });
    // What INFO carries is up to its package (RFC 6086 4.2.2).
    if request.body.is_empty() || is_optional || request.method == Method::Info {
        return true;
    }
    let is_plain = request
        .headers
        .tokens("Content-Encoding")
        .iter()
        .all(|coding| *coding == "identity");
    let kind = request.headers.get("Content-Type").map(media_type);
    is_plain && kind.is_some_and(|kind| kind.eq_ignore_ascii_case(SESSION_DESCRIPTION))
}

/// RFC 3261 20.1: without Accept it is application/sdp.
fn accepts_session_description(request: &Request) -> bool {
    let accepted = request.headers.tokens("Accept");
    let is_ours = |range: &&str| {
        ["*/*", "application/*", SESSION_DESCRIPTION]
            .iter()
            .any(|ours| media_type(range).eq_ignore_ascii_case(ours))
    };
    request.headers.get("Accept").is_none() || accepted.iter().any(is_ours)
}

fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or("").trim()
}

/// Why a response is not looked at further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// It has been somewhere else: more than one Via (RFC 3261 8.1.3.3).
    SeveralVias,
    /// It is for somebody else: the Via is not the one that was sent (18.1.2).
    NotOurs,
}

/// Looks at a response to a request that had this Via.
pub fn discard(response: &Response, sent: &Via) -> Option<Discard> {
    match response.headers.vias().as_deref() {
        Ok([via]) if via.host.is_same(&sent.host) && via.port == sent.port => None,
        Ok([_]) => Some(Discard::NotOurs),
        _ => Some(Discard::SeveralVias),
    }
}
