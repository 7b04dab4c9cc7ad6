//! From the pacer to the loop without ever waiting: figures may be dropped, everything else is kept until it fits.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::agent::Wake;
use crate::call::CallId;
use crate::media::Event;

/// Events that may wait for a loop that is stuck; a call makes a handful.
const MOST_WAITING: usize = 64;

/// The events of one call on their way to the loop.
pub struct Outbox {
    call: CallId,
    wakes: mpsc::Sender<Wake>,
    waiting: VecDeque<Event>,
    dropped: u64,
}

impl Outbox {
    /// Nothing is on its way.
    pub fn new(call: CallId, wakes: mpsc::Sender<Wake>) -> Self {
        Self {
            call,
            wakes,
            waiting: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Whose events these are.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Takes an event and sends what can be sent.
    pub fn push(&mut self, event: Event) {
        self.flush();
        let is_busy = !self.waiting.is_empty() || self.wakes.capacity() == 0;
        let is_droppable = matches!(event, Event::Figures(_));
        if (is_droppable && is_busy) || self.waiting.len() >= MOST_WAITING {
            self.dropped += 1;
            return;
        }
        self.waiting.push_back(event);
        self.flush();
    }

    /// Sends what can be sent, in order.
    pub fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            let call = self.call;
            match self.wakes.try_send(Wake::Media { call, event }) {
                Ok(()) => {}
                Err(TrySendError::Full(Wake::Media { event, .. })) => {
                    self.waiting.push_front(event);
                    return;
                }
                Err(TrySendError::Full(_) | TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
        if self.dropped > 0 {
            tracing::debug!(call_id = %self.call, dropped = self.dropped, "the loop was too busy for figures of the audio");
            self.dropped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Figures;

    #[test]
    fn what_must_arrive_waits_until_it_fits_and_figures_do_not() {
        let (wakes, mut loop_side) = mpsc::channel(1);
        let mut outbox = Outbox::new(CallId(uuid::Uuid::nil()), wakes);
        for event in [
            Event::FarAudio,
            Event::DigitsSent,
            figures(),
            Event::DigitsSent,
            figures(),
        ] {
            outbox.push(event);
        }
        let mut heard = Vec::new();
        while let Ok(Wake::Media { event, .. }) = loop_side.try_recv() {
            heard.push(event);
            outbox.flush();
        }
        assert_eq!(heard, [Event::FarAudio, Event::DigitsSent, Event::DigitsSent]);
        outbox.push(figures());
        assert!(matches!(
            loop_side.try_recv(),
            Ok(Wake::Media {
                event: Event::Figures(_),
                ..
            })
        ));
    }

    #[test]
    fn a_loop_that_is_stuck_or_gone_fills_no_memory() {
        let (wakes, loop_side) = mpsc::channel(1);
        let mut outbox = Outbox::new(CallId(uuid::Uuid::nil()), wakes);
        (0..1000).for_each(|_| outbox.push(Event::DigitsSent));
        assert_eq!(outbox.waiting.len(), MOST_WAITING);
        drop(loop_side);
        outbox.flush();
        assert_eq!(outbox.waiting.len(), 0);
    }

    fn figures() -> Event {
        Event::Figures(Figures::default())
    }
}
