//! `Alexa.MeetingClientController.JoinMeeting`.

use std::fmt;

use super::directive::{Addressed, Directive, Row};
use super::field::{FieldFault, Fields};
use crate::secret::Secret;

/// Its row in the list.
pub const ROW: Row = Row {
    namespace: "Alexa.MeetingClientController",
    name: "JoinMeeting",
    addressed: Addressed::ToTheRoom,
    read,
};

/// The meeting of a `JoinMeeting`. Absent, null and `""` are `None` for `id` and `pin`. `Debug` shows neither of
/// them, nor the endpoint: a dial string may hold the PIN.
#[derive(Clone, PartialEq, Eq)]
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

impl fmt::Debug for JoinMeeting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JoinMeeting")
            .field("protocol", &self.protocol)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

fn read(payload: &Fields<'_>) -> Result<Directive, FieldFault> {
    let meeting = payload.object("meeting")?;
    Ok(Directive::JoinMeeting(JoinMeeting {
        endpoint: meeting.text("endpoint")?.to_owned(),
        protocol: meeting.text("protocol")?.to_owned(),
        provider: meeting.text("provider")?.to_owned(),
        id: meeting.optional_text("id")?.map(str::to_owned),
        pin: meeting.optional_text("pin")?.map(Secret::new),
    }))
}
