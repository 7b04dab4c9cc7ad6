//! The statuses of ConnectionStatusChanged, in both forms: what an engine says of its own connection is told, and the
//! aggregate is the best of both.

use serde_json::{Value, json};

use super::Watched;
use crate::peers::bridge::{Welcome, action};
use crate::peers::room::Room;

#[test]
fn connected() {
    // Without a local link the form is the plain one.
    let room = Room::open();
    let plain = room.bridge.frames().into_iter().find(is_connection).unwrap();
    assert_eq!(
        plain["payload"],
        json!({"status": "CONNECTED", "reason": "SUCCESS"})
    );
    room.meetd.stop();
    // With one it is the detailed form, with both keys always.
    is_told("connected", "success", ("CONNECTED", "SUCCESS"));
}

#[test]
fn pending() {
    is_told("Pending", "dns_timedout", ("CONNECTED", "SUCCESS"));
}

#[test]
fn disconnected() {
    is_told("DISCONNECTED", "Acl_Disabled", ("CONNECTED", "SUCCESS"));
}

/// What Alexa's engine says is `avs`; the engine itself is `local`, and the better of both the aggregate.
#[track_caller]
fn is_told(status: &str, reason: &str, aggregate: (&str, &str)) {
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    let none = json!({"status": "DISCONNECTED", "reason": "NONE"});
    let success = json!({"status": "CONNECTED", "reason": "SUCCESS"});
    let first = room.bridge.frames().into_iter().find(is_connection).unwrap();
    assert_eq!(
        first["payload"],
        json!({"status": "CONNECTED", "reason": "SUCCESS", "detailed": {"avs": success, "local": none}})
    );
    room.panel.alexa_client(
        "ConnectionStatusChanged",
        json!({"status": status, "reason": reason}),
    );
    let (status, reason) = (status.to_uppercase(), reason.to_uppercase());
    let told = room
        .bridge
        .wait_for_message("ConnectionStatusChanged", |connection| {
            connection["detailed"]["local"] == success
        });
    assert_eq!(
        told,
        json!({
            "status": aggregate.0,
            "reason": aggregate.1,
            "detailed": {"avs": {"status": status, "reason": reason}, "local": success},
        })
    );
    room.meetd.stop();
}

fn is_connection(frame: &Value) -> bool {
    action(frame) == "ConnectionStatusChanged"
}
