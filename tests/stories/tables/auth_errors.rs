//! The errors of AuthStateChanged: those that the bridge brings about are told by `auth_states`; here each is one
//! that an engine on the device reports of itself, and is passed on.

use serde_json::json;

use super::Watched;
use crate::peers::bridge::Welcome;

#[test]
fn no_error() {
    is_passed_on("NO_ERROR");
}

#[test]
fn unknown_error() {
    is_passed_on("UNKNOWN_ERROR");
}

#[test]
fn authorization_failed() {
    is_passed_on("AUTHORIZATION_FAILED");
}

#[test]
fn unauthorized_client() {
    is_passed_on("UNAUTHORIZED_CLIENT");
}

#[test]
fn server_error() {
    is_passed_on("SERVER_ERROR");
}

#[test]
fn invalid_request() {
    is_passed_on("INVALID_REQUEST");
}

#[test]
fn invalid_value() {
    is_passed_on("INVALID_VALUE");
}

#[test]
fn authorization_expired() {
    is_passed_on("AUTHORIZATION_EXPIRED");
}

#[test]
fn unsupported_grant_type() {
    is_passed_on("UNSUPPORTED_GRANT_TYPE");
}

#[test]
fn invalid_code_pair() {
    is_passed_on("INVALID_CODE_PAIR");
}

#[test]
fn authorization_pending() {
    is_passed_on("AUTHORIZATION_PENDING");
}

#[test]
fn slow_down() {
    is_passed_on("SLOW_DOWN");
}

#[test]
fn internal_error() {
    is_passed_on("INTERNAL_ERROR");
}

#[test]
fn invalid_cbl_client_id() {
    is_passed_on("INVALID_CBL_CLIENT_ID");
}

/// The state is another one than the bridge's, so that it is a change with each error.
#[track_caller]
fn is_passed_on(error: &str) {
    let room = Watched::met_with(Welcome::Accept);
    room.bridge.wait_for_snapshot(1);
    let said = json!({"state": "unrecoverable_error", "error": error.to_lowercase()});
    room.panel.alexa_client("AuthStateChanged", said);
    let told = json!({"state": "UNRECOVERABLE_ERROR", "error": error});
    room.bridge
        .wait_for_message("AuthStateChanged", |auth| *auth == told);
    room.is_signed("UNRECOVERABLE_ERROR", error);
    assert_eq!(room.home.status()["auth"], told);
    room.meetd.stop();
}
