//! A disk that survives the process, fills up, fails to sync, and loses what was not synced when the power goes.

use std::collections::{BTreeMap, BTreeSet};

use meetd::chance::Chance;
use meetd::record::{Restored, Slot};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskFault {
    #[default]
    None,
    /// Full or read-only: nothing is written.
    Unwritable,
    /// Written, but a sync ends in EIO.
    Unsyncable,
}

/// The slots, and what a power cut would leave of them.
#[derive(Default)]
pub struct Disk {
    pub fault: DiskFault,
    slots: BTreeMap<Slot, Vec<u8>>,
    /// What stood in a slot before its first write since the last sync.
    unsynced: BTreeMap<Slot, Vec<u8>>,
    /// Slots whose last write was lost.
    stale: BTreeSet<Slot>,
}

impl Disk {
    /// What a process finds.
    pub fn restored(&self) -> Restored {
        Restored(self.slots.clone().into_iter().collect())
    }

    /// Whether a dialog that was to be written is not there.
    pub fn has_lost_a_dialog(&self) -> bool {
        self.stale.iter().any(|slot| matches!(slot, Slot::Dialog(_)))
    }

    /// Whether an answer that was to be written is not there.
    pub fn has_lost_an_answer(&self) -> bool {
        self.stale.iter().any(|slot| matches!(slot, Slot::Answer(_)))
    }

    /// What was lost is lost: a new process writes anew.
    pub fn forget_losses(&mut self) {
        self.stale.clear();
    }

    pub fn write(&mut self, slot: Slot, content: Vec<u8>) {
        if self.fault == DiskFault::Unwritable {
            self.stale.insert(slot);
            return;
        }
        self.stale.remove(&slot);
        let before = self.put(slot, content);
        self.unsynced.entry(slot).or_insert(before);
    }

    pub fn sync(&mut self) -> Result<(), String> {
        match self.fault {
            DiskFault::None => {
                self.unsynced.clear();
                Ok(())
            }
            DiskFault::Unwritable => Err("No space left on device (os error 28)".to_owned()),
            DiskFault::Unsyncable => Err("Input/output error (os error 5)".to_owned()),
        }
    }

    /// Of each slot that was not synced either content is there: a torn write shows the former one.
    pub fn lose_power(&mut self, chance: &mut Chance) {
        for (slot, before) in std::mem::take(&mut self.unsynced) {
            if chance.below(2) == 0 {
                self.put(slot, before);
                self.stale.insert(slot);
            }
        }
    }

    fn put(&mut self, slot: Slot, content: Vec<u8>) -> Vec<u8> {
        let before = if content.is_empty() {
            self.slots.remove(&slot)
        } else {
            self.slots.insert(slot, content)
        };
        before.unwrap_or_default()
    }
}
