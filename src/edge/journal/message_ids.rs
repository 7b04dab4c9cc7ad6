//! The journal events that have an entry in the message catalog.

/// Event name and `MESSAGE_ID`: `journalctl -x` finds the explanation by it, so a row never changes.
pub const MESSAGE_IDS: &[(&str, &str)] = &[
    ("call-placed", "681d5cc5dd7a402a9e924c836e9a8764"),
    ("call-answered", "223d41de20524c818f6c027d385a439f"),
    ("call-ended", "4c1b2ef26c874c5187ae34292de84383"),
    ("call-failed", "87d24ed715354fa2b8ab7c1ecef6fe0d"),
    ("bridge-up", "d854165eb9134428adbe13d971a54838"),
    ("bridge-down", "700aa9b41b054f5189cef05cd9460f74"),
    ("auth-failed", "b3d6bb9ee2a34dbd9b704d55ba280a5b"),
    ("config-wrong", "a169f901e8b54ee2999aba58a080616d"),
    ("no-far-audio", "3ae902c3a17544048096098666c21ccc"),
    ("microphone-silent", "d29deb6b92774ce898f099cb1becbcd4"),
    ("audio-device-lost", "20c3db18ff994d37af2311c0a05fb6ba"),
    ("orphan-ended", "b3c9420e39f745bd9bd797c5455814b2"),
    ("state-unwritable", "7322875f207641afa6f9946a32e834a3"),
    ("config-reloaded", "8b0b383090d84864b65f0753bac4008e"),
    ("config-refused", "e92413f826184f6fb947497ea6e5b989"),
];

/// The `MESSAGE_ID` of an event, when it has one.
pub fn message_id(event: &str) -> Option<&'static str> {
    MESSAGE_IDS
        .iter()
        .find(|(name, _)| *name == event)
        .map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_event_has_an_id_of_its_own() {
        let ids: BTreeSet<_> = MESSAGE_IDS.iter().map(|(_, id)| *id).collect();
        let names: BTreeSet<_> = MESSAGE_IDS.iter().map(|(name, _)| *name).collect();
        assert_eq!((ids.len(), names.len()), (MESSAGE_IDS.len(), MESSAGE_IDS.len()));
        assert!(
            ids.iter()
                .all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        );
        assert_eq!(message_id("state-unwritable"), Some(MESSAGE_IDS[12].1));
        assert_eq!(message_id("never-heard-of"), None);
    }
}
