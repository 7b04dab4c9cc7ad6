//! All sixteen digits (RFC 4733 3.2), pressed during a call and heard by programs that others wrote, each way they go.

use crate::asterisk::Asterisk;
use crate::baresip::Baresip;
use crate::peers::daemon::Said;
use crate::peers::directives::{self, outcome};
use crate::peers::programs::Skipped;
use crate::peers::room::Room;
use crate::sipp::{Over, Sipp};
use crate::sipp_stories::Called;

const ALL: &str = "0123456789*#ABCD";

/// As telephone events.
pub fn heard_by_baresip() -> Result<(), Skipped> {
    let baresip = Baresip::start()?;
    let room = Room::open();
    let join = directives::join(&format!("sip:far@127.0.0.1:{};transport=udp", baresip.port));
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "Response", "{event}");
    press(&room);
    baresip.control.wait_for("sixteen digits", |heard| {
        let digits = heard
            .iter()
            .filter(|(_, value)| value["type"] == "CALL_DTMF_START");
        (digits.count() >= ALL.len()).then_some(())
    });
    assert_eq!(baresip.digits(), ALL);
    leave(room);
    Ok(())
}

/// As INFO requests, since its answer has no telephone events and its Allow has INFO.
pub fn heard_by_sipp_in_info() -> Result<(), Skipped> {
    let scenario = Sipp::scenario("sixteen_digits.xml");
    let called = Called::by(Over::Tcp, &["-sf", &scenario])?;
    called.is_answered();
    press(&called.room);
    let messages = called.end();
    let signals = messages
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Signal="));
    assert_eq!(signals.collect::<String>(), ALL, "{messages}");
    Ok(())
}

/// As `how` of `media.dtmf` says; Asterisk listens for tones where there are no telephone events.
pub fn heard_by_asterisk(how: &str) -> Result<(), Skipped> {
    let asterisk = Asterisk::start()?;
    let room = Room::open_with(&[
        ("media.dtmf", &format!("{how:?}")),
        ("media.input", "\"silence\""),
    ]);
    let event = room.bridge.ask(&directives::join(&format!(
        "sip:300@127.0.0.1:{};transport=udp",
        asterisk.port
    )));
    assert_eq!(outcome(&event), "Response", "{event}");
    asterisk.program.wait_for_line("Executing [300@meetings:2]");
    press(&room);
    let heard = |said: &Said| {
        let of_line = |line: &String| {
            let (_, digit) = line.split_once("DTMF end '")?;
            line.contains(" received on SIP/").then(|| digit.chars().next())?
        };
        said.lines.iter().filter_map(of_line).collect::<String>()
    };
    let heard = asterisk.program.said.wait_for("sixteen digits", |said| {
        (heard(said).len() >= ALL.len()).then(|| heard(said))
    });
    assert_eq!(heard, ALL);
    leave(room);
    Ok(())
}

fn press(room: &Room) {
    let pressed = room.home.run(&["dtmf", ALL]);
    assert!(pressed.status.success(), "{pressed:?}");
}

fn leave(room: Room) {
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.bridge.wait_for_call_state("IDLE");
    room.meetd.stop();
}
