//! What became of the directives of late, so that a repeat of one does nothing again, not even after a restart
//! (contract, "Directives"). Each fits into a slot of the store; records are outputs.

use std::collections::{BTreeMap, VecDeque};

use crate::alexa::messages::incoming::Identity;
use crate::alexa::messages::outcome::Outcome;
use crate::record::{Restored, Slot};

use entry::Entry;

mod entry;

/// Directives that are remembered.
pub const MOST_REMEMBERED: usize = Slot::ANSWERS as usize;

/// A record for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it goes.
    pub slot: Slot,
    /// What is written there.
    pub content: Vec<u8>,
}

/// All that was answered lately.
#[derive(Debug, Default)]
pub struct Memory {
    remembered: BTreeMap<Identity, Outcome>,
    /// The keys of `remembered`, the oldest first, each with its serial number.
    order: VecDeque<(u32, Identity)>,
    /// Joins that were answered, and whose call is alive: they die with us.
    alive: Vec<(u32, Identity)>,
    next_serial: u32,
    records: VecDeque<Record>,
}

impl Memory {
    /// What the last process remembered. A join whose call was alive when it died is forgotten: its call has been
    /// ended, and a repeat does it anew.
    pub fn restore(&mut self, restored: &Restored) {
        let answers = restored
            .0
            .iter()
            .filter(|(slot, _)| matches!(slot, Slot::Answer(_)));
        let (mut entries, mut unreadable) = (Vec::new(), 0);
        for (_, content) in answers {
            match Entry::read(content) {
                Some(entry) => entries.push(entry),
                None => unreadable += 1,
            }
        }
        entries.sort_by_key(|entry| entry.serial);
        if let Some(newest) = entries.last() {
            self.next_serial = newest.serial.saturating_add(1);
        }
        let mut died = 0;
        for entry in entries {
            if entry.dies_with_us {
                died += 1;
            } else {
                self.keep(entry.serial, entry.identity, entry.outcome);
            }
        }
        if unreadable > 0 {
            tracing::warn!(
                unreadable,
                "answers of the last process cannot be read; repeats of them are new"
            );
        }
        if died > 0 {
            tracing::debug!(
                died,
                "joins died with the last process; repeats of them are done anew"
            );
        }
    }

    /// What became of a directive, if it is remembered.
    pub fn outcome(&self, identity: &Identity) -> Option<&Outcome> {
        self.remembered.get(identity)
    }

    /// Whether a directive with the same messageId is remembered.
    pub fn knows_message_id_of(&self, identity: Identity) -> bool {
        let [from, to] = [[0; 16], [0xff; 16]].map(|whole| Identity { whole, ..identity });
        self.remembered.range(from..=to).next().is_some()
    }

    /// Remembers what became of a directive; `stands_with_call` when that is true only as long as the call lives.
    pub fn remember(&mut self, identity: Identity, outcome: &Outcome, stands_with_call: bool) {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        self.write(Entry {
            serial,
            identity,
            dies_with_us: stands_with_call,
            outcome: outcome.clone(),
        });
        if stands_with_call {
            self.alive.push((serial, identity));
        }
        self.keep(serial, identity, outcome.clone());
    }

    /// The call is being ended, or is over: what was answered about it stands from here on.
    pub fn settle(&mut self) {
        for (serial, identity) in std::mem::take(&mut self.alive) {
            let Some(outcome) = self.remembered.get(&identity).cloned() else {
                continue;
            };
            self.write(Entry {
                serial,
                identity,
                dies_with_us: false,
                outcome,
            });
        }
    }

    /// The next record. Drain it until `None` before the event of a directive leaves.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    fn write(&mut self, entry: Entry) {
        let number = entry.serial % u32::from(Slot::ANSWERS);
        self.records.push_back(Record {
            slot: Slot::Answer(u16::try_from(number).unwrap_or_default()),
            content: entry.to_bytes(),
        });
    }

    fn keep(&mut self, serial: u32, identity: Identity, outcome: Outcome) {
        if self.remembered.insert(identity, outcome).is_some() {
            self.order.retain(|(_, other)| *other != identity);
        }
        self.order.push_back((serial, identity));
        if self.order.len() > MOST_REMEMBERED
            && let Some((serial, oldest)) = self.order.pop_front()
        {
            self.remembered.remove(&oldest);
            // Its slot is another's now.
            self.alive.retain(|(alive, _)| *alive != serial);
        }
    }
}

#[cfg(test)]
mod tests;
