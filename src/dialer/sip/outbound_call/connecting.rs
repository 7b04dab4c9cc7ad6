//! From a list of addresses to one open flow: they race when they lead to the same server (RFC 8305), and a silent
//! server is left for the next (contract, "Calls").

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Audio, OutboundCall, RESERVING, Reached, State};
use crate::call::EndReason;
use crate::dialer::sip::farewell::Farewell;
use crate::dialer::sip::leg::{Act, Invitation};
use crate::dialer::sip::locate::{Candidate, Target};
use crate::dialer::sip::patience::{CONNECTING, SILENCE};
use crate::media;
use crate::network::{ConnectFault, Transport};
use crate::time::{Deadline, Moment, Now};

/// Between two addresses of one server (RFC 8305 5, "Connection Attempt Delay").
const STAGGER: Duration = Duration::from_millis(250);
/// How long a stream is tried for the sake of a long INVITE before it leaves as a datagram.
const STREAM_FOR_LENGTH: Duration = Duration::from_secs(1);

/// The addresses whose flows open, and those that may follow.
#[derive(Clone, Debug)]
pub(super) struct Race {
    /// In the order in which they began; never empty.
    trying: Vec<Candidate>,
    others: VecDeque<Candidate>,
    /// When the next one begins beside them.
    next_at: Moment,
    until: Moment,
    /// What went wrong so far.
    fault: Option<ConnectFault>,
}

impl Race {
    /// Whether the flow to this target is wanted.
    pub(super) fn runs_to(&self, target: &Target) -> bool {
        self.trying.iter().any(|trying| trying.target == *target)
    }

    /// When it wants to be woken.
    pub(super) fn next_deadline(&self) -> Deadline {
        let (at, why) = if self.others.is_empty() {
            (self.until, "SIP target is connected")
        } else {
            (self.next_at.min(self.until), "next SIP address is tried")
        };
        Deadline { at, why }
    }
}

/// How long the first of these has the race for itself.
fn head_start(first: &Candidate, second: &Candidate) -> Duration {
    match second.target.transport {
        Transport::Udp if first.target.transport.is_stream() => STREAM_FOR_LENGTH,
        Transport::Udp | Transport::Tcp | Transport::Tls if first.server == second.server => STAGGER,
        Transport::Udp | Transport::Tcp | Transport::Tls => SILENCE,
    }
}

/// Of two faults the one that a person can do more about: what is wrong with a certificate is told even when another
/// address of the same name could not be reached at all.
fn telling(first: Option<ConnectFault>, second: ConnectFault) -> ConnectFault {
    match first {
        Some(tls @ ConnectFault::Tls { .. }) => tls,
        Some(_) | None => second,
    }
}

impl OutboundCall {
    /// Opens the flow to the next target, or ends for want of one.
    pub(super) fn connect(&mut self, now: Now, others: VecDeque<Candidate>, fault: Option<ConnectFault>) {
        self.run(
            now,
            Race {
                trying: Vec::new(),
                others,
                next_at: now.moment,
                until: now.moment,
                fault,
            },
        );
    }

    /// One more address joins the race, if there is one.
    fn run(&mut self, now: Now, mut race: Race) {
        if let Some(next) = race.others.pop_front() {
            self.acts.push_back(Act::Connect(next.target.clone()));
            let after = race.others.front();
            race.next_at = now.moment + after.map_or(CONNECTING, |after| head_start(&next, after));
            race.until = now.moment + CONNECTING;
            race.trying.push(next);
        }
        match (race.trying.is_empty(), race.fault) {
            (true, Some(fault)) => self.unreachable(now, fault),
            (true, None) => self.end(EndReason::OurFault("there was no address to try".to_owned())),
            (false, fault) => self.enter(State::Connecting(Race { fault, ..race })),
        }
    }

    /// The flow to a target is open: it wins, and the others are for when it fails.
    pub fn handle_connected(&mut self, now: Now, reached: Reached) {
        let State::Connecting(race) = &self.state else {
            return;
        };
        if !race.runs_to(&reached.target) {
            return;
        }
        let losers = race
            .trying
            .iter()
            .filter(|trying| trying.target != reached.target);
        let others: VecDeque<Candidate> = losers.chain(&race.others).cloned().collect();
        self.make_ready(now, reached, others);
    }

    /// The INVITE leaves as soon as the audio side has a socket beside this flow.
    fn make_ready(&mut self, now: Now, reached: Reached, others: VecDeque<Candidate>) {
        match self.audio {
            Audio::Reserved(local) if local.ip() == reached.source.ip() => {
                self.invite(now, reached, others, local)
            }
            // Who was heard so far is left for this one.
            Audio::None | Audio::Asked | Audio::Reserved(_) | Audio::Early(_) => {
                self.acts.push_back(Act::Media(media::Command::Reserve {
                    source: reached.source.ip(),
                }));
                if self.is_muted {
                    self.acts.push_back(Act::Media(media::Command::Mute(true)));
                }
                self.audio = Audio::Asked;
                self.enter(State::ReservingMedia {
                    reached,
                    others,
                    until: now.moment + RESERVING,
                });
            }
        }
    }

    /// The flow to a target could not be opened.
    pub fn handle_unconnected(&mut self, now: Now, target: Target, fault: ConnectFault) {
        match &self.state {
            State::Connecting(race) if race.runs_to(&target) => {
                tracing::debug!(%fault, remaining = race.others.len(), "a SIP target could not be reached");
                let mut race = race.clone();
                race.trying.retain(|trying| trying.target != target);
                race.fault = Some(telling(race.fault, fault));
                self.run(now, race);
            }
            State::ReservingMedia { reached, others, .. } if reached.target == target => {
                let others = others.clone();
                self.connect(now, others, Some(fault));
            }
            // What a transaction loses by it, the transaction tells.
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Inviting { .. }
            | State::Early { .. }
            | State::Moved { .. }
            | State::Confirmed(_)
            | State::Ended => {}
        }
    }

    /// Looks at the clock while flows open.
    pub(super) fn race_deadline(&mut self, now: Now) {
        let State::Connecting(race) = &self.state else {
            return;
        };
        if race.until <= now.moment {
            let address = race.trying.last().map(|trying| trying.target.address);
            let slow = ConnectFault::TcpSlow(address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))));
            let fault = telling(race.fault.clone(), slow);
            let others = race.others.clone();
            self.connect(now, others, Some(fault));
        } else if race.next_at <= now.moment && !race.others.is_empty() {
            tracing::debug!(
                remaining = race.others.len(),
                "a SIP target is slow, the next one is tried beside it"
            );
            let race = race.clone();
            self.run(now, race);
        }
    }

    /// The next target is tried while an INVITE lives on, whose late answer is acknowledged and ended.
    pub(super) fn leave_for_next(
        &mut self,
        now: Now,
        invitation: Invitation,
        others: VecDeque<Candidate>,
        fault: Option<ConnectFault>,
    ) {
        let farewell = Farewell::armed(now, self.profile.clone(), self.chance.fork(), invitation);
        self.acts.push_back(Act::Part(Box::new(farewell)));
        let reason = match fault.clone() {
            Some(fault) => self.unreachable_reason(fault),
            None => EndReason::Silent(self.shown.clone()),
        };
        if others.is_empty() {
            self.try_next_contact(now, reason);
        } else {
            self.connect(now, others, fault);
        }
    }

    /// A long INVITE goes over a stream to the same place first (RFC 3261 18.1.1); `None` when that was tried.
    pub(super) fn streams_for_length(
        &mut self,
        target: &Target,
        others: &VecDeque<Candidate>,
    ) -> Option<VecDeque<Candidate>> {
        if target.transport != Transport::Udp || self.streams_tried.contains(&target.address) {
            return None;
        }
        self.streams_tried.push(target.address);
        let over = |transport| Candidate {
            target: Target {
                transport,
                ..target.clone()
            },
            server: 0,
        };
        let mut targets = others.clone();
        targets.push_front(over(Transport::Udp));
        targets.push_front(over(Transport::Tcp));
        Some(targets)
    }
}
