//! From files, environment and flags to one checked configuration.

use crate::{bridge, dialer, media, room};

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
    /// `log.level`.
    pub log_level: tracing::Level,
}
