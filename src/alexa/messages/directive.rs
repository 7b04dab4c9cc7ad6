//! A directive, as the room understands it, and the list of those that we know.

use super::field::{FieldFault, Fields};
use super::{end_meeting, join_meeting};

pub use super::join_meeting::JoinMeeting;

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

/// A row of the list.
pub struct Row {
    /// `header.namespace`.
    pub namespace: &'static str,
    /// `header.name`.
    pub name: &'static str,
    /// Reads `payload`; it gets an empty object when that is absent or null.
    pub read: fn(&Fields<'_>) -> Result<Directive, FieldFault>,
}

/// Every directive that we know.
pub const DIRECTIVES: &[Row] = &[end_meeting::ROW, join_meeting::ROW];

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
