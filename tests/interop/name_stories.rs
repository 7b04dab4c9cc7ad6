//! meetd finds sipp by the records of a name server: NAPTR, SRV, A and AAAA; and leaves servers that do not work.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::front::Front;
use crate::name_server::{self, Record};
use crate::peers::directives::{self, outcome};
use crate::peers::programs::{self, Skipped};
use crate::peers::room::Room;
use crate::sipp::{Over, Sipp};

/// The domain that the name server knows.
pub const DOMAIN: &str = "rooms.example";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The first server says 503 with Retry-After; the second one has the call.
pub fn a_503_leads_to_the_next_server(over: Over) -> Result<(), Skipped> {
    let mut first = Sipp::start(over, &["-sf", &Sipp::scenario("out_of_service_503.xml")])?;
    let mut second = callee(over)?;
    let room = room(servers(over, first.port, second.port), first.front.as_ref());
    let event = room.bridge.ask(&directives::join(&format!("sip:meet@{DOMAIN}")));
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge.wait_for_call_state("ACTIVE");
    assert_eq!(room.home.status()["call"]["transport"], over.name());
    first.wait_for_success();
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    second.wait_for_success();
    room.meetd.stop();
    Ok(())
}

/// For as long as the first server said it is not asked again: the second call goes to the second one at once.
pub fn a_server_out_of_service_is_passed_over() -> Result<(), Skipped> {
    let mut first = Sipp::start(Over::Udp, &["-sf", &Sipp::scenario("out_of_service_503.xml")])?;
    let mut second = Sipp::start(Over::Udp, &["-m", "2", "-sf", &Sipp::scenario("busy_486.xml")])?;
    let room = room(servers(Over::Udp, first.port, second.port), None);
    for _ in 0..2 {
        let event = room.bridge.ask(&directives::join(&format!("sip:meet@{DOMAIN}")));
        assert_eq!(outcome(&event), "ENDPOINT_BUSY", "{event}");
    }
    first.wait_for_success();
    second.wait_for_successes(2);
    room.meetd.stop();
    Ok(())
}

/// The first server is silent and answers late: that answer is acknowledged and ended, the second one has the call.
pub fn a_silent_server_is_left_and_its_late_answer_ended() -> Result<(), Skipped> {
    let mut first = Sipp::start(Over::Udp, &["-sf", &Sipp::scenario("late_200.xml")])?;
    let mut second = callee(Over::Udp)?;
    let room = room(servers(Over::Udp, first.port, second.port), None);
    let event = room.bridge.ask(&directives::join(&format!("sip:meet@{DOMAIN}")));
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge.wait_for_call_state("ACTIVE");
    first.wait_for_success();
    assert!(first.messages().contains("BYE sip:"), "{}", first.messages());
    assert!(!room.home.status()["call"].is_null(), "the call goes on");
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    second.wait_for_success();
    room.meetd.stop();
    Ok(())
}

/// Nobody listens at the first address of the name, which is one of IPv6.
pub fn an_address_that_refuses_gives_way_to_the_next() -> Result<(), Skipped> {
    let mut sipp = callee(Over::Tcp)?;
    let room = room(
        name_server::start(vec![
            (DOMAIN, Record::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))),
            (DOMAIN, Record::Address(HERE)),
        ]),
        None,
    );
    let join = directives::join(&format!("sip:meet@{DOMAIN}:{};transport=tcp", sipp.port));
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge.wait_for_call_state("ACTIVE");
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    sipp.wait_for_success();
    room.meetd.stop();
    Ok(())
}

fn callee(over: Over) -> Result<Sipp, Skipped> {
    let media_port = programs::free_port().to_string();
    Sipp::start(over, &["-sn", "uas", "-mi", "127.0.0.1", "-mp", &media_port])
}

/// A domain with two servers for one transport, which NAPTR names.
fn servers(over: Over, first: u16, second: u16) -> SocketAddr {
    let (service, name) = match over {
        Over::Udp => ("SIP+D2U", "_sip._udp.rooms.example"),
        Over::Tcp => ("SIP+D2T", "_sip._tcp.rooms.example"),
        Over::Tls => ("SIPS+D2T", "_sips._tcp.rooms.example"),
    };
    let server = |priority, port, target| Record::Srv {
        priority,
        weight: 10,
        port,
        target,
    };
    name_server::start(vec![
        (
            DOMAIN,
            Record::Naptr {
                order: 1,
                service,
                replacement: name,
            },
        ),
        (name, server(20, second, "two.rooms.example")),
        (name, server(10, first, "one.rooms.example")),
        ("one.rooms.example", Record::Address(HERE)),
        ("two.rooms.example", Record::Address(HERE)),
    ])
}

/// A room that trusts this front.
fn room(resolver: SocketAddr, front: Option<&Front>) -> Room {
    let ca_file = front.and_then(Front::ca_file).unwrap_or_default();
    Room::open_with(&[
        ("sip.ca_file", &format!("{ca_file:?}")),
        ("calls.allow", &format!("[{DOMAIN:?}]")),
        ("sip.resolver", &format!("\"{resolver}\"")),
        ("sip.listen", "[\"127.0.0.1:0\", \"[::1]:0\"]"),
    ])
}
