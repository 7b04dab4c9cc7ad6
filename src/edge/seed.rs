//! The seed of the daemon's chance, from the kernel.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// 32 bytes that nobody can guess. Waits until the kernel has gathered enough, which at early boot may take a while.
pub fn from_system() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    let mut filled = 0;
    while filled < seed.len() {
        match getrandom(&mut seed[filled..], GetRandomFlags::empty()) {
            Ok(read) => filled += read,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_seeds_are_alike() {
        assert_ne!(from_system().unwrap(), from_system().unwrap());
        assert!(from_system().unwrap()[24..].iter().any(|byte| *byte != 0));
    }
}
