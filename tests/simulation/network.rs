//! The weather on the way to the conference.

use std::time::Duration;

use meetd::chance::Chance;

/// How bad it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// Of a hundred datagrams so many are lost.
    pub loss: u64,
    /// Of a hundred datagrams so many come twice.
    pub duplication: u64,
    /// The longest delay; it is another one for each, so that they overtake each other.
    pub delay: Duration,
}

impl Network {
    /// How often the next datagram arrives.
    pub fn copies(&self, chance: &mut Chance) -> usize {
        if chance.below(100) < self.loss {
            0
        } else if chance.below(100) < self.duplication {
            2
        } else {
            1
        }
    }

    /// Whether nothing is wrong with it.
    pub fn is_fine(&self) -> bool {
        self.loss == 0 && self.duplication == 0 && self.delay.is_zero()
    }
}
