//! A whole call as tshark reads it: nothing malformed, no packet lost, and the digits it decodes are the PIN.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::baresip::Baresip;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::FarEnd;
use crate::peers::programs::{self, Skipped};
use crate::peers::room::Room;
use crate::peers::tap::Tap;

pub fn tshark_reads_a_whole_call_without_complaint() -> Result<(), Skipped> {
    let tshark = programs::find("tshark", "tshark")?;
    let far_end = FarEnd::asking_for("9021087");
    let tap = Tap::start(far_end.address);
    let room = Room::open();
    let join = directives::join_with(&tap.address.to_string(), "standup", "9021087");
    assert_eq!(outcome(&room.bridge.ask(&join)), "Response");
    tap.wait_for("the PIN, and half a second of tone both ways", |wire| {
        let done = wire.from_daemon.digits.len() == 8
            && wire.from_daemon.ear.hears(440)
            && wire.to_daemon.ear.hears(600);
        done.then_some(())
    });
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end.wait_until_all_is_over();
    tap.wait_for_sip("200 for BYE", false, |message| message.answers("BYE", 200));
    room.meetd.stop();

    judge(&tshark, &tap, &["9", "0", "2", "1", "0", "8", "7", "11"]);
    Ok(())
}

/// The tap and the capture file themselves, with a caller that is not ours.
pub fn our_tap_shows_tshark_a_call_of_baresip() -> Result<(), Skipped> {
    let tshark = programs::find("tshark", "tshark")?;
    let far_end = FarEnd::asking_for("42");
    let tap = Tap::start(far_end.address);
    let mut baresip = Baresip::start()?;
    baresip
        .control
        .command("dial", &format!("sip:far@{}", tap.address));
    tap.wait_for("the prompt", |wire| wire.to_daemon.ear.hears(1000).then_some(()));
    for digit in ["4", "2", "#"] {
        baresip.control.command("sndcode", digit);
        tap.wait_for(digit, |wire| {
            wire.from_daemon.ear.digits.ends_with(digit).then_some(())
        });
    }
    tap.wait_for("both tones", |wire| {
        (wire.to_daemon.ear.hears(600) && wire.from_daemon.ear.hears(600)).then_some(())
    });
    baresip.control.command("hangup", "");
    tap.wait_for_sip("200 for BYE", false, |message| message.answers("BYE", 200));
    judge(&tshark, &tap, &["4", "2", "11"]);
    Ok(())
}

/// tshark's view of all that passed the tap.
#[track_caller]
fn judge(tshark: &Path, tap: &Tap, events: &[&str]) {
    let folder = TempDir::with_prefix("meetd-capture-").unwrap();
    let file = folder.path().join("call.pcap");
    tap.write_capture(&file);
    let read = |arguments: &[&str]| read(tshark, &file, arguments);
    let malformed = read(&["-Y", "_ws.malformed or (sip and _ws.expert.severity >= 6291456)"]);
    assert_eq!(malformed, "", "tshark calls these malformed");
    let methods = read(&["-Y", "sip.Method", "-T", "fields", "-e", "sip.Method"]);
    assert_eq!(
        methods.split_whitespace().collect::<Vec<_>>(),
        ["INVITE", "ACK", "BYE"]
    );
    let digits = read(&[
        "-Y",
        "rtpevent and rtp.marker == 1",
        "-T",
        "fields",
        "-e",
        "rtpevent.event_id",
    ]);
    assert_eq!(digits.split_whitespace().collect::<Vec<_>>(), events);
    let streams = read(&["-q", "-z", "rtp,streams"]);
    let lost: Vec<&str> = streams
        .lines()
        .filter(|line| line.contains("127.0.0.1"))
        .collect();
    assert_eq!(lost.len(), 2, "two streams of RTP:\n{streams}");
    assert!(
        lost.iter().all(|line| line.contains("0 (0.0%)")),
        "tshark counts losses:\n{streams}"
    );
}

#[track_caller]
fn read(tshark: &Path, file: &Path, arguments: &[&str]) -> String {
    let output = Command::new(tshark)
        .arg("-r")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "tshark {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
