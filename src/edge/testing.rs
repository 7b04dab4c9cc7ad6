//! What the tests of edge and loop share: a runtime with a guard against hanging, and settings.

use std::time::Duration;

use crate::{bridge, media};

/// Runs a test on real sockets; nothing in it may take a minute.
pub fn in_runtime<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let guarded = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(guarded).expect("the test hangs")
}

/// The settings of `[bridge]` as the contract has them by default, with a token in the file `token`.
pub fn bridge_settings() -> bridge::Settings {
    bridge::Settings {
        enabled: true,
        url: String::new(),
        token_file: Some("token".to_owned()),
        ca_file: None,
        pin_sha256: Vec::new(),
        allow_plaintext: false,
        ping_interval: Duration::from_secs(20),
        ping_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        handshake_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(10),
        reconnect_min: Duration::from_secs(1),
        reconnect_max: Duration::from_secs(120),
        redirect_allow: Vec::new(),
        proxy: None,
        local: crate::bridge::LocalSettings {
            listen: None,
            tcp: None,
            token_file: None,
            origins: Vec::new(),
            dialog_timeout: std::time::Duration::from_secs(30),
        },
    }
}

/// Settings of `[media]` that need no device.
pub fn media_settings() -> media::Settings {
    media::Settings {
        input: media::InputDevice::Silence,
        output: media::OutputDevice::Discard,
        codecs: media::CodecName::BUILT_IN.to_vec(),
        dtmf: media::DigitsBy::Auto,
        rtp_ports: 16384..=32767,
        rtp_timeout: None,
        processing: media::Processing::Off,
        tones: false,
    }
}
