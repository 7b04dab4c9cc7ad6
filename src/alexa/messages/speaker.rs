//! `Alexa.Speaker`: SetVolume, AdjustVolume and SetMute, of the loudspeaker.

use super::directive::{Addressed, Directive, Row};

const NAMESPACE: &str = "Alexa.Speaker";

/// SetVolume's row in the list. Whether the volume is one is the room's to say.
pub const SET_VOLUME: Row = Row {
    namespace: NAMESPACE,
    name: "SetVolume",
    addressed: Addressed::ToTheRoom,
    read: |payload| payload.whole_number("volume").map(Directive::SetVolume),
};

/// AdjustVolume's row in the list. `volumeDefault` only says whether a person named the amount.
pub const ADJUST_VOLUME: Row = Row {
    namespace: NAMESPACE,
    name: "AdjustVolume",
    addressed: Addressed::ToTheRoom,
    read: |payload| {
        payload.optional_flag("volumeDefault")?;
        payload.whole_number("volume").map(Directive::AdjustVolume)
    },
};

/// SetMute's row in the list.
pub const SET_MUTE: Row = Row {
    namespace: NAMESPACE,
    name: "SetMute",
    addressed: Addressed::ToTheRoom,
    read: |payload| {
        let muted = payload.optional_flag("mute")?;
        muted
            .map(Directive::SetMute)
            .ok_or_else(|| payload.missing("mute"))
    },
};
