//! A call that the far end sends on (RFC 3261 8.1.3.4): its contacts by preference, each judged by the room before it
//! is called, no contact twice.

use std::collections::VecDeque;
use std::time::Duration;

use super::{OutboundCall, State};
use crate::call::{CallEvent, EndReason};
use crate::dialer::sip::digest::Authenticator;
use crate::dialer::sip::headers::name_addr::Contacts;
use crate::dialer::sip::leg::Act;
use crate::dialer::sip::locate::{Candidate, Hop, Locating};
use crate::dialer::sip::patience::LOCATING;
use crate::dialer::sip::uri::{Scheme, Uri};
use crate::dialer::sip::wire::Response;
use crate::media::Encryption;
use crate::secret::Secret;
use crate::time::Now;

/// How many contacts a call follows, all redirections together: more lead nowhere or in a circle.
const CONTACTS: usize = 8;
/// The room answers in the same turn; nothing waits longer even if it does not.
const JUDGING: Duration = Duration::from_secs(5);

/// Where a call was sent on to.
#[derive(Debug, Default)]
pub(super) struct Redirections {
    /// Who may be called, the best first.
    waiting: VecDeque<Uri>,
    /// Who was named so far, as they were dialled.
    named: Vec<String>,
}

impl OutboundCall {
    /// A 3xx: the room is asked about its contacts.
    pub(super) fn moved(&mut self, now: Now, response: &Response, refusal: EndReason) {
        if self.redirections.named.is_empty() {
            let dialled = bare(&self.identity.uri);
            self.redirections.named.extend(dialled.map(|uri| uri.to_string()));
        }
        let named = Contacts::parse(response.headers.all("Contact")).map(Contacts::by_preference);
        let mut contacts = Vec::new();
        for contact in named.unwrap_or_default() {
            let Some(short) = bare(contact.uri()) else {
                continue;
            };
            let is_known = self.redirections.named.contains(&short.to_string());
            if is_known || !self.may_carry(contact.uri()) || self.redirections.named.len() > CONTACTS {
                continue;
            }
            self.redirections.named.push(short.to_string());
            contacts.push((contact.uri().clone(), Secret::new(short.to_string())));
        }
        if contacts.is_empty() {
            tracing::info!(call_id = %self.call, "the far end sends the call on, to nobody who could be called");
            return self.try_next_contact(now, refusal);
        }
        let (contacts, asked) = contacts.into_iter().unzip();
        self.enter(State::Moved {
            contacts,
            refusal,
            until: now.moment + JUDGING,
        });
        self.acts.push_back(Act::Event(CallEvent::Moved {
            call: self.call,
            contacts: asked,
        }));
    }

    /// The room has judged the contacts.
    pub fn follow_allowed(&mut self, now: Now, allowed: &[bool]) {
        let State::Moved {
            contacts, refusal, ..
        } = &self.state
        else {
            return;
        };
        let verdicts = contacts.iter().zip(allowed);
        let may_be_called: Vec<Uri> = verdicts
            .filter(|(_, is_allowed)| **is_allowed)
            .map(|(contact, _)| contact.clone())
            .collect();
        let refusal = refusal.clone();
        for contact in may_be_called.into_iter().rev() {
            self.redirections.waiting.push_front(contact);
        }
        self.try_next_contact(now, refusal);
    }

    /// Calls the next contact, or ends like the last one that was called.
    pub(super) fn try_next_contact(&mut self, now: Now, reason: EndReason) {
        let Some(contact) = self.redirections.waiting.pop_front() else {
            return self.end(reason);
        };
        let settings = &self.profile.settings;
        let hop = Hop::of(
            self.identity.route.as_ref().unwrap_or(&contact),
            settings.transport,
        );
        let hop = match hop {
            Ok(hop) => hop,
            Err(why) => {
                tracing::debug!(why, "a contact cannot be called");
                return self.try_next_contact(now, reason);
            }
        };
        self.identity.is_secure |= contact.scheme() == Scheme::Sips;
        self.identity.uri = contact;
        // What one far end was told is none of the next one's business.
        self.authenticator = Authenticator::new();
        let (locating, step) = Locating::start(hop, &mut self.chance);
        self.enter(State::Locating {
            locating,
            until: now.moment + LOCATING,
        });
        self.follow(now, step);
    }

    /// Whether there is anybody to turn to when a target is silent.
    pub(super) fn has_another(&self, others: &VecDeque<Candidate>) -> bool {
        !(others.is_empty() && self.redirections.waiting.is_empty())
    }

    /// Whether a contact keeps what was promised of the call: what began as `sips:` does not become `sip:`.
    fn may_carry(&self, contact: &Uri) -> bool {
        match contact.scheme() {
            Scheme::Sips => self.profile.settings.srtp != Encryption::Off,
            Scheme::Sip => !self.identity.is_secure,
            Scheme::Tel | Scheme::Other => false,
        }
    }
}

/// A contact by its parts, as it is judged; `None` when it is nothing that may be called.
fn bare(contact: &Uri) -> Option<Uri> {
    if contact.has_headers() || contact.parameter("maddr").is_some() || contact.password().is_some() {
        return None;
    }
    let user = contact.user_decoded();
    let uri = Uri::build(contact.scheme(), user.as_deref(), contact.host()?, contact.port());
    Some(match contact.parameter("transport") {
        Some(transport) => uri.with_parameter("transport", Some(&transport.to_ascii_lowercase())),
        None => uri,
    })
}
