//! The SIP dialer as one machine: it gives what comes from the world to the transactions, calls and farewells it is
//! for, and carries out what they want.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use super::farewell::Farewell;
use super::flows::Flows;
use super::leg::Profile;
use super::listening::Listening;
use super::locate::Target;
use super::out_of_service::OutOfService;
use super::outbound_call::OutboundCall;
use super::peers::Peers;
use super::registration::Registration;
use super::request::OutgoingRequest;
use super::transaction::table::{Owner, Transactions};
use crate::call::{CallCommand, CallEvent, CallId, EndReason};
use crate::chance::Chance;
use crate::dialer::{Dialer, Input, Output, Parts};
use crate::media;
use crate::network::{ConnectFault, FlowEvent, FlowId, NamesAnswer, QueryId};
use crate::record::{Restored, Slot};
use crate::time::{Deadline, Now};

mod inbound;
mod outbound;
mod recovering;

use recovering::Recovery;

/// How many calls and farewells there may be at once: as many as can be written down, and as many again that have
/// only late answers to wait for.
const OWNERS: usize = 2 * Slot::DIALOGS as usize;

/// Whose the requests of our registration are; calls and farewells have higher numbers.
const REGISTRATION: Owner = Owner(0);

/// Who a request belongs to.
enum Party {
    Call(Box<OutboundCall>),
    Farewell(Box<Farewell>),
}

/// The user agent.
pub struct UserAgent {
    profile: Arc<Profile>,
    chance: Chance,
    restored: Restored,
    next_number: u64,
    next_owner: u64,
    listening: Listening,
    flows: Flows,
    transactions: Transactions,
    parties: BTreeMap<Owner, Party>,
    /// Where the far end of each party was met.
    peers: BTreeMap<Owner, Peers>,
    out_of_service: OutOfService,
    registration: Option<Registration>,
    /// Requests that wait for the name servers, or for a transaction to end.
    requests: Vec<OutgoingRequest>,
    questions: BTreeMap<QueryId, Asker>,
    slots: BTreeMap<Owner, Slot>,
    /// What a call waits to be connected to.
    connecting: BTreeSet<(Owner, Target)>,
    recovery: Recovery,
    malformed: u64,
    outputs: VecDeque<Output>,
}

/// Who asked the name servers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asker {
    /// A call, for its INVITE.
    Call(Owner),
    /// A request in a dialog: its owner and CSeq.
    Request(Owner, super::headers::CSeq),
}

impl UserAgent {
    /// The user agent as it is before [`Input::Start`].
    pub fn new(parts: Parts<'_>) -> Self {
        Self {
            next_number: parts.first_id(),
            next_owner: 0,
            profile: Arc::new(Profile::new(parts.settings.sip.clone())),
            chance: parts.chance,
            restored: parts.restored.clone(),
            listening: Listening::default(),
            flows: Flows::default(),
            transactions: Transactions::default(),
            parties: BTreeMap::new(),
            peers: BTreeMap::new(),
            out_of_service: OutOfService::default(),
            registration: None,
            requests: Vec::new(),
            questions: BTreeMap::new(),
            slots: BTreeMap::new(),
            connecting: BTreeSet::new(),
            recovery: Recovery::NotStarted,
            malformed: 0,
            outputs: VecDeque::new(),
        }
    }

    fn command(&mut self, now: Now, command: CallCommand) {
        match command {
            CallCommand::Dial {
                call,
                target,
                ring_timeout,
            } => {
                if self.owner_of(call).is_some() {
                    tracing::warn!(call_id = %call, "a call that exists was dialled again, which is ignored");
                    return;
                }
                self.make_room();
                let begun = match self.take_slot() {
                    Some(slot) if self.parties.len() < OWNERS => {
                        let (profile, chance) = (self.profile.clone(), self.chance.fork());
                        OutboundCall::dial(now, profile, chance, call, &target, ring_timeout)
                            .map(|placed| (placed, slot))
                    }
                    Some(_) | None => Err(EndReason::OurFault(
                        "too many calls are still being ended".to_owned(),
                    )),
                };
                match begun {
                    Ok((placed, slot)) => {
                        let owner = self.next_owner();
                        self.slots.insert(owner, slot);
                        self.parties.insert(owner, Party::Call(Box::new(placed)));
                    }
                    Err(reason) => self
                        .outputs
                        .push_back(Output::Event(CallEvent::Ended { call, reason })),
                }
            }
            CallCommand::HangUp { call, why } => {
                if let Some(Party::Call(placed)) = self.party_of(call) {
                    placed.hang_up(now, why);
                }
            }
            CallCommand::SendDigits { call, script } => match self.party_of(call) {
                Some(Party::Call(placed)) => placed.send_digits(now, script),
                Some(Party::Farewell(_)) | None => {}
            },
            CallCommand::Hold { call, is_held } => match self.party_of(call) {
                Some(Party::Call(placed)) => placed.hold(now, is_held),
                Some(Party::Farewell(_)) | None => {}
            },
            CallCommand::Follow { call, allowed } => match self.party_of(call) {
                Some(Party::Call(placed)) => placed.follow_allowed(now, &allowed),
                Some(Party::Farewell(_)) | None => {}
            },
            CallCommand::Mute { call, is_muted } => match self.party_of(call) {
                Some(Party::Call(placed)) => placed.mute(is_muted),
                Some(Party::Farewell(_)) | None => {}
            },
        }
    }

    fn media(&mut self, now: Now, call: CallId, event: media::Event) {
        if let Some(Party::Call(placed)) = self.party_of(call) {
            placed.handle_media(now, event);
        }
    }

    fn names(&mut self, now: Now, query: QueryId, answer: NamesAnswer) {
        match self.questions.remove(&query) {
            Some(Asker::Call(REGISTRATION)) => {
                if let Some(registration) = &mut self.registration {
                    registration.handle_names(now, answer, &self.out_of_service);
                }
            }
            Some(Asker::Call(owner)) => {
                if let Some(Party::Call(placed)) = self.parties.get_mut(&owner) {
                    placed.handle_names(now, answer, &self.out_of_service);
                }
            }
            Some(Asker::Request(owner, cseq)) => {
                let is_meant = |request: &&mut OutgoingRequest| {
                    request.owner == owner && request.request().cseq().as_ref() == Some(&cseq)
                };
                if let Some(request) = self.requests.iter_mut().find(is_meant) {
                    request.handle_names(answer);
                }
                self.drain_requests(now);
            }
            None => {}
        }
    }

    fn flow(&mut self, now: Now, flow: FlowId, event: FlowEvent) {
        let next_number = &mut self.next_number;
        if self
            .listening
            .handle_flow(flow, &event, || next_flow(next_number))
        {
            self.drain_listening();
            self.follow_connecting(now);
            if matches!(
                event,
                FlowEvent::Opened { .. } | FlowEvent::Failed(_) | FlowEvent::Closed
            ) {
                return;
            }
        }
        match event {
            FlowEvent::Opened { local, .. } => {
                self.flows.opened(flow, local);
                self.follow_connecting(now);
            }
            FlowEvent::Accepted { flow, remote, .. } => {
                if let Some(evicted) = self.flows.accepted(now, flow, remote) {
                    self.flow_lost(now, evicted, None, &ConnectFault::Refused(remote));
                }
            }
            FlowEvent::Received { from, bytes } => self.received(now, flow, from, &bytes),
            FlowEvent::Failed(fault) => self.flow_failed(now, flow, &fault),
            FlowEvent::Closed => {
                let remote = self
                    .flows
                    .remote(flow)
                    .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
                self.flow_failed(now, flow, &ConnectFault::Refused(remote));
            }
        }
    }

    fn flow_failed(&mut self, now: Now, flow: FlowId, fault: &ConnectFault) {
        tracing::debug!(flow = flow.0, %fault, "SIP flow failed");
        if self.flows.leave_from_any_port(flow, fault) {
            return self.drain_flows();
        }
        let target = self.flows.target(flow);
        let is_gone = self.flows.failed(flow);
        self.flow_lost(now, flow, target.filter(|_| is_gone), fault);
    }

    /// Tells those who used a flow; `target` is where it led when it is gone.
    fn flow_lost(&mut self, now: Now, flow: FlowId, target: Option<Target>, fault: &ConnectFault) {
        self.transactions.handle_fault(flow, fault);
        self.drain_transactions(now);
        let Some(target) = target else { return };
        self.connecting.remove(&(REGISTRATION, target.clone()));
        if let Some(registration) = &mut self.registration {
            registration.handle_lost(now, &target, fault);
        }
        let waiting: Vec<Owner> = self
            .connecting
            .iter()
            .filter(|(_, wanted)| *wanted == target)
            .map(|(owner, _)| *owner)
            .collect();
        for owner in waiting {
            self.connecting.remove(&(owner, target.clone()));
            if let Some(Party::Call(placed)) = self.parties.get_mut(&owner) {
                placed.handle_unconnected(now, target.clone(), fault.clone());
            }
        }
    }

    fn deadline(&mut self, now: Now) {
        for (flow, target, remote) in self.flows.close_expired(now) {
            self.flow_lost(now, flow, target, &ConnectFault::TcpSlow(remote));
        }
        for request in &mut self.requests {
            request.handle_deadline(now);
        }
        self.drain_requests(now);
        self.transactions.handle_deadline(now);
        self.drain_transactions(now);
        if let Some(registration) = &mut self.registration {
            registration.handle_deadline(now);
        }
        for party in self.parties.values_mut() {
            match party {
                Party::Call(placed) => placed.handle_deadline(now),
                Party::Farewell(farewell) => farewell.handle_deadline(now),
            }
        }
    }

    /// Carries out what everybody wants until nobody wants anything, and lets go what is over.
    fn settle(&mut self, now: Now) {
        loop {
            self.drain_transactions(now);
            let owners: Vec<Owner> = self.parties.keys().copied().collect();
            let mut is_done = !self.drain_party(now, REGISTRATION);
            for owner in owners {
                is_done &= !self.drain_party(now, owner);
            }
            if is_done {
                break;
            }
        }
        self.forget_what_is_over();
        let (transactions, parties, requests) = (&self.transactions, &self.parties, &self.requests);
        let (connecting, registration) = (&self.connecting, &self.registration);
        self.flows.close_unused(now, |flow, target| {
            transactions.uses(flow)
                || connecting.iter().any(|(_, wanted)| wanted == target)
                || registration
                    .as_ref()
                    .is_some_and(|registration| registration.needs(target))
                || requests.iter().any(OutgoingRequest::is_locating)
                || parties.values().any(|party| match party {
                    Party::Call(placed) => placed.needs(target),
                    Party::Farewell(farewell) => farewell.needs(target),
                })
        });
        self.flows.keep_alive(now, |target| {
            registration
                .as_ref()
                .is_some_and(|registration| registration.keeps(target))
                || parties.values().any(|party| match party {
                    Party::Call(placed) => placed.keeps(target),
                    Party::Farewell(_) => false,
                })
        });
        self.drain_flows();
        self.tell_recovered();
    }

    /// What is being ended gives way to a call: first what only waits for an answer that hardly ever comes, then what
    /// has been asked for longest. That is still asked, but not by the next process.
    fn make_room(&mut self) {
        if self.parties.len() >= OWNERS {
            let farewells = || {
                self.parties.iter().filter_map(|(owner, party)| match party {
                    Party::Farewell(farewell) => Some((*owner, farewell)),
                    Party::Call(_) => None,
                })
            };
            let waits = farewells().find(|(_, farewell)| !farewell.is_pending());
            if let Some((oldest, _)) = waits.or_else(|| farewells().next()) {
                self.forget(oldest);
            }
        }
        if self.take_slot().is_none() {
            let is_farewell = |owner: &Owner| matches!(self.parties.get(owner), Some(Party::Farewell(_)));
            let oldest = self.slots.keys().copied().find(is_farewell);
            if let Some(slot) = oldest.and_then(|oldest| self.slots.remove(&oldest)) {
                tracing::warn!(
                    ?slot,
                    "many far ends do not answer our BYE; the record of the oldest gives way to a new call"
                );
            }
        }
    }

    fn forget_what_is_over(&mut self) {
        let over = self.parties.iter().filter(|(_, party)| match party {
            Party::Call(placed) => placed.is_ended(),
            Party::Farewell(farewell) => farewell.is_over(),
        });
        for owner in over.map(|(owner, _)| *owner).collect::<Vec<_>>() {
            self.forget(owner);
        }
    }

    fn forget(&mut self, owner: Owner) {
        self.parties.remove(&owner);
        self.peers.remove(&owner);
        self.slots.remove(&owner);
        self.connecting.retain(|(waiting, _)| *waiting != owner);
        self.requests
            .retain(|request| request.owner != owner || request.is_locating());
    }

    fn owner_of(&self, call: CallId) -> Option<Owner> {
        self.parties.iter().find_map(|(owner, party)| match party {
            Party::Call(placed) if placed.id() == call => Some(*owner),
            Party::Call(_) | Party::Farewell(_) => None,
        })
    }

    fn party_of(&mut self, call: CallId) -> Option<&mut Party> {
        let owner = self.owner_of(call)?;
        self.parties.get_mut(&owner)
    }

    fn next_owner(&mut self) -> Owner {
        self.next_owner += 1;
        Owner(self.next_owner)
    }

    /// A free slot; before the start those that the last process filled are not free.
    fn take_slot(&self) -> Option<Slot> {
        let is_free = |slot: &Slot| {
            !self.slots.values().any(|taken| taken == slot)
                && self.restored.get(*slot).is_none_or(<[u8]>::is_empty)
        };
        (0..Slot::DIALOGS).map(Slot::Dialog).find(is_free)
    }
}

impl Dialer for UserAgent {
    fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Start => self.start(now),
            Input::Command(command) => self.command(now, command),
            Input::Flow(flow, event) => self.flow(now, flow, event),
            Input::Names(query, answer) => self.names(now, query, answer),
            Input::Media(call, event) => self.media(now, call, event),
            Input::NetworkChanged => {
                if let Some(registration) = &mut self.registration {
                    registration.handle_network_change(now);
                }
            }
            Input::Stop => {
                if let Some(registration) = &mut self.registration {
                    registration.stop(now);
                }
            }
            Input::Settings(settings) => {
                self.profile = Arc::new(Profile::new(settings.sip));
                if let Some(registration) = &mut self.registration {
                    registration.take_profile(now, self.profile.clone());
                }
            }
            Input::Deadline => self.deadline(now),
        }
        self.settle(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Deadline> {
        let parties = self.parties.values().map(|party| match party {
            Party::Call(placed) => placed.next_deadline(),
            Party::Farewell(farewell) => farewell.next_deadline(),
        });
        let registration = self.registration.as_ref();
        let others = [
            self.flows.next_deadline(),
            self.transactions.next_deadline(),
            registration.and_then(Registration::next_deadline),
        ];
        let requests = self.requests.iter().map(OutgoingRequest::next_deadline);
        Deadline::earliest(parties.chain(others).chain(requests))
    }

    fn is_registered(&self, now: Now) -> Option<bool> {
        let is_wanted = !self.profile.settings.registrar.is_empty();
        let registration = self.registration.as_ref();
        is_wanted.then(|| registration.is_some_and(|registration| registration.is_proven(now)))
    }

    fn is_quiet(&self) -> bool {
        let is_leaving = self.registration.as_ref().is_some_and(Registration::is_pending);
        !is_leaving
            && self.parties.values().all(|party| match party {
                Party::Call(_) => false,
                Party::Farewell(farewell) => !farewell.is_pending(),
            })
    }
}

fn next_flow(number: &mut u64) -> FlowId {
    *number += 1;
    FlowId(*number)
}
