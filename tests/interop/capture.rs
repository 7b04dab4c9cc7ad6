//! A whole call as tshark reads it: nothing malformed, no packet lost, and the digits it decodes are the PIN.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::peers::directives::{self, outcome};
use crate::peers::far_end::FarEnd;
use crate::peers::programs::{self, Skipped};
use crate::peers::room::Room;
use crate::peers::tap::Tap;

pub fn tshark_reads_a_whole_call_without_complaint() -> Result<(), Skipped> {
    let tshark = programs::find("tshark", "tshark")?;
    let far_end = FarEnd::asking_for("90210");
    let tap = Tap::start(far_end.address);
    let room = Room::open();
    let join = directives::join_with(&tap.address.to_string(), "standup", "90210");
    assert_eq!(outcome(&room.bridge.ask(&join)), "Response");
    tap.wait_for("the PIN, and half a second of tone both ways", |wire| {
        let done = wire.from_daemon.digits.len() == 6 && wire.from_daemon.ear.hears(440) && wire.to_daemon.ear.hears(600);
        done.then_some(())
    });
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    far_end.wait_until_all_is_over();
    tap.wait_for_sip("200 for BYE", false, |message| message.answers("BYE", 200));
    room.meetd.stop();

    let folder = TempDir::with_prefix("meetd-capture-").unwrap();
    let file = folder.path().join("call.pcap");
    tap.write_capture(&file);
    let read = |arguments: &[&str]| read(&tshark, &file, arguments);
    let malformed = read(&["-Y", "_ws.malformed or (sip and _ws.expert.severity >= 6291456)"]);
    assert_eq!(malformed, "", "tshark calls these malformed");
    let methods = read(&["-Y", "sip.Method", "-T", "fields", "-e", "sip.Method"]);
    assert_eq!(methods.split_whitespace().collect::<Vec<_>>(), ["INVITE", "ACK", "BYE"]);
    let digits = read(&["-Y", "rtpevent.marker == 1 or rtp.marker == 1 and rtpevent", "-T", "fields", "-e", "rtpevent.event_id"]);
    assert_eq!(digits.split_whitespace().collect::<Vec<_>>(), ["9", "0", "2", "1", "0", "11"]);
    let streams = read(&["-q", "-z", "rtp,streams"]);
    let lost: Vec<&str> = streams.lines().filter(|line| line.contains("127.0.0.1")).collect();
    assert_eq!(lost.len(), 2, "two streams of RTP:\n{streams}");
    assert!(lost.iter().all(|line| line.contains("0 (0.0%)")), "tshark counts losses:\n{streams}");
    Ok(())
}

#[track_caller]
fn read(tshark: &Path, file: &Path, arguments: &[&str]) -> String {
    let output = Command::new(tshark).arg("-r").arg(file).args(arguments).output().unwrap();
    assert!(output.status.success(), "tshark {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
