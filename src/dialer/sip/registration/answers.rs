//! What the registrar says to a REGISTER: yes and for how long, longer, later, no.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Asked, LEAVING, LONGEST, MARGIN, REFUSED, Registration, State, Told};
use crate::dialer::sip::headers::RetryAfter;
use crate::dialer::sip::headers::name_addr::Contacts;
use crate::dialer::sip::locate::Candidate;
use crate::dialer::sip::uri::Uri;
use crate::dialer::sip::wire::Response;
use crate::time::Now;

impl Registration {
    pub(super) fn answered(
        &mut self,
        now: Now,
        asked: &Asked,
        others: VecDeque<Candidate>,
        response: &Response,
    ) {
        let shown = format!("{} {}", response.status, printable(&response.phrase));
        match response.status {
            200..=299 => self.accepted(now, asked, response),
            401 | 407 => {
                let account = self.profile.account.as_ref();
                match self.authenticator.take_challenges(account, response) {
                    Ok(()) => self.ask(now, asked.reached.clone(), others),
                    Err(fault) => self.fail(now, &format!("{}: {fault}", response.status), Some(REFUSED)),
                }
            }
            423 => match least(response).filter(|least| *least > self.wanted && *least <= LONGEST) {
                Some(least) => {
                    self.wanted = least;
                    self.ask(now, asked.reached.clone(), others);
                }
                None => self.fail(now, &shown, Some(REFUSED)),
            },
            408 | 480 | 500..=599 if !others.is_empty() => self.next(now, others, &shown),
            408 | 480 | 500..=599 => {
                let after = response.headers.get("Retry-After");
                let after = after.and_then(|value| RetryAfter::parse(value).ok());
                let pause = after.map(|RetryAfter(seconds)| Duration::from_secs(u64::from(seconds)));
                self.fail(now, &shown, pause.map(|pause| pause.min(LONGEST)));
            }
            _ => self.fail(now, &shown, Some(REFUSED)),
        }
    }

    fn accepted(&mut self, now: Now, asked: &Asked, response: &Response) {
        self.authenticator.note_accepted();
        let granted = self.granted(asked, response);
        if granted.is_zero() {
            return self.fail(
                now,
                "the registrar took our address for no time at all",
                Some(REFUSED),
            );
        }
        self.failures = 0;
        self.proven_until = Some(now.moment + granted);
        let margin = MARGIN.min(granted / 2);
        self.enter(State::Registered {
            reached: asked.reached.clone(),
            refresh_at: now.moment + (granted - margin),
        });
        if self.told != Told::Registered {
            tracing::info!(
                event = "registered",
                registrar = %self.registrar,
                transport = asked.reached.target.transport.in_lower_case(),
                seconds = granted.as_secs(),
                "this room is registered"
            );
            self.told = Told::Registered;
        }
    }

    /// For how long: as our Contact in the answer says, else the answer, else as we asked.
    fn granted(&self, asked: &Asked, response: &Response) -> Duration {
        let public = self.profile.settings.public_address;
        let ours = SocketAddr::new(public.unwrap_or(asked.reached.source.ip()), asked.reached.port);
        let is_ours = |uri: &Uri| {
            uri.port() == Some(ours.port())
                && uri.host().is_some_and(|host| host.address() == Some(ours.ip()))
                && uri.user_decoded() == self.from.uri.user_decoded()
        };
        let contacts = match Contacts::parse(response.headers.all("Contact")) {
            Ok(Contacts::These(contacts)) => contacts,
            Ok(Contacts::All) | Err(_) => Vec::new(),
        };
        let found = contacts.iter().find(|contact| is_ours(contact.uri()));
        // A registrar behind a NAT helper may have written our address anew.
        let found = found.or(contacts.first().filter(|_| contacts.len() == 1));
        let of_contact = found.and_then(|contact| contact.expires());
        let of_answer = || {
            response
                .headers
                .get("Expires")
                .and_then(|value| value.trim().parse().ok())
        };
        let seconds: Option<u32> = of_contact.or_else(of_answer);
        let granted = seconds.map_or(self.wanted, |seconds| Duration::from_secs(u64::from(seconds)));
        granted.min(LONGEST)
    }

    pub(super) fn leave_answered(&mut self, now: Now, asked: Asked, response: &Response) {
        let account = self.profile.account.as_ref();
        if matches!(response.status, 401 | 407)
            && self.authenticator.take_challenges(account, response).is_ok()
        {
            let asked = self.send(asked.reached, Duration::ZERO);
            return self.enter(State::Leaving {
                asked,
                until: now.moment + LEAVING,
            });
        }
        self.enter(State::Gone);
    }
}

/// Min-Expires of a 423 (RFC 3261 20.23).
fn least(response: &Response) -> Option<Duration> {
    let seconds: u32 = response.headers.get("Min-Expires")?.trim().parse().ok()?;
    Some(Duration::from_secs(u64::from(seconds)))
}

fn printable(phrase: &str) -> String {
    phrase
        .chars()
        .filter(|character| !character.is_control())
        .take(128)
        .collect()
}
