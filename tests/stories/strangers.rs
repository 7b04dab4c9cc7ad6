//! RTP from where nobody said it would come from (contract, "Audio"): one that takes the place of a silent far end, and those that
//! do not.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::peers::directives;
use crate::peers::far_end::{FarEnd, Manner, Phase, Voice};
use crate::peers::room::Room;
use crate::peers::sdp::Audio;
use crate::peers::sound::{NOTHING, Packet, to_ulaw};

#[test]
fn one_stranger_takes_the_place_of_a_silent_far_end_and_no_other_does() {
    let manner = Manner::Answer {
        after: Duration::ZERO,
    };
    let voice = Voice {
        tone: NOTHING,
        prompt: None,
    };
    let far_end = FarEnd::start_with(manner, voice);
    let room = Room::open();
    room.bridge.ask(&directives::join(&far_end.endpoint()));
    far_end.wait_for_phase(Phase::Confirmed);
    let invite = far_end.seen.look(|seen| seen.calls[0].invite.body.clone());
    let there = Audio::read(&invite).expect("an offer").address;
    let [mut wrong, mut first, mut second] =
        [96, 0, 0].map(|payload_type| Stranger::new(there, payload_type));

    // Long enough for the grace of a second to be over.
    wrong.send(&far_end, 75);
    assert_eq!(received(&room), 0, "not what was agreed");
    first.send(&far_end, 50);
    let taken = room.wait_for_status("the first", |status| {
        status["call"]["media"]["rxPackets"]
            .as_u64()
            .filter(|count| *count >= 40)
    });
    second.send(&far_end, 100);
    assert!(received(&room) <= taken.max(50), "the second is not heard");
    first.send(&far_end, 50);
    room.wait_for_status("the first goes on", |status| {
        status["call"]["media"]["rxPackets"]
            .as_u64()
            .filter(|count| *count >= 80)
    });

    room.bridge.ask(&directives::end());
    // Also that all RTP came from the port where RTP is received.
    far_end.wait_until_all_is_over();
    room.meetd.stop();
}

fn received(room: &Room) -> u64 {
    room.wait_for_status("figures", |status| status["call"]["media"]["rxPackets"].as_u64())
}

/// Sends μ-law at the pace at which the far end hears.
struct Stranger {
    socket: UdpSocket,
    there: SocketAddr,
    packet: Packet,
}

impl Stranger {
    fn new(there: SocketAddr, payload_type: u8) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let source = u32::from(socket.local_addr().unwrap().port());
        let packet = Packet {
            payload_type,
            marker: false,
            sequence: 1,
            timestamp: 160,
            source,
            payload: vec![to_ulaw(8000); 160],
        };
        Self {
            socket,
            there,
            packet,
        }
    }

    fn send(&mut self, far_end: &FarEnd, count: u64) {
        let heard = || far_end.wait_for("a packet", |seen| Some(seen.calls.last()?.ear.packets));
        let begun = heard();
        for sent in 1..=count {
            self.socket.send_to(&self.packet.write(), self.there).unwrap();
            self.packet.sequence += 1;
            self.packet.timestamp += 160;
            far_end.wait_for("the next packet", |seen| {
                (seen.calls.last()?.ear.packets >= begun + sent).then_some(())
            });
        }
    }
}
