//! What passes loopback, as dumpcap writes it: UDP with the kernel's times.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::peers::programs::{self, Program, Skipped};

/// A running dumpcap.
pub struct Capture {
    program: Program,
    folder: TempDir,
}

/// All that passed.
pub struct Passed(Vec<Packet>);

/// A datagram.
struct Packet {
    /// Since any fixed moment, in milliseconds.
    at: f64,
    from: SocketAddrV4,
    to: SocketAddrV4,
    payload: Vec<u8>,
}

/// One answered call.
pub struct Call {
    answered_at: f64,
    /// When each packet of the caller's audio left.
    packets: Vec<f64>,
}

impl Capture {
    /// Captures from now on.
    pub fn start() -> Result<Self, Skipped> {
        let dumpcap = programs::find("dumpcap", "wireshark-common")?;
        let folder = TempDir::with_prefix("meetd-capture-").unwrap();
        let mut command = Command::new(dumpcap);
        command
            .args(["-P", "-i", "lo", "-f", "udp", "-w"])
            .arg(folder.path().join("pcap"));
        let program = programs::start(&mut command);
        program.wait_for_line("File: ");
        Ok(Self { program, folder })
    }

    /// Ends it; what passed.
    pub fn stop(mut self) -> Passed {
        self.program.terminate();
        self.program.wait();
        let bytes = std::fs::read(self.folder.path().join("pcap")).unwrap();
        // Ethernet with microseconds, in this machine's order of bytes.
        assert_eq!(word(&bytes, 0), 0xa1b2_c3d4, "a capture file");
        let (mut packets, mut at) = (Vec::new(), 24);
        while at + 16 <= bytes.len() {
            let length = word(&bytes, at + 8) as usize;
            let time =
                f64::from(word(&bytes, at) % 1_000_000) * 1000.0 + f64::from(word(&bytes, at + 4)) / 1000.0;
            let frame = bytes.get(at + 16..at + 16 + length);
            packets.extend(frame.and_then(|frame| Packet::read(time, frame)));
            at += 16 + length;
        }
        Passed(packets)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl Packet {
    /// UDP in IPv4 without options, in Ethernet.
    fn read(at: f64, frame: &[u8]) -> Option<Self> {
        let (ip, payload) = (frame.get(14..34)?, frame.get(42..)?);
        let is_udp = frame[12..14] == [8, 0] && ip[0] == 0x45 && ip[9] == 17;
        let address = |from: usize, port: usize| {
            let host: [u8; 4] = ip[from..from + 4].try_into().unwrap();
            let port = u16::from_be_bytes([frame[port], frame[port + 1]]);
            SocketAddrV4::new(Ipv4Addr::from(host), port)
        };
        is_udp.then(|| Self {
            at,
            from: address(12, 34),
            to: address(16, 36),
            payload: payload.to_vec(),
        })
    }

    /// The port for audio in an answer to INVITE.
    fn answered_port(&self) -> Option<u16> {
        let text = std::str::from_utf8(&self.payload).ok()?;
        let (_, rest) = text.strip_prefix("SIP/2.0 200")?.split_once("m=audio ")?;
        rest.split(' ').next()?.parse().ok()
    }
}

impl Passed {
    /// The calls that somebody at this port answered, in order.
    pub fn calls_to(&self, port: u16) -> Vec<Call> {
        let answers = self.0.iter().enumerate().filter_map(|(at, packet)| {
            let audio = packet.answered_port().filter(|_| packet.from.port() == port)?;
            Some((at, audio))
        });
        let answers: Vec<(usize, u16)> = answers.collect();
        let until = answers.iter().skip(1).map(|(at, _)| *at).chain([self.0.len()]);
        let call = |((at, audio), until): (&(usize, u16), usize)| {
            let of_audio =
                |packet: &&Packet| packet.to.port() == *audio && packet.payload.first() == Some(&0x80);
            Call {
                answered_at: self.0[*at].at,
                packets: self.0[*at..until]
                    .iter()
                    .filter(of_audio)
                    .map(|packet| packet.at)
                    .collect(),
            }
        };
        answers.iter().zip(until).map(call).collect()
    }
}

impl Call {
    /// From the answer to the caller's first packet of audio, in milliseconds.
    pub fn first_packet(&self) -> Option<f64> {
        self.packets.first().map(|first| first - self.answered_at)
    }

    /// The times between its packets once it has lasted so long, in milliseconds.
    pub fn gaps_after(&self, settled: Duration) -> Vec<f64> {
        let from = self.answered_at + settled.as_secs_f64() * 1000.0;
        let settled: Vec<f64> = self.packets.iter().copied().filter(|at| *at >= from).collect();
        settled.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}
