//! Which links are open, and the bounded queue to the task behind each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use crate::agent::Wake;
use crate::bridge::link::{Frame, LinkEvent, LinkFault, LinkId};

use super::leaving::{Leaving, Unfinished};

/// How many frames may wait for a far end that takes none.
const QUEUE: usize = 256;

/// 1001: an endpoint goes away (RFC 6455 7.4.1).
const GOING_AWAY: u16 = 1001;

/// What the loop tells the task of a link.
#[derive(Debug)]
pub enum Order {
    /// Send this.
    Send(Frame),
    /// Send what came before, then close with this code. Nothing of the link is heard any more.
    Close(u16),
}

/// The task's end of a link.
#[derive(Debug)]
pub struct LinkEnd {
    /// What to do; `None` when the link was given up.
    pub orders: mpsc::Receiver<Order>,
    /// Says that too much waits for a far end that takes nothing: the task ends at once, and nobody hears of it.
    pub given_up: Arc<Notify>,
    _unfinished: Unfinished,
}

/// All open links. Cheap to clone: those who accept connections add to it.
#[derive(Clone, Debug, Default)]
pub struct Links(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<LinkId, Open>,
    leaving: Option<Leaving>,
}

/// Taking ──queue full──> Overflown ──its loss is heard──> (none)
#[derive(Debug)]
enum Open {
    Taking {
        orders: mpsc::Sender<Order>,
        given_up: Arc<Notify>,
    },
    Overflown,
}

impl Links {
    /// A link exists from here on; a former one of the same number is given up.
    pub fn add(&self, link: LinkId) -> LinkEnd {
        let (sender, orders) = mpsc::channel(QUEUE);
        let mut table = self.table();
        let given_up = Arc::new(Notify::new());
        let taking = Open::Taking {
            orders: sender,
            given_up: Arc::clone(&given_up),
        };
        table.open.insert(link, taking);
        LinkEnd {
            orders,
            given_up,
            _unfinished: table.leaving.get_or_insert_default().unfinished(),
        }
    }

    /// Queues a frame. A link whose queue is full is lost, which the wake says.
    pub fn send(&self, link: LinkId, frame: Frame) -> Option<Wake> {
        let mut table = self.table();
        let Some(Open::Taking { orders, given_up }) = table.open.get(&link) else {
            tracing::debug!(link = ?link, "a frame for a link that is gone");
            return None;
        };
        match orders.try_send(Order::Send(frame)) {
            // Its own task says why it ended.
            Ok(()) | Err(TrySendError::Closed(_)) => None,
            Err(TrySendError::Full(_)) => {
                given_up.notify_one();
                table.open.insert(link, Open::Overflown);
                Some(Wake::Link {
                    link,
                    event: LinkEvent::Lost(LinkFault::WriteStuck),
                })
            }
        }
    }

    /// Closes a link after what was queued. Nothing is heard of it from here on.
    pub fn close(&self, link: LinkId, code: u16) {
        if let Some(Open::Taking { orders, .. }) = self.table().open.remove(&link) {
            // A full queue is a far end that takes nothing, no close frame either.
            let _ = orders.try_send(Order::Close(code));
        }
    }

    /// Whether the loop still wants to hear of this link. After the last event it does not.
    pub fn hears(&self, link: LinkId, event: Option<&LinkEvent>) -> bool {
        let mut table = self.table();
        match event {
            Some(LinkEvent::Lost(_)) => table.open.remove(&link).is_some(),
            Some(LinkEvent::Certificate { .. } | LinkEvent::Opened | LinkEvent::Pong) | None => {
                matches!(table.open.get(&link), Some(Open::Taking { .. }))
            }
        }
    }

    /// Closes all links and waits until what was queued has left, no longer than `limit`.
    pub async fn finish(&self, limit: Duration) {
        let leaving = {
            let mut table = self.table();
            for (_, open) in std::mem::take(&mut table.open) {
                if let Open::Taking { orders, .. } = open {
                    let _ = orders.try_send(Order::Close(GOING_AWAY));
                }
            }
            table.leaving.take()
        };
        if let Some(leaving) = leaving
            && !leaving.all_done(limit).await
        {
            tracing::debug!("some frames did not leave in time");
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId::Bridge(1);

    #[test]
    fn a_closed_link_is_not_heard_any_more() {
        let links = Links::default();
        let mut end = links.add(LINK);
        assert!(links.hears(LINK, None));
        links.send(LINK, Frame::Ping);
        links.close(LINK, 1000);
        assert!(!links.hears(LINK, None));
        assert!(matches!(end.orders.try_recv(), Ok(Order::Send(Frame::Ping))));
        assert!(matches!(end.orders.try_recv(), Ok(Order::Close(1000))));
    }

    #[test]
    fn the_last_event_is_heard_once() {
        let links = Links::default();
        let _end = links.add(LINK);
        let lost = LinkEvent::Lost(LinkFault::Binary);
        assert!(links.hears(LINK, Some(&lost)));
        assert!(!links.hears(LINK, Some(&lost)));
    }

    #[test]
    fn a_far_end_that_takes_nothing_loses_its_link_at_the_bound() {
        let links = Links::default();
        let end = links.add(LINK);
        for _ in 0..QUEUE {
            assert!(links.send(LINK, Frame::Ping).is_none());
        }
        let Some(Wake::Link { link: LINK, event }) = links.send(LINK, Frame::Ping) else {
            panic!("nobody is told");
        };
        assert_eq!(event, LinkEvent::Lost(LinkFault::WriteStuck));
        assert!(links.send(LINK, Frame::Ping).is_none());
        assert!(!links.hears(LINK, None), "what it still says is not heard");
        assert!(links.hears(LINK, Some(&event)), "its loss is");
        assert!(!links.hears(LINK, Some(&event)), "once");
        crate::edge::testing::in_runtime(async { end.given_up.notified().await });
    }
}
