//! The one way by which tasks and threads reach the loop.

use tokio::sync::mpsc;

use crate::agent::Wake;

/// How many wakes may wait for the loop. A task that finds it full waits, and so does the peer behind its socket.
const CAPACITY: usize = 1024;

/// The sending end, for tasks and threads. The loop itself never sends here: it would wait for itself.
#[derive(Clone, Debug)]
pub struct Wakes(mpsc::Sender<Wake>);

impl Wakes {
    /// Both ends: one for all who have something to say, one for the loop.
    pub fn channel() -> (Self, mpsc::Receiver<Wake>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Self(sender), receiver)
    }

    /// The plain sending end, for those who know nothing of this type.
    pub fn sender(&self) -> mpsc::Sender<Wake> {
        self.0.clone()
    }

    /// From a task. False when the loop is gone.
    pub async fn send(&self, wake: Wake) -> bool {
        self.0.send(wake).await.is_ok()
    }

    /// From a thread that is not the runtime's. False when the loop is gone.
    pub fn send_from_thread(&self, wake: Wake) -> bool {
        self.0.blocking_send(wake).is_ok()
    }
}
