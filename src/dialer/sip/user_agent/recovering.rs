//! The start: listening, and ending what the last process left behind.

use std::collections::BTreeSet;

use super::{Party, UserAgent, next_flow};
use crate::dialer::Output;
use crate::dialer::sip::farewell::Farewell;
use crate::dialer::sip::listening::Listening;
use crate::dialer::sip::recovery::Record;
use crate::dialer::sip::registration::Registration;
use crate::dialer::sip::transaction::table::Owner;
use crate::record::Slot;
use crate::time::Now;

/// How far that is.
/// ```text
/// NotStarted ──→ Ending ──→ Done
/// ```
pub(super) enum Recovery {
    NotStarted,
    Ending { found: usize, pending: BTreeSet<Owner> },
    Done,
}

impl UserAgent {
    pub(super) fn start(&mut self, now: Now) {
        let Recovery::NotStarted = self.recovery else {
            return;
        };
        let restored = std::mem::take(&mut self.restored);
        let next_number = &mut self.next_number;
        let configured = &self.profile.settings.listen;
        self.listening = Listening::start(configured, restored.get(Slot::Ports), || next_flow(next_number));
        self.drain_listening();
        let mut pending = BTreeSet::new();
        let mut found = 0;
        for (slot, content) in restored.0.iter().filter(|(_, content)| !content.is_empty()) {
            let Slot::Dialog(_) = slot else { continue };
            match Record::read(content).and_then(|record| record.orphan(&mut self.chance)) {
                Ok(orphan) => {
                    found += 1;
                    let farewell = Farewell::recover(now, self.profile.clone(), self.chance.fork(), orphan);
                    let owner = self.next_owner();
                    self.slots.insert(owner, *slot);
                    self.parties.insert(owner, Party::Farewell(Box::new(farewell)));
                    pending.insert(owner);
                }
                Err(why) => {
                    tracing::warn!(?slot, why, "a dialog record cannot be read and is erased");
                    self.outputs.push_back(Output::Erase(*slot));
                }
            }
        }
        if found > 0 {
            tracing::info!(found, "dialogs that the last process left behind are being ended");
        }
        self.recovery = Recovery::Ending { found, pending };
        if !self.profile.settings.registrar.is_empty() {
            self.registration = Registration::start(now, self.profile.clone(), self.chance.fork());
        }
    }

    pub(super) fn tell_recovered(&mut self) {
        let Recovery::Ending { found, pending } = &mut self.recovery else {
            return;
        };
        let parties = &self.parties;
        pending.retain(
            |owner| matches!(parties.get(owner), Some(Party::Farewell(farewell)) if farewell.is_pending()),
        );
        if pending.is_empty() {
            let ended = *found;
            if ended > 0 {
                tracing::info!(
                    event = "orphan-ended",
                    ended,
                    "what the last process left behind has been ended"
                );
            }
            self.outputs.push_back(Output::Recovered { ended });
            self.recovery = Recovery::Done;
        }
    }
}
