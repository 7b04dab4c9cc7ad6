//! RTCP (RFC 3550 6): what each side tells the other of how it hears it, how long the way is, and that it leaves.

use std::time::Duration;

use rtcp_types::{
    Bye, Compound, Packet, ReceiverReport, ReportBlock, ReportBlockBuilder, RtcpPacketWriter,
    RtcpPacketWriterExt, RtcpWriteError, Sdes, SdesChunk, SdesItem, SenderReport,
};

use super::quality::Quality;
use crate::chance::Chance;

/// On average this often (RFC 3550 6.2, the least for two members).
const EVERY: Duration = Duration::from_secs(5);
/// What makes up for the random part (RFC 3550 6.3.1: e − 3/2).
const COMPENSATION: f64 = 1.21828;
/// A way there and back of more than this is a mistake of somebody's clock.
const LONGEST_WAY: u32 = 10 << 16;
/// No report of a far end that we know is longer.
const LONGEST: usize = 1500;

/// What we have sent so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Our source.
    pub source: u32,
    /// RTP packets.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// On the RTP clock, now.
    pub timestamp: u32,
}

/// What came of a report of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// They live.
    Report,
    /// They leave (RFC 3550 6.6).
    Goodbye,
}

/// Makes and reads reports.
pub struct Reports {
    chance: Chance,
    /// The name of this end, for this call only (RFC 7022 4.2).
    name: String,
    due: Duration,
    /// The packets sent by the last report.
    packets_before: u64,
    /// Expected and received by then.
    heard_before: (u64, u64),
    /// The middle of the time in their last report, and when it came.
    theirs: Option<(u32, Duration)>,
    round_trip: Option<Duration>,
}

impl Reports {
    /// The first one is due after half the usual time.
    pub fn new(now: Duration, mut chance: Chance) -> Self {
        let mut reports = Self {
            name: chance.uuid().to_string(),
            chance,
            due: now,
            packets_before: 0,
            heard_before: (0, 0),
            theirs: None,
            round_trip: None,
        };
        reports.due = now + reports.pause() / 2;
        reports
    }

    /// How long the way to the far end and back is, when it was told.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The report that is due, if one is.
    pub fn tick(&mut self, now: Duration, sent: Sent, quality: &Quality) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        self.due = now + self.pause();
        self.report(now, sent, quality, false)
    }

    /// The report that we leave.
    pub fn farewell(&mut self, now: Duration, sent: Sent, quality: &Quality) -> Option<Vec<u8>> {
        self.report(now, sent, quality, true)
    }

    /// Takes a report of theirs; `None` for what is none. `ours` is our source.
    pub fn receive(&mut self, now: Duration, ours: u32, bytes: &[u8]) -> Option<Told> {
        if bytes.len() > LONGEST {
            return None;
        }
        let mut told = None;
        for packet in Compound::parse(bytes).ok()? {
            // What follows a broken part is not believed either.
            let Ok(packet) = packet else { break };
            match packet {
                Packet::Sr(report) => {
                    self.theirs = Some(((report.ntp_timestamp() >> 16) as u32, now));
                    report
                        .report_blocks()
                        .for_each(|block| self.measure(now, ours, &block));
                    told = told.or(Some(Told::Report));
                }
                Packet::Rr(report) => {
                    report
                        .report_blocks()
                        .for_each(|block| self.measure(now, ours, &block));
                    told = told.or(Some(Told::Report));
                }
                Packet::Bye(_) if told.is_some() => told = Some(Told::Goodbye),
                _ => {}
            }
        }
        told
    }

    /// RFC 3550 6.4.1, LSR and DLSR: their clock does not matter.
    fn measure(&mut self, now: Duration, ours: u32, block: &ReportBlock<'_>) {
        let sent_at = block.last_sender_report_timestamp();
        if block.ssrc() != ours || sent_at == 0 {
            return;
        }
        let held = block.delay_since_last_sender_report_timestamp();
        let way = middle(now).wrapping_sub(sent_at).wrapping_sub(held);
        if way <= LONGEST_WAY {
            self.round_trip = Some(Duration::from_micros((u64::from(way) * 1_000_000) >> 16));
        }
    }

    fn report(&mut self, now: Duration, sent: Sent, quality: &Quality, leaves: bool) -> Option<Vec<u8>> {
        let heard = self.heard(now, quality);
        let is_sender = sent.packets > self.packets_before;
        self.packets_before = sent.packets;
        let item = SdesItem::builder(SdesItem::CNAME, &self.name);
        let name = Sdes::builder().add_chunk(SdesChunk::builder(sent.source).add_item(item));
        let mut compound = Compound::builder();
        if is_sender {
            let mut report = SenderReport::builder(sent.source)
                .ntp_timestamp(ntp(now))
                .rtp_timestamp(sent.timestamp)
                .packet_count(sent.packets as u32)
                .octet_count(sent.bytes as u32);
            if let Some(block) = heard {
                report = report.add_report_block(block);
            }
            compound = compound.add_packet(report);
        } else {
            let mut report = ReceiverReport::builder(sent.source);
            if let Some(block) = heard {
                report = report.add_report_block(block);
            }
            compound = compound.add_packet(report);
        }
        compound = compound.add_packet(name);
        if leaves {
            compound = compound.add_packet(Bye::builder().add_source(sent.source));
        }
        written(&compound)
            .inspect_err(|error| tracing::debug!("no RTCP packet can be made: {error}"))
            .ok()
    }

    /// RFC 3550 A.3.
    fn heard(&mut self, now: Duration, quality: &Quality) -> Option<ReportBlockBuilder> {
        let source = quality.source()?;
        let (expected, received) = quality.totals();
        let (expected_before, received_before) =
            std::mem::replace(&mut self.heard_before, (expected, received));
        let expected_since = expected.saturating_sub(expected_before);
        let lost_since = expected_since.saturating_sub(received.saturating_sub(received_before));
        let fraction = (lost_since * 256)
            .checked_div(expected_since)
            .unwrap_or(0)
            .min(255);
        let lost = expected.saturating_sub(received).min(0x7F_FFFF);
        let block = ReportBlock::builder(source)
            .fraction_lost(fraction as u8)
            .cumulative_lost(lost as u32)
            .extended_sequence_number(quality.highest_sequence())
            .interarrival_jitter(quality.jitter_units());
        Some(match self.theirs {
            Some((sent_at, came)) => {
                let held = now.saturating_sub(came).as_micros() * (1 << 16) / 1_000_000;
                block
                    .last_sender_report_timestamp(sent_at)
                    .delay_since_last_sender_report_timestamp(u32::try_from(held).unwrap_or(u32::MAX))
            }
            None => block,
        })
    }

    /// Half to one and a half times the usual, so that reports of many do not come together.
    fn pause(&mut self) -> Duration {
        let part = 0.5 + self.chance.below(1001) as f64 / 1000.0;
        EVERY.mul_f64(part / COMPENSATION)
    }
}

fn written(compound: &impl RtcpPacketWriter) -> Result<Vec<u8>, RtcpWriteError> {
    let mut bytes = vec![0; LONGEST];
    let length = compound.write_into(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Any clock will do that goes evenly (RFC 3550 4): seconds and their fractions in 32 bits each.
fn ntp(now: Duration) -> u64 {
    (now.as_secs() << 32) | ((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000)
}

fn middle(now: Duration) -> u32 {
    (ntp(now) >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_there_and_back_is_measured_whatever_the_clocks_say() {
        let (mut near, mut far) = (reports(1), reports(2));
        // The far end's clock began at another moment.
        let theirs = |now: u64| ms(now + 77_777_777);
        let first = near
            .report(ms(10_000), sent(1, 100), &Quality::default(), false)
            .unwrap();
        assert_eq!(far.receive(theirs(10_040), 2, &first), Some(Told::Report));
        let mut heard = Quality::default();
        (0..100).for_each(|at| {
            heard.judge(ms(u64::from(at) * 20), 8000, 1, at, u32::from(at) * 160);
        });
        let second = far.report(theirs(12_000), sent(2, 50), &heard, false).unwrap();
        assert_eq!(near.receive(ms(12_035), 1, &second), Some(Told::Report));
        let way = near.round_trip().unwrap();
        assert!((74..=76).contains(&way.as_millis()), "{way:?}");
        assert_eq!(far.round_trip(), None);
    }

    #[test]
    fn what_was_lost_is_told_since_the_last_report_and_in_all() {
        let mut reports = reports(1);
        let mut heard = Quality::default();
        let mut lost = |range: std::ops::Range<u16>, every: u16| {
            for at in range.filter(|at| at % every != 1) {
                heard.judge(ms(u64::from(at) * 20), 8000, 9, at, u32::from(at) * 160);
            }
            let bytes = reports.report(ms(5000), sent(1, 0), &heard, false).unwrap();
            let compound = Compound::parse(&bytes).unwrap();
            let found = compound.into_iter().find_map(|packet| match packet.unwrap() {
                Packet::Rr(report) => {
                    let block = report.report_blocks().next().unwrap();
                    let figures = (
                        block.fraction_lost(),
                        block.cumulative_lost(),
                        block.extended_sequence_number(),
                    );
                    Some((block.ssrc(), figures))
                }
                _ => None,
            });
            found.unwrap()
        };
        assert_eq!(lost(0..100, 4), (9, (64, 25, 65_536 + 99)));
        assert_eq!(lost(100..200, 1000), (9, (0, 25, 65_536 + 199)));
    }

    #[test]
    fn reports_come_every_few_seconds_and_the_last_says_goodbye() {
        let mut reports = reports(1);
        let count = (0..30_000)
            .filter(|at| {
                reports
                    .tick(ms(at * 20), sent(1, 5), &Quality::default())
                    .is_some()
            })
            .count();
        assert!((130..170).contains(&count), "{count} in ten minutes");
        let last = reports.farewell(ms(1), sent(1, 5), &Quality::default()).unwrap();
        assert_eq!(reports.receive(ms(2), 7, &last), Some(Told::Goodbye));
    }

    #[test]
    fn bombs_and_any_bytes_are_survived() {
        let mut chance = Chance::from_seed([6; 32]);
        let good = reports(1)
            .report(ms(10), sent(1, 5), &Quality::default(), true)
            .unwrap();
        let mut reports = reports(3);
        let mut believed = 0;
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..=chance.below(4) {
                let at = chance.below(bytes.len() as u64) as usize;
                match chance.below(4) {
                    0 => bytes.truncate(at.max(1)),
                    1 => bytes.extend_from_within(..at),
                    _ => bytes[at] = chance.u32() as u8,
                }
            }
            believed += u32::from(reports.receive(ms(20), 1, &bytes).is_some());
        }
        assert!(believed > 1000, "{believed}");
        let bomb = good.repeat(1000);
        assert_eq!(reports.receive(ms(20), 1, &bomb), None);
    }

    fn reports(seed: u8) -> Reports {
        Reports::new(Duration::ZERO, Chance::from_seed([seed; 32]))
    }

    fn sent(source: u32, packets: u64) -> Sent {
        Sent {
            source,
            packets,
            bytes: packets * 160,
            timestamp: 0,
        }
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}
