//! A dialog as its caller sees it (RFC 3261 12): who, where to, by which way, and the numbers of the requests.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::compose;
use super::headers::{CSeq, Contacts, NameAddr, Via};
use super::uri::{Host, Uri};
use super::wire::{Method, Request, Response};

/// One dialog of ours. It begins with a response to our INVITE that has a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    call_id: String,
    /// From of our requests, with our tag.
    local: NameAddr,
    /// To of our requests, with their tag.
    remote: NameAddr,
    remote_target: Uri,
    /// In the order of our Route.
    routes: Vec<NameAddr>,
    local_number: u32,
    remote_number: Option<u32>,
}

/// What cannot be told from the INVITE: the part of a dialog that goes into its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarSide {
    /// To of our requests.
    pub remote: String,
    /// Their Contact.
    pub remote_target: String,
    /// Our Route.
    pub routes: Vec<String>,
}

impl Dialog {
    /// The dialog that a response to our INVITE makes (RFC 3261 12.1.2); `number` is the highest CSeq sent.
    /// Without a tag (RFC 2543) it has none, without a usable Contact the INVITE's target stays.
    pub fn begin(invite: &Request, response: &Response, number: u32) -> Option<Self> {
        let contact = match response.headers.contacts() {
            Ok(Contacts::These(contacts)) => contacts.into_iter().next().map(|contact| contact.uri().clone()),
            Ok(Contacts::All) | Err(_) => None,
        };
        let mut routes = response.headers.record_routes().unwrap_or_default();
        routes.reverse();
        Some(Self {
            call_id: invite.call_id().to_owned(),
            local: invite.from()?,
            remote: response.to()?,
            remote_target: contact.unwrap_or_else(|| invite.uri.clone()),
            routes,
            local_number: number,
            remote_number: None,
        })
    }

    /// The dialog that a record tells of.
    pub fn restore(invite: &Request, far_side: &FarSide, number: u32) -> Option<Self> {
        let routes = far_side.routes.iter().map(|route| NameAddr::parse(route).ok());
        Some(Self {
            call_id: invite.call_id().to_owned(),
            local: invite.from()?,
            remote: NameAddr::parse(&far_side.remote).ok()?,
            remote_target: Uri::parse(&far_side.remote_target).ok()?,
            routes: routes.collect::<Option<_>>()?,
            local_number: number,
            remote_number: None,
        })
    }

    /// What a record must tell of it.
    pub fn far_side(&self) -> FarSide {
        FarSide {
            remote: self.remote.to_string(),
            remote_target: self.remote_target.to_string(),
            routes: self.routes.iter().map(NameAddr::to_string).collect(),
        }
    }

    /// The highest CSeq that we sent in it.
    pub fn number(&self) -> u32 {
        self.local_number
    }

    /// Whether a response to our INVITE belongs to it: it has its tag.
    pub fn is_answered_by(&self, response: &Response) -> bool {
        response.call_id() == self.call_id
            && response.to().is_some_and(|to| to.tag() == self.remote.tag())
            && response.from().is_some_and(|from| from.tag() == self.local.tag())
    }

    /// Whether a request of theirs belongs to it (RFC 3261 12.2.2).
    pub fn owns(&self, request: &Request) -> bool {
        request.call_id() == self.call_id
            && request.to().is_some_and(|to| to.tag() == self.local.tag())
            && request.from().is_some_and(|from| from.tag() == self.remote.tag())
    }

    /// The addresses that their Contact and their route are written with; names are none.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let routes = self.routes.iter().map(|route| &route.uri);
        let uris = routes.chain([&self.remote_target]);
        uris.filter_map(|uri| uri.host().and_then(Host::address))
    }

    /// Where the next request goes: the URI that names the next hop.
    pub fn next_hop(&self) -> &Uri {
        self.routes
            .first()
            .map_or(&self.remote_target, |route| &route.uri)
    }

    /// The next request of ours in it.
    pub fn next_request(&mut self, method: Method, via: &Via) -> Request {
        self.local_number = self.local_number.saturating_add(1);
        self.request(method, self.local_number, via)
    }

    /// The ACK of the 2xx that answered an INVITE of ours, with the credentials of that INVITE (RFC 3261 13.2.2.4).
    pub fn acknowledge(&self, invite: &Request, via: &Via) -> Request {
        let number = invite.cseq().map_or(1, |cseq| cseq.number);
        let mut ack = self.request(Method::Ack, number, via);
        for name in ["Authorization", "Proxy-Authorization"] {
            for value in invite.headers.all(name) {
                ack.headers.push(name, value);
            }
        }
        ack
    }

    /// Takes the number of a request of theirs; `false` when it is lower than one before (RFC 3261 12.2.2).
    pub fn take_number(&mut self, request: &Request) -> bool {
        let Some(CSeq { number, .. }) = request.cseq() else {
            return false;
        };
        if self.remote_number.is_some_and(|highest| number < highest) {
            return false;
        }
        self.remote_number = Some(number);
        true
    }

    /// Goes on counting their requests where the early dialog of the same far end stopped.
    pub fn go_on_after(&mut self, early: &Dialog) {
        self.remote_number = early.remote_number;
    }

    /// Follows the Contact of a request or response that refreshes the target (RFC 3261 12.2.1.2, 12.2.2).
    pub fn refresh_target(&mut self, contacts: Option<Contacts>) {
        if let Some(Contacts::These(contacts)) = contacts
            && let Some(contact) = contacts.first()
        {
            self.remote_target = contact.uri().clone();
        }
    }

    /// RFC 3261 12.2.1.1.
    fn request(&self, method: Method, number: u32, via: &Via) -> Request {
        let target = self.remote_target.without_headers();
        let is_strict = self
            .routes
            .first()
            .is_some_and(|route| !route.uri.is_loose_router());
        let uri = match self.routes.first() {
            Some(route) if is_strict => route.uri.without_headers(),
            Some(_) | None => target.clone(),
        };
        let mut request = Request::new(method.clone(), uri);
        let headers = &mut request.headers;
        headers.push("Via", via.to_string());
        for route in self.routes.iter().skip(usize::from(is_strict)) {
            headers.push("Route", route.to_string());
        }
        if is_strict {
            headers.push("Route", NameAddr::new(target).to_string());
        }
        headers.push("Max-Forwards", "70");
        headers.push("From", self.local.to_string());
        headers.push("To", self.remote.to_string());
        headers.push("Call-ID", self.call_id.clone());
        headers.push("CSeq", CSeq { number, method }.to_string());
        headers.push("User-Agent", compose::PRODUCT);
        request
    }
}
