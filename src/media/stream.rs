//! The audio of one call: sender, receiver, digits and figures as one machine, driven by a beat of 20 ms.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::digits::Digits;
use super::plan::Plan;
use super::quality::Level;
use super::receiver::Receiver;
use super::reports::{Reports, Told};
use super::sender::Sender;
use super::srtp::Sealer;
use super::{Event, FRAME, Figures, mos};
use crate::call::DigitScript;
use crate::chance::Chance;

/// How often the figures are told.
const FIGURES_EVERY: Duration = Duration::from_secs(1);

/// One call's audio. `now` is counted from any fixed moment, the same for all inputs.
pub struct Stream {
    plan: Plan,
    sender: Sender,
    sealer: Option<Sealer>,
    receiver: Receiver,
    reports: Reports,
    /// A report that is due.
    report: Option<Vec<u8>>,
    digits: Digits,
    /// Silence leaves in the place of the microphone.
    is_muted: bool,
    near: Level,
    far: Level,
    far_heard: bool,
    figures_due: Duration,
    outputs: VecDeque<Event>,
}

impl Stream {
    /// A stream as agreed.
    pub fn new(now: Duration, plan: Plan, chance: &mut Chance) -> Self {
        Self {
            plan,
            sender: Sender::new(chance),
            sealer: None,
            receiver: Receiver::new(now),
            reports: Reports::new(now, chance.fork()),
            report: None,
            digits: Digits::default(),
            is_muted: false,
            near: Level::default(),
            far: Level::default(),
            far_heard: false,
            figures_due: now + FIGURES_EVERY,
            outputs: VecDeque::new(),
        }
    }

    /// Goes on with a changed plan: hold, another codec, another address.
    pub fn apply(&mut self, now: Duration, plan: Plan) {
        if plan.remote != self.plan.remote {
            self.receiver.expect_from_elsewhere(now);
        }
        let is_answered = self.plan.is_early && !plan.is_early;
        if is_answered || (plan.direction.receives() && !self.plan.direction.receives()) {
            self.receiver.expect_from_now(now);
        }
        if is_answered {
            // Who listens waits for the voices of the meeting.
            self.far_heard = false;
        }
        if (plan.codec, plan.packet_time) != (self.plan.codec, self.plan.packet_time) {
            self.sender.skip(&plan, 0);
        }
        tracing::debug!(
            codec = plan.codec.name(),
            remote = %plan.remote,
            "audio {:?} -> {:?}",
            self.plan.direction,
            plan.direction
        );
        self.plan = plan;
    }

    /// Whether the far end has been heard since the call began, or since it was answered.
    pub fn has_heard(&self) -> bool {
        self.far_heard
    }

    /// Sends silence in the place of the microphone, or the microphone again.
    pub fn mute(&mut self, is_muted: bool) {
        self.is_muted = is_muted;
    }

    /// Whether silence is sent in the place of the microphone.
    pub fn is_muted(&self) -> bool {
        self.is_muted
    }

    /// Sends digits after those that wait; [`Event::DigitsSent`] or [`Event::DigitsFailed`] follows.
    pub fn send_digits(&mut self, script: DigitScript) {
        if let Err(refused) = self.digits.add(script) {
            self.outputs.push_back(Event::DigitsFailed {
                why: refused.to_string(),
            });
        }
    }

    /// How many rows of digits have not been told as sent.
    pub fn digits_waiting(&self) -> usize {
        self.digits.unfinished()
    }

    /// Takes a datagram from the port of the audio.
    pub fn received(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) {
        if is_report(datagram) {
            return self.received_report(now, from, datagram);
        }
        let is_audio = self.receiver.receive(now, &self.plan, from, datagram);
        if is_audio && !self.far_heard {
            self.far_heard = true;
            self.outputs.push_back(Event::FarAudio);
        }
    }

    /// Takes a datagram from the port of reports.
    pub fn received_report(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) {
        let Some(report) = self.receiver.report(&self.plan, from, datagram) else {
            return;
        };
        match self.reports.receive(now, self.sender.told().source, &report) {
            // What lives without sending is silent on purpose.
            Some(Told::Report) => self.receiver.expect_from_now(now),
            Some(Told::Goodbye) => tracing::debug!("the far end's audio says goodbye"),
            None => {}
        }
    }

    /// The audio ends: the last report is due.
    pub fn leave(&mut self, now: Duration) {
        self.report = self
            .reports
            .farewell(now, self.sender.told(), self.receiver.quality());
    }

    /// Takes 20 ms of the microphone; [`Stream::poll_packet`] has what leaves.
    pub fn tick(&mut self, now: Duration, microphone: &[i16; FRAME]) {
        if now >= self.figures_due {
            self.figures_due = now + FIGURES_EVERY;
            self.outputs.push_back(Event::Figures(self.figures(now)));
        }
        let report = self
            .reports
            .tick(now, self.sender.told(), self.receiver.quality());
        self.report = report.or(self.report.take());
        if !self.may_send() {
            self.digits.let_go();
            self.sender.skip(&self.plan, 1);
            self.near.hear(&[0; FRAME]);
            return;
        }
        let mut frame = match self.is_muted {
            true => [0; FRAME],
            false => *microphone,
        };
        self.sender.tick(&self.plan, &mut self.digits, &mut frame);
        self.near.hear(&frame);
        while self.digits.take_finished() {
            self.outputs.push_back(Event::DigitsSent);
        }
    }

    /// The next packet that is due, and where it goes: never plain when keys were agreed. Drain it until `None` after
    /// every tick.
    pub fn poll_packet(&mut self) -> Option<Leaving> {
        while let Some(packet) = self.sender.poll_packet() {
            match self.sealed(packet, Sealer::seal) {
                Some(bytes) => {
                    return Some(Leaving {
                        to: self.receiver.destination(&self.plan),
                        bytes,
                        is_report: false,
                    });
                }
                None => self.sender.take_back(),
            }
        }
        let report = self.report.take()?;
        let control = self.plan.control.filter(|control| is_somebody(control.remote))?;
        Some(Leaving {
            to: match control.is_multiplexed {
                true => self.receiver.destination(&self.plan),
                false => control.remote,
            },
            bytes: self.sealed(report, Sealer::seal_report)?,
            is_report: !control.is_multiplexed,
        })
    }

    fn sealed(
        &mut self,
        packet: Vec<u8>,
        seal: impl FnOnce(&mut Sealer, &[u8]) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let Some(keys) = &self.plan.keys else {
            return Some(packet);
        };
        self.sealer.take_if(|sealer| *sealer.key() != keys.send);
        if self.sealer.is_none() {
            self.sealer = Sealer::new(keys.send.clone())
                .inspect_err(|error| tracing::debug!("a key cannot be used: {error}"))
                .ok();
        }
        self.sealer.as_mut().and_then(|sealer| seal(sealer, &packet))
    }

    /// Ticks that were missed: their time is over, nothing is sent for them.
    pub fn skip_missed(&mut self, ticks: u32) {
        if ticks > 0 {
            self.sender.skip(&self.plan, ticks);
        }
    }

    /// The last packet could not be sent.
    pub fn not_sent(&mut self) {
        self.sender.take_back();
    }

    /// Fills `out` with what the far end says at `now`: the beat's own moment, which does not waver.
    pub fn play(&mut self, now: Duration, out: &mut [i16]) {
        self.receiver.play(now, out);
        self.far.hear(out);
    }

    /// The plan that is in force.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The figures so far.
    pub fn figures(&self, now: Duration) -> Figures {
        let quality = self.receiver.quality();
        let (concealed_percent, playout_delay) = self.receiver.heard();
        let delay = playout_delay + self.plan.packet_time;
        Figures {
            round_trip: self.reports.round_trip(),
            concealed_percent,
            playout_delay: delay,
            mos: (quality.received() > 0).then(|| mos::estimate(concealed_percent, delay)),
            is_sending: self.may_send() && !self.is_muted,
            received: quality.received(),
            sent: self.sender.sent(),
            loss_percent: quality.loss_percent(),
            jitter_ms: quality.jitter_ms(),
            // On hold nothing is due, so that nothing is missed.
            silent_for: match self.plan.direction.receives() {
                true => self.receiver.silent_for(now),
                false => Duration::ZERO,
            },
            far_level_dbfs: self.far.dbfs(),
            near_level_dbfs: self.near.dbfs(),
            // The device side's to fill in.
            microphone_level_dbfs: Level::default().dbfs(),
            device_slips: 0,
        }
    }

    /// The next thing to tell. Drain it until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Event> {
        self.outputs.pop_front()
    }

    fn may_send(&self) -> bool {
        self.plan.direction.sends() && is_somebody(self.plan.remote) && self.plan.remote != self.plan.local
    }
}

/// A packet on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Where it goes.
    pub to: SocketAddr,
    /// As it leaves.
    pub bytes: Vec<u8>,
    /// Whether it leaves from the port of reports.
    pub is_report: bool,
}

/// Whether a datagram is RTCP, by its packet type (RFC 5761 4).
fn is_report(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..224).contains(kind))
}

/// Hold in the old way is 0.0.0.0 (RFC 3264 8.4), and a room's voice belongs to one listener, whatever SDP says.
fn is_somebody(address: SocketAddr) -> bool {
    let one_host = match address.ip().to_canonical() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    one_host && address.port() != 0
}

#[cfg(test)]
mod tests;
