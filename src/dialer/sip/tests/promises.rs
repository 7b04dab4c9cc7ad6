//! The promises of [`Dialer`](crate::dialer::Dialer), on random walks: rooms that dial and hang up as they like, far
//! ends that answer anything to anything, flows that fail, time that passes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::harness::World;
use super::settings;
use super::transcript::description;
use crate::call::{CallCommand, CallEvent, CallId, DigitScript};
use crate::chance::Chance;
use crate::dialer::sip::Settings;
use crate::dialer::sip::headers::CSeq;
use crate::dialer::sip::uri::Uri;
use crate::dialer::sip::wire::{Message, Method, Request};
use crate::dialer::{Dialer, Input};
use crate::network::{ConnectFault, FlowEvent, FlowId, FlowRequest, NamesAnswer};
use crate::record::Restored;
use crate::secret::Secret;

/// What a walk has seen of each call.
#[derive(Default)]
struct Walk {
    calls: Vec<CallId>,
    requests: Vec<(FlowId, Request)>,
    ended: BTreeMap<CallId, usize>,
    steps: u32,
}

#[test]
fn every_dial_ends_once_and_leaves_nothing_behind() {
    let (mut answered, mut ends) = (0, 0);
    for seed in 0..150 {
        let mut chance = Chance::from_seed([seed; 32]);
        let with_password = Settings {
            password: Some(Secret::new("secret")),
            ..settings()
        };
        let mut world = World::with(with_password, Restored::default());
        let mut walk = Walk::default();
        for _ in 0..60 {
            walk.step(&mut world, &mut chance);
            answered += walk.look(&mut world);
        }
        for call in walk.calls.clone() {
            world.hang_up(call);
            walk.look(&mut world);
            assert_eq!(
                walk.ended.get(&call),
                Some(&1),
                "seed {seed}: hanging up ends at once"
            );
        }
        for _ in 0..40 {
            world
                .questions
                .drain(..)
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|(query, _)| {
                    world.input(Input::Names(query, NamesAnswer::Slow));
                });
            world.pass(Duration::from_secs(5));
            walk.look(&mut world);
        }
        assert!(
            walk.ended.values().all(|times| *times == 1),
            "seed {seed}: {:?}",
            walk.ended
        );
        assert_eq!(walk.ended.len(), walk.calls.len(), "seed {seed}");
        assert!(
            world.agent.is_quiet(),
            "seed {seed}: something is still being ended"
        );
        assert_eq!(world.dialogs_written(), 0, "seed {seed}: a record is left");
        assert_eq!(world.agent.next_deadline(), None, "seed {seed}: a state waits");
        ends += walk.ended.len();
    }
    assert!(
        answered > 50 && ends > 300,
        "the walks must get somewhere: {answered} answered, {ends} ended"
    );
}

impl Walk {
    fn step(&mut self, world: &mut World, chance: &mut Chance) {
        self.steps += 1;
        let pick = |chance: &mut Chance, from: usize| usize::try_from(chance.below(from as u64)).unwrap();
        match chance.below(20) {
            0..=1 => {
                let targets = [
                    "sip:m@192.0.2.20",
                    "sip:m@192.0.2.20;transport=tcp",
                    "sip:m@h.example",
                    "h323:x",
                ];
                let target = targets[pick(chance, targets.len())];
                self.calls
                    .push(world.dial_with(target, Duration::from_secs(1 + chance.below(90))));
            }
            2 if !self.calls.is_empty() => world.hang_up(self.calls[pick(chance, self.calls.len())]),
            3 if !self.calls.is_empty() => {
                let call = self.calls[pick(chance, self.calls.len())];
                let script = DigitScript::read("1,2#").unwrap();
                world.input(Input::Command(CallCommand::SendDigits { call, script }));
            }
            4 => world.pass(Duration::from_millis(chance.below(40_000))),
            5..=6 => world.pass(Duration::from_millis(chance.below(700))),
            7 if !world.questions.is_empty() => {
                let (query, _) = world.questions.pop_front().unwrap();
                let answer = match chance.below(3) {
                    0 => NamesAnswer::NotFound,
                    _ => NamesAnswer::Addresses(vec![
                        "192.0.2.20".parse().unwrap(),
                        "192.0.2.21".parse().unwrap(),
                    ]),
                };
                world.input(Input::Names(query, answer));
            }
            8 => self.fail_a_flow(world, chance),
            9..=10 => self.their_request(world, chance),
            _ => self.their_response(world, chance),
        }
    }

    fn fail_a_flow(&mut self, world: &mut World, chance: &mut Chance) {
        let connected = world.flows.iter().filter_map(|(flow, request)| match request {
            FlowRequest::ConnectUdp { remote, .. } => Some((*flow, *remote, false)),
            FlowRequest::ConnectTcp { remote } => Some((*flow, *remote, true)),
            _ => None,
        });
        let connected: Vec<_> = connected.collect();
        let Some((flow, remote, is_stream)) =
            connected.get(usize::try_from(chance.below(connected.len().max(1) as u64)).unwrap())
        else {
            return;
        };
        if *is_stream {
            world.flows.remove(flow);
            world.input(Input::Flow(*flow, FlowEvent::Closed));
        } else {
            world.input(Input::Flow(
                *flow,
                FlowEvent::Failed(ConnectFault::Refused(*remote)),
            ));
        }
    }

    fn their_response(&mut self, world: &mut World, chance: &mut Chance) {
        // Mostly to the newest requests: the old ones are dead.
        let back = usize::try_from(chance.below(4))
            .unwrap()
            .min(self.requests.len().saturating_sub(1));
        let Some((flow, request)) = self.requests.iter().rev().nth(back) else {
            return;
        };
        let statuses = [
            100, 180, 183, 200, 200, 200, 200, 302, 401, 407, 481, 486, 487, 503, 603,
        ];
        let status = statuses[usize::try_from(chance.below(statuses.len() as u64)).unwrap()];
        let mut response = request.response(status, "x");
        if request.to().unwrap().tag().is_none() {
            let tag = ["a", "a", "a", "b"][usize::try_from(chance.below(4)).unwrap()];
            response
                .headers
                .set("To", request.to().unwrap().with_tag(tag).to_string());
        }
        match status {
            401 => response.headers.push(
                "WWW-Authenticate",
                format!("Digest realm=\"x\", nonce=\"{}\"", chance.u32()),
            ),
            407 => response.headers.push(
                "Proxy-Authenticate",
                "Digest realm=\"p\", nonce=\"n\", stale=true",
            ),
            _ => {}
        }
        if chance.below(4) > 0 {
            response.headers.push("Content-Type", "application/sdp");
            response.body =
                description(["sendrecv", "plain", "port0"][usize::try_from(chance.below(3)).unwrap()]);
        }
        let contacts = [
            "<sip:t@192.0.2.20>",
            "<sip:t@named.example>",
            "<sip:t@192.0.2.20;transport=tcp>",
            "<tel:+1>",
        ];
        response
            .headers
            .push("Contact", contacts[usize::try_from(chance.below(4)).unwrap()]);
        response.headers.push("Allow", "INFO");
        let flow = if world.flows.contains_key(flow) {
            *flow
        } else {
            world.listening()
        };
        world.receive(flow, response.to_bytes());
    }

    fn their_request(&mut self, world: &mut World, chance: &mut Chance) {
        let mut invites = self
            .requests
            .iter()
            .filter(|(_, request)| request.method == Method::Invite);
        let Some((_, invite)) = invites.next_back() else {
            return;
        };
        let methods = [
            Method::Bye,
            Method::Invite,
            Method::Update,
            Method::Ack,
            Method::Info,
            Method::Cancel,
        ];
        let method = methods[usize::try_from(chance.below(6)).unwrap()].clone();
        let mut request = Request::new(method.clone(), Uri::parse("sip:room@192.0.2.10").unwrap());
        let headers = &mut request.headers;
        headers.push(
            "Via",
            format!("SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK{}", chance.u32()),
        );
        headers.push("Max-Forwards", "70");
        headers.push("From", invite.to().unwrap().with_tag("a").to_string());
        headers.push("To", invite.from().unwrap().to_string());
        headers.push("Call-ID", invite.call_id());
        headers.push(
            "CSeq",
            CSeq {
                number: self.steps,
                method,
            }
            .to_string(),
        );
        if chance.below(2) == 0 {
            headers.push("Content-Type", "application/sdp");
            request.body =
                description(["sendonly", "inactive", "port0"][usize::try_from(chance.below(3)).unwrap()]);
        }
        world.receive(world.listening(), request.to_bytes());
    }

    /// Takes what happened in; how many calls were answered.
    fn look(&mut self, world: &mut World) -> usize {
        while let Some(sent) = world.sent.pop_front() {
            if let Message::Request(request) = sent.message
                && request.method != Method::Ack
            {
                self.requests.push((sent.flow, request));
            }
        }
        let mut answered = 0;
        while let Some(event) = world.events.pop_front() {
            let call = match event {
                CallEvent::Proceeding { call }
                | CallEvent::Ringing { call }
                | CallEvent::DigitsSent { call }
                | CallEvent::DigitsFailed { call, .. } => call,
                CallEvent::Moved { call, contacts } => {
                    let allowed = contacts.iter().map(|_| self.steps.is_multiple_of(2)).collect();
                    world.input(Input::Command(CallCommand::Follow { call, allowed }));
                    call
                }
                CallEvent::Answered { call, .. } => {
                    answered += 1;
                    call
                }
                CallEvent::Ended { call, .. } => {
                    *self.ended.entry(call).or_default() += 1;
                    continue;
                }
            };
            assert!(
                !self.ended.contains_key(&call),
                "something was said of a call after its end"
            );
        }
        answered
    }
}
