//! What strangers, faults and attackers send: packets and reports that were changed on the way, reports that go on and on,
//! and a far end that agrees on something else all the time.

use super::*;
use crate::media::TelephoneEvent;

/// Sent in one beat, so that the virtual hours are few.
const PACKETS_A_TICK: u64 = 4;
/// The memory of a process is counted in these.
const PAGE: u64 = 4096;

/// `MEETD_PACKETS` of them: 20,000 in the tests; a million in `make audio`, alone in its process, so that its memory tells
/// something.
#[test]
fn mutated_packets_reports_and_plans_harm_nothing_and_fill_no_memory() {
    let packets = option_env!("MEETD_PACKETS").and_then(|packets| packets.parse().ok());
    let ticks = packets.unwrap_or(20_000) / PACKETS_A_TICK;
    let mut storm = Storm::new();
    let mut memory_before = 0;
    for tick in 0..ticks {
        if tick == ticks / 10 {
            memory_before = memory();
        }
        storm.rage();
    }
    let memory_after = memory();
    println!(
        "{} mutated packets, reports and bombs, {} changes of the plan: {} KiB of memory after a tenth, {} KiB at the end; \
         the longest bomb had {} bytes",
        ticks * PACKETS_A_TICK,
        storm.changes,
        memory_before / 1024,
        memory_after / 1024,
        storm.longest,
    );
    if packets.is_some() {
        let grown = memory_after.saturating_sub(memory_before);
        assert!(grown < 2 << 20, "{grown} bytes more");
    }
    let before = storm.pair.one.figures(storm.pair.now).received;
    assert!(before > ticks / 10, "some of it was taken: {before}");
    storm.calm_down();
}

struct Storm {
    pair: Pair,
    chance: Chance,
    /// What the far end really sent, last.
    voice: Vec<u8>,
    report: Vec<u8>,
    changes: u64,
    longest: usize,
}

impl Storm {
    fn new() -> Self {
        let mut pair = Pair::new();
        pair.other.leave(Duration::ZERO);
        let report = pair.other.poll_packet().map(|leaving| leaving.bytes);
        Self {
            pair,
            chance: Chance::from_seed([12; 32]),
            voice: Vec::new(),
            report: report.unwrap_or_default(),
            changes: 0,
            longest: 0,
        }
    }

    /// One beat.
    fn rage(&mut self) {
        if self.chance.below(200) == 0 {
            self.agree_on_something_else();
        }
        let now = self.pair.now;
        self.pair.other.tick(now, &[2000; FRAME]);
        while let Some(leaving) = self.pair.other.poll_packet() {
            match leaving.is_report || is_report(&leaving.bytes) {
                true => self.report = leaving.bytes,
                false => self.voice = leaving.bytes,
            }
        }
        for _ in 0..PACKETS_A_TICK {
            let (bytes, from) = (self.something_bad(), self.somebody());
            match self.chance.below(8) {
                0 => self.pair.one.received_report(now, from, &bytes),
                _ => self.pair.one.received(now, from, &bytes),
            }
        }
        let one = &mut self.pair.one;
        one.tick(now, &[2000; FRAME]);
        assert!(std::iter::from_fn(|| one.poll_packet()).count() <= 4);
        one.play(now, &mut [0; FRAME]);
        assert!(std::iter::from_fn(|| one.poll_output()).count() <= 4);
        self.pair.now += TICK;
    }

    fn something_bad(&mut self) -> Vec<u8> {
        let mut bytes = match self.chance.below(10) {
            0 => {
                let mut rubbish = vec![0; self.chance.below(300) as usize];
                self.chance.fill(&mut rubbish);
                return rubbish;
            }
            1 => self.report.clone(),
            // A compound of as many reports as fit, and more than fit.
            2 => self.report.repeat(1 + self.chance.below(40) as usize),
            _ => self.voice.clone(),
        };
        for _ in 0..self.chance.below(4) {
            self.change(&mut bytes);
        }
        self.longest = self.longest.max(bytes.len());
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.chance.below(bytes.len() as u64 + 1) as usize;
        let header = self.chance.below(bytes.len().min(16) as u64) as usize;
        match self.chance.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.resize(
                bytes.len() + self.chance.below(2000) as usize,
                self.chance.u32() as u8,
            ),
            2 | 3 if !bytes.is_empty() => bytes[header] ^= 1 << self.chance.below(8),
            4 if at < bytes.len() => bytes[at] = self.chance.u32() as u8,
            _ => bytes.insert(at, self.chance.u32() as u8),
        }
    }

    fn somebody(&mut self) -> SocketAddr {
        match self.chance.below(20) {
            0 => SocketAddr::from(([192, 0, 2, self.chance.u32() as u8], self.chance.u32() as u16)),
            _ => self.pair.one.plan().remote,
        }
    }

    /// What an SDP may change, all of it.
    fn agree_on_something_else(&mut self) {
        self.changes += 1;
        let chance = &mut self.chance;
        match chance.below(4) {
            0 => self
                .pair
                .encrypt(Suite::ALL[chance.below(3) as usize], chance.u32() as u8),
            1 => self.agree(|plan| plan.keys = None),
            _ => {}
        }
        let codec = CodecName::BUILT_IN[self.chance.below(CodecName::BUILT_IN.len() as u64) as usize];
        let packet_time = Duration::from_millis(10 * (1 + self.chance.below(6)));
        let payload_type = match self.chance.below(3) {
            0 => 96 + self.chance.below(32) as u8,
            _ => codec.payload_type(),
        };
        let telephone_event = (self.chance.below(2) == 0).then_some(TelephoneEvent::USUAL);
        let directions = [
            Direction::SendReceive,
            Direction::SendReceive,
            Direction::ReceiveOnly,
            Direction::SendOnly,
            Direction::Inactive,
        ];
        let direction = directions[self.chance.below(5) as usize];
        let port = 1 + self.chance.below(65_000) as u16;
        self.agree(|plan| {
            plan.codec = codec;
            plan.packet_time = packet_time;
            plan.send_payload_type = payload_type;
            plan.receive_payload_type = payload_type;
            plan.telephone_event = telephone_event;
        });
        let mut plan = self.pair.one.plan().clone();
        plan.direction = direction;
        plan.remote.set_port(port);
        self.pair.one.apply(self.pair.now, plan);
    }

    fn agree(&mut self, change: impl Fn(&mut Plan)) {
        let now = self.pair.now;
        for stream in [&mut self.pair.one, &mut self.pair.other] {
            let mut plan = stream.plan().clone();
            change(&mut plan);
            stream.apply(now, plan);
        }
    }

    /// The call goes on as if nothing had been.
    fn calm_down(mut self) {
        self.agree(|plan| {
            *plan = Plan {
                local: plan.local,
                remote: plan.remote,
                ..super::plan()
            };
        });
        let mut here = self.pair.one.plan().clone();
        here.remote = plan().remote;
        self.pair.one.apply(self.pair.now, here);
        self.pair.run(100);
        let before = self.pair.one.figures(self.pair.now).received;
        self.pair.run(500);
        let figures = self.pair.one.figures(self.pair.now);
        assert_eq!(figures.received - before, 500);
        assert!(figures.far_level_dbfs > -30.0, "{figures:?}");
    }
}

/// What is resident of this process, in bytes.
fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let resident = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    resident.unwrap() * PAGE
}
