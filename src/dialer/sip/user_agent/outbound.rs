//! What calls and farewells want, carried out.

use std::net::IpAddr;

use super::{Asker, OWNERS, Party, REGISTRATION, UserAgent, next_flow};
use crate::dialer::Output;
use crate::dialer::sip::farewell::Farewell;
use crate::dialer::sip::headers::CSeq;
use crate::dialer::sip::leg::Act;
use crate::dialer::sip::locate::Target;
use crate::dialer::sip::outbound_call::Reached;
use crate::dialer::sip::request::{self, OutgoingRequest};
use crate::dialer::sip::transaction::table::{ClientKey, Owner, TableOutput};
use crate::dialer::sip::transaction::{Failure, Path};
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::dialer::sip::{flows, listening};
use crate::network::{QueryId, Question, Transport};
use crate::record::Slot;
use crate::time::Now;

impl UserAgent {
    /// Carries out what one call or farewell wants; whether it wanted anything.
    pub(super) fn drain_party(&mut self, now: Now, owner: Owner) -> bool {
        let mut had_any = false;
        loop {
            let registration = self.registration.as_mut().filter(|_| owner == REGISTRATION);
            let act = match self.parties.get_mut(&owner) {
                Some(Party::Call(placed)) => placed.poll_output(),
                Some(Party::Farewell(farewell)) => farewell.poll_output(),
                None => registration.and_then(|registration| registration.poll_output()),
            };
            let Some(act) = act else { return had_any };
            had_any = true;
            self.carry_out(now, owner, act);
        }
    }

    fn carry_out(&mut self, now: Now, owner: Owner, act: Act) {
        match act {
            Act::Event(event) => self.outputs.push_back(Output::Event(event)),
            Act::Media(command) => {
                if let Some(Party::Call(placed)) = self.parties.get(&owner) {
                    self.outputs.push_back(Output::Media(placed.id(), command));
                }
            }
            Act::Met(addresses) => self.meet(owner, addresses),
            Act::LookUp(question) => self.ask(Asker::Call(owner), question),
            Act::Connect(target) => {
                self.connecting.insert((owner, target));
                self.follow_connecting(now);
            }
            Act::Send(request, whither) | Act::Acknowledge(request, whither) => {
                self.requests.push(OutgoingRequest::start(
                    now,
                    owner,
                    request,
                    whither,
                    &mut self.chance,
                ));
                self.drain_requests(now);
            }
            Act::Resume(invite, target) => {
                let port = self.local_port(owner, &target);
                let path = self.path_to(now, &target, port);
                self.transactions.resume(owner, path, invite);
            }
            Act::Abandon(key) => {
                self.transactions.abandon(&key);
                self.requests.retain(|request| request.key() != key);
            }
            Act::Respond(key, response) => {
                self.transactions.respond(now, &key, &response);
                self.drain_transactions(now);
            }
            Act::Record(content) => self.record(owner, content),
            Act::Erase => {
                if let Some(slot) = self.slots.remove(&owner) {
                    self.outputs.push_back(Output::Erase(slot));
                    self.outputs.push_back(Output::Sync);
                }
            }
            Act::Sync => self.outputs.push_back(Output::Sync),
            Act::Leave(farewell) => {
                self.parties.insert(owner, Party::Farewell(farewell));
            }
            Act::Part(farewell) => self.part(now, owner, farewell),
            Act::Fork(farewell) => {
                if self.parties.len() >= OWNERS {
                    tracing::warn!(
                        limit = OWNERS,
                        "too many far ends answered one INVITE, one is not hung up"
                    );
                    return;
                }
                let heir = self.next_owner();
                self.share_peers(owner, heir);
                self.parties.insert(heir, Party::Farewell(farewell));
                self.drain_party(now, heir);
            }
        }
    }

    /// The last INVITE of a call, its transaction and its record go to a farewell of their own.
    fn part(&mut self, now: Now, owner: Owner, farewell: Box<Farewell>) {
        self.make_room();
        let heir = self.next_owner();
        if let Some(invitation) = farewell.invitation() {
            let key = ClientKey::of_request(&invitation.request);
            self.transactions.give(&key, heir);
            for request in self.requests.iter_mut().filter(|request| request.key() == key) {
                request.owner = heir;
            }
        }
        if let Some(slot) = self.slots.remove(&owner) {
            self.slots.insert(heir, slot);
        }
        self.share_peers(owner, heir);
        self.parties.insert(heir, Party::Farewell(farewell));
        self.drain_party(now, heir);
    }

    /// The far end of a party was met at these addresses.
    pub(super) fn meet(&mut self, owner: Owner, addresses: impl IntoIterator<Item = IpAddr>) {
        if self.parties.contains_key(&owner) {
            let peers = self.peers.entry(owner).or_default();
            addresses.into_iter().for_each(|address| peers.meet(address));
        }
    }

    /// Another dialog of the same INVITE has the same far end.
    fn share_peers(&mut self, owner: Owner, heir: Owner) {
        if let Some(peers) = self.peers.get(&owner).cloned() {
            self.peers.insert(heir, peers);
        }
    }

    /// A slot is taken when there is first something to write.
    fn record(&mut self, owner: Owner, content: Vec<u8>) {
        let slot: Option<Slot> = self.slots.get(&owner).copied().or_else(|| self.take_slot());
        match slot {
            Some(slot) => {
                self.slots.insert(owner, slot);
                self.outputs.push_back(Output::Record(slot, content));
            }
            None => tracing::warn!("too many dialogs at once, one is not written down"),
        }
    }

    fn ask(&mut self, asker: Asker, question: Question) {
        self.next_number += 1;
        let query = QueryId(self.next_number);
        self.questions.insert(query, asker);
        self.outputs.push_back(Output::LookUp(query, question));
    }

    /// Tells calls whose target has an open flow; opens those that can be opened.
    pub(super) fn follow_connecting(&mut self, now: Now) {
        if !self.listening.is_settled() {
            // Datagrams leave from the port we listen at, which is not known yet.
            return;
        }
        for (owner, target) in self.connecting.clone() {
            let port = self.listening.port_for(target.address.ip());
            self.path_to(now, &target, port.unwrap_or(0));
            let Some(source) = self.flows.local(&target) else {
                continue;
            };
            self.connecting.remove(&(owner, target.clone()));
            // Without a listener, as there is none for TLS, the far end finds us where the request came from.
            let port = match target.transport {
                Transport::Udp | Transport::Tcp => port.unwrap_or(source.port()),
                Transport::Tls => source.port(),
            };
            let reached = Reached { target, source, port };
            match (self.parties.get_mut(&owner), &mut self.registration) {
                (Some(Party::Call(placed)), _) => placed.handle_connected(now, reached),
                (None, Some(registration)) if owner == REGISTRATION => {
                    registration.handle_connected(now, reached);
                }
                (Some(Party::Farewell(_)) | None, _) => {}
            }
        }
        let (parties, registration) = (&self.parties, self.registration.as_ref());
        self.connecting
            .retain(|(owner, target)| match parties.get(owner) {
                Some(Party::Call(placed)) => placed.needs(target),
                Some(Party::Farewell(_)) => false,
                None => *owner == REGISTRATION && registration.is_some_and(|wants| wants.needs(target)),
            });
    }

    fn local_port(&self, owner: Owner, target: &Target) -> u16 {
        let invitation = match self.parties.get(&owner) {
            Some(Party::Farewell(farewell)) => farewell.invitation().map(|invitation| invitation.local_port),
            Some(Party::Call(_)) | None => None,
        };
        invitation
            .or_else(|| self.listening.port_for(target.address.ip()))
            .unwrap_or(0)
    }

    fn path_to(&mut self, now: Now, target: &Target, local_port: u16) -> Path {
        let number = &mut self.next_number;
        let path = self.flows.path_to(now, target, local_port, || next_flow(number));
        self.drain_flows();
        path
    }

    /// Moves requests along, as far as they go.
    pub(super) fn drain_requests(&mut self, now: Now) {
        let mut index = 0;
        while index < self.requests.len() {
            let request = &mut self.requests[index];
            let owner = request.owner;
            match request.poll_output() {
                Some(request::Output::Ask(question)) => {
                    if let Some(cseq) = request.request().cseq() {
                        self.ask(Asker::Request(owner, cseq), question);
                    }
                }
                Some(request::Output::Met(addresses)) => self.meet(owner, addresses),
                Some(request::Output::Send(request, target)) => self.send(now, owner, *request, target),
                Some(request::Output::Failed(failure)) => {
                    let cseq = request.request().cseq();
                    self.fail(now, owner, cseq, failure);
                }
                None => index += 1,
            }
        }
        // An ACK has no answer to wait for.
        self.requests.retain(|request| {
            !request.is_over() && (request.is_locating() || request.request().method != Method::Ack)
        });
    }

    fn send(&mut self, now: Now, owner: Owner, request: Request, target: Target) {
        self.meet(owner, [target.address.ip()]);
        let port = self.local_port(owner, &target);
        let path = self.path_to(now, &target, port);
        tracing::trace!(method = %request.method, remote = %target.address, "SIP request leaves");
        if request.method == Method::Ack {
            self.transmit(path, request.to_bytes());
        } else {
            self.transactions.start(now, owner, path, request);
            self.drain_transactions(now);
        }
    }

    pub(super) fn drain_transactions(&mut self, now: Now) {
        while let Some(output) = self.transactions.poll_output() {
            match output {
                TableOutput::Transmit(path, bytes) => self.transmit(path, bytes),
                TableOutput::TransmitAnew(target, bytes) => {
                    let path = self.path_to(now, &target, 0);
                    self.transmit(path, bytes);
                }
                TableOutput::Answered(owner, key, response) => {
                    if !response.is_provisional() {
                        self.requests.retain(|request| request.key() != key);
                    }
                    self.answered(now, owner, &response);
                }
                TableOutput::Failed(_, key, failure) => {
                    if let Some(request) = self.requests.iter_mut().find(|request| request.key() == key) {
                        request.handle_failure(failure, &mut self.chance);
                        self.drain_requests(now);
                    }
                }
            }
        }
    }

    /// A response for whoever it belongs to: of several dialogs from one INVITE, the one with its tag.
    pub(super) fn answered(&mut self, now: Now, owner: Owner, response: &Response) {
        tracing::trace!(status = response.status, "SIP response came");
        let is_invite = response.cseq().is_some_and(|cseq| cseq.method == Method::Invite);
        let dialog = self.parties.iter().find(|(_, party)| match party {
            Party::Call(placed) => placed.is_answered_by(response),
            Party::Farewell(farewell) => farewell.is_answered_by(response),
        });
        let owner = match dialog.map(|(owner, _)| *owner) {
            Some(dialog) if is_invite && response.is_success() => dialog,
            Some(_) | None => owner,
        };
        match self.parties.get_mut(&owner) {
            Some(Party::Call(placed)) => placed.handle_response(now, response),
            Some(Party::Farewell(farewell)) => farewell.handle_response(now, response),
            None => {
                if let Some(registration) = self.registration.as_mut().filter(|_| owner == REGISTRATION) {
                    registration.handle_response(now, response);
                }
            }
        }
        self.drain_party(now, owner);
    }

    fn fail(&mut self, now: Now, owner: Owner, cseq: Option<CSeq>, failure: Failure) {
        let Some(cseq) = cseq else { return };
        match self.parties.get_mut(&owner) {
            Some(Party::Call(placed)) => placed.handle_failure(now, &cseq, failure),
            Some(Party::Farewell(farewell)) => farewell.handle_failure(now, &cseq.method, &failure),
            None => {
                if let Some(registration) = self.registration.as_mut().filter(|_| owner == REGISTRATION) {
                    registration.handle_failure(now, cseq.number, &failure);
                }
            }
        }
    }

    pub(super) fn transmit(&mut self, path: Path, bytes: Vec<u8>) {
        self.flows.transmit(path, bytes);
        self.drain_flows();
    }

    pub(super) fn drain_flows(&mut self) {
        while let Some(output) = self.flows.poll_output() {
            self.outputs.push_back(match output {
                flows::Output::Open(flow, request) => Output::OpenFlow(flow, request),
                flows::Output::Transmit(Path { flow, to, .. }, bytes) => Output::Transmit { flow, to, bytes },
                flows::Output::Close(flow) => Output::CloseFlow(flow),
            });
        }
    }

    pub(super) fn drain_listening(&mut self) {
        while let Some(output) = self.listening.poll_output() {
            match output {
                listening::Output::Open(flow, request) => {
                    self.outputs.push_back(Output::OpenFlow(flow, request))
                }
                listening::Output::RecordPorts(content) => {
                    self.outputs.push_back(Output::Record(Slot::Ports, content));
                    self.outputs.push_back(Output::Sync);
                }
            }
        }
    }
}
