//! Which machine this is, so that a state that was copied from another one is known.

use sha2::{Digest, Sha256};

/// Where systemd keeps the machine's id (machine-id(5)).
const MACHINE_ID: &str = "/etc/machine-id";
/// The id itself is confidential to the machine: only a hash of it with a word of ours is written anywhere.
const OURS: &[u8] = b"meetd state";
/// So much of the hash tells machines apart.
const MARK_SIZE: usize = 16;

/// The mark of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine([u8; MARK_SIZE]);

impl Machine {
    /// This one; `None` where it has no id, as in some containers: then nothing is known to be foreign.
    pub fn this() -> Option<Self> {
        Self::of(&std::fs::read_to_string(MACHINE_ID).ok()?)
    }

    /// The machine with this id.
    pub fn of(id: &str) -> Option<Self> {
        let id = id.trim();
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return None;
        }
        let mut hasher = Sha256::new();
        hasher.update(OURS);
        hasher.update(id);
        let digest = hasher.finalize();
        Some(Self(std::array::from_fn(|index| {
            digest.get(index).copied().unwrap_or_default()
        })))
    }

    /// As it is written.
    pub fn mark(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_told_apart_and_none_is_guessed() {
        let one = Machine::of("4d2b5f0e8c1a4f7fb3c96c4f5f4f2b1a\n").unwrap();
        assert_eq!(one, Machine::of("4d2b5f0e8c1a4f7fb3c96c4f5f4f2b1a").unwrap());
        assert_ne!(one, Machine::of("4d2b5f0e8c1a4f7fb3c96c4f5f4f2b1b").unwrap());
        for none in ["", "uninitialized\n", "4d2b", "xyz25f0e8c1a4f7fb3c96c4f5f4f2b1a"] {
            assert_eq!(Machine::of(none), None, "{none:?}");
        }
    }
}
