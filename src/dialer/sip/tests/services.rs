//! Calls to domains whose servers are found by NAPTR and SRV.

use super::harness::World;
use super::transcript::{play, play_with_password};
use crate::call::{CallEvent, EndReason};
use crate::dialer::sip::wire::{Method, Request};
use crate::network::{CertFault, ConnectFault, FlowId, NamesAnswer, Naptr, Question, Srv, Transport};

#[test]
fn a_503_leads_to_the_next_server_and_the_last_one_ends_the_call() {
    let mut world = World::new();
    world.has_services = true;
    let call = world.dial("sip:meet@example.com");
    located(&mut world);
    let (first, invite) = world.next_request();
    world.receive(first, invite.response(100, "Trying").to_bytes());
    refuse(&mut world, first, &invite);
    let (second, again) = world.next_request();
    assert_ne!(first, second);
    assert_eq!(again.method, Method::Invite);
    assert_eq!(again.call_id(), invite.call_id());
    assert_ne!(again.headers.get("CSeq"), invite.headers.get("CSeq"));
    refuse(&mut world, second, &again);
    let refused = world.events.iter().any(|event| {
        matches!(event, CallEvent::Ended { call: ended, reason: EndReason::Refused { status: 503, .. } } if *ended == call)
    });
    assert!(refused, "{:?}", world.events);
    assert_eq!(world.dialogs_written(), 0);
}

#[test]
fn a_server_out_of_service_is_passed_over_for_as_long_as_it_said() {
    play(transcript!("out_of_service"));
}

#[test]
fn naptr_decides_the_transport_of_the_call() {
    let mut world = World::new();
    world.has_services = true;
    world.dial("sip:meet@example.com");
    let record = Naptr {
        order: 1,
        preference: 1,
        flags: "s".to_owned(),
        service: "SIP+D2T".to_owned(),
        replacement: "tcp.example.net".to_owned(),
    };
    world.answer_services(Some(NamesAnswer::Naptr(vec![record])));
    let asked = world.answer_services(Some(NamesAnswer::Srv(vec![server(1, "192.0.2.20")])));
    assert_eq!(asked, Question::Srv("tcp.example.net".to_owned()));
    let (flow, invite) = world.next_request();
    assert_eq!(world.transport_of(flow), Transport::Tcp);
    assert!(invite.headers.get("Via").unwrap().starts_with("SIP/2.0/TCP"));
}

#[test]
fn a_silent_target_is_left_for_the_next_and_its_late_answer_is_ended() {
    play(transcript!("silent_target"));
}

#[test]
fn a_target_that_was_left_and_rings_late_is_cancelled() {
    play(transcript!("silent_target_rings_late"));
}

#[test]
fn the_last_silent_target_is_not_left() {
    play(transcript!("silent_targets"));
}

#[test]
fn the_addresses_of_one_server_race() {
    play(transcript!("addresses_race"));
}

#[test]
fn a_refused_address_gives_way_at_once() {
    play(transcript!("addresses_race_refused"));
}

#[test]
fn a_server_whose_connection_is_not_answered_is_left_after_two_seconds() {
    play(transcript!("silent_server_connects_to_next"));
}

#[test]
fn a_long_invite_takes_a_stream() {
    play(transcript!("long_invite_by_stream"));
}

#[test]
fn a_long_invite_leaves_as_a_datagram_where_streams_are_refused() {
    play_with_password(transcript!("long_invite_refused_by_stream"));
}

#[test]
fn a_long_invite_waits_a_second_for_a_stream() {
    play(transcript!("long_invite_by_slow_stream"));
}

#[test]
fn the_usual_invite_fits_a_datagram() {
    let mut world = World::new();
    // The longest user and host that a room is likely to dial, with everything that we offer.
    world.dial("sip:123456789012.123456.leader.0123456789@conference-and-lobby.example.com:5060");
    world.answer_names(&["192.0.2.20"]);
    let (flow, invite) = world.next_request();
    assert_eq!(world.transport_of(flow), Transport::Udp);
    assert!(invite.to_bytes().len() < 1300, "{}", invite.to_bytes().len());
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_whatever_becomes_of_the_other_addresses() {
    let mut world = World::new();
    let [first, second] = ["[2001:db8::7]:5061", "192.0.2.20:5061"].map(|text| text.parse().unwrap());
    world.distrusted.insert(first, CertFault::Expired);
    world.slow.insert(second);
    world.dial("sip:meet@example.com;transport=tls");
    world.answer_names(&["2001:db8::7", "192.0.2.20"]);
    world.answer_connection(second, Some(ConnectFault::Unreachable(second)));
    let ended = world.events.pop_front();
    let Some(CallEvent::Ended { reason, .. }) = ended else {
        panic!("{ended:?}")
    };
    assert!(
        reason.to_string().contains("the certificate has expired"),
        "{reason}"
    );
}

/// Two servers of one domain, over UDP.
fn located(world: &mut World) {
    let asked = world.answer_services(None);
    assert_eq!(asked, Question::Naptr("example.com".to_owned()));
    let servers = vec![server(2, "192.0.2.21"), server(1, "192.0.2.20")];
    let asked = world.answer_services(Some(NamesAnswer::Srv(servers)));
    assert_eq!(asked, Question::Srv("_sip._udp.example.com".to_owned()));
}

/// Refuses an INVITE and takes the ACK of that.
fn refuse(world: &mut World, flow: FlowId, invite: &Request) {
    let mut response = invite.response(503, "Service Unavailable");
    let to = invite.to().unwrap().with_tag("a").to_string();
    response.headers.set("To", to);
    response.headers.push("Retry-After", "120");
    world.receive(flow, response.to_bytes());
    assert_eq!(world.next_request().1.method, Method::Ack);
}

fn server(priority: u16, address: &str) -> Srv {
    Srv {
        priority,
        weight: 0,
        port: 5060,
        addresses: vec![address.parse().unwrap()],
    }
}
