//! Messages that are made from others: ACK, CANCEL, the next attempt of a request, our answers to theirs.

use std::net::SocketAddr;

use super::headers::{CSeq, Via};
use super::uri::{Host, Scheme, Uri};
use super::wire::{Abilities, Method, Request, Response, reason_phrase};
use crate::chance::Chance;
use crate::network::Transport;

/// What we understand; it stands in every Allow.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";

/// The extensions that we support; it stands in every INVITE.
pub const SUPPORTED: &str = "100rel, timer";

/// The same, as requests are looked at with it. What may be required of us: session timers
/// (RFC 4028), and that provisional responses are sent reliably (RFC 3262), of which we send none.
pub const ABILITIES: Abilities<'static> = Abilities {
    methods: &[
        Method::Invite,
        Method::Ack,
        Method::Cancel,
        Method::Bye,
        Method::Options,
        Method::Info,
        Method::Update,
    ],
    extensions: &["timer", "100rel"],
};

/// As User-Agent and Server carry it.
pub const PRODUCT: &str = concat!("meetd/", env!("CARGO_PKG_VERSION"));

/// A Via of ours that asks for rport (RFC 3581), with a branch of its own.
pub fn via(transport: Transport, sent_by: SocketAddr, chance: &mut Chance) -> Via {
    let branch = format!("{}{}", super::headers::via::MAGIC_COOKIE, chance.hex(12));
    let mut via = Via::new(transport, sent_by, &branch);
    via.parameters.set("rport", None);
    via
}

/// Where requests of theirs reach us.
pub fn contact(identity: &Uri, dialled: Scheme, local: SocketAddr, transport: Transport) -> Uri {
    let user = identity.user_decoded();
    // RFC 3261 8.1.1.8: a sips request has a sips Contact.
    let scheme = match dialled {
        Scheme::Sips => Scheme::Sips,
        Scheme::Sip | Scheme::Tel | Scheme::Other => Scheme::Sip,
    };
    let uri = Uri::build(
        scheme,
        user.as_deref(),
        &Host::from(local.ip()),
        Some(local.port()),
    );
    match transport {
        Transport::Udp => uri,
        Transport::Tls if scheme == Scheme::Sips => uri,
        Transport::Tcp | Transport::Tls => uri.with_parameter("transport", Some(transport.in_lower_case())),
    }
}

/// The ACK of a refused INVITE: it belongs to the INVITE's transaction (RFC 3261 17.1.1.3).
pub fn acknowledge_refusal(invite: &Request, refusal: &Response) -> Request {
    let mut ack = sibling(invite, Method::Ack);
    if let Some(to) = refusal.headers.get("To") {
        ack.headers.set("To", to);
    }
    ack
}

/// The CANCEL of an INVITE (RFC 3261 9.1).
pub fn cancel(invite: &Request) -> Request {
    sibling(invite, Method::Cancel)
}

/// A request in the transaction of an INVITE: same URI, top Via, Route, From, To, Call-ID and CSeq number.
fn sibling(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    if let Some(via) = invite.via_top() {
        request.headers.push("Via", via.to_string());
    }
    for name in ["Route", "From", "To", "Call-ID"] {
        for value in invite.headers.all(name) {
            request.headers.push(name, value);
        }
    }
    let number = invite.cseq().map_or(1, |cseq| cseq.number);
    request.headers.push("CSeq", CSeq { number, method }.to_string());
    request.headers.push("Max-Forwards", "70");
    request.headers.push("User-Agent", PRODUCT);
    request
}

/// The same request once more, in a transaction of its own.
pub fn with_new_branch(request: &Request, chance: &mut Chance) -> Request {
    let mut again = request.clone();
    if let Some(mut via) = again.via_top() {
        let branch = format!("{}{}", super::headers::via::MAGIC_COOKIE, chance.hex(12));
        via.parameters.set("branch", Some(&branch));
        again.headers.set("Via", via.to_string());
    }
    again
}

/// Our answer to a request of theirs; `tag` is ours when To has none yet.
pub fn answer(request: &Request, status: u16, tag: &str) -> Response {
    let mut response = signed(request.response(status, reason_phrase(status)), tag);
    // RFC 3261 12.1.1, for whoever makes or refreshes a dialog by it.
    if status < 300 && matches!(request.method, Method::Invite | Method::Update) {
        for value in request.headers.all("Record-Route") {
            response.headers.push("Record-Route", value);
        }
    }
    response
}

/// The same with Allow, as 405 and the answer to OPTIONS must have it (RFC 3261 8.2.1, 11.2).
pub fn answer_with_allow(request: &Request, status: u16, tag: &str) -> Response {
    let mut response = answer(request, status, tag);
    response.headers.push("Allow", ALLOW);
    if request.method == Method::Options {
        response.headers.push("Accept", "application/sdp");
    }
    response
}

/// What a request of theirs in a dialog asks for.
pub enum Asked {
    /// A re-INVITE.
    Reinvite,
    /// An UPDATE.
    Update,
    /// A BYE.
    Bye,
    /// Something that has the same answer in every dialog.
    Answer(Box<Response>),
}

/// Tells what a request in a dialog asks for; methods that nobody wants of us get 405.
pub fn asked_in_dialog(request: &Request) -> Asked {
    let answer = match &request.method {
        Method::Invite => return Asked::Reinvite,
        Method::Update => return Asked::Update,
        Method::Bye => return Asked::Bye,
        Method::Options => answer_with_allow(request, 200, ""),
        Method::Info => answer_info(request),
        Method::Ack
        | Method::Cancel
        | Method::Register
        | Method::Prack
        | Method::Refer
        | Method::Subscribe
        | Method::Notify
        | Method::Message
        | Method::Publish
        | Method::Other(_) => answer_with_allow(request, 405, ""),
    };
    Asked::Answer(Box::new(answer))
}

/// The answer to an INFO: what others press and picture updates mean nothing to us (RFC 3261 21.4.13).
fn answer_info(request: &Request) -> Response {
    if request.body.is_empty() {
        return answer(request, 200, "");
    }
    let mut response = answer(request, 415, "");
    response.headers.push("Accept", "application/sdp");
    response
}

/// A response with what each of ours has: a tag in To (RFC 3261 8.2.6.2, all but 100), and our name.
pub fn signed(mut response: Response, tag: &str) -> Response {
    let untagged = response
        .to()
        .filter(|to| to.tag().is_none() && response.status > 100);
    if let Some(to) = untagged {
        response.headers.set("To", to.with_tag(tag).to_string());
    }
    response.headers.push("Server", PRODUCT);
    response
}
