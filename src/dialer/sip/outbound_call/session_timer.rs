//! The session timer of a dialog (RFC 4028): who refreshes, when, and when the session has died without a refresh.

use std::time::Duration;

use crate::dialer::sip::headers::{MinSe, Refresher, SessionExpires};
use crate::dialer::sip::wire::{Request, Response};
use crate::time::{Deadline, Moment, Now};

/// The shortest session that anybody may ask for (RFC 4028 5).
pub const SHORTEST: u32 = 90;
/// An interval below this is followed as if it were this: a refresh needs its time.
const SHORTEST_FOLLOWED: u32 = 4;
/// How early a session that was not refreshed is ended: this, or a third of the interval if that is less
/// (RFC 4028 10).
const EARLY: Duration = Duration::from_secs(32);

/// ```text
/// Off ⇄ Ours{refreshed at half time} ⇄ Theirs
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The session lives as long as the dialog.
    Off,
    /// We refresh.
    Ours { refresh: Moment, dies: Moment },
    /// They do.
    Theirs { dies: Moment },
}

/// What the timer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is our turn to refresh.
    Refresh,
    /// Nobody refreshed in time.
    Expired,
}

/// The session timer of one dialog.
#[derive(Clone, Debug)]
pub struct SessionTimer {
    /// What our requests ask for, in seconds.
    wanted: u32,
    /// The longest Min-SE that was heard.
    least: u32,
    state: State,
}

impl SessionTimer {
    /// Not running; our requests will ask for `wanted`.
    pub fn new(wanted: Duration) -> Self {
        let seconds = u32::try_from(wanted.as_secs()).unwrap_or(u32::MAX);
        Self {
            wanted: seconds.max(SHORTEST),
            least: SHORTEST,
            state: State::Off,
        }
    }

    /// Puts into a request of ours what it has to say of the session. In a refresh the refresher stays who it is
    /// (RFC 4028 7.1, 7.4).
    pub fn ask(&self, request: &mut Request) {
        let refresher = match self.state {
            State::Off => None,
            State::Ours { .. } => Some(Refresher::Uac),
            State::Theirs { .. } => Some(Refresher::Uas),
        };
        let expires = SessionExpires {
            seconds: self.wanted,
            refresher,
        };
        request.headers.push("Session-Expires", expires.to_string());
        if self.least > SHORTEST {
            request.headers.push("Min-SE", MinSe(self.least).to_string());
        }
    }

    /// Takes the Min-SE of a 422; `false` when it asks for nothing more than we had (RFC 4028 7.3).
    pub fn take_refusal(&mut self, response: &Response) -> bool {
        let least = response
            .headers
            .get("Min-SE")
            .and_then(|value| MinSe::parse(value).ok());
        match least {
            Some(MinSe(least)) if least > self.wanted => {
                self.least = least;
                self.wanted = least;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes the 2xx to a request of ours (RFC 4028 7.2); without Session-Expires the session has no end.
    pub fn take_answer(&mut self, now: Now, response: &Response) {
        let expires = response
            .headers
            .get("Session-Expires")
            .and_then(|value| SessionExpires::parse(value).ok());
        let next = match expires {
            None => State::Off,
            Some(expires) => self.started(now, expires.seconds, expires.refresher == Some(Refresher::Uas)),
        };
        self.enter(next);
    }

    /// Takes a re-INVITE or UPDATE of theirs; the error is the Min-SE that it must respect (RFC 4028 9).
    pub fn check_request(request: &Request) -> Result<(), MinSe> {
        match session_expires(request) {
            Some(expires)
                if expires.seconds < SHORTEST && request.headers.has_token("Supported", "timer") =>
            {
                Err(MinSe(SHORTEST))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Begins anew with our 2xx to a request of theirs, and puts into it what it has to say (RFC 4028 9).
    pub fn answer(&mut self, now: Now, request: &Request, response: &mut Response) {
        let knows_timers = request.headers.has_token("Supported", "timer");
        let asked = session_expires(request);
        let seconds = match (asked, self.state) {
            (Some(expires), _) => expires.seconds,
            (None, State::Ours { .. }) => self.wanted,
            (None, State::Off | State::Theirs { .. }) => return self.enter(State::Off),
        };
        // Who cannot refresh does not; who leaves it to us keeps on doing it.
        let is_theirs = knows_timers
            && match asked.and_then(|expires| expires.refresher) {
                Some(refresher) => refresher == Refresher::Uac,
                None => !matches!(self.state, State::Ours { .. }),
            };
        let refresher = if is_theirs { Refresher::Uac } else { Refresher::Uas };
        let expires = SessionExpires {
            seconds,
            refresher: Some(refresher),
        };
        response.headers.push("Session-Expires", expires.to_string());
        if is_theirs {
            response.headers.push("Require", "timer");
        }
        let next = self.started(now, seconds, is_theirs);
        self.enter(next);
    }

    /// What is due, if anything.
    pub fn due(&self, now: Now) -> Option<Due> {
        match self.state {
            State::Ours { dies, .. } | State::Theirs { dies } if dies <= now.moment => Some(Due::Expired),
            State::Ours { refresh, .. } if refresh <= now.moment => Some(Due::Refresh),
            State::Off | State::Ours { .. } | State::Theirs { .. } => None,
        }
    }

    /// When it wants to be woken; a refresh that is under way is not waited for again.
    pub fn next_deadline(&self, is_refreshing: bool) -> Option<Deadline> {
        match self.state {
            State::Off => None,
            State::Ours { refresh, .. } if !is_refreshing => Some(Deadline {
                at: refresh,
                why: "session is refreshed",
            }),
            State::Ours { dies, .. } | State::Theirs { dies } => Some(Deadline {
                at: dies,
                why: "session dies without a refresh",
            }),
        }
    }

    fn started(&mut self, now: Now, seconds: u32, is_theirs: bool) -> State {
        self.wanted = seconds.max(SHORTEST);
        // A far end that says less than it may is refreshed as it says.
        let interval = Duration::from_secs(u64::from(seconds.max(SHORTEST_FOLLOWED)));
        let dies = now.moment + interval.saturating_sub(EARLY.min(interval / 3));
        if is_theirs {
            return State::Theirs { dies };
        }
        State::Ours {
            refresh: now.moment + interval / 2,
            dies,
        }
    }

    fn enter(&mut self, next: State) {
        if self.state != next {
            tracing::debug!(from = ?self.state, to = ?next, "session timer");
        }
        self.state = next;
    }
}

fn session_expires(request: &Request) -> Option<SessionExpires> {
    let value = request.headers.get("Session-Expires")?;
    SessionExpires::parse(value).ok()
}
