//! The meeting room: what it does next. Directives and call events go into [`Room`]; commands to dialers, answers
//! and reports come out.

use std::collections::BTreeMap;
#[cfg(test)]
use std::str::FromStr;
use std::time::Duration;

use crate::call::Protocol;

mod answered;
pub mod dial_plan;
mod directives;
mod equipment;
mod journal;
mod microphone;
mod pressed;
mod reports;
#[expect(clippy::module_inception, reason = "the room is the machine of this module")]
mod room;
mod state;
mod supervision;
#[cfg(test)]
mod tests;

pub use answered::name as end_reason;
pub use equipment::Equipment;
pub use microphone::Microphone;
pub use reports::{CallStatus, CurrentCall, LastCall};
pub use room::{Input, Output, Room};

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
    /// Whether a voice can come from `media.input`; `silence` is one that was chosen.
    pub has_microphone: bool,
    /// Which dialer makes the calls of a protocol.
    pub dialers: BTreeMap<Protocol, String>,
    /// The dial string templates, the built-in ones included, by normalized name.
    pub providers: BTreeMap<String, dial_plan::Provider>,
    /// Whether a join turns the room on.
    pub join_wakes: bool,
    /// Whether the meeting does not hear what the room says to its assistant (`media.mute_during_dialog`).
    pub mute_during_dialog: bool,
}

/// `calls.when_busy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// The join is refused.
    Reject,
    /// The join takes the place of the meeting.
    Replace,
}

/// Settings with one allowed host, as the tests of this module start from.
#[cfg(test)]
pub(crate) fn settings_for_tests() -> Settings {
    Settings {
        endpoint_id: "room-15-104".to_owned(),
        friendly_name: "Room 15.104".to_owned(),
        manufacturer: "Example".to_owned(),
        description: "Conferencing equipment".to_owned(),
        allow: vec![dial_plan::AllowEntry::from_str("allowed.example").unwrap()],
        never: ["112", "911", "999", "110"].map(str::to_owned).to_vec(),
        own_hosts: Vec::new(),
        telephone_gateway: None,
        when_busy: WhenBusy::Reject,
        response_deadline: Duration::from_millis(6500),
        per_minute: Some(6),
        max_duration: Some(Duration::from_secs(12 * 3600)),
        ring_timeout: Duration::from_secs(60),
        dtmf_delay: Duration::from_secs(2),
        rtp_timeout: Some(Duration::from_secs(30)),
        has_microphone: true,
        dialers: [Protocol::Sip, Protocol::Sips]
            .map(|protocol| (protocol, "sip".to_owned()))
            .into(),
        providers: dial_plan::built_in(),
        join_wakes: true,
        mute_during_dialog: true,
    }
}
