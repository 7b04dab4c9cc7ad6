//! A directive, as the room understands it, and the list of those that we know.

use super::field::{FieldFault, Fields};
use super::{discover, end_meeting, join_meeting, power, report_state, speaker};

pub use super::join_meeting::JoinMeeting;
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
    /// `Alexa.Discovery.Discover`.
    Discover,
    /// `Alexa.ReportState`.
    ReportState,
    /// `Alexa.PowerController.TurnOn`.
    TurnOn,
    /// `Alexa.PowerController.TurnOff`.
    TurnOff,
    /// `Alexa.Speaker.SetVolume`, with whatever number came.
    SetVolume(i64),
    /// `Alexa.Speaker.AdjustVolume`, with whatever number came.
    AdjustVolume(i64),
    /// `Alexa.Speaker.SetMute`.
    SetMute(bool),
    /// Digits during a meeting: a command's, no directive of Alexa's.
    PressDigits(Secret),
}

/// A row of the list.
pub struct Row {
    /// `header.namespace`.
    pub namespace: &'static str,
    /// `header.name`.
    pub name: &'static str,
    /// To whom it is said.
    pub addressed: Addressed,
    /// Reads `payload`; it gets an empty object when that is absent or null.
    pub read: fn(&Fields<'_>) -> Result<Directive, FieldFault>,
}

/// To whom a directive is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressed {
    /// To the room: its `endpoint.endpointId` must be ours.
    ToTheRoom,
    /// To whoever is there: it has no `endpoint`, and its answer has none.
    ToNobody,
}

/// Every directive that we know.
pub const DIRECTIVES: &[Row] = &[
    discover::ROW,
    end_meeting::ROW,
    join_meeting::ROW,
    power::TURN_OFF,
    power::TURN_ON,
    report_state::ROW,
    speaker::ADJUST_VOLUME,
    speaker::SET_MUTE,
    speaker::SET_VOLUME,
];

/// The row of a directive, if there is one.
pub fn find(namespace: &str, name: &str) -> Option<&'static Row> {
    DIRECTIVES
        .iter()
        .find(|row| row.namespace == namespace && row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_found_by_its_own_name_only() {
        for row in DIRECTIVES {
            let found = find(row.namespace, row.name).unwrap();
            assert_eq!((found.namespace, found.name), (row.namespace, row.name));
            assert!(find(row.namespace, "Nothing").is_none());
            assert!(find("Alexa.Nothing", row.name).is_none());
            let twins = DIRECTIVES
                .iter()
                .filter(|other| other.namespace == row.namespace && other.name == row.name);
            assert_eq!(twins.count(), 1, "{}.{}", row.namespace, row.name);
        }
    }

    #[test]
    fn names_of_directives_are_read_with_regard_to_case() {
        assert!(find("Alexa.MeetingClientController", "joinmeeting").is_none());
    }
}
