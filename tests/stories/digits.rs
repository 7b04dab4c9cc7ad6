//! Digits during a meeting, and Stop: `PhoneCallController` from the bridge, `meetd dtmf` from the keyboard.

use serde_json::json;

use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Phase};
use crate::peers::room::Room;

#[test]
fn a_skill_enters_the_pin_and_hangs_up() {
    let far_end = FarEnd::asking_for("2468013");
    let room = Room::open();
    let bridge = &room.bridge;
    let early = directives::phone_call("SendDTMF", json!({"signal": "1"}));
    bridge.send(&early);
    let failed = bridge.wait_for_message("SendDTMFFailed", |_| true);
    assert_eq!(failed["code"], "CALL_NOT_IN_PROGRESS");
    assert_eq!(
        outcome(&bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    let call = bridge.wait_for_call_state("ACTIVE")["callId"].clone();
    bridge.send(&directives::phone_call(
        "SendDTMF",
        json!({"callId": call, "signal": "24"}),
    ));
    let inside = json!({"callId": call, "signal": "68013#"}).to_string();
    bridge.send(&directives::phone_call("SendDTMF", json!({"payload": inside})));
    far_end.wait_for("the PIN", |seen| seen.calls.last()?.pin_at);
    bridge.wait_for_frames("two SendDTMFSucceeded", |frames| {
        let succeeded = frames.iter().filter(|frame| {
            frame["header"]["messageDescription"]["action"] == "SendDTMFSucceeded"
                && frame["payload"] == json!({"callId": call})
        });
        (succeeded.count() == 2).then_some(())
    });
    bridge.send(&directives::phone_call("Stop", json!({"callId": call})));
    far_end.wait_for_phase(Phase::TheyLeft);
    bridge.wait_for_call_state("IDLE");
    let log = room.meetd.stop();
    for piece in log.split("\"signal\"").skip(1) {
        assert!(piece.starts_with(":\"***\""), "digits are in the log: {piece}");
    }
}

#[test]
fn a_person_enters_the_pin_from_the_keyboard() {
    let far_end = FarEnd::asking_for("1357902");
    let room = Room::open();
    let none = room.home.run(&["dtmf", "1"]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    let joined = room
        .home
        .run(&["join", "--endpoint", &far_end.endpoint(), "--protocol", "sip"]);
    assert_eq!(joined.status.code(), Some(0), "{joined:?}");
    let sent = room.home.run(&["dtmf", "13w57902#"]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    far_end.wait_for("the PIN", |seen| seen.calls.last()?.pin_at);
    let wrong = room.home.run(&["dtmf", "1-2"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    room.meetd.stop();
}
