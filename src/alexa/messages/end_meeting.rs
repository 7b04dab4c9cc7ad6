//! `Alexa.MeetingClientController.EndMeeting`.

use super::directive::{Addressed, Directive, Row};
use super::field::{FieldFault, Fields};

/// Its row in the list.
pub const ROW: Row = Row {
    namespace: "Alexa.MeetingClientController",
    name: "EndMeeting",
    addressed: Addressed::ToTheRoom,
    read,
};

fn read(_payload: &Fields<'_>) -> Result<Directive, FieldFault> {
    Ok(Directive::EndMeeting)
}
