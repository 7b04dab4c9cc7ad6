//! What the bridge is configured with.

use std::net::SocketAddr;
use std::time::Duration;

/// The `[bridge]` section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether to connect at all.
    pub enabled: bool,
    /// `wss://…`, or `ws://…` where allowed.
    pub url: String,
    /// Names the file with the bearer token; `None`: no token is sent.
    pub token_file: Option<String>,
    /// Names a PEM file with more roots.
    pub ca_file: Option<String>,
    /// Base64 of SHA-256 of public keys (SPKI), one of which the verified chain must contain; empty: any.
    pub pin_sha256: Vec<String>,
    /// Whether `ws://` may leave this machine.
    pub allow_plaintext: bool,
    /// From the last ping's answer to the next ping.
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered.
    pub ping_timeout: Duration,
    /// For the name, and for TCP.
    pub connect_timeout: Duration,
    /// For TLS and HTTP.
    pub handshake_timeout: Duration,
    /// How long a write may be stuck.
    pub write_timeout: Duration,
    /// The first back-off.
    pub reconnect_min: Duration,
    /// The largest back-off.
    pub reconnect_max: Duration,
    /// Hosts that a redirect may lead to.
    pub redirect_allow: Vec<String>,
    /// `http://host:port` of a proxy; `None`: the usual environment.
    pub proxy: Option<String>,
    /// The `[local]` section.
    pub local: LocalSettings,
}

impl Settings {
    /// Whether a connection under these would be as one under the others: all but the local link is the same.
    pub fn connects_as(&self, other: &Self) -> bool {
        let local = &self.local;
        *self
            == Self {
                local: local.clone(),
                ..other.clone()
            }
    }
}

/// The `[local]` section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSettings {
    /// The unix socket to listen at.
    pub listen: Option<String>,
    /// The TCP address to listen at.
    pub tcp: Option<SocketAddr>,
    /// Names the file with the token that clients over TCP must show.
    pub token_file: Option<String>,
    /// The origins that web pages may have.
    pub origins: Vec<String>,
    /// A dialog without a word from its engine for so long is over.
    pub dialog_timeout: Duration,
}

impl LocalSettings {
    /// Whether there can be voice engines.
    pub fn is_open(&self) -> bool {
        self.listen.is_some() || self.tcp.is_some()
    }
}
