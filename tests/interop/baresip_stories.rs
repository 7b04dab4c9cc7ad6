//! meetd calls baresip, which answers by itself, speaks and listens.

use crate::baresip::Baresip;
use crate::peers::directives::{self, outcome};
use crate::peers::programs::Skipped;
use crate::peers::room::Room;
use crate::sipp::Over;

/// A second of audio.
const ENOUGH: u64 = 50;

pub fn speaks_listens_and_hears_the_pin(over: Over) -> Result<(), Skipped> {
    a_whole_call(over, Baresip::start()?, Room::open(), false)
}

/// The same under keys: what baresip cannot decrypt it neither counts nor hears.
pub fn speaks_listens_and_hears_the_pin_encrypted() -> Result<(), Skipped> {
    let baresip = Baresip::start_with(";mediaenc=srtp-mand")?;
    let room = Room::open_with(&[("media.srtp", "\"require\"")]);
    a_whole_call(Over::Udp, baresip, room, true)
}

/// No call is made that is not what `media.srtp = "require"` promises.
pub fn without_keys_there_is_no_call() -> Result<(), Skipped> {
    let baresip = Baresip::start()?;
    let room = Room::open_with(&[("media.srtp", "\"require\"")]);
    let join = directives::join(&format!("sip:far@127.0.0.1:{};transport=udp", baresip.port));
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "NOT_SUPPORTED_IN_CURRENT_MODE", "{event}");
    room.bridge.wait_for_call_state("IDLE");
    room.meetd.stop();
    Ok(())
}

/// Speaks, is heard, sends the PIN and ends; what baresip counts is what we count.
pub fn a_whole_call(over: Over, mut baresip: Baresip, room: Room, is_encrypted: bool) -> Result<(), Skipped> {
    let transport = if over == Over::Udp { "udp" } else { "tcp" };
    let mut join = directives::join(&format!(
        "sip:far@{};transport={transport}",
        baresip.host.at(baresip.port)
    ));
    join["directive"]["payload"]["meeting"]["pin"] = "4321987".into();
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "Response", "{event}");
    room.bridge.wait_for_call_state("ACTIVE");

    let (sent, received) = baresip.wait_for_packets(ENOUGH);
    let (rx, tx) = room.wait_for_status("as many packets as baresip counts", |status| {
        let media = &status["call"]["media"];
        let (rx, tx) = (media["rxPackets"].as_u64()?, media["txPackets"].as_u64()?);
        (rx >= sent && tx >= received).then_some((rx, tx))
    });
    assert!(rx >= ENOUGH && tx >= ENOUGH, "{rx} received, {tx} sent");
    assert_eq!(room.home.status()["call"]["srtp"], is_encrypted);
    baresip.control.wait_for("the PIN", |heard| {
        let heard = heard
            .iter()
            .filter(|(_, value)| value["type"] == "CALL_DTMF_START");
        (heard.count() >= 8).then_some(())
    });
    assert_eq!(baresip.digits(), "4321987#");

    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    baresip.control.wait_for("the end of the call", |heard| {
        heard
            .iter()
            .any(|(_, value)| value["type"] == "CALL_CLOSED")
            .then_some(())
    });
    let counted = baresip.program.wait_for_line("packets:");
    let counts: Vec<u64> = counted
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(
        counts.len() == 2 && counts.iter().all(|count| *count >= ENOUGH),
        "baresip counted {counted}"
    );
    let errors = baresip.program.wait_for_line("errors:");
    assert_eq!(
        errors.split_whitespace().collect::<Vec<_>>(),
        ["errors:", "0", "0"]
    );
    room.bridge.wait_for_call_state("IDLE");
    let log = room.meetd.stop();
    assert!(!log.contains("inline:"), "a key is in the log");
    Ok(())
}

/// Our far end's ears, judged by baresip's voice and fingers.
pub fn baresip_can_call_our_far_end() -> Result<(), Skipped> {
    let far_end = crate::peers::far_end::FarEnd::asking_for("4321987");
    let mut baresip = Baresip::start()?;
    baresip
        .control
        .command("dial", &format!("sip:far@{}", far_end.endpoint()));
    baresip.control.wait_for("an established call", |heard| {
        heard
            .iter()
            .any(|(_, value)| value["type"] == "CALL_ESTABLISHED")
            .then_some(())
    });
    for digit in ["4", "3", "2", "1", "9", "8", "7", "#"] {
        baresip.control.command("sndcode", digit);
        far_end.wait_for(&format!("the digit {digit}"), |seen| {
            seen.calls.last()?.ear.digits.ends_with(digit).then_some(())
        });
    }
    far_end.wait_for("the PIN, and baresip's tone", |seen| {
        let call = seen.calls.last()?;
        (call.pin_at.is_some() && call.ear.hears(600)).then_some(())
    });
    baresip.wait_for_packets(ENOUGH);
    baresip.control.command("hangup", "");
    far_end.wait_for_phase(crate::peers::far_end::Phase::TheyLeft);
    Ok(())
}
