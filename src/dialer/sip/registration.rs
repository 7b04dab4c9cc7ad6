//! Our registration (RFC 3261 10): asked for, refreshed before it expires, given back at the end. It is only called
//! proved while a recent answer proves it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::compose;
use super::digest::Authenticator;
use super::headers::name_addr::Contacts;
use super::headers::{CSeq, NameAddr, RetryAfter};
use super::leg::{Act, Profile};
use super::locate::{Candidate, Hop, Locating, Step, Target, read_uri};
use super::out_of_service::OutOfService;
use super::outbound_call::Reached;
use super::request::Whither;
use super::transaction::Failure;
use super::transaction::table::ClientKey;
use super::uri::Uri;
use super::wire::{Method, Request, Response};
use crate::chance::Chance;
use crate::network::{ConnectFault, NamesAnswer};
use crate::time::{Deadline, Moment, Now};

/// What we ask for: short enough that a registrar which forgot us is noticed, long enough to be no burden.
const WANTED: Duration = Duration::from_secs(600);
/// More than this no registrar may ask of us by 423.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// What is left of a registration when it is refreshed, if that is no more than half of it.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a refresh may be unanswered before nothing is proved any more.
const DOUBT: Duration = Duration::from_secs(5);
/// How long a target may be silent while there is another one.
const SILENCE: Duration = Duration::from_secs(2);
/// The edge gives up on names and connections before this.
const LOCATING: Duration = Duration::from_secs(10);
/// As [`LOCATING`].
const CONNECTING: Duration = Duration::from_secs(15);
/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));
/// After a refusal that only a person can end: a wrong password tried too often locks accounts.
const REFUSED: Duration = Duration::from_secs(300);
/// How long the daemon's end waits for the registrar.
const LEAVING: Duration = Duration::from_secs(1);

/// ```text
/// Waiting ──→ Locating ──→ Connecting ──→ Asking ──2xx──→ Registered
///    ↑            │   ↑        │   ↑        │ │ ↑             │ │ refresh
///    ├────────────┴───┼────────┴───┼────────┘ │ └─────────────┼─┘
///    │  nobody left   │            └─next─────┘               │ connection lost, network changed
///    └──failed        └───────────────────────────────────────┘
/// Every state ──stop──→ Leaving (when there is something to give back) ──answer, 1 s──→ Gone
/// ```
#[derive(Debug)]
enum State {
    /// Nothing is tried before then.
    Waiting { until: Moment },
    /// The registrar's name is asked for.
    Locating { locating: Box<Locating>, until: Moment },
    /// The flow to a target opens.
    Connecting {
        target: Target,
        others: VecDeque<Candidate>,
        until: Moment,
    },
    /// A REGISTER left.
    Asking {
        asked: Asked,
        others: VecDeque<Candidate>,
        silent_at: Moment,
    },
    /// The registrar said yes.
    Registered { reached: Reached, refresh_at: Moment },
    /// The registration is being given back.
    Leaving { asked: Asked, until: Moment },
    /// Nothing more is done.
    Gone,
}

/// A REGISTER on its way.
#[derive(Clone, Debug)]
struct Asked {
    reached: Reached,
    key: ClientKey,
    number: u32,
}

/// What was said of it last, so that the journal has one line a change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Registered,
    Failed(String),
}

/// The registration.
#[derive(Debug)]
pub struct Registration {
    profile: Arc<Profile>,
    chance: Chance,
    registrar: Uri,
    route: Option<Uri>,
    from: NameAddr,
    call_id: String,
    number: u32,
    wanted: Duration,
    authenticator: Authenticator,
    /// Until when a recent answer proves it.
    proven_until: Option<Moment>,
    /// How often it failed in a row.
    failures: u32,
    told: Told,
    state: State,
    acts: VecDeque<Act>,
}

impl Registration {
    /// Begins at once; `None` without a registrar.
    pub fn start(now: Now, profile: Arc<Profile>, mut chance: Chance) -> Option<Self> {
        if profile.settings.registrar.is_empty() {
            return None;
        }
        let read = || -> Result<(Uri, Option<Uri>, NameAddr), String> {
            let registrar = read_uri(&profile.settings.registrar)?;
            Ok((registrar, profile.route()?, profile.identity()?))
        };
        let (registrar, route, from) = match read() {
            Ok(parts) => parts,
            Err(why) => {
                tracing::error!(why, "this room cannot be registered");
                return None;
            }
        };
        let mut this = Self {
            from: from.with_tag(&chance.hex(8)),
            call_id: chance.uuid().to_string(),
            profile,
            chance,
            registrar,
            route,
            number: 0,
            wanted: WANTED,
            authenticator: Authenticator::new(),
            proven_until: None,
            failures: 0,
            told: Told::Nothing,
            state: State::Waiting { until: now.moment },
            acts: VecDeque::new(),
        };
        this.locate(now);
        Some(this)
    }

    /// Whether a recent answer proves that we are registered.
    pub fn is_proven(&self, now: Now) -> bool {
        self.proven_until.is_some_and(|until| now.moment < until)
    }

    /// Whether the registrar's answer to our leaving is awaited.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    /// Whether its flow to this target is still needed.
    pub fn needs(&self, target: &Target) -> bool {
        match &self.state {
            State::Connecting { target: needed, .. } => needed == target,
            State::Asking { asked, .. } | State::Leaving { asked, .. } => asked.reached.target == *target,
            State::Registered { reached, .. } => reached.target == *target,
            State::Waiting { .. } | State::Locating { .. } | State::Gone => false,
        }
    }

    /// Whether the far end must find us on the flow to this target (RFC 5626 4.4).
    pub fn keeps(&self, target: &Target) -> bool {
        matches!(self.state, State::Registered { .. }) && self.needs(target)
    }

    /// Takes the answer of the name servers.
    pub fn handle_names(&mut self, now: Now, answer: NamesAnswer, out_of_service: &OutOfService) {
        if let State::Locating { locating, .. } = &mut self.state {
            let step = locating.handle_answer(answer);
            self.follow(now, out_of_service.pass_over(now, step));
        }
    }

    /// The flow to a target is open.
    pub fn handle_connected(&mut self, now: Now, reached: Reached) {
        if let State::Connecting { target, others, .. } = &self.state
            && *target == reached.target
        {
            let others = others.clone();
            self.ask(now, reached, others);
        }
    }

    /// A flow could not be opened, or is gone.
    pub fn handle_lost(&mut self, now: Now, lost: &Target, fault: &ConnectFault) {
        match &self.state {
            State::Connecting { target, others, .. } if target == lost => {
                let others = others.clone();
                self.next(now, others, &fault.to_string());
            }
            // Whoever calls us would call into nothing (RFC 5626 4.2).
            State::Registered { reached, .. } if reached.target == *lost => {
                tracing::info!(%fault, "the connection to the registrar is gone, it is opened anew");
                self.proven_until = None;
                self.locate(now);
            }
            // What a transaction loses by it, the transaction tells.
            State::Waiting { .. }
            | State::Locating { .. }
            | State::Connecting { .. }
            | State::Asking { .. }
            | State::Registered { .. }
            | State::Leaving { .. }
            | State::Gone => {}
        }
    }

    /// Addresses or routes changed: where the registrar would find us is no longer true.
    pub fn handle_network_change(&mut self, now: Now) {
        match &self.state {
            State::Waiting { .. } | State::Registered { .. } => {
                self.failures = 0;
                self.locate(now);
            }
            State::Asking { asked, .. } => {
                let key = asked.key.clone();
                self.acts.push_back(Act::Abandon(key));
                self.locate(now);
            }
            State::Locating { .. } | State::Connecting { .. } | State::Leaving { .. } | State::Gone => {}
        }
    }

    /// The settings were read again: a new password counts from the next request, at once where the old one failed.
    pub fn take_profile(&mut self, now: Now, profile: Arc<Profile>) {
        let is_other_account = profile.account != self.profile.account;
        self.profile = profile;
        if is_other_account {
            self.authenticator = Authenticator::new();
            if let State::Waiting { .. } = self.state {
                self.failures = 0;
                self.locate(now);
            }
        }
    }

    /// The daemon stops: what the registrar knows of us is taken back.
    pub fn stop(&mut self, now: Now) {
        let next = match &self.state {
            State::Registered { reached, .. } => {
                let reached = reached.clone();
                self.give_back(now, reached)
            }
            State::Asking { asked, .. } if self.is_proven(now) => {
                let (reached, key) = (asked.reached.clone(), asked.key.clone());
                self.acts.push_back(Act::Abandon(key));
                self.give_back(now, reached)
            }
            State::Waiting { .. }
            | State::Locating { .. }
            | State::Connecting { .. }
            | State::Asking { .. }
            | State::Leaving { .. }
            | State::Gone => State::Gone,
        };
        self.proven_until = None;
        self.enter(next);
    }

    fn give_back(&mut self, now: Now, reached: Reached) -> State {
        State::Leaving {
            asked: self.send(reached, Duration::ZERO),
            until: now.moment + LEAVING,
        }
    }

    /// A response to a REGISTER.
    pub fn handle_response(&mut self, now: Now, response: &Response) {
        let (State::Asking { asked, .. } | State::Leaving { asked, .. }) = &self.state else {
            return;
        };
        if response.is_provisional() || response.cseq().is_none_or(|cseq| cseq.number != asked.number) {
            return;
        }
        let asked = asked.clone();
        if let State::Asking { others, .. } = &self.state {
            let others = others.clone();
            self.answered(now, &asked, others, response);
        } else {
            self.leave_answered(now, asked, response);
        }
    }

    /// The end of a transaction without answer.
    pub fn handle_failure(&mut self, now: Now, number: u32, failure: &Failure) {
        match &self.state {
            State::Asking { asked, others, .. } if asked.number == number => {
                let others = others.clone();
                let why = match failure {
                    Failure::TimedOut => format!("no answer from {}", asked.reached.target.address),
                    Failure::Flow(fault) => fault.to_string(),
                };
                self.next(now, others, &why);
            }
            State::Leaving { asked, .. } if asked.number == number => self.enter(State::Gone),
            State::Waiting { .. }
            | State::Locating { .. }
            | State::Connecting { .. }
            | State::Asking { .. }
            | State::Registered { .. }
            | State::Leaving { .. }
            | State::Gone => {}
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        self.proven_until = self.proven_until.filter(|until| now.moment < *until);
        match &self.state {
            State::Waiting { until } if *until <= now.moment => self.locate(now),
            State::Locating { locating, until } if *until <= now.moment => {
                let why = locating.out_of_time().to_string();
                self.fail(now, &why, None);
            }
            State::Connecting {
                target,
                others,
                until,
            } if *until <= now.moment => {
                let (why, others) = (ConnectFault::TcpSlow(target.address).to_string(), others.clone());
                self.next(now, others, &why);
            }
            State::Asking {
                asked,
                others,
                silent_at,
            } if *silent_at <= now.moment && !others.is_empty() => {
                let (asked, others) = (asked.clone(), others.clone());
                self.acts.push_back(Act::Abandon(asked.key));
                let why = format!("{} is silent", asked.reached.target.address);
                self.next(now, others, &why);
            }
            State::Registered { reached, refresh_at } if *refresh_at <= now.moment => {
                let reached = reached.clone();
                self.ask(now, reached, VecDeque::new());
            }
            State::Leaving { asked, until } if *until <= now.moment => {
                let key = asked.key.clone();
                self.acts.push_back(Act::Abandon(key));
                self.enter(State::Gone);
            }
            State::Waiting { .. }
            | State::Locating { .. }
            | State::Connecting { .. }
            | State::Asking { .. }
            | State::Registered { .. }
            | State::Leaving { .. }
            | State::Gone => {}
        }
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let proof = self.proven_until.map(|at| Deadline {
            at,
            why: "registration is not proved any more",
        });
        Deadline::earliest([proof, self.deadline_of_state()])
    }

    fn deadline_of_state(&self) -> Option<Deadline> {
        let (at, why) = match &self.state {
            State::Waiting { until } => (*until, "registration is tried again"),
            State::Locating { until, .. } => (*until, "registrar is located"),
            State::Connecting { until, .. } => (*until, "registrar is connected"),
            State::Asking {
                silent_at, others, ..
            } if !others.is_empty() => (*silent_at, "silent registrar is left for the next"),
            // A transaction stands behind it.
            State::Asking { .. } | State::Gone => return None,
            State::Registered { refresh_at, .. } => (*refresh_at, "registration is refreshed"),
            State::Leaving { until, .. } => (*until, "registrar answers our leaving"),
        };
        Some(Deadline { at, why })
    }

    /// What it wants done next.
    pub fn poll_output(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn locate(&mut self, now: Now) {
        let next = self.route.as_ref().unwrap_or(&self.registrar);
        match Hop::of(next, self.profile.settings.transport) {
            Ok(hop) => {
                let (locating, step) = Locating::start(hop, &mut self.chance);
                self.enter(State::Locating {
                    locating: Box::new(locating),
                    until: now.moment + LOCATING,
                });
                self.follow(now, step);
            }
            Err(why) => self.fail(now, &why, Some(REFUSED)),
        }
    }

    fn follow(&mut self, now: Now, step: Step) {
        match step {
            Step::Ask(question) => self.acts.push_back(Act::LookUp(question)),
            Step::Found(found) => self.next(now, found.into(), "there was no address to try"),
            Step::Failed(fault) => self.fail(now, &fault.to_string(), None),
        }
    }

    /// Turns to the next target; `why` is what was wrong with the last one.
    fn next(&mut self, now: Now, mut others: VecDeque<Candidate>, why: &str) {
        let Some(Candidate { target, .. }) = others.pop_front() else {
            return self.fail(now, why, None);
        };
        self.acts.push_back(Act::Connect(target.clone()));
        self.enter(State::Connecting {
            target,
            others,
            until: now.moment + CONNECTING,
        });
    }

    fn ask(&mut self, now: Now, reached: Reached, others: VecDeque<Candidate>) {
        let asked = self.send(reached, self.wanted);
        let doubt = now.moment + DOUBT;
        self.proven_until = self.proven_until.map(|until| until.min(doubt));
        self.enter(State::Asking {
            asked,
            others,
            silent_at: now.moment + SILENCE,
        });
    }

    fn send(&mut self, reached: Reached, wanted: Duration) -> Asked {
        self.number = self.number.saturating_add(1);
        let request = self.compose(&reached, wanted);
        let asked = Asked {
            key: ClientKey::of_request(&request),
            number: self.number,
            reached,
        };
        let whither = Whither::Exactly(asked.reached.target.clone());
        self.acts.push_back(Act::Send(request, whither));
        asked
    }

    /// RFC 3261 10.2.
    fn compose(&mut self, reached: &Reached, wanted: Duration) -> Request {
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

    fn answered(&mut self, now: Now, asked: &Asked, others: VecDeque<Candidate>, response: &Response) {
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

    fn leave_answered(&mut self, now: Now, asked: Asked, response: &Response) {
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

    /// Nothing is proved any more; it is tried again after a pause.
    fn fail(&mut self, now: Now, why: &str, pause: Option<Duration>) {
        self.proven_until = None;
        let (first, longest) = PAUSES;
        let limit = first.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let pause = pause.unwrap_or(limit / 2 + self.chance.up_to(limit / 2));
        let told = Told::Failed(why.to_owned());
        if self.told != told {
            tracing::warn!(event = "registration-failed", registrar = %self.registrar, "this room is not registered: {why}");
            self.told = told;
        }
        self.enter(State::Waiting {
            until: now.moment + pause,
        });
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.state.name(), to = next.name(), "registration");
        self.state = next;
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

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "Waiting",
            Self::Locating { .. } => "Locating",
            Self::Connecting { .. } => "Connecting",
            Self::Asking { .. } => "Asking",
            Self::Registered { .. } => "Registered",
            Self::Leaving { .. } => "Leaving",
            Self::Gone => "Gone",
        }
    }
}
