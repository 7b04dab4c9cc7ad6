//! Whether the pacers live: each counts its beats, and the watchdog is fed only while all counts go on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The beats of one pacer; zero before its first.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// One beat more.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The pulses that are watched.
#[derive(Debug, Default)]
pub struct Pulses(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    pulse: Weak<AtomicU64>,
    /// At the last look.
    beats: u64,
}

impl Pulses {
    /// Watches this one until its pacer ends.
    pub fn watch(&mut self, pulse: &Pulse) {
        let pulse = Arc::downgrade(&pulse.0);
        self.0.push(Watched { pulse, beats: 0 });
    }

    /// Whether each pacer that has begun has beaten since the last look.
    pub fn have_beaten(&mut self) -> bool {
        self.0.retain(|watched| watched.pulse.strong_count() > 0);
        let mut all = true;
        for watched in &mut self.0 {
            let beats = watched
                .pulse
                .upgrade()
                .map_or(0, |pulse| pulse.load(Ordering::Relaxed));
            all &= beats == 0 || beats != watched.beats;
            watched.beats = beats;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pacer_that_stops_beating_is_noticed_and_one_that_ends_is_not() {
        let mut pulses = Pulses::default();
        assert!(pulses.have_beaten());
        let (one, other) = (Pulse::default(), Pulse::default());
        pulses.watch(&one);
        pulses.watch(&other);
        assert!(pulses.have_beaten(), "neither has begun");
        one.beat();
        other.beat();
        assert!(pulses.have_beaten());
        one.beat();
        assert!(!pulses.have_beaten(), "the other one hangs");
        drop(other);
        one.beat();
        assert!(pulses.have_beaten());
    }
}
