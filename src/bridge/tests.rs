//! Stories of the whole bridge, in virtual time.

use std::time::Duration;

use super::*;

/// The defaults of the contract.
pub(crate) fn settings() -> Settings {
    let seconds = Duration::from_secs;
    Settings {
        enabled: true,
        url: "wss://bridge.example.com/rooms/one".to_owned(),
        token_file: Some("bridge-token".to_owned()),
        ca_file: None,
        pin_sha256: Vec::new(),
        allow_plaintext: false,
        ping_interval: seconds(20),
        ping_timeout: seconds(10),
        connect_timeout: seconds(10),
        handshake_timeout: seconds(10),
        write_timeout: seconds(10),
        reconnect_min: seconds(1),
        reconnect_max: seconds(120),
        redirect_allow: Vec::new(),
        proxy: None,
    }
}
