//! State directories that cannot be written: calls work, and the loss of the promise is said once.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::peers::bridge::Bridge;
use crate::peers::daemon::Home;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::room::Room;

const FULL: &str = "mount -t tmpfs -o size=64k none \"$STATE_DIRECTORY\" && \
                    { head -c 1000000 /dev/zero > \"$STATE_DIRECTORY\"/filler 2>&-; \
                    ! echo > \"$STATE_DIRECTORY\"/more; } 2>&-";
const READ_ONLY: &str = "mount -t tmpfs -o ro none \"$STATE_DIRECTORY\"";

#[test]
fn a_full_disk_costs_no_call_and_is_said_once() {
    meetings_on(FULL, "No space left on device");
}

#[test]
fn a_read_only_state_directory_costs_no_call_and_is_said_once() {
    meetings_on(READ_ONLY, "Read-only file system");
}

/// Two meetings of a daemon whose state directory is mounted so.
fn meetings_on(mount: &str, why: &str) {
    if let Err(why) = may_mount() {
        return println!("skipped: no file system of our own can be mounted here: {why}");
    }
    let bridge = Bridge::start();
    let home = Home::new(&bridge);
    let script = format!("{mount} && exec \"$@\"");
    let meetd = home.start_under(&["unshare", "--mount", "sh", "-c", &script, "sh"]);
    bridge.wait_for_snapshot(1);
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let room = Room { meetd, bridge, home };
    for meeting in 1..=2 {
        let joined = room.bridge.ask(&directives::join(&far_end.endpoint()));
        assert_eq!(outcome(&joined), "Response", "{joined}");
        assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
        far_end.seen.wait_for("the call is over", |seen| {
            let over = seen.calls.iter().filter(|call| call.phase.is_over()).count();
            (over == meeting).then_some(())
        });
    }
    let error = room.wait_for_status("the fault in the status", |status| {
        status["lastError"]["message"].as_str().map(str::to_owned)
    });
    assert!(error.contains(why), "{error}");
    let said = room.meetd.stop();
    let lines = said
        .lines()
        .filter(|line| line.contains("event=state-unwritable"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("ERROR") && lines[0].contains(why),
        "{}",
        lines[0]
    );
}

fn may_mount() -> Result<(), String> {
    let tried = Command::new("unshare")
        .args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}
