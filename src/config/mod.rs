//! From files, environment and flags to one checked configuration.
//!
//! [`keys`] is the table of all keys. [`layers`] reads each layer and merges them, [`settings`] turns the result into
//! every module's `Settings`, [`agreement`] sees whether the values fit each other and this build; [`reload`] lays what
//! was read again over what is in force. All problems are found at once. Everything here is pure: `edge::config_files`
//! reads the files.

use std::net::SocketAddr;

use crate::{bridge, dialer, media, room};

pub mod addresses;
pub mod agreement;
mod file_layer;
pub mod formats;
pub mod key_names;
pub mod keys;
mod kinds;
pub mod layers;
pub mod manual;
pub mod problem;
pub mod providers;
pub mod reload;
pub mod settings;
pub mod value;

pub use layers::{Effective, Sources};
pub use problem::{Origin, Problem};

/// The whole configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What the room is and may do.
    pub room: room::Settings,
    /// How the bridge is reached.
    pub bridge: bridge::Settings,
    /// The dialers. `sip.password` is empty here: the edge reads it from [`Config::sip_password_file`].
    pub dialer: dialer::Settings,
    /// The audio side.
    pub media: media::Settings,
    /// Names the file with the SIP password.
    pub sip_password_file: Option<String>,
    /// How the edge reaches SIP far ends.
    pub sip_network: SipNetwork,
    /// `log.level`.
    pub log_level: tracing::Level,
    /// `log.metrics`: where figures are served.
    pub metrics: Option<SocketAddr>,
}

/// What the edge needs of the `[sip]` section to reach far ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipNetwork {
    /// Names a PEM file with more roots.
    pub ca_file: Option<String>,
    /// Base64 of SHA-256 of public keys (SPKI), one of which the verified chain must contain; empty: any.
    pub pin_sha256: Vec<String>,
    /// Names the PEM files with our own certificate and with its key.
    pub identity_files: Option<(String, String)>,
    /// A DNS server for SIP names; `None`: those of the system.
    pub resolver: Option<SocketAddr>,
}

/// What became of the sources.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The configuration; `None` when a problem is an error.
    pub config: Option<Config>,
    /// Each key's value and where it comes from.
    pub effective: Effective,
    /// All problems, sorted by place.
    pub problems: Vec<Problem>,
}

/// Reads, merges and checks everything.
pub fn check(sources: &Sources) -> Checked {
    let (effective, mut problems) = layers::merge(sources);
    problems.extend(agreement::problems(&effective));
    let (config, wrong) = settings::convert(&effective);
    problems.extend(wrong);
    problems.sort();
    problems.dedup();
    let is_usable = !problems.iter().any(Problem::is_error);
    Checked {
        config: config.filter(|_| is_usable),
        effective,
        problems,
    }
}

#[cfg(test)]
mod tests;
