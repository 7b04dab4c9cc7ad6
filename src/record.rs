//! What must last: the slots of the store. A record survives the death of the process as soon as it is
//! written, and a power cut once it is synced.

/// The largest content of a slot, in bytes.
pub const SLOT_CAPACITY: usize = 8 * 1024;

/// A place in the store. Each holds one content or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// A dialog that may be alive at a far end (dialer, number below [`Slot::DIALOGS`]). Its content may hold a PIN.
    Dialog(u8),
    /// The ports that a dialer chose once and keeps.
    Ports,
    /// What the room was set to: power, volume, mute.
    Room,
}

impl Slot {
    /// How many dialogs can be written down at once: one call, its forks, and those being ended.
    pub const DIALOGS: u8 = 16;

    /// Every slot, in the order of the file.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Ports, Self::Room]
            .into_iter()
            .chain((0..Self::DIALOGS).map(Self::Dialog))
    }
}

/// What the store held when the process started, in the order of [`Slot::all`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored(pub Vec<(Slot, Vec<u8>)>);

impl Restored {
    /// The content of one slot.
    pub fn get(&self, slot: Slot) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(held, _)| *held == slot)
            .map(|(_, content)| content.as_slice())
    }
}
