//! `Alexa.PowerController`: TurnOn and TurnOff.

use super::directive::{Addressed, Directive, Row};

const NAMESPACE: &str = "Alexa.PowerController";

/// TurnOn's row in the list.
pub const TURN_ON: Row = Row {
    namespace: NAMESPACE,
    name: "TurnOn",
    addressed: Addressed::ToTheRoom,
    read: |_| Ok(Directive::TurnOn),
};

/// TurnOff's row in the list.
pub const TURN_OFF: Row = Row {
    namespace: NAMESPACE,
    name: "TurnOff",
    addressed: Addressed::ToTheRoom,
    read: |_| Ok(Directive::TurnOff),
};
