//! The dialer against far ends that are scripted, in virtual time.

use super::*;

/// A transcript by its name.
macro_rules! transcript {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/data/sip_calls/", $name, ".txt"))
    };
}

mod calls;
mod conditions;
mod harness;
mod privacy;
mod promises;
mod recovery;
mod registration;
mod services;
mod tls;
mod transcript;
mod wire_side;

/// A room without proxy and password, at a fixed port.
pub(super) fn settings() -> Settings {
    Settings {
        identity: "sip:room@example.com".to_owned(),
        username: String::new(),
        password: None,
        realm: String::new(),
        registrar: String::new(),
        outbound_proxy: String::new(),
        listen: vec!["0.0.0.0:5062".parse().unwrap()],
        transport: None,
        public_address: None,
        session_expires: Duration::from_secs(1800),
        inbound: 480,
        codecs: vec![CodecName::Pcmu, CodecName::Pcma],
        dtmf: DigitsBy::Auto,
        srtp: Encryption::Prefer,
    }
}
