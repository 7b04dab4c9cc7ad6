//! What others send: framed, read, and answered when no call of ours wants it.

use std::net::SocketAddr;

use super::{Party, UserAgent};
use crate::dialer::sip::compose;
use crate::dialer::sip::peers::Origin;
use crate::dialer::sip::transaction::Path;
use crate::dialer::sip::transaction::table::{Arrival, Owner, ServerKey};
use crate::dialer::sip::wire::inspection::refusal;
use crate::dialer::sip::wire::{
    Malformed, Message, Method, Request, Response, StreamItem, is_keep_alive, read_datagram,
};
use crate::network::{ConnectFault, FlowId};
use crate::time::Now;

/// The answer to a keep-alive on a stream (RFC 5626 3.5.1).
const PONG: &[u8] = b"\r\n";

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// The far end of a dialog of ours, which is this party's.
    Peer(Owner),
    /// Somebody who knows the dialog and is not where its far end is.
    Stranger(Owner),
    /// It belongs to no dialog of ours.
    Nobody,
}

impl UserAgent {
    /// Bytes came.
    pub(super) fn received(&mut self, now: Now, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        let Some(reader) = self.flows.reader(now, flow) else {
            return self.datagram(now, flow, from, bytes);
        };
        reader.push(bytes);
        let path = Path {
            flow,
            to: None,
            is_reliable: true,
        };
        while let Some(item) = self.flows.reader(now, flow).and_then(|reader| reader.next()) {
            match item {
                Ok(StreamItem::Message(message)) => self.message(now, path, from, message),
                Ok(StreamItem::KeepAlivePing) if self.flows.is_accepted(flow) => {
                    self.transmit(path, PONG.to_vec())
                }
                Ok(StreamItem::KeepAlivePong) => self.flows.note_pong(flow),
                Ok(StreamItem::KeepAlivePing) => {}
                Err(malformed) => {
                    self.refuse_malformed(path, from, &malformed);
                    if malformed.fatal {
                        let target = self.flows.target(flow);
                        self.flows.close(flow);
                        self.flow_lost(now, flow, target, &ConnectFault::Refused(from));
                        return;
                    }
                }
            }
        }
    }

    fn datagram(&mut self, now: Now, flow: FlowId, from: SocketAddr, bytes: &[u8]) {
        if is_keep_alive(bytes) {
            return;
        }
        let to = self.flows.target(flow).is_none().then_some(from);
        let path = Path {
            flow,
            to,
            is_reliable: false,
        };
        match read_datagram(bytes) {
            Ok(message) => self.message(now, path, from, message),
            Err(malformed) => self.refuse_malformed(path, from, &malformed),
        }
    }

    fn refuse_malformed(&mut self, path: Path, from: SocketAddr, malformed: &Malformed) {
        self.malformed = self.malformed.saturating_add(1);
        tracing::debug!(remote = %from, count = self.malformed, why = %malformed, "malformed SIP message");
        if let Some(bad) = &malformed.answer {
            self.transmit(path, bad.response().to_bytes());
        }
    }

    fn message(&mut self, now: Now, path: Path, from: SocketAddr, message: Message) {
        match message {
            Message::Request(mut request) => {
                tracing::trace!(method = %request.method, remote = %from, "SIP request came");
                request.note_source(from);
                self.request(now, path, from, &request);
            }
            Message::Response(response) => {
                if let Some((owner, flow)) = self.transactions.request_of(&response) {
                    self.meet(owner, [from.ip()]);
                    if let Some(target) = self.flows.target(flow) {
                        self.out_of_service.note(now, &target, &response);
                    }
                }
                if let Some(stray) = self.transactions.handle_response(now, response) {
                    self.stray(now, &stray);
                }
                self.drain_transactions(now);
            }
        }
    }

    /// A response to an INVITE whose transaction is gone still counts for its call (RFC 3261 13.2.2.4).
    fn stray(&mut self, now: Now, response: &Response) {
        let is_invite = response.cseq().is_some_and(|cseq| cseq.method == Method::Invite);
        let owner = self.parties.iter().find(|(_, party)| {
            let invite = match party {
                Party::Call(_) => None,
                Party::Farewell(farewell) => farewell.invitation().map(|invitation| &invitation.request),
            };
            match (party, invite) {
                (Party::Call(placed), _) => placed.is_answered_by(response),
                (_, Some(invite)) => {
                    let tag = |from: Option<_>| {
                        from.and_then(|from: super::super::headers::NameAddr| from.tag().map(str::to_owned))
                    };
                    invite.call_id() == response.call_id()
                        && tag(invite.from()) == tag(response.from())
                        && invite.cseq() == response.cseq()
                }
                (_, None) => false,
            }
        });
        match owner.map(|(owner, _)| *owner) {
            Some(owner) if is_invite && response.status < 300 => self.answered(now, owner, response),
            Some(_) | None => {
                tracing::debug!(status = response.status, "a SIP response that nobody waits for")
            }
        }
    }

    fn request(&mut self, now: Now, path: Path, from: SocketAddr, request: &Request) {
        let opened = self.flows.target(path.flow);
        let origin = Origin::new(from, opened.as_ref().map(|target| target.transport));
        let sender = self.sender_of(request, origin);
        let is_ours = matches!(sender, Sender::Peer(_));
        let arrival = self
            .transactions
            .handle_request(now, path, opened.as_ref(), request, is_ours);
        self.drain_transactions(now);
        match (arrival, sender) {
            (Arrival::Absorbed, _) => {}
            (Arrival::Acknowledgement, Sender::Peer(owner)) => {
                if let Some(Party::Call(placed)) = self.parties.get_mut(&owner) {
                    placed.handle_acknowledgement(now, request);
                }
            }
            (Arrival::Acknowledgement, Sender::Stranger(_) | Sender::Nobody) => {}
            (Arrival::New(key), sender) => self.new_request(now, key, sender, request),
        }
    }

    fn new_request(&mut self, now: Now, key: ServerKey, sender: Sender, request: &Request) {
        if request.method == Method::Cancel {
            // Every INVITE is answered at once: its CANCEL comes too late or for nothing (RFC 3261 9.2).
            let status = if self.transactions.knows(&ServerKey::of_cancelled(request)) {
                200
            } else {
                481
            };
            return self.respond(now, &key, request, status);
        }
        let is_known = compose::ABILITIES.methods.contains(&request.method);
        if let Some(refusal) = refusal(request, compose::ABILITIES).filter(|_| is_known) {
            let tag = self.chance.hex(8);
            let response = compose::signed(refusal, &tag);
            return self.transactions.respond(now, &key, &response);
        }
        match sender {
            Sender::Peer(owner) => match self.parties.get_mut(&owner) {
                Some(Party::Call(placed)) => placed.handle_request(now, key, request),
                Some(Party::Farewell(farewell)) => farewell.handle_request(key, request),
                None => self.outside_request(now, &key, request),
            },
            Sender::Stranger(owner) => self.strange_request(now, owner, &key, request),
            Sender::Nobody => self.outside_request(now, &key, request),
        }
    }

    /// A request in a dialog of ours from where its far end was never met: nothing comes of it but, for a BYE, that
    /// the far end is asked.
    fn strange_request(&mut self, now: Now, owner: Owner, key: &ServerKey, request: &Request) {
        tracing::warn!(method = %request.method, "a SIP request in a dialog of ours comes from a stranger and is refused");
        self.respond(now, key, request, 403);
        if let Some(Party::Call(placed)) = self.parties.get_mut(&owner)
            && request.method == Method::Bye
        {
            placed.doubt(now, request);
        }
    }

    /// A request that is in no dialog of ours.
    fn outside_request(&mut self, now: Now, key: &ServerKey, request: &Request) {
        let claims_a_dialog = request.to().is_some_and(|to| to.tag().is_some());
        let is_in_call = self.parties.values().any(|party| matches!(party, Party::Call(_)));
        let status = match &request.method {
            Method::Invite if request.headers.get("Replaces").is_some() => 403,
            _ if claims_a_dialog => 481,
            Method::Invite if is_in_call => 486,
            Method::Invite => self.profile.settings.inbound,
            Method::Options => 200,
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify => 481,
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Refer
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => 405,
        };
        self.respond(now, key, request, status);
    }

    fn respond(&mut self, now: Now, key: &ServerKey, request: &Request, status: u16) {
        let tag = self.chance.hex(8);
        let response = match status {
            200 | 405 => compose::answer_with_allow(request, status, &tag),
            _ => compose::answer(request, status, &tag),
        };
        self.transactions.respond(now, key, &response);
    }

    fn sender_of(&self, request: &Request, origin: Origin) -> Sender {
        let leg = self.parties.iter().find_map(|(owner, party)| {
            let leg = match party {
                Party::Call(placed) => placed.leg_of(request),
                Party::Farewell(farewell) => farewell.leg_of(request),
            };
            leg.map(|leg| (*owner, leg))
        });
        let Some((owner, leg)) = leg else {
            return Sender::Nobody;
        };
        match self
            .peers
            .get(&owner)
            .is_some_and(|peers| peers.include(origin, leg))
        {
            true => Sender::Peer(owner),
            false => Sender::Stranger(owner),
        }
    }
}
