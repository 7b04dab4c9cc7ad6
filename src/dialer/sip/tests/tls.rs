//! Calls over TLS: what is verified, what is shared, what a bad certificate ends, what a killed process leaves.

use super::harness::World;
use super::settings;
use super::transcript::description;
use crate::call::{CallEvent, EndReason};
use crate::dialer::sip::wire::{Method, Request, Response};
use crate::network::{CertFault, ConnectFault, FlowId, FlowRequest};
use crate::record::Restored;

const TARGET: &str = "sip:meet@meet.example.com;transport=tls";
const ADDRESS: &str = "192.0.2.20";

#[test]
fn a_call_over_tls_is_one_connection_under_the_name_that_was_dialled() {
    let mut world = World::new();
    let (flow, invite) = answered(&mut world, "<sip:192.0.2.20:5061;transport=tls;lr>");
    assert_eq!(
        world.flows.get(&flow),
        Some(&FlowRequest::ConnectTls {
            remote: "192.0.2.20:5061".parse().unwrap(),
            server_name: "meet.example.com".to_owned(),
        })
    );
    let via = invite.headers.get("Via").unwrap();
    assert!(via.starts_with("SIP/2.0/TLS 192.0.2.10:50001"), "{via}");
    let contact = invite.headers.get("Contact").unwrap();
    // Nobody listens there: whoever looks for that address finds the connection (RFC 5923).
    assert!(contact.contains("@192.0.2.10:50001;transport=tls"), "{contact}");
    let (ack_flow, ack) = world.next_request();
    assert_eq!((ack_flow, ack.method), (flow, Method::Ack));
    let call = call_of(&world);
    world.hang_up(call);
    let (bye_flow, bye) = world.next_request();
    assert_eq!((bye_flow, bye.method), (flow, Method::Bye));
}

#[test]
fn each_fault_of_a_certificate_ends_the_call_before_the_invite() {
    for fault in [
        CertFault::Expired,
        CertFault::NotYetValid,
        CertFault::WrongName,
        CertFault::UnknownIssuer,
        CertFault::NotPinned,
    ] {
        let mut world = World::new();
        world
            .distrusted
            .insert("192.0.2.20:5061".parse().unwrap(), fault.clone());
        let call = world.dial(TARGET);
        world.answer_names(&[ADDRESS]);
        let fault = ConnectFault::Tls {
            server_name: "meet.example.com".to_owned(),
            fault,
        };
        let reason = EndReason::Unreachable(fault);
        assert_eq!(world.events.pop_back(), Some(CallEvent::Ended { call, reason }));
        assert!(world.sent.is_empty(), "nothing may be said to whoever that is");
        assert_eq!(world.dialogs_written(), 0);
    }
}

#[test]
fn a_416_to_sips_is_tried_once_more_as_sip_on_the_same_verified_tls() {
    let mut world = World::new();
    let call = world.dial("sips:meet@meet.example.com");
    world.answer_names(&[ADDRESS]);
    let (flow, invite) = world.next_request();
    assert!(invite.headers.get("Contact").unwrap().starts_with("<sips:"));
    refuse(&mut world, flow, &invite, 416);
    let (again_flow, again) = world.next_request();
    assert_eq!(
        (again_flow, again.uri.as_str()),
        (flow, "sip:meet@meet.example.com")
    );
    assert!(again.headers.get("Contact").unwrap().contains(";transport=tls"));
    let body = String::from_utf8_lossy(&again.body).into_owned();
    assert!(body.contains("RTP/SAVP") && body.contains("a=crypto:"), "{body}");
    // Nothing of the call leaves that connection, whatever the answer says.
    let mut response = again.response(200, "OK");
    let to = again.to().unwrap().with_tag("a").to_string();
    response.headers.set("To", to);
    response
        .headers
        .push("Contact", "<sip:there@192.0.2.20;transport=udp>");
    world.receive(flow, response.to_bytes());
    let (ack_flow, ack) = world.next_request();
    assert_eq!((ack_flow, ack.method), (flow, Method::Ack));
    let (bye_flow, bye) = world.next_request();
    assert_eq!(
        (bye_flow, bye.method),
        (flow, Method::Bye),
        "an answer without audio is ended"
    );
    let ended = world.events.pop_back();
    assert!(matches!(ended, Some(CallEvent::Ended { call: ended, .. }) if ended == call));
}

#[test]
fn a_second_416_ends_the_call() {
    let mut world = World::new();
    let call = world.dial("sips:meet@meet.example.com");
    world.answer_names(&[ADDRESS]);
    let (flow, invite) = world.next_request();
    refuse(&mut world, flow, &invite, 416);
    let (flow, again) = world.next_request();
    refuse(&mut world, flow, &again, 416);
    let Some(CallEvent::Ended { call: ended, reason }) = world.events.pop_back() else {
        panic!()
    };
    assert_eq!(ended, call);
    assert!(
        matches!(reason, EndReason::Refused { status: 416, .. }),
        "{reason:?}"
    );
    assert!(world.sent.is_empty());
}

#[test]
fn a_sips_call_is_not_sent_on_to_a_sip_contact() {
    let mut world = World::new();
    let call = world.dial("sips:meet@meet.example.com");
    world.answer_names(&[ADDRESS]);
    let (flow, invite) = world.next_request();
    let mut response = invite.response(302, "Moved");
    let to = invite.to().unwrap().with_tag("a").to_string();
    response.headers.set("To", to);
    response.headers.push("Contact", "<sip:other@meet.example.com>");
    world.receive(flow, response.to_bytes());
    let Some(CallEvent::Ended { call: ended, reason }) = world.events.pop_back() else {
        panic!()
    };
    assert_eq!(ended, call);
    assert!(
        matches!(reason, EndReason::Refused { status: 302, .. }),
        "{reason:?}"
    );
}

/// Refuses an INVITE and takes the ACK of that.
fn refuse(world: &mut World, flow: FlowId, invite: &Request, status: u16) {
    let mut response = invite.response(status, "No");
    let to = invite.to().unwrap().with_tag("a").to_string();
    response.headers.set("To", to);
    world.receive(flow, response.to_bytes());
    assert_eq!(world.next_request().1.method, Method::Ack);
}

#[test]
fn a_connection_is_not_shared_with_another_name_at_the_same_address() {
    let mut world = World::new();
    let (flow, _) = answered(&mut world, "<sip:192.0.2.20:5061;transport=tls;lr>");
    world.next_request();
    world.dial("sip:meet@other.example.com;transport=tls");
    world.answer_names(&[ADDRESS]);
    let (other, _) = world.next_request();
    assert_ne!(flow, other);
    world.dial("sip:second@meet.example.com;transport=tls");
    world.answer_names(&[ADDRESS]);
    let (same, _) = world.next_request();
    assert_eq!(
        flow, same,
        "the same name at the same address is the same far end"
    );
}

#[test]
fn a_dialog_over_tls_is_ended_by_the_next_process_under_the_same_name() {
    let mut first = World::new();
    answered(&mut first, "<sip:192.0.2.20:5061;transport=tls;lr>");
    let mut world = World::with(settings(), first.restored());
    let (flow, bye) = world.next_request();
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(
        world.flows.get(&flow),
        Some(&FlowRequest::ConnectTls {
            remote: "192.0.2.20:5061".parse().unwrap(),
            server_name: "meet.example.com".to_owned(),
        })
    );
    world.receive(flow, bye.response(200, "OK").to_bytes());
    assert_eq!(world.recovered, [1]);
    assert_eq!(world.dialogs_written(), 0);
}

#[test]
fn a_sips_dialog_stays_on_its_connection_whatever_the_route_says() {
    let mut world = World::with(settings(), Restored::default());
    world.dial("sips:meet@meet.example.com");
    world.answer_names(&[ADDRESS]);
    let (flow, invite) = world.next_request();
    assert!(invite.uri.as_str().starts_with("sips:"));
    assert!(invite.headers.get("Contact").unwrap().contains("<sips:"));
    let route = "<sip:192.0.2.66:5060;transport=udp;lr>";
    world.receive(flow, answer(&invite, route).to_bytes());
    let (ack_flow, _) = world.next_request();
    assert_eq!(ack_flow, flow);
    // The answer has no keys, which sips does not take.
    let (bye_flow, bye) = world.next_request();
    assert_eq!((bye_flow, bye.method), (flow, Method::Bye));
}

#[test]
fn a_sips_call_has_keys_or_ends() {
    let mut world = World::with(settings(), Restored::default());
    world.dial("sips:meet@meet.example.com");
    world.answer_names(&[ADDRESS]);
    let (flow, invite) = world.next_request();
    world.receive(
        flow,
        answer(&invite, "<sip:192.0.2.20;transport=tls;lr>").to_bytes(),
    );
    let sent: Vec<_> = (0..2).map(|_| world.next_request().1.method).collect();
    assert_eq!(sent, [Method::Ack, Method::Bye]);
    let ended = world.events.iter().find_map(|event| match event {
        CallEvent::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(matches!(ended, Some(EndReason::NoUsableAudio(_))), "{ended:?}");
}

#[test]
fn keys_are_offered_over_tls_and_either_answer_is_taken() {
    for (takes_keys, expected) in [(true, true), (false, false)] {
        let mut world = World::with(settings(), Restored::default());
        world.dial(TARGET);
        world.answer_names(&[ADDRESS]);
        let (flow, invite) = world.next_request();
        let offer = String::from_utf8(invite.body.clone()).unwrap();
        assert!(
            offer.contains(" RTP/AVP 0 ") && offer.contains("a=crypto:1 "),
            "{offer}"
        );
        let route = "<sip:192.0.2.20;transport=tls;lr>";
        let response = if takes_keys {
            encrypted(&invite, route)
        } else {
            answer(&invite, route)
        };
        world.receive(flow, response.to_bytes());
        let srtp = world.events.iter().find_map(|event| match event {
            CallEvent::Answered { agreed, .. } => Some(agreed.srtp),
            _ => None,
        });
        assert_eq!(srtp, Some(expected));
    }
}

/// An answer that takes the first key of the offer, and has it too.
fn encrypted(invite: &Request, record_route: &str) -> Response {
    let offer = String::from_utf8(invite.body.clone()).unwrap();
    let line = offer
        .lines()
        .find(|line| line.starts_with("a=crypto:1 "))
        .unwrap();
    let mut response = answer(invite, record_route);
    let plain = String::from_utf8(response.body).unwrap();
    let protocol = if offer.contains("RTP/SAVP") {
        "RTP/SAVP"
    } else {
        "RTP/AVP"
    };
    response.body = format!("{}{line}\r\n", plain.replace("RTP/AVP", protocol)).into_bytes();
    response
}

/// A call that was answered over TLS: its flow and INVITE. The ACK has left.
fn answered(world: &mut World, record_route: &str) -> (FlowId, Request) {
    world.dial(TARGET);
    world.answer_names(&[ADDRESS]);
    let (flow, invite) = world.next_request();
    world.receive(flow, answer(&invite, record_route).to_bytes());
    (flow, invite)
}

fn answer(invite: &Request, record_route: &str) -> Response {
    let mut response = invite.response(200, "OK");
    let to = invite.to().unwrap().with_tag("a").to_string();
    response.headers.set("To", to);
    response.headers.push("Record-Route", record_route);
    response
        .headers
        .push("Contact", "<sip:there@10.0.0.7;transport=tls>");
    response.headers.push("Content-Type", "application/sdp");
    response.body = description("sendrecv");
    response
}

fn call_of(world: &World) -> crate::call::CallId {
    let answered = world.events.iter().find_map(|event| match event {
        CallEvent::Answered { call, .. } => Some(*call),
        _ => None,
    });
    answered.expect("an answered call")
}
