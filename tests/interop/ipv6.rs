//! Whole calls over IPv6, on loopback: with sipp, which looks at our messages, and with baresip, which speaks and
//! listens.

use crate::baresip::Baresip;
use crate::baresip_stories;
use crate::front::Front;
use crate::peers::directives::{self, outcome};
use crate::peers::programs::{self, Host, Skipped};
use crate::peers::room::Room;
use crate::sipp::{Over, Sipp};

/// Our own sockets, and who may be dialled.
const KEYS: &[(&str, &str)] = &[("sip.listen", "[\"[::1]:0\"]"), ("calls.allow", "[\"::1\"]")];

/// Audio goes out and comes back; Via, Contact and the description have our address as RFC 5118 wants it.
pub fn sipp(over: Over) -> Result<(), Skipped> {
    let media_port = programs::free_port().to_string();
    let scenario = Sipp::scenario("ipv6.xml");
    let mut sipp = Sipp::start_at(
        Host::V6,
        over,
        &["-mi", "::1", "-mp", &media_port, "-rtp_echo", "-sf", &scenario],
    )?;
    let ca_file = sipp.front.as_ref().and_then(Front::ca_file).unwrap_or_default();
    let ca_file = format!("{ca_file:?}");
    let room = Room::open_with(&[KEYS, &[("sip.ca_file", ca_file.as_str())]].concat());
    let endpoint = format!("sip:far@[::1]:{};transport={}", sipp.port, over.name());
    let event = room.bridge.ask(&directives::join(&endpoint));
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge.wait_for_call_state("ACTIVE");
    room.wait_for_status("audio both ways", |status| {
        let media = &status["call"]["media"];
        let enough = |name: &str| media[name].as_u64().is_some_and(|packets| packets >= 25);
        (enough("rxPackets") && enough("txPackets")).then_some(())
    });
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    sipp.wait_for_success();
    room.bridge.wait_for_call_state("IDLE");
    room.meetd.stop();
    Ok(())
}

/// The same call as over IPv4, PIN and counters included.
pub fn baresip(over: Over) -> Result<(), Skipped> {
    let baresip = Baresip::start_at(Host::V6, "")?;
    baresip_stories::a_whole_call(over, baresip, Room::open_with(KEYS), false)
}
