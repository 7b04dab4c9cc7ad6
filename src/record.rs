//! What must last: the slots of the store. A record survives the death of the process as soon as it is
//! written, and a power cut once it is synced.

/// The largest content of a slot, in bytes; [`Slot::capacity`] says what each takes.
pub const SLOT_CAPACITY: usize = 8 * 1024;
/// The largest content of an [`Slot::Answer`], in bytes.
pub const ANSWER_CAPACITY: usize = 96;

/// A place in the store. Each holds one content or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// A dialog that may be alive at a far end (dialer, number below [`Slot::DIALOGS`]). Its content may hold a PIN.
    Dialog(u8),
    /// The ports that a dialer chose once and keeps.
    Ports,
    /// What the room was set to: power, volume, mute.
    Room,
    /// Whose state this is; the store's own.
    Machine,
    /// What became of a directive (number below [`Slot::ANSWERS`]).
    Answer(u16),
}

impl Slot {
    /// How many dialogs can be written down at once: one call, its forks, and those being ended.
    pub const DIALOGS: u8 = 16;
    /// How many directives are remembered (contract, "Directives").
    pub const ANSWERS: u16 = 4096;

    /// Every slot, in the order of the file.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Ports, Self::Room]
            .into_iter()
            .chain((0..Self::DIALOGS).map(Self::Dialog))
            .chain([Self::Machine])
            .chain((0..Self::ANSWERS).map(Self::Answer))
    }

    /// Its place among [`Slot::all`].
    pub fn number(self) -> u32 {
        const DIALOGS: u32 = 2;
        const MACHINE: u32 = DIALOGS + Slot::DIALOGS as u32;
        match self {
            Self::Ports => 0,
            Self::Room => 1,
            Self::Dialog(dialog) => DIALOGS + u32::from(dialog),
            Self::Machine => MACHINE,
            Self::Answer(answer) => MACHINE + 1 + u32::from(answer),
        }
    }

    /// The largest content it takes, in bytes.
    pub fn capacity(self) -> usize {
        match self {
            Self::Dialog(_) | Self::Ports | Self::Room | Self::Machine => SLOT_CAPACITY,
            Self::Answer(_) => ANSWER_CAPACITY,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_stands_where_its_number_says() {
        assert!(
            (0..)
                .zip(Slot::all())
                .all(|(number, slot)| slot.number() == number)
        );
    }
}
