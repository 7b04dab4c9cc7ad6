//! Waiting for tasks that still have something to write when the process leaves.

use std::time::Duration;

use tokio::sync::mpsc;

/// Held by a task for as long as it has something to finish.
#[derive(Clone, Debug)]
pub struct Unfinished {
    _token: mpsc::Sender<()>,
}

/// Counts the tasks that hold an [`Unfinished`].
#[derive(Debug)]
pub struct Leaving {
    token: Unfinished,
    all_done: mpsc::Receiver<()>,
}

impl Default for Leaving {
    fn default() -> Self {
        let (token, all_done) = mpsc::channel(1);
        Self {
            token: Unfinished { _token: token },
            all_done,
        }
    }
}

impl Leaving {
    /// For a task to hold.
    pub fn unfinished(&self) -> Unfinished {
        self.token.clone()
    }

    /// Waits until every task is done, no longer than `limit`. False when some were not.
    pub async fn all_done(self, limit: Duration) -> bool {
        let Self { token, mut all_done } = self;
        drop(token);
        tokio::time::timeout(limit, all_done.recv()).await.is_ok()
    }
}
