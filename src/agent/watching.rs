//! Who follows the status: told where things stand, then of each change.

use std::collections::BTreeSet;

use super::Agent;
use crate::bridge::link::{LinkEvent, LinkId};
use crate::control::{Reply, StatusReport};
use crate::time::Now;

/// The commands that follow it.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    links: BTreeSet<LinkId>,
    /// What they were told last.
    told: Option<Box<StatusReport>>,
}

impl Agent {
    /// A command wants to follow the status. One that asks again shows that it is still there.
    pub(super) fn watch(&mut self, now: Now, link: LinkId) {
        self.watchers.links.insert(link);
        let report = Box::new(self.report(now));
        self.reply(link, &Reply::Status(report));
    }

    /// Something happened on a link: one that is lost does not watch any more.
    pub(super) fn unwatch_lost(&mut self, link: LinkId, event: &LinkEvent) {
        if let LinkEvent::Lost(_) = event {
            self.watchers.links.remove(&link);
        }
    }

    /// Tells the watchers, when something changed.
    pub(super) fn tell_watchers(&mut self, now: Now) {
        if self.watchers.links.is_empty() {
            self.watchers.told = None;
            return;
        }
        let report = Box::new(self.report(now));
        if self.watchers.told.as_ref() == Some(&report) {
            return;
        }
        for link in self.watchers.links.clone() {
            self.reply(link, &Reply::Status(report.clone()));
        }
        self.watchers.told = Some(report);
    }
}
