//! The meeting room: what it does next.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::Protocol;

pub mod dial_plan;

/// The sections `[room]`, `[calls]`, `[providers]` and `[power]`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The endpointId of directives.
    pub endpoint_id: String,
    /// For discovery.
    pub friendly_name: String,
    /// For discovery.
    pub manufacturer: String,
    /// For discovery.
    pub description: String,
    /// Who may be dialled; empty: nobody.
    pub allow: Vec<dial_plan::AllowEntry>,
    /// User parts that are never dialled.
    pub never: Vec<String>,
    /// The hosts of our registrar, proxy and identity, where a user part of 3 or more digits needs `USER@HOST`.
    pub own_hosts: Vec<String>,
    /// Where telephone numbers are sent: `sip.outbound_proxy`, else `sip.registrar`, as configured.
    pub telephone_gateway: Option<String>,
    /// What a join does while in another meeting.
    pub when_busy: WhenBusy,
    /// From a join's arrival to its event, at most.
    pub response_deadline: Duration,
    /// Calls placed in 60 s; `None`: no limit.
    pub per_minute: Option<u32>,
    /// The longest call; `None`: no limit.
    pub max_duration: Option<Duration>,
    /// The longest ringing.
    pub ring_timeout: Duration,
    /// From the answer to the first digit.
    pub dtmf_delay: Duration,
    /// Without RTP for this long the call ends; `None`: never (`media.rtp_timeout`).
    pub rtp_timeout: Option<Duration>,
    /// Which dialer makes the calls of a protocol.
    pub dialers: BTreeMap<Protocol, String>,
    /// The dial string templates, the built-in ones included, by normalized name.
    pub providers: BTreeMap<String, dial_plan::Provider>,
    /// Whether a join turns the room on.
    pub join_wakes: bool,
}

/// `calls.when_busy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// The join is refused.
    Reject,
    /// The join takes the place of the meeting.
    Replace,
}
