//! The states of AuthStateChanged, by what brings them about.

use serde_json::json;

use super::Watched;
use crate::peers::bridge::{Bridge, Welcome};
use crate::peers::daemon::Home;

#[test]
fn uninitialized() {
    // Nobody has judged the token yet.
    let room = Watched::with(Welcome::Accept, &[("bridge.enabled", "false")]);
    room.is_signed("UNINITIALIZED", "NO_ERROR");
    room.meetd.stop();
    // The token is named, but missing.
    let room = Watched::with(Welcome::Accept, &[("bridge.token_file", "\"bridge-token\"")]);
    room.is_signed("UNINITIALIZED", "INVALID_REQUEST");
    room.home.write("bridge-token", "a-token\n");
    room.is_signed("REFRESHED", "NO_ERROR");
    room.meetd.stop();
}

#[test]
fn refreshed() {
    let room = Watched::met_with(Welcome::Accept);
    room.is_signed("REFRESHED", "NO_ERROR");
    assert_eq!(
        room.home.status()["auth"],
        json!({"state": "REFRESHED", "error": "NO_ERROR"})
    );
    room.meetd.stop();
}

#[test]
fn expired() {
    // 401, until the file holds the right token.
    let bridge = Bridge::start_with(Welcome::Accept, Some("tomorrows-token"));
    let mut home = Home::new(&bridge);
    home.set("bridge.token_file", "\"bridge-token\"");
    home.write("bridge-token", "yesterdays-token\n");
    let room = Watched::of(bridge, home);
    room.is_signed("EXPIRED", "AUTHORIZATION_EXPIRED");
    room.home.write("bridge-token", "tomorrows-token\n");
    room.is_signed("REFRESHED", "NO_ERROR");
    let log = room.meetd.stop();
    assert!(!log.contains("yesterdays-token") && !log.contains("tomorrows-token"));
    // The open connection is closed.
    for code in [1008, 4401] {
        let room = Watched::met_with(Welcome::Accept);
        room.bridge.wait_for_snapshot(1);
        room.bridge.close(code);
        room.is_signed("EXPIRED", "AUTHORIZATION_EXPIRED");
        room.bridge.wait_for_snapshot(2);
        room.meetd.stop();
    }
}

#[test]
fn unrecoverable_error() {
    let room = Watched::with(Welcome::Refuse(403), &[("bridge.reconnect_max", "\"60s\"")]);
    room.is_signed("UNRECOVERABLE_ERROR", "UNAUTHORIZED_CLIENT");
    room.is_told("PENDING", "INVALID_AUTH");
    room.meetd.stop();
    assert_eq!(room.bridge.events().len(), 1, "it was tried again at once");
    // Another token is tried with long before that.
    let bridge = Bridge::start_with(Welcome::Refuse(403), None);
    let mut home = Home::new(&bridge);
    home.set("bridge.token_file", "\"bridge-token\"")
        .set("bridge.reconnect_max", "\"1h\"");
    home.write("bridge-token", "token-of-yesterday\n");
    let room = Watched::of(bridge, home);
    room.is_signed("UNRECOVERABLE_ERROR", "UNAUTHORIZED_CLIENT");
    room.bridge.welcome(Welcome::Accept);
    room.home.write("bridge-token", "token-of-tomorrow\n");
    room.is_signed("REFRESHED", "NO_ERROR");
    room.meetd.stop();
}
