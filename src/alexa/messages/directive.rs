//! A directive, as the room understands it.

use crate::secret::Secret;

/// One directive that waits for its outcome, from whomever it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What is asked of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `Alexa.MeetingClientController.JoinMeeting`.
    JoinMeeting(JoinMeeting),
    /// `Alexa.MeetingClientController.EndMeeting`.
    EndMeeting,
}

/// The meeting of a `JoinMeeting`. Absent, null and `""` are `None` for `id` and `pin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinMeeting {
    /// `meeting.endpoint`: host, URI or number.
    pub endpoint: String,
    /// `meeting.protocol`, as it came; never empty.
    pub protocol: String,
    /// `meeting.provider`, as it came; never empty.
    pub provider: String,
    /// `meeting.id`. Providers' templates may join it with the PIN, so it is not shown either until it is checked.
    pub id: Option<String>,
    /// `meeting.pin`.
    pub pin: Option<Secret>,
}
