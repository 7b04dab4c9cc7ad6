//! What the tests of edge and loop share: a runtime with a guard against hanging, and settings.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Config;
use crate::dialer::{self, sip};
use crate::{bridge, media, room};

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
    }
}

/// A configuration without calls, bridge or devices.
pub fn config() -> Config {
    let media = media::Settings {
        input: media::InputDevice::Silence,
        output: media::OutputDevice::Discard,
        codecs: media::CodecName::BUILT_IN.to_vec(),
        dtmf: media::DigitsBy::Auto,
        rtp_ports: 16384..=32767,
        rtp_timeout: None,
    };
    let sip = sip::Settings {
        identity: "sip:room@example.com".to_owned(),
        username: String::new(),
        password: None,
        realm: String::new(),
        registrar: String::new(),
        outbound_proxy: String::new(),
        listen: Vec::new(),
        transport: None,
        public_address: None,
        session_expires: Duration::from_secs(1800),
        inbound: 480,
        codecs: media.codecs.clone(),
        dtmf: media.dtmf,
    };
    let room = room::Settings {
        endpoint_id: "room".to_owned(),
        friendly_name: String::new(),
        manufacturer: String::new(),
        description: String::new(),
        allow: Vec::new(),
        never: Vec::new(),
        own_hosts: Vec::new(),
        when_busy: room::WhenBusy::Reject,
        response_deadline: Duration::from_millis(6500),
        per_minute: None,
        max_duration: None,
        ring_timeout: Duration::from_secs(60),
        dtmf_delay: Duration::from_secs(2),
        rtp_timeout: None,
        dialers: BTreeMap::new(),
        providers: BTreeMap::new(),
        join_wakes: true,
    };
    Config {
        room,
        bridge: bridge_settings(),
        dialer: dialer::Settings { sip },
        media,
        sip_password_file: None,
        log_level: tracing::Level::INFO,
    }
}
