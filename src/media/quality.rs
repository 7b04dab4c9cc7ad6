//! How well the far end is heard: what was lost, how unevenly it came (RFC 3550 A.1, A.3, A.8), and how loud.

use std::time::Duration;

/// A gap up to this many packets is loss (RFC 3550 A.1, `MAX_DROPOUT`: a minute).
const MOST_DROPOUT: u16 = 3000;
/// Packets up to this much older than the newest are late (RFC 3550 A.1, `MAX_MISORDER`: two seconds).
const MOST_MISORDER: u16 = 100;
/// A step of the transit time beyond this is a new clock at the far end, not jitter: a second, in milliseconds.
const MOST_JITTER: f64 = 1000.0;

/// What a packet is, judged by its sequence number and source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first of its source: what was heard before does not go on.
    First,
    /// One of its source, in order or not.
    Next,
    /// It came before.
    Duplicate,
    /// Of another source, or far off: it counts when the next follows it.
    Doubtful,
}

/// The figures of what is received.
#[derive(Default)]
pub struct Quality {
    source: Option<Source>,
    /// The sequence that would make the next packet the second of a new source (RFC 3550 A.1, `bad_seq`).
    candidate: Option<(u32, u16)>,
    /// Expected and received of sources that have ended.
    ended: (u64, u64),
    jitter: f64,
    clock_rate: u32,
}

/// One far end's sequence. Sequence numbers are counted on beyond 16 bits.
struct Source {
    id: u32,
    first: u64,
    highest: u64,
    /// Bit n: the packet n before the highest came.
    seen: u128,
    received: u64,
    transit: u32,
}

impl Quality {
    /// Judges and counts a packet that came at `now`, counted from any fixed moment.
    pub fn judge(
        &mut self,
        now: Duration,
        clock_rate: u32,
        source: u32,
        sequence: u16,
        timestamp: u32,
    ) -> Arrival {
        self.clock_rate = clock_rate;
        let transit = clock_units(now, clock_rate).wrapping_sub(timestamp);
        let arrival = match &mut self.source {
            Some(known) if known.id == source => known.judge(sequence),
            Some(_) => Arrival::Doubtful,
            None => Arrival::First,
        };
        match (arrival, &mut self.source) {
            (Arrival::Doubtful, _) if self.candidate == Some((source, sequence)) => {
                self.begin(source, sequence, transit);
                return Arrival::First;
            }
            (Arrival::Doubtful, _) => self.candidate = Some((source, sequence.wrapping_add(1))),
            (Arrival::Next, Some(known)) => {
                let step = transit.wrapping_sub(known.transit) as i32;
                known.transit = transit;
                self.candidate = None;
                self.measure(step, clock_rate);
            }
            (Arrival::First | Arrival::Next, _) => self.begin(source, sequence, transit),
            (Arrival::Duplicate, _) => {}
        }
        arrival
    }

    /// Counts a packet of the same source that carries no audio; its time says nothing about jitter. Whether it is new.
    pub fn count(&mut self, source: u32, sequence: u16) -> bool {
        let known = self.source.as_mut().filter(|known| known.id == source);
        known.is_some_and(|known| known.judge(sequence) == Arrival::Next)
    }

    /// Packets received, duplicates not counted.
    pub fn received(&self) -> u64 {
        self.totals().1
    }

    /// Packets expected that never came, in percent.
    pub fn loss_percent(&self) -> f32 {
        let (expected, received) = self.totals();
        match expected {
            0 => 0.0,
            _ => (expected.saturating_sub(received) as f64 / expected as f64 * 100.0) as f32,
        }
    }

    /// The interarrival jitter, in milliseconds.
    pub fn jitter_ms(&self) -> f32 {
        self.jitter as f32
    }

    // RFC 3550 A.8, in milliseconds, so that a codec with another clock goes on with it.
    fn measure(&mut self, step: i32, clock_rate: u32) {
        let step = f64::from(step.saturating_abs()) * 1000.0 / f64::from(clock_rate.max(1));
        if step <= MOST_JITTER {
            self.jitter += (step - self.jitter) / 16.0;
        }
    }

    fn begin(&mut self, source: u32, sequence: u16, transit: u32) {
        self.ended = self.totals();
        self.candidate = None;
        // A whole cycle below it leaves room for packets that come late.
        let first = u64::from(sequence) + (1 << 16);
        self.source = Some(Source {
            id: source,
            first,
            highest: first,
            seen: 1,
            received: 1,
            transit,
        });
    }

    /// Whose packets count.
    pub fn source(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.id)
    }

    /// The highest sequence number so far, counted on beyond its 16 bits (RFC 3550 6.4.1).
    pub fn highest_sequence(&self) -> u32 {
        self.source.as_ref().map_or(0, |source| source.highest as u32)
    }

    /// The interarrival jitter, on the RTP clock.
    pub fn jitter_units(&self) -> u32 {
        (self.jitter * f64::from(self.clock_rate) / 1000.0) as u32
    }

    /// Packets expected and received.
    pub fn totals(&self) -> (u64, u64) {
        let (expected, received) = self.ended;
        match &self.source {
            Some(source) => (
                expected + (source.highest - source.first + 1),
                received + source.received,
            ),
            None => (expected, received),
        }
    }
}

impl Source {
    fn judge(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = 0_u16.wrapping_sub(ahead);
        if (1..MOST_DROPOUT).contains(&ahead) {
            self.highest += u64::from(ahead);
            self.seen = self.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
        } else if behind <= MOST_MISORDER {
            let bit = 1 << behind;
            if self.seen & bit != 0 {
                return Arrival::Duplicate;
            }
            self.seen |= bit;
            // One from before the first that came was expected, too.
            self.first = self.first.min(self.highest - u64::from(behind));
        } else {
            return Arrival::Doubtful;
        }
        self.received += 1;
        Arrival::Next
    }
}

fn clock_units(now: Duration, clock_rate: u32) -> u32 {
    (now.as_micros() * u128::from(clock_rate) / 1_000_000) as u32
}

/// How loud it has been lately: the mean square, smoothed over about a third of a second.
#[derive(Default)]
pub struct Level {
    mean_square: f64,
}

impl Level {
    /// Listens to a frame.
    pub fn hear(&mut self, frame: &[i16]) {
        let sum: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let mean = sum / frame.len().max(1) as f64;
        self.mean_square += (mean - self.mean_square) / 16.0;
    }

    /// In dBFS: 0 for the loudest square wave, −127 for silence.
    pub fn dbfs(&self) -> f32 {
        let full_scale = 32768.0_f64.powi(2);
        (10.0 * (self.mean_square / full_scale).log10()).clamp(-127.0, 0.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_TIME: Duration = Duration::from_millis(20);

    #[test]
    fn a_whole_stream_has_no_loss_and_no_jitter() {
        let mut heard = Heard::default();
        heard.packets(65_000..66_000, Duration::ZERO);
        assert_eq!(heard.quality.received(), 1000);
        assert_eq!(heard.quality.loss_percent(), 0.0);
        assert_eq!(heard.quality.jitter_ms(), 0.0);
    }

    #[test]
    fn a_tenth_that_never_came_is_ten_percent() {
        let mut heard = Heard::default();
        heard.packets((0..1000).filter(|at| at % 10 != 5), Duration::ZERO);
        assert_eq!(heard.quality.received(), 900);
        assert!((heard.quality.loss_percent() - 10.0).abs() < 0.01);
    }

    #[test]
    fn late_packets_are_not_lost_and_duplicates_count_once() {
        let mut heard = Heard::default();
        assert_eq!(heard.packet(10), Arrival::First);
        assert_eq!(heard.packet(12), Arrival::Next);
        assert_eq!(heard.packet(11), Arrival::Next);
        assert_eq!(heard.packet(11), Arrival::Duplicate);
        assert_eq!(heard.packet(9), Arrival::Next);
        assert_eq!(heard.packet(12), Arrival::Duplicate);
        assert_eq!((heard.quality.received(), heard.quality.loss_percent()), (4, 0.0));
    }

    #[test]
    fn jitter_follows_the_standards_filter() {
        let mut heard = Heard::default();
        heard.packet(0);
        heard.now += Duration::from_millis(16);
        heard.packet(1);
        assert_eq!(heard.quality.jitter_ms(), 1.0);
        heard.packet(2);
        assert_eq!(heard.quality.jitter_ms(), 0.9375);
    }

    #[test]
    fn alternating_delay_settles_at_its_size() {
        let mut heard = Heard::default();
        for at in 0..500 {
            let delay = if at % 2 == 0 {
                Duration::ZERO
            } else {
                Duration::from_millis(10)
            };
            heard.packets(at..at + 1, delay);
        }
        assert!(
            (heard.quality.jitter_ms() - 10.0).abs() < 0.1,
            "{}",
            heard.quality.jitter_ms()
        );
    }

    #[test]
    fn a_new_source_counts_from_its_second_packet_and_keeps_the_totals() {
        let mut heard = Heard::default();
        heard.packets(0..100, Duration::ZERO);
        heard.source = 2;
        assert_eq!(heard.packet(5000), Arrival::Doubtful);
        assert_eq!(heard.packet(5001), Arrival::First);
        assert_eq!(heard.packet(5002), Arrival::Next);
        assert_eq!(
            (heard.quality.received(), heard.quality.loss_percent()),
            (102, 0.0)
        );
    }

    #[test]
    fn a_stray_packet_changes_nothing() {
        let mut heard = Heard::default();
        heard.packets(0..10, Duration::ZERO);
        assert_eq!(heard.packet(30_000), Arrival::Doubtful);
        assert_eq!(heard.packet(10), Arrival::Next);
        assert_eq!(heard.packet(30_001), Arrival::Doubtful);
        assert_eq!(heard.quality.received(), 11);
    }

    #[test]
    fn a_restart_of_the_sequence_is_followed() {
        let mut heard = Heard::default();
        heard.packets(0..10, Duration::ZERO);
        assert_eq!(heard.packet(30_000), Arrival::Doubtful);
        assert_eq!(heard.packet(30_001), Arrival::First);
        assert_eq!(heard.packet(30_002), Arrival::Next);
    }

    #[test]
    fn levels_are_those_of_the_standard_scale() {
        for (sample, expected) in [(i16::MIN, 0.0), (0, -127.0), (3277, -20.0)] {
            let mut level = Level::default();
            (0..200).for_each(|_| level.hear(&[sample; 160]));
            assert!(
                (level.dbfs() - expected).abs() < 0.1,
                "{sample}: {}",
                level.dbfs()
            );
        }
        assert_eq!(Level::default().dbfs(), -127.0);
    }

    #[derive(Default)]
    struct Heard {
        quality: Quality,
        now: Duration,
        source: u32,
    }

    impl Heard {
        fn packets(&mut self, sequences: impl IntoIterator<Item = u32>, delay: Duration) {
            for at in sequences {
                self.quality.judge(
                    self.now + delay,
                    8000,
                    self.source,
                    at as u16,
                    at.wrapping_mul(160),
                );
                self.now = FRAME_TIME * (at + 1);
            }
        }

        /// A packet that comes on time after the one before.
        fn packet(&mut self, sequence: u16) -> Arrival {
            let timestamp = clock_units(self.now, 8000);
            let on_time = self
                .quality
                .source
                .as_ref()
                .map_or(timestamp, |_| u32::from(sequence) * 160);
            let arrival = self.quality.judge(self.now, 8000, self.source, sequence, on_time);
            self.now += FRAME_TIME;
            arrival
        }
    }
}
