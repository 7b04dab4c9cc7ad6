//! What the last process left behind is ended, wherever it was killed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::harness::World;
use super::settings;
use super::transcript::{description, state_of};
use crate::dialer::Output;
use crate::dialer::sip::Settings;
use crate::dialer::sip::wire::{Message, Method, Request, Response, read_datagram};
use crate::network::{FlowId, FlowRequest};
use crate::record::{Restored, Slot};

const TARGET: &str = "sip:meet@192.0.2.20";

/// A call that went as far as asked, and the INVITE it sent.
fn killed_when(state: &str) -> (Restored, Request) {
    let mut world = World::new();
    world.dial(TARGET);
    let (flow, invite) = world.next_request();
    if state != "inviting" {
        world.receive(flow, answer(&invite, 180).to_bytes());
    }
    if state == "confirmed" {
        world.receive(flow, answer(&invite, 200).to_bytes());
    }
    let restored = world.restored();
    assert_eq!(state_of(restored.get(Slot::Dialog(0)).unwrap()), state);
    (restored, invite)
}

fn answer(request: &Request, status: u16) -> Response {
    let mut response = request.response(status, "");
    response
        .headers
        .set("To", request.to().unwrap().with_tag("a").to_string());
    if request.method == Method::Invite && status == 200 {
        response.headers.push("Contact", "<sip:there@192.0.2.20>");
        response.headers.push("Content-Type", "application/sdp");
        response.body = description("sendrecv");
    }
    response
}

fn cseq(request: &Request) -> u32 {
    request.cseq().unwrap().number
}

#[test]
fn nothing_left_behind_is_said_at_once() {
    assert_eq!(World::new().recovered, [0]);
}

#[test]
fn a_confirmed_dialog_is_hung_up_from_the_same_port() {
    let (restored, invite) = killed_when("confirmed");
    let mut world = World::with(
        Settings {
            listen: vec!["0.0.0.0:7000".parse().unwrap()],
            ..settings()
        },
        restored,
    );
    let (flow, bye) = world.next_request();
    assert!(matches!(
        world.flows[&flow],
        FlowRequest::ConnectUdp { local_port: 5062, .. }
    ));
    assert_eq!((bye.method.clone(), cseq(&bye)), (Method::Bye, 2));
    assert_eq!(bye.call_id(), invite.call_id());
    assert_eq!(bye.uri.as_str(), "sip:there@192.0.2.20");
    assert_eq!(bye.to().unwrap().tag(), Some("a"));
    assert!(world.recovered.is_empty() && !world.agent_is_quiet());
    world.receive(flow, answer(&bye, 200).to_bytes());
    assert_eq!(world.recovered, [1]);
    assert!(world.dialogs_written() == 0 && world.agent_is_quiet());
    world.pass(Duration::from_secs(100));
    assert_eq!(world.recovered, [1]);
}

#[test]
fn a_dialog_is_ended_from_another_port_when_its_own_was_taken_in_between() {
    for state in ["inviting", "early", "confirmed"] {
        let (restored, invite) = killed_when(state);
        let mut world = World::with_taken(settings(), restored, [5062]);
        let (flow, request) = world.next_request();
        assert!(matches!(
            world.flows[&flow],
            FlowRequest::ConnectUdp { local_port: 0, .. }
        ));
        assert_eq!(request.call_id(), invite.call_id(), "{state}");
        let wanted = match state {
            "inviting" => Method::Invite,
            "early" => Method::Cancel,
            _ => Method::Bye,
        };
        assert_eq!(request.method, wanted, "{state}");
    }
}

#[test]
fn far_ends_that_never_answer_our_bye_leave_room_for_the_next_call() {
    let mut world = World::new();
    for number in 0..3 * Slot::DIALOGS {
        let call = world.dial(TARGET);
        let (flow, invite) = world.next_request();
        assert_eq!(invite.method, Method::Invite, "call {number}");
        world.receive(flow, answer(&invite, 200).to_bytes());
        assert!(world.dialogs_written() <= usize::from(Slot::DIALOGS));
        let of_this = |record: &Vec<u8>| String::from_utf8_lossy(record).contains(invite.call_id());
        assert_eq!(
            world.slots.values().filter(|record| of_this(record)).count(),
            1,
            "call {number}"
        );
        world.hang_up(call);
        world.sent.clear();
    }
    world.pass(Duration::from_secs(100));
    assert!(world.agent_is_quiet());
    assert_eq!(world.dialogs_written(), 0);
}

#[test]
fn a_call_among_silent_far_ends_is_ended_by_the_next_process() {
    let mut restored = Restored::default();
    for round in 0..40 {
        let mut world = World::with(settings(), restored);
        world.pass(Duration::from_secs(2));
        world.sent.clear();
        let call = world.dial(TARGET);
        let (flow, invite) = world.next_request();
        assert_eq!(invite.method, Method::Invite, "round {round}");
        world.receive(flow, answer(&invite, 180).to_bytes());
        if round % 2 == 0 {
            world.receive(flow, answer(&invite, 200).to_bytes());
        }
        if round % 3 == 0 {
            world.hang_up(call);
        }
        let killed = world.restored();
        let mut next = World::with(settings(), killed);
        let wanted = if round % 2 == 0 {
            Method::Bye
        } else {
            Method::Cancel
        };
        let is_ended = std::iter::from_fn(|| next.sent.pop_front()).any(|sent| match sent.message {
            Message::Request(request) => request.method == wanted && request.call_id() == invite.call_id(),
            Message::Response(_) => false,
        });
        assert!(is_ended, "round {round}");
        restored = next.restored();
    }
}

#[test]
fn a_dialog_that_is_gone_there_is_gone_here() {
    let (restored, _) = killed_when("confirmed");
    let mut world = World::with(settings(), restored);
    let (flow, bye) = world.next_request();
    world.receive(flow, answer(&bye, 481).to_bytes());
    assert_eq!(
        (world.recovered.as_slice(), world.dialogs_written()),
        ([1].as_slice(), 0)
    );
}

#[test]
fn a_repeated_answer_to_the_last_process_is_acknowledged() {
    let (restored, invite) = killed_when("confirmed");
    let mut world = World::with(settings(), restored);
    let (_, bye) = world.next_request();
    assert_eq!(bye.method, Method::Bye);
    world.receive(world.listening(), answer(&invite, 200).to_bytes());
    let (_, ack) = world.next_request();
    assert_eq!((ack.method.clone(), cseq(&ack)), (Method::Ack, 1));
}

#[test]
fn a_ringing_call_of_the_last_process_is_cancelled() {
    let (restored, invite) = killed_when("early");
    let mut world = World::with(settings(), restored);
    let (flow, cancel) = world.next_request();
    assert_eq!((cancel.method.clone(), cseq(&cancel)), (Method::Cancel, 1));
    assert_eq!(cancel.via_top(), invite.via_top());
    world.receive(flow, answer(&cancel, 200).to_bytes());
    assert!(world.recovered.is_empty());
    world.receive(flow, answer(&invite, 487).to_bytes());
    let (_, ack) = world.next_request();
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(
        (world.recovered.as_slice(), world.dialogs_written()),
        ([1].as_slice(), 0)
    );
}

#[test]
fn an_answer_that_crosses_the_cancel_of_the_next_process_is_hung_up() {
    let (restored, invite) = killed_when("early");
    let mut world = World::with(settings(), restored);
    let (flow, cancel) = world.next_request();
    assert_eq!(cancel.method, Method::Cancel);
    world.receive(flow, answer(&invite, 200).to_bytes());
    let (_, ack) = world.next_request();
    let (_, bye) = world.next_request();
    assert_eq!(
        (ack.method, bye.method.clone(), cseq(&bye)),
        (Method::Ack, Method::Bye, 2)
    );
    world.receive(flow, answer(&bye, 200).to_bytes());
    assert_eq!(
        (world.recovered.as_slice(), world.dialogs_written()),
        ([1].as_slice(), 0)
    );
}

#[test]
fn an_invite_without_response_is_sent_again_and_cancelled() {
    let (restored, invite) = killed_when("inviting");
    let mut world = World::with(settings(), restored);
    let (flow, again) = world.next_request();
    assert_eq!(again, invite);
    world.receive(flow, answer(&invite, 100).to_bytes());
    let (_, cancel) = world.next_request();
    assert_eq!(cancel.method, Method::Cancel);
    world.receive(flow, answer(&invite, 487).to_bytes());
    assert_eq!(
        (world.recovered.as_slice(), world.dialogs_written()),
        ([1].as_slice(), 0)
    );
}

#[test]
fn silence_is_given_up_after_32_seconds() {
    for state in ["inviting", "early", "confirmed"] {
        let (restored, _) = killed_when(state);
        let mut world = World::with(settings(), restored);
        world.pass(Duration::from_millis(31_999));
        assert!(
            world.recovered.is_empty() && world.dialogs_written() == 1,
            "{state}"
        );
        world.pass(Duration::from_millis(1));
        assert_eq!(
            (world.recovered.as_slice(), world.dialogs_written()),
            ([1].as_slice(), 0),
            "{state}"
        );
    }
}

#[test]
fn foreign_and_broken_records_are_erased_without_a_message() {
    let (restored, _) = killed_when("confirmed");
    let good = restored.get(Slot::Dialog(0)).unwrap().to_vec();
    let text = String::from_utf8(good.clone()).unwrap();
    let broken = [
        b"{".to_vec(),
        vec![0xff; 100],
        b"null".to_vec(),
        good[..good.len() / 2].to_vec(),
        text.replace("\"version\":1", "\"version\":2").into_bytes(),
        text.replace("\"dialer\":\"sip\"", "\"dialer\":\"h323\"")
            .into_bytes(),
        text.replace("INVITE sip:", "OPTIONS sip:").into_bytes(),
        text.replace("sip:there@", "there@").into_bytes(),
        text.replace("z9hG4bK", "").into_bytes(),
        text.replace("Via: ", "Xia: ").into_bytes(),
    ];
    for content in broken {
        let shown = String::from_utf8_lossy(&content).into_owned();
        let restored = Restored(vec![(Slot::Dialog(3), content)]);
        let world = World::with(settings(), restored);
        assert!(world.sent.is_empty(), "{shown}");
        assert_eq!(
            (world.recovered.as_slice(), world.dialogs_written()),
            ([0].as_slice(), 0),
            "{shown}"
        );
    }
}

#[test]
fn a_mutated_record_never_panics() {
    let (restored, _) = killed_when("confirmed");
    let good = restored.get(Slot::Dialog(0)).unwrap().to_vec();
    let mut chance = crate::chance::Chance::from_seed([3; 32]);
    for _ in 0..300 {
        let mut content = good.clone();
        let at = usize::try_from(chance.below(content.len() as u64)).unwrap();
        content[at] = chance.u32() as u8;
        let mut world = World::with(settings(), Restored(vec![(Slot::Dialog(0), content)]));
        world.questions.clear();
        world.pass(Duration::from_secs(80));
        assert_eq!(world.recovered.len(), 1);
    }
}

/// A far end that answers by the book, and knows which of its dialogs live.
#[derive(Clone, Default)]
struct FarEnd {
    /// INVITEs by branch: answered with 2xx or not, acknowledged or not, cancelled.
    calls: BTreeMap<String, FarCall>,
}

#[derive(Clone)]
struct FarCall {
    invite: Request,
    is_answered: bool,
    is_over: bool,
}

impl FarEnd {
    fn branch(request: &Request) -> String {
        request.via_top().unwrap().branch().unwrap().to_owned()
    }

    /// Takes a request and gives its answers; an INVITE rings only until [`FarEnd::pick_up`].
    fn take(&mut self, request: &Request) -> Vec<Response> {
        match request.method {
            Method::Invite => {
                let call = self
                    .calls
                    .entry(Self::branch(request))
                    .or_insert_with(|| FarCall {
                        invite: request.clone(),
                        is_answered: false,
                        is_over: false,
                    });
                match (call.is_answered, call.is_over) {
                    (true, false) => vec![answer(request, 200)],
                    (_, true) => vec![answer(request, 487)],
                    (false, false) => vec![answer(request, 180)],
                }
            }
            Method::Cancel => match self.calls.get_mut(&Self::branch(request)) {
                Some(call) if !call.is_answered => {
                    call.is_over = true;
                    vec![answer(request, 200), answer(&call.invite, 487)]
                }
                Some(call) => vec![answer(request, 200), answer(&call.invite, 200)],
                None => vec![answer(request, 481)],
            },
            Method::Bye => {
                let call = self
                    .calls
                    .values_mut()
                    .find(|call| call.invite.call_id() == request.call_id());
                match call {
                    Some(call) if call.is_answered && request.to().unwrap().tag() == Some("a") => {
                        call.is_over = true;
                        vec![answer(request, 200)]
                    }
                    _ => vec![answer(request, 481)],
                }
            }
            _ => Vec::new(),
        }
    }

    fn pick_up(&mut self) -> Vec<Response> {
        let ringing = self
            .calls
            .values_mut()
            .filter(|call| !call.is_answered && !call.is_over);
        ringing
            .map(|call| {
                call.is_answered = true;
                answer(&call.invite, 200)
            })
            .collect()
    }

    fn alive(&self) -> usize {
        self.calls.values().filter(|call| !call.is_over).count()
    }
}

/// A normal call; what it wanted done, and before which of those the far end did something by itself.
fn outputs_of_a_normal_call() -> (Vec<Output>, usize) {
    let mut world = World::new();
    let call = world.dial(TARGET);
    let (flow, invite) = world.next_request();
    world.receive(flow, answer(&invite, 180).to_bytes());
    let before_answer = world.all.len();
    world.receive(flow, answer(&invite, 200).to_bytes());
    world.hang_up(call);
    let bye = world.sent.iter().find_map(|sent| match &sent.message {
        Message::Request(request) if request.method == Method::Bye => Some(request.clone()),
        _ => None,
    });
    world.receive(flow, answer(&bye.unwrap(), 200).to_bytes());
    assert_eq!(world.dialogs_written(), 0);
    (world.all, before_answer)
}

#[test]
fn killed_anywhere_nothing_stays_alive_at_the_far_end() {
    let (outputs, before_answer) = outputs_of_a_normal_call();
    let mut ended_by_recovery = 0;
    for survived in 0..=outputs.len() {
        // Once with and once without the far end's answer having been on its way when we died.
        for picks_up_afterwards in [false, true] {
            let (mut far, mut slots) = (FarEnd::default(), BTreeMap::new());
            for (index, output) in outputs[..survived].iter().enumerate() {
                if index == before_answer {
                    far.pick_up();
                }
                match output {
                    Output::Record(slot, content) => {
                        slots.insert(*slot, content.clone());
                    }
                    Output::Erase(slot) => {
                        slots.remove(slot);
                    }
                    Output::Transmit { bytes, .. } => {
                        if let Ok(Message::Request(request)) = read_datagram(bytes) {
                            far.take(&request);
                        }
                    }
                    _ => {}
                }
            }
            if picks_up_afterwards {
                far.pick_up();
            }
            let alive_before = far.alive();
            let mut world = World::with(settings(), Restored(slots.into_iter().collect()));
            converse(&mut world, &mut far);
            assert_eq!(
                far.alive(),
                0,
                "killed after {survived} of {} outputs",
                outputs.len()
            );
            assert_eq!(
                (world.recovered.len(), world.dialogs_written()),
                (1, 0),
                "killed after {survived}"
            );
            ended_by_recovery += alive_before;
        }
    }
    assert!(
        ended_by_recovery > 5,
        "the walk must meet living dialogs, it met {ended_by_recovery}"
    );
}

/// Passes messages until both sides are silent for good.
fn converse(world: &mut World, far: &mut FarEnd) {
    for _ in 0..40 {
        while let Some(sent) = world.sent.pop_front() {
            let Message::Request(request) = &sent.message else {
                continue;
            };
            for response in far.take(request) {
                let flow = if world.flows.contains_key(&sent.flow) {
                    sent.flow
                } else {
                    FlowId(1)
                };
                world.receive(flow, response.to_bytes());
            }
        }
        world.pass(Duration::from_secs(1));
    }
}
