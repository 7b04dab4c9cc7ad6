//! Ports, connections, garbage, settings: what is not a call.

use std::time::Duration;

use super::harness::World;
use super::settings;
use super::transcript::description;
use crate::call::{CallCommand, CallEvent, CallId, DialTarget, EndReason, EndedHere, Protocol};
use crate::dialer::sip::Settings;
use crate::dialer::sip::wire::{Message, Method, Request};
use crate::dialer::{Dialer, Input, Output};
use crate::media::Encryption;
use crate::network::{ConnectFault, FlowEvent, FlowId, FlowRequest, Transport};
use crate::record::{Restored, Slot};
use crate::secret::Secret;

const OPTIONS: &str = "OPTIONS sip:room@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9:5555;branch=z9hG4bKo1;rport\r\n\
    Max-Forwards: 70\r\nFrom: <sip:x@198.51.100.9>;tag=1\r\nTo: <sip:room@192.0.2.10>\r\nCall-ID: o1\r\n\
    CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

fn any_port() -> Settings {
    Settings {
        listen: vec!["0.0.0.0:0".parse().unwrap()],
        ..settings()
    }
}

#[test]
fn a_chosen_port_is_written_down_and_taken_again() {
    let first = World::with(any_port(), Restored::default());
    let binds = |world: &World| world.flows.values().cloned().collect::<Vec<_>>();
    assert_eq!(
        binds(&first),
        [
            FlowRequest::ListenUdp {
                bind: "0.0.0.0:0".parse().unwrap()
            },
            FlowRequest::ListenTcp {
                bind: "0.0.0.0:40123".parse().unwrap()
            },
        ]
    );
    assert!(first.slots.contains_key(&Slot::Ports));
    let second = World::with(any_port(), first.restored());
    assert_eq!(
        binds(&second)[0],
        FlowRequest::ListenUdp {
            bind: "0.0.0.0:40123".parse().unwrap()
        }
    );
}

#[test]
fn a_port_that_is_taken_gives_way_to_another() {
    let first = World::with(any_port(), Restored::default());
    let mut world = World::with_taken(any_port(), first.restored(), [40123]);
    let is_any = |request: &FlowRequest| {
        *request
            == FlowRequest::ListenUdp {
                bind: "0.0.0.0:0".parse().unwrap(),
            }
    };
    assert!(world.flows.values().any(is_any));
    world.dial("sip:meet@192.0.2.20");
    assert_eq!(world.next_request().1.method, Method::Invite);
}

#[test]
fn without_any_listener_calls_are_still_made() {
    let mut world = World::with(
        Settings {
            listen: Vec::new(),
            ..settings()
        },
        Restored::default(),
    );
    world.dial("sip:meet@192.0.2.20");
    assert_eq!(world.next_request().1.method, Method::Invite);
}

#[test]
fn the_invite_carries_what_it_should() {
    let mut world = World::new();
    world.dial("sip:meet@192.0.2.20;transport=tcp");
    let (flow, invite) = world.next_request();
    assert_eq!(world.transport_of(flow), Transport::Tcp);
    let via = invite.headers.get("Via").unwrap();
    assert!(
        via.starts_with("SIP/2.0/TCP 192.0.2.10:5062;") && via.contains(";rport"),
        "{via}"
    );
    assert_eq!(
        invite.headers.get("Contact"),
        Some("<sip:room@192.0.2.10:5062;transport=tcp>")
    );
    assert_eq!(invite.headers.get("Max-Forwards"), Some("70"));
    assert_eq!(
        invite.headers.get("User-Agent"),
        Some(crate::dialer::sip::compose::PRODUCT)
    );
    assert_eq!(invite.from().unwrap().uri.as_str(), "sip:room@example.com");
    assert!(invite.from().unwrap().tag().is_some() && invite.to().unwrap().tag().is_none());
    assert!(invite.headers.has_token("Allow", "UPDATE"));
    assert_eq!(invite.headers.get("Content-Type"), Some("application/sdp"));
    assert!(String::from_utf8_lossy(&invite.body).contains("m=audio 16384 RTP/AVP 0 8 101"));
}

#[test]
fn the_record_is_written_before_the_invite_leaves_and_synced_after() {
    let mut world = World::new();
    world.dial("sip:meet@192.0.2.20");
    let position = |wanted: fn(&Output) -> bool| world.all.iter().position(wanted).unwrap();
    let record = position(|output| matches!(output, Output::Record(Slot::Dialog(_), _)));
    let invite = position(|output| matches!(output, Output::Transmit { .. }));
    let sync = position(|output| matches!(output, Output::Sync));
    assert!(record < invite && invite < sync);
}

#[test]
fn the_proxy_gets_the_call_and_the_blame() {
    let settings = Settings {
        outbound_proxy: "192.0.2.30:5070;transport=tcp".to_owned(),
        ..settings()
    };
    let mut world = World::with(settings.clone(), Restored::default());
    world.dial("sip:meet@far.example.com");
    let (flow, invite) = world.next_request();
    assert_eq!(
        world.flows[&flow],
        FlowRequest::ConnectTcp {
            remote: "192.0.2.30:5070".parse().unwrap()
        }
    );
    assert_eq!(invite.uri.as_str(), "sip:meet@far.example.com");
    assert_eq!(
        invite.headers.get("Route"),
        Some("<sip:192.0.2.30:5070;transport=tcp;lr>")
    );
    let mut world = World::with(settings, Restored::default());
    let proxy = "192.0.2.30:5070".parse().unwrap();
    world.refusing.insert(proxy);
    world.dial("sip:meet@far.example.com");
    let expected = EndReason::ProxyUnreachable(ConnectFault::Refused(proxy));
    assert!(matches!(world.events.pop_front(), Some(CallEvent::Ended { reason, .. }) if reason == expected));
}

#[test]
fn the_public_address_stands_in_for_ours() {
    let public = Some("203.0.113.7".parse().unwrap());
    let mut world = World::with(
        Settings {
            public_address: public,
            ..settings()
        },
        Restored::default(),
    );
    world.dial("sip:meet@192.0.2.20");
    let (_, invite) = world.next_request();
    assert!(invite.headers.get("Via").unwrap().contains("203.0.113.7:5062"));
    assert!(
        invite
            .headers
            .get("Contact")
            .unwrap()
            .contains("203.0.113.7:5062")
    );
    let body = String::from_utf8_lossy(&invite.body).into_owned();
    assert!(
        body.contains("c=IN IP4 203.0.113.7") && !body.contains("192.0.2.10"),
        "{body}"
    );
}

#[test]
fn what_needs_encrypted_audio_ends_at_once_in_plain_words() {
    let settings = Settings {
        srtp: Encryption::Off,
        ..settings()
    };
    let mut world = World::with(settings, Restored::default());
    let call = CallId(uuid::Uuid::from_u128(7));
    let target = DialTarget {
        protocol: Protocol::Sips,
        address: Secret::new("meet@192.0.2.20"),
        shown: "meet@192.0.2.20".to_owned(),
    };
    let ring_timeout = Duration::from_secs(60);
    world.input(Input::Command(CallCommand::Dial {
        call,
        target,
        ring_timeout,
    }));
    match world.events.pop_front() {
        Some(CallEvent::Ended {
            call: ended,
            reason: EndReason::BadTarget(why),
        }) => {
            assert_eq!(ended, call);
            assert!(why.contains("encrypted audio"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert!(world.events.is_empty() && world.sent.is_empty());
    assert!(world.agent_is_quiet());
}

#[test]
fn hanging_up_before_the_invite_sends_nothing() {
    let mut world = World::new();
    let call = world.dial("sip:meet@sip.example.com");
    world.hang_up(call);
    let reason = EndReason::EndedHere(EndedHere::Asked);
    assert_eq!(world.events, [CallEvent::Ended { call, reason }]);
    world.answer_names(&["192.0.2.20"]);
    world.pass(Duration::from_secs(100));
    assert!(world.sent.is_empty() && world.agent_is_quiet() && world.dialogs_written() == 0);
}

#[test]
fn a_call_without_an_audio_socket_ends_before_it_leaves() {
    let mut world = World::new();
    world.has_audio = false;
    world.dial("sip:meet@192.0.2.20");
    assert!(world.sent.is_empty());
    assert!(
        matches!(&world.events[0], CallEvent::Ended { reason: EndReason::OurFault(why), .. } if why.contains("no ports"))
    );
}

#[test]
fn more_calls_than_can_be_written_down_are_refused() {
    let mut world = World::new();
    for _ in 0..Slot::DIALOGS {
        world.dial("sip:meet@192.0.2.20");
    }
    assert!(world.events.is_empty());
    world.dial("sip:meet@192.0.2.20");
    assert!(matches!(
        &world.events[0],
        CallEvent::Ended {
            reason: EndReason::OurFault(_),
            ..
        }
    ));
    assert_eq!(world.dialogs_written(), usize::from(Slot::DIALOGS));
}

#[test]
fn a_flood_of_forks_is_bounded() {
    let mut world = World::new();
    world.dial("sip:meet@192.0.2.20");
    let (flow, invite) = world.next_request();
    for fork in 0..200 {
        let mut response = invite.response(200, "OK");
        response.headers.set(
            "To",
            invite.to().unwrap().with_tag(&format!("f{fork}")).to_string(),
        );
        response.headers.push("Content-Type", "application/sdp");
        response.body = description("sendrecv");
        world.receive(flow, response.to_bytes());
    }
    assert!(world.dialogs_written() <= usize::from(Slot::DIALOGS));
    assert!(world.sent.len() <= 80, "{}", world.sent.len());
    world.pass(Duration::from_secs(100));
    assert_eq!(world.dialogs_written(), 1);
}

#[test]
fn garbage_is_counted_and_answered_where_it_can_be() {
    let mut world = World::new();
    world.dial("sip:meet@192.0.2.20");
    let (flow, _) = world.next_request();
    for listening in [world.listening(), flow] {
        for garbage in [
            b"\x00\xff\x80".to_vec(),
            b"\r\n\r\n".to_vec(),
            Vec::new(),
            vec![b'A'; 65_000],
        ] {
            world.receive(listening, garbage);
        }
        let half = OPTIONS.as_bytes()[..60].to_vec();
        world.receive(listening, half);
    }
    assert!(world.sent.is_empty());
    world.receive(
        world.listening(),
        OPTIONS.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE").into_bytes(),
    );
    assert_eq!(world.next_response().status, 400);
}

#[test]
fn any_cut_and_any_changed_byte_leave_the_dialer_alive() {
    let mut world = World::new();
    world.dial("sip:meet@192.0.2.20");
    let (flow, invite) = world.next_request();
    let mut response = invite.response(200, "OK");
    response.headers.push("Contact", "<sip:there@192.0.2.20>");
    response.headers.push("Content-Type", "application/sdp");
    response.body = description("sendrecv");
    let messages = [response.to_bytes(), OPTIONS.as_bytes().to_vec()];
    let mut chance = crate::chance::Chance::from_seed([5; 32]);
    for bytes in &messages {
        for _ in 0..400 {
            let mut bytes = bytes.clone();
            let at = usize::try_from(chance.below(bytes.len() as u64)).unwrap();
            match chance.below(3) {
                0 => bytes.truncate(at),
                1 => bytes[at] = chance.u32() as u8,
                _ => bytes.insert(at, chance.u32() as u8),
            }
            let flow = if world.flows.contains_key(&flow) {
                flow
            } else {
                world.listening()
            };
            world.receive(flow, bytes);
        }
    }
    world.questions.clear();
    world.pass(Duration::from_secs(200));
    let ends = world
        .events
        .iter()
        .filter(|event| matches!(event, CallEvent::Ended { .. }))
        .count();
    assert!(ends <= 1 && world.agent.next_deadline().is_none());
}

#[test]
fn requests_on_an_accepted_connection_are_answered_on_it() {
    let mut world = World::new();
    let listening = world.listening();
    let accepted = FlowId(FlowId::ACCEPTED + 1);
    let (local, remote) = (
        "192.0.2.10:5062".parse().unwrap(),
        "198.51.100.9:33333".parse().unwrap(),
    );
    world.input(Input::Flow(
        listening,
        FlowEvent::Accepted {
            flow: accepted,
            local,
            remote,
        },
    ));
    let bytes = OPTIONS.replace("UDP", "TCP").into_bytes();
    for piece in bytes.chunks(7) {
        assert!(world.sent.is_empty());
        world.input(Input::Flow(
            accepted,
            FlowEvent::Received {
                from: remote,
                bytes: piece.to_vec(),
            },
        ));
    }
    assert_eq!(world.sent[0].flow, accepted);
    assert_eq!(world.next_response().status, 200);
    // A broken length makes the rest of a stream unreadable.
    let broken = OPTIONS
        .replace("Content-Length: 0", "Content-Length: zero")
        .into_bytes();
    world
        .flows
        .insert(accepted, FlowRequest::ListenTcp { bind: local });
    world.input(Input::Flow(
        accepted,
        FlowEvent::Received {
            from: remote,
            bytes: broken,
        },
    ));
    assert!(world.all.contains(&Output::CloseFlow(accepted)));
}

#[test]
fn datagrams_are_answered_to_where_they_came_from() {
    let mut world = World::new();
    let from = "198.51.100.9:4444".parse().unwrap();
    let flow = world.listening();
    world.input(Input::Flow(
        flow,
        FlowEvent::Received {
            from,
            bytes: OPTIONS.as_bytes().to_vec(),
        },
    ));
    let to = world.all.iter().find_map(|output| match output {
        Output::Transmit { flow: on, to, .. } if *on == flow => *to,
        _ => None,
    });
    assert_eq!(to, Some(from));
    let response = world.next_response();
    let via = response.via_top().unwrap();
    assert_eq!((via.received(), via.rport()), (Some(from.ip()), Some(4444)));
    assert!(response.to().unwrap().tag().is_some());
}

#[test]
fn connections_from_outside_are_bounded_and_silent_ones_closed() {
    let mut world = World::new();
    let listening = world.listening();
    for number in 1..=40 {
        let flow = FlowId(FlowId::ACCEPTED + number);
        world.flows.insert(
            flow,
            FlowRequest::ListenTcp {
                bind: "0.0.0.0:0".parse().unwrap(),
            },
        );
        let (local, remote) = (
            "192.0.2.10:5062".parse().unwrap(),
            "198.51.100.9:33333".parse().unwrap(),
        );
        world.input(Input::Flow(
            listening,
            FlowEvent::Accepted { flow, local, remote },
        ));
    }
    let closed = |world: &World| {
        world
            .all
            .iter()
            .filter(|output| matches!(output, Output::CloseFlow(_)))
            .count()
    };
    assert_eq!(closed(&world), 8);
    world.pass(Duration::from_secs(120));
    assert_eq!(closed(&world), 40);
}

#[test]
fn what_was_dialled_is_not_shown_by_debug() {
    let request = Request::new(Method::Invite, "sip:123*4711@192.0.2.20".parse().unwrap());
    assert!(!format!("{:?}", Message::Request(request)).contains("4711"));
}

#[test]
fn after_ended_nothing_more_is_said_of_a_call() {
    let mut world = World::new();
    let call = world.dial("sip:meet@192.0.2.20");
    let (flow, invite) = world.next_request();
    world.hang_up(call);
    world.hang_up(call);
    for status in [100, 180, 183, 200, 486] {
        world.receive(flow, invite.response(status, "").to_bytes());
    }
    world.pass(Duration::from_secs(200));
    let ends = world
        .events
        .iter()
        .filter(|event| matches!(event, CallEvent::Ended { .. }))
        .count();
    assert_eq!((ends, world.events.len()), (1, 1));
    assert!(world.agent_is_quiet());
    assert_eq!(world.agent.next_deadline(), None);
}
