//! The session: when to try, when to ping, when to give up. It knows nothing of what is said.

use std::collections::VecDeque;
use std::time::Duration;

use super::Settings;
use super::backoff::{self, BackOff};
use super::failure::{Failure, Patience};
use super::link::{LinkEvent, LinkFault};
use super::redirect::{self, RedirectFault};
use crate::alexa::messages::auth_state::{AuthError, AuthState, AuthStatus};
use crate::alexa::messages::connection_status::{ConnectionStatus, Reason, Status};
use crate::chance::Chance;
use crate::time::{Deadline, Moment, Now};

use state::{Ping, State};

mod state;

/// What the session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Begin.
    Start,
    /// Something happened to the link of this attempt.
    Link(u32, LinkEvent),
    /// Addresses or routes changed, or the machine slept.
    NetworkChanged,
    /// Whether a call is up: a dead bridge must be noticed sooner then.
    CallUp(bool),
    /// The settings were read again, and may have changed.
    Settings(Box<Settings>),
    /// Close for good.
    Leave,
    /// A deadline may have come.
    Deadline,
}

/// What the session wants, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to this URL.
    Open(u32, String),
    /// The same, if the token is another one than that of the last try.
    OpenWithAnotherToken(u32, String),
    /// Send a ping.
    Ping(u32),
    /// Close with this code; nothing is heard of the attempt afterwards.
    Close(u32, u16),
    /// The attempt is open: frames go there from here on.
    Opened(u32),
    /// An open attempt is over: no frame goes there.
    Gone(u32),
    /// There is no connection because of this; its consequence says what is true of connection and authorisation.
    Failed(Failure),
    /// This is true of the connection, without a failure.
    Connection(ConnectionStatus),
    /// This is true of the authorisation, without a failure.
    Auth(AuthStatus),
}

/// While a call is up, pings and their answers may take this long at most.
const IN_CALL: Duration = Duration::from_secs(5);
/// Between two tries that network changes bring.
const BETWEEN_CHANGES: Duration = Duration::from_secs(1);
/// An attempt may go on for this long after its start before a network change replaces it.
const HEAD_START: Duration = Duration::from_secs(5);
/// How often a token that was forbidden is looked at: whoever puts another one there waits for it.
const TOKEN_LOOKS: Duration = Duration::from_secs(2);
/// Redirects followed in a row.
const MOST_HOPS: u8 = 5;
/// "Going away" (RFC 6455 7.4.1).
const GOING_AWAY: u16 = 1001;
/// "Unexpected condition" (RFC 6455 7.4.1): what a peer that does not answer pings will hardly read.
const UNEXPECTED: u16 = 1011;

/// The session of the bridge.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    chance: Chance,
    state: State,
    /// The number of the attempt that is being made, or was made last.
    attempt: u32,
    back_off: BackOff,
    call_is_up: bool,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A session that has not begun.
    pub fn new(settings: Settings, chance: Chance) -> Self {
        Self {
            settings,
            chance,
            state: State::New,
            attempt: 0,
            back_off: BackOff::default(),
            call_is_up: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Start => self.start(now),
            Input::Link(attempt, event) if attempt == self.attempt => self.link(now, event),
            Input::Link(attempt, event) => tracing::debug!("attempt {attempt} is over: {event:?} not heard"),
            Input::NetworkChanged => self.network_changed(now),
            Input::CallUp(is_up) => self.call_up(now, is_up),
            Input::Settings(settings) => self.reload(now, *settings),
            Input::Leave => self.leave(),
            Input::Deadline => self.deadline(now),
        }
    }

    /// The next output, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Input::Deadline`] next.
    pub fn next_deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::New | State::Disabled | State::Left => None,
            State::Waiting { until, look, .. } => Deadline::earliest([Some(*until), *look]),
            State::Connecting { guard, renewal, .. } => Deadline::earliest([Some(*guard), *renewal]),
            State::Open { ping, .. } => Some(ping.deadline()),
        }
    }

    /// The attempt that is open, if one is.
    pub fn open_attempt(&self) -> Option<u32> {
        match self.state {
            State::Open { .. } => Some(self.attempt),
            State::New | State::Disabled | State::Waiting { .. } | State::Connecting { .. } | State::Left => {
                None
            }
        }
    }

    fn start(&mut self, now: Now) {
        if self.state != State::New {
            tracing::debug!("the session has begun already");
        } else if self.settings.enabled {
            self.tell(Status::Pending, Reason::None);
            self.connect(now, self.settings.url.clone(), 0);
        } else {
            self.enter(State::Disabled);
            self.tell(Status::Disconnected, Reason::AclDisabled);
        }
    }

    fn link(&mut self, now: Now, event: LinkEvent) {
        match (&self.state, event) {
            (State::Connecting { .. }, LinkEvent::Opened) => self.opened(now),
            (
                State::Connecting {
                    look: Some((until, not_before)),
                    renewal,
                    ..
                },
                LinkEvent::Lost(LinkFault::SameToken),
            ) => {
                let network_changed = renewal.is_some();
                self.enter(State::Waiting {
                    until: *until,
                    not_before: *not_before,
                    look: Some(Deadline::after(now, TOKEN_LOOKS, "another token")),
                });
                if network_changed {
                    self.network_changed(now);
                }
            }
            (State::Connecting { url, hops, .. }, LinkEvent::Lost(fault)) => match redirect_of(&fault) {
                Some(location) => {
                    let (hops, target) = (*hops, redirect::follow(&self.settings, url, location));
                    self.redirected(now, target, hops);
                }
                None => self.failed(now, Failure::Link(fault)),
            },
            (State::Open { .. }, LinkEvent::Lost(fault)) => self.failed(now, Failure::Link(fault)),
            (State::Open { since, .. }, LinkEvent::Pong) => {
                let ping = Ping::Due(Deadline::after(now, self.ping_interval(), "next ping"));
                self.enter(State::Open { since: *since, ping });
            }
            (state, event) => tracing::debug!("{event:?} does not matter when {}", state.name()),
        }
    }

    fn connect(&mut self, now: Now, url: String, hops: u8) {
        self.attempt = self.attempt.wrapping_add(1);
        self.outputs.push_back(Output::Open(self.attempt, url.clone()));
        self.connecting(now, url, hops, None);
    }

    /// Whether there is another token by now, to try with.
    fn look_at_token(&mut self, now: Now, until: Deadline, not_before: Moment) {
        let url = self.settings.url.clone();
        self.attempt = self.attempt.wrapping_add(1);
        self.outputs
            .push_back(Output::OpenWithAnotherToken(self.attempt, url.clone()));
        self.connecting(now, url, 0, Some((until, not_before)));
    }

    fn connecting(&mut self, now: Now, url: String, hops: u8, look: Option<(Deadline, Moment)>) {
        self.enter(State::Connecting {
            url,
            hops,
            since: now.moment,
            guard: Deadline::after(now, self.longest_attempt(), "the edge's word on an attempt"),
            renewal: None,
            look,
        });
    }

    /// Well above what the edge may take for the name, several addresses, TLS and HTTP.
    fn longest_attempt(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(10);
        let once = self
            .settings
            .connect_timeout
            .saturating_add(self.settings.handshake_timeout);
        once.saturating_mul(8).saturating_add(MARGIN)
    }

    fn opened(&mut self, now: Now) {
        let ping = Ping::Due(Deadline::after(now, self.ping_interval(), "next ping"));
        let since = now.moment;
        self.enter(State::Open { since, ping });
        self.outputs.push_back(Output::Auth(AuthStatus {
            state: AuthState::Refreshed,
            error: AuthError::NoError,
        }));
        self.tell(Status::Connected, Reason::Success);
        self.outputs.push_back(Output::Opened(self.attempt));
    }

    fn redirected(&mut self, now: Now, target: Result<String, RedirectFault>, hops: u8) {
        let target = match hops < MOST_HOPS {
            true => target,
            false => Err(RedirectFault::TooMany),
        };
        match target {
            Ok(url) => {
                tracing::debug!("the bridge redirects to {url}");
                // A redirect on the way of every retry is no change, and would hide the failure at its end.
                if self.back_off.is_fresh() {
                    self.tell(Status::Pending, Reason::ServerEndpointChanged);
                }
                self.connect(now, url, hops + 1);
            }
            Err(fault) => self.failed(now, Failure::Redirect(fault)),
        }
    }

    fn failed(&mut self, now: Now, failure: Failure) {
        let (lasted, begun, network_changed) = match &self.state {
            State::Open { since, .. } => (Some(now.moment - *since), *since, false),
            State::Connecting { since, renewal, .. } => (None, *since, renewal.is_some()),
            State::New | State::Disabled | State::Waiting { .. } | State::Left => return,
        };
        if lasted.is_some() {
            self.outputs.push_back(Output::Gone(self.attempt));
        }
        let asked = failure
            .retry_after()
            .map(|text| backoff::retry_after(text, now.wall))
            .unwrap_or_default();
        let patience = failure.consequence().patience;
        // Added, not the larger of both: rooms that were told the same time still come one by one.
        let jitter = self
            .back_off
            .wait(&self.settings, &mut self.chance, patience, lasted);
        let wait = asked.saturating_add(jitter);
        tracing::debug!(attempt = self.attempt, "{failure}; next try in {wait:?}");
        self.outputs.push_back(Output::Failed(failure));
        let is_forbidden = patience == Patience::Longest && self.settings.token_file.is_some();
        self.enter(State::Waiting {
            until: Deadline::after(now, wait, "next try to reach the bridge"),
            not_before: (now.moment + asked).max(begun + BETWEEN_CHANGES),
            look: is_forbidden.then(|| Deadline::after(now, asked.max(TOKEN_LOOKS), "another token")),
        });
        if network_changed {
            self.network_changed(now);
        }
    }

    fn network_changed(&mut self, now: Now) {
        match &mut self.state {
            State::Waiting {
                until, not_before, ..
            } => {
                until.at = until.at.min(*not_before);
                self.back_off.reset();
                self.deadline(now);
            }
            State::Connecting { since, renewal, .. } => {
                let at = *since + HEAD_START;
                *renewal = Some(Deadline {
                    at,
                    why: "another try, for the network changed",
                });
                self.deadline(now);
            }
            State::Open { ping, .. } => {
                // The old path may be gone without a word: an answer must come soon.
                let must_ping = matches!(ping, Ping::Due(_));
                let answer = Deadline::after(now, self.settings.ping_timeout.min(IN_CALL), "pong");
                *ping = match *ping {
                    Ping::Due(_) => Ping::Unanswered(answer),
                    Ping::Unanswered(_) => ping.at_latest(answer),
                };
                if must_ping {
                    self.outputs.push_back(Output::Ping(self.attempt));
                }
            }
            State::New | State::Disabled | State::Left => {}
        }
    }

    fn call_up(&mut self, now: Now, is_up: bool) {
        self.call_is_up = is_up;
        if let State::Open { ping, .. } = &mut self.state
            && is_up
        {
            let why = ping.deadline().why;
            *ping = ping.at_latest(Deadline::after(now, IN_CALL, why));
        }
    }

    /// Begins anew where something changed; where nothing did, a reload is worth a try before the back-off is over.
    fn reload(&mut self, now: Now, settings: Settings) {
        let is_changed = !settings.connects_as(&self.settings);
        self.settings = settings;
        match self.state {
            State::New | State::Left => {}
            State::Waiting { .. } if !is_changed => self.network_changed(now),
            State::Disabled | State::Waiting { .. } | State::Connecting { .. } | State::Open { .. } => {
                if is_changed {
                    self.begin_anew(now);
                }
            }
        }
    }

    fn begin_anew(&mut self, now: Now) {
        match (&self.state, self.settings.enabled) {
            (State::Disabled, _) => {}
            (_, true) => self.hang_up(Reason::AclClientRequest),
            (_, false) => self.hang_up(Reason::AclDisabled),
        }
        self.back_off.reset();
        self.enter(State::New);
        self.start(now);
    }

    fn leave(&mut self) {
        match self.state {
            State::Disabled | State::Left => {}
            State::New | State::Waiting { .. } | State::Connecting { .. } | State::Open { .. } => {
                self.hang_up(Reason::AclClientRequest);
            }
        }
        self.enter(State::Left);
    }

    /// Says so, where somebody hears it, and closes what is open.
    fn hang_up(&mut self, reason: Reason) {
        self.tell(Status::Disconnected, reason);
        if matches!(self.state, State::Connecting { .. } | State::Open { .. }) {
            self.outputs.push_back(Output::Close(self.attempt, GOING_AWAY));
        }
        if self.open_attempt().is_some() {
            self.outputs.push_back(Output::Gone(self.attempt));
        }
    }

    fn deadline(&mut self, now: Now) {
        match &mut self.state {
            State::Waiting { until, .. } if until.is_due(now) => {
                self.connect(now, self.settings.url.clone(), 0);
            }
            State::Waiting {
                until,
                not_before,
                look: Some(look),
            } if look.is_due(now) => {
                let (until, not_before) = (*until, *not_before);
                self.look_at_token(now, until, not_before);
            }
            State::Connecting { guard, .. } if guard.is_due(now) => {
                self.outputs.push_back(Output::Close(self.attempt, GOING_AWAY));
                self.failed(now, Failure::Stuck);
            }
            State::Connecting {
                renewal: Some(renewal),
                ..
            } if renewal.is_due(now) => {
                self.outputs.push_back(Output::Close(self.attempt, GOING_AWAY));
                self.connect(now, self.settings.url.clone(), 0);
            }
            State::Open { ping, .. } if ping.deadline().is_due(now) => self.ping_is_due(now),
            State::New
            | State::Disabled
            | State::Waiting { .. }
            | State::Connecting { .. }
            | State::Open { .. }
            | State::Left => {}
        }
    }

    fn ping_is_due(&mut self, now: Now) {
        let timeout = self.ping_timeout();
        let State::Open { ping, .. } = &mut self.state else {
            return;
        };
        match ping {
            Ping::Due(_) => {
                *ping = Ping::Unanswered(Deadline::after(now, timeout, "pong"));
                self.outputs.push_back(Output::Ping(self.attempt));
            }
            Ping::Unanswered(_) => {
                self.outputs.push_back(Output::Close(self.attempt, UNEXPECTED));
                self.failed(now, Failure::PingUnanswered);
            }
        }
    }

    fn ping_interval(&self) -> Duration {
        self.in_call_at_most(self.settings.ping_interval)
    }

    fn ping_timeout(&self) -> Duration {
        self.in_call_at_most(self.settings.ping_timeout)
    }

    fn in_call_at_most(&self, duration: Duration) -> Duration {
        match self.call_is_up {
            true => duration.min(IN_CALL),
            false => duration,
        }
    }

    fn tell(&mut self, status: Status, reason: Reason) {
        self.outputs
            .push_back(Output::Connection(ConnectionStatus { status, reason }));
    }

    /// The one place where the state changes.
    fn enter(&mut self, state: State) {
        if state.name() != self.state.name() {
            tracing::debug!(
                attempt = self.attempt,
                "bridge session: {} -> {}",
                self.state.name(),
                state.name()
            );
        }
        self.state = state;
    }
}

/// Where a fault wants to lead us, if it is a redirect: `Location`, as it came.
fn redirect_of(fault: &LinkFault) -> Option<Option<&str>> {
    match fault {
        LinkFault::Http {
            status: 301 | 302 | 307 | 308,
            location,
            ..
        } => Some(location.as_deref()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
