//! One request on its way to a final answer: its next hop is located, and one address after the other is tried while
//! there is no connection, each with a transaction of its own. Challenges are the business of whoever sends it,
//! since each answer to one is a new request with a higher CSeq.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::compose;
use super::locate::{Hop, Locating, Step, Target};
use super::transaction::Failure;
use super::transaction::table::{ClientKey, Owner};
use super::wire::Request;
use crate::chance::Chance;
use crate::network::{NamesAnswer, Question};
use crate::time::{Deadline, Moment, Now};

/// The edge gives up on names before this; nothing waits longer even if it does not.
const LOCATING: Duration = Duration::from_secs(10);

/// Where a request shall go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whither {
    /// To this address and no other.
    Exactly(Target),
    /// To the next hop of its dialog; when that cannot be reached, where the INVITE went.
    NextHop {
        /// The hop.
        hop: Hop,
        /// Where the INVITE went.
        otherwise: Target,
    },
}

/// ```text
/// Locating ──→ Sent ──(no connection, more addresses: a new branch)──→ Sent ──→ Over
/// ```
#[derive(Clone, Debug)]
enum State {
    Locating { locating: Box<Locating>, until: Moment },
    Sent,
    Over,
}

/// What a request on its way wants.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask the name servers.
    Ask(Question),
    /// The next hop is at these addresses, say the name servers.
    Met(Vec<IpAddr>),
    /// Send it there, in a new transaction (an ACK without one).
    Send(Box<Request>, Target),
    /// Nobody can be reached.
    Failed(Failure),
}

/// One request.
#[derive(Debug)]
pub struct OutgoingRequest {
    /// Whose it is.
    pub owner: Owner,
    request: Request,
    state: State,
    targets: VecDeque<Target>,
    outputs: VecDeque<Output>,
}

impl OutgoingRequest {
    /// Sends it.
    pub fn start(now: Now, owner: Owner, request: Request, to: Whither, chance: &mut Chance) -> Self {
        let mut this = Self {
            owner,
            request,
            state: State::Sent,
            targets: VecDeque::new(),
            outputs: VecDeque::new(),
        };
        match to {
            Whither::Exactly(target) => this.send(target),
            Whither::NextHop { hop, otherwise } => {
                let (locating, step) = Locating::start(hop, chance);
                this.targets.push_back(otherwise);
                this.enter(State::Locating {
                    locating: Box::new(locating),
                    until: now.moment + LOCATING,
                });
                this.follow(step);
            }
        }
        this
    }

    /// The request, with the branch of the last attempt.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The transaction of the last attempt.
    pub fn key(&self) -> ClientKey {
        ClientKey::of_request(&self.request)
    }

    /// Whether it waits for the name servers.
    pub fn is_locating(&self) -> bool {
        matches!(self.state, State::Locating { .. })
    }

    /// Whether nothing more comes of it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Takes the answer of the name servers.
    pub fn handle_names(&mut self, answer: NamesAnswer) {
        if let State::Locating { locating, .. } = &mut self.state {
            let step = locating.handle_answer(answer);
            self.follow(step);
        }
    }

    /// Takes the end of a transaction without answer. Silence ends it; without connection the next address is tried
    /// (RFC 3263 4.3).
    pub fn handle_failure(&mut self, failure: Failure, chance: &mut Chance) {
        match (&failure, self.targets.pop_front()) {
            (Failure::Flow(_), Some(target)) => {
                self.request = compose::with_new_branch(&self.request, chance);
                self.send(target);
            }
            (Failure::Flow(_), None) | (Failure::TimedOut, _) => {
                self.outputs.push_back(Output::Failed(failure));
                self.enter(State::Over);
            }
        }
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        if let State::Locating { locating, until } = &self.state
            && *until <= now.moment
        {
            let fault = locating.out_of_time();
            self.follow(Step::Failed(fault));
        }
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Locating { until, .. } => Some(Deadline {
                at: *until,
                why: "next hop is located",
            }),
            // A transaction stands behind it.
            State::Sent | State::Over => None,
        }
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn follow(&mut self, step: Step) {
        match step {
            Step::Ask(question) => self.outputs.push_back(Output::Ask(question)),
            Step::Found(found) => {
                let found = found.into_iter().map(|found| found.target);
                let mut targets: VecDeque<Target> = found.collect();
                let addresses = targets.iter().map(|target| target.address.ip());
                self.outputs.push_back(Output::Met(addresses.collect()));
                for otherwise in std::mem::take(&mut self.targets) {
                    if !targets.contains(&otherwise) {
                        targets.push_back(otherwise);
                    }
                }
                self.targets = targets;
                self.send_to_first();
            }
            Step::Failed(fault) => {
                tracing::debug!(%fault, "the next hop cannot be located, the request goes where the INVITE went");
                self.send_to_first();
            }
        }
    }

    fn send_to_first(&mut self) {
        match self.targets.pop_front() {
            Some(target) => self.send(target),
            None => self.enter(State::Over),
        }
    }

    fn send(&mut self, target: Target) {
        let mut request = self.request.clone();
        // RFC 3261 18.1.1: the Via tells the transport that is used.
        if let Some(mut via) = request.via_top() {
            via.transport = target.transport.in_capitals().to_owned();
            request.headers.replace_via_top(&via);
        }
        self.request = request.clone();
        self.outputs.push_back(Output::Send(Box::new(request), target));
        self.enter(State::Sent);
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.state.name(), to = next.name(), method = %self.request.method, "SIP request");
        self.state = next;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Locating { .. } => "Locating",
            Self::Sent => "Sent",
            Self::Over => "Over",
        }
    }
}
