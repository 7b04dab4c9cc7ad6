//! Randomness as an argument: one seeded stream feeds tags, branches, cnonces, ids and jitter, so that a
//! simulation replays byte for byte. The daemon seeds it from the system.

use std::fmt::Write;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use uuid::Uuid;

/// A stream of chance. Cryptographically strong when its seed is.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha12Rng);

impl Chance {
    /// The stream that belongs to this seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A stream of its own for another machine, so that what one draws does not move what the other gets.
    pub fn fork(&mut self) -> Self {
        Self(ChaCha12Rng::from_rng(&mut self.0))
    }

    /// Any 32 bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Any 64 bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills `bytes`: keys.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A random (version 4) UUID.
    pub fn uuid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// `bytes` random bytes in lower-case hexadecimal: tags, branches, cnonces.
    pub fn hex(&mut self, bytes: usize) -> String {
        (0..bytes).fold(String::with_capacity(bytes * 2), |mut text, _| {
            let _ = write!(text, "{:02x}", self.0.next_u32() as u8);
            text
        })
    }

    /// A number below `limit`; 0 for a limit of 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The bias of a 64-bit remainder is beyond notice for jitter and choices.
        if limit == 0 { 0 } else { self.0.next_u64() % limit }
    }

    /// A duration uniformly between nothing and `limit`, `limit` included: full jitter.
    pub fn up_to(&mut self, limit: Duration) -> Duration {
        let nanoseconds = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanoseconds.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let mut one = Chance::from_seed([7; 32]);
        let mut other = Chance::from_seed([7; 32]);
        assert_eq!(one.uuid(), other.uuid());
        assert_eq!(one.fork().hex(8), other.fork().hex(8));
    }

    #[test]
    fn jitter_stays_within_its_limit() {
        let mut chance = Chance::from_seed([1; 32]);
        let limit = Duration::from_millis(10);
        assert!((0..1000).all(|_| chance.up_to(limit) <= limit));
        assert_eq!(chance.up_to(Duration::ZERO), Duration::ZERO);
    }
}
