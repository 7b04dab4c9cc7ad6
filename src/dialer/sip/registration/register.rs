//! The REGISTER as it leaves.

use std::net::SocketAddr;
use std::time::Duration;

use super::Registration;
use crate::dialer::sip::compose;
use crate::dialer::sip::headers::{CSeq, NameAddr};
use crate::dialer::sip::outbound_call::Reached;
use crate::dialer::sip::uri::Uri;
use crate::dialer::sip::wire::{Method, Request};

impl Registration {
    /// RFC 3261 10.2.
    pub(super) fn compose(&mut self, reached: &Reached, wanted: Duration) -> Request {
        let public = self.profile.settings.public_address;
        let local = SocketAddr::new(public.unwrap_or(reached.source.ip()), reached.port);
        let transport = reached.target.transport;
        let mut request = Request::new(Method::Register, self.domain());
        let number = CSeq {
            number: self.number,
            method: Method::Register,
        };
        let contact = compose::contact(&self.from.uri, self.registrar.scheme(), local, transport);
        let headers = &mut request.headers;
        headers.push(
            "Via",
            compose::via(transport, local, &mut self.chance).to_string(),
        );
        if let Some(route) = &self.route {
            headers.push("Route", NameAddr::new(route.clone()).to_string());
        }
        headers.push("Max-Forwards", "70");
        headers.push("From", self.from.to_string());
        headers.push("To", NameAddr::new(self.from.uri.clone()).to_string());
        headers.push("Call-ID", self.call_id.clone());
        headers.push("CSeq", number.to_string());
        headers.push("Contact", NameAddr::new(contact).to_string());
        headers.push("Expires", wanted.as_secs().to_string());
        headers.push("Allow", compose::ALLOW);
        headers.push("User-Agent", compose::PRODUCT);
        self.authenticator
            .authorize(self.profile.account.as_ref(), &mut request, &mut self.chance);
        request
    }

    /// The Request-URI: the registrar's domain, without user and parameters.
    fn domain(&self) -> Uri {
        match self.registrar.host() {
            Some(host) => Uri::build(self.registrar.scheme(), None, host, self.registrar.port()),
            None => self.registrar.clone(),
        }
    }
}
