//! The audio side of a far end: a thread for each call that sends a tone every 20 ms and hears what comes.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Watched;
use super::far_end::Seen;
use super::sound::{CHATTER, Chatter, NOTHING, Packet, Tone};

/// What one call's audio needs.
pub struct Telephone {
    /// Our RTP socket.
    pub socket: UdpSocket,
    /// Where their RTP goes.
    pub remote: SocketAddr,
    /// The payload type of the codec.
    pub codec: u8,
    /// The payload type of digits.
    pub events: Option<u8>,
    /// What the meeting sounds like: a tone of this pitch, [`CHATTER`] or [`NOTHING`].
    pub tone: u32,
    /// What a caller hears until the PIN is right.
    pub prompt: Option<Prompt>,
}

/// A request for a PIN.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The digits that open the meeting, `#` excluded.
    pub pin: String,
    /// The tone that asks.
    pub tone: u32,
}

impl Telephone {
    /// Speaks and listens until the call at this index is over.
    pub fn talk(self, call: usize, seen: Arc<Watched<Seen>>) {
        thread::spawn(move || self.run(call, &seen));
    }

    fn run(self, call: usize, seen: &Watched<Seen>) {
        let (mut tone, mut chatter) = (Tone::default(), Chatter::default());
        let (mut due, mut sequence, mut timestamp) = (Instant::now(), 1u16, 160u32);
        let mut bytes = [0; 2048];
        while !seen.look(|seen| seen.calls[call].phase.is_over()) {
            while let Some(left) = due
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            {
                self.socket.set_read_timeout(Some(left)).unwrap();
                let Ok((count, from)) = self.socket.recv_from(&mut bytes) else {
                    continue;
                };
                if let Some(packet) = Packet::read(&bytes[..count]) {
                    if from != self.remote {
                        let fault = format!("RTP from {from}; their SDP says {}", self.remote);
                        seen.change(|seen| seen.complaints.push(fault));
                    }
                    seen.change(|seen| self.hear(&packet, &mut seen.calls[call]));
                }
            }
            let opened = seen.look(|seen| seen.calls[call].pin_at.is_some());
            let hertz = match &self.prompt {
                Some(prompt) if !opened => prompt.tone,
                _ => self.tone,
            };
            due += Duration::from_millis(20);
            if hertz == NOTHING {
                continue;
            }
            let packet = Packet {
                payload_type: self.codec,
                marker: sequence == 1,
                sequence,
                timestamp,
                source: 0x6d65_6574,
                payload: match hertz {
                    CHATTER => chatter.next_packet(),
                    hertz => tone.next_packet(hertz),
                },
            };
            // A far end that is gone answers with ICMP; the call's own end tells more.
            let _ = self.socket.send_to(&packet.write(), self.remote);
            (sequence, timestamp) = (sequence.wrapping_add(1), timestamp.wrapping_add(160));
        }
    }

    fn hear(&self, packet: &Packet, call: &mut super::far_end::Call) {
        if call.ear.hear(packet, self.events) != Some('#') {
            return;
        }
        let entered = call
            .ear
            .digits
            .trim_end_matches('#')
            .rsplit('#')
            .next()
            .unwrap_or_default();
        match &self.prompt {
            Some(prompt) if prompt.pin == entered && call.pin_at.is_none() => {
                call.pin_at = Some(Instant::now())
            }
            Some(_) if call.pin_at.is_none() => call.wrong_pins += 1,
            _ => {}
        }
    }
}
