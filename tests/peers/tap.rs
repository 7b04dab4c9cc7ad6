//! A tap on the wire: relays SIP and RTP over UDP between the daemon and a far end, and keeps what it saw from the
//! daemon's side, also as a capture file that other programs can judge.

use std::io::Write;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Watched;
use super::bad_network::{BadNetwork, Fates, carrier};
use super::sdp::Audio;
use super::sip_text::Message;
use super::sound::{Ear, Packet};

/// What was seen.
#[derive(Debug, Default)]
pub struct Wire {
    /// SIP, in order.
    pub sip: Vec<Line>,
    /// Audio from the daemon.
    pub from_daemon: Leg,
    /// Audio to the daemon.
    pub to_daemon: Leg,
    datagrams: Vec<Datagram>,
    events: Option<u8>,
}

/// One SIP message.
#[derive(Clone, Debug)]
pub struct Line {
    /// When.
    pub at: Instant,
    /// Whether the daemon sent it.
    pub from_daemon: bool,
    /// What.
    pub message: Message,
}

/// RTP in one direction.
#[derive(Debug, Default)]
pub struct Leg {
    /// Packets, digits included, in whatever codec.
    pub packets: u64,
    /// What an ear at the wire heard, in G.711.
    pub ear: Ear,
    /// When the first packet came.
    pub first: Option<Instant>,
    /// When each digit began.
    pub digits: Vec<(Instant, char)>,
    /// How much later each packet was passed on than it came; `None` when it was not.
    pub passed_on: Vec<Option<Duration>>,
}

#[derive(Debug)]
struct Datagram {
    at: Instant,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// A running tap. It lives until the process ends.
pub struct Tap {
    /// What the daemon dials to reach the far end.
    pub address: SocketAddr,
    /// What was seen so far.
    pub wire: Arc<Watched<Wire>>,
}

/// One relay: a socket towards each side, and where each side is, once known.
struct Relay {
    near: UdpSocket,
    far: UdpSocket,
    daemon: Watched<Option<SocketAddr>>,
    far_end: Watched<Option<SocketAddr>>,
}

impl Relay {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            near: UdpSocket::bind("127.0.0.1:0").unwrap(),
            far: UdpSocket::bind("127.0.0.1:0").unwrap(),
            daemon: Watched::new(None),
            far_end: Watched::new(None),
        })
    }

    /// What the daemon sees the far end at.
    fn near_address(&self) -> SocketAddr {
        self.near.local_addr().unwrap()
    }

    /// What the far end sees the daemon at.
    fn far_address(&self) -> SocketAddr {
        self.far.local_addr().unwrap()
    }

    fn send_to_far_end(&self, bytes: &[u8]) {
        if let Some(to) = self.far_end.look(Clone::clone) {
            let _ = self.far.send_to(bytes, to);
        }
    }

    fn send_to_daemon(&self, bytes: &[u8]) {
        if let Some(to) = self.daemon.look(Clone::clone) {
            let _ = self.near.send_to(bytes, to);
        }
    }
}

impl Tap {
    /// Stands in front of this far end.
    pub fn start(far_end: SocketAddr) -> Self {
        Self::start_before(far_end, BadNetwork::default(), 0)
    }

    /// The same, with a network like this on the way of the audio to the daemon.
    pub fn start_before(far_end: SocketAddr, network: BadNetwork, seed: u64) -> Self {
        let (sip, audio) = (Relay::new(), Relay::new());
        sip.far_end.change(|address| *address = Some(far_end));
        let address = sip.near_address();
        let wire = Arc::new(Watched::new(Wire::default()));
        for from_daemon in [true, false] {
            let (relay, beside, seen) = (Arc::clone(&sip), Arc::clone(&audio), Arc::clone(&wire));
            thread::spawn(move || relay_sip(from_daemon, &relay, &beside, &seen));
            let (relay, seen) = (Arc::clone(&audio), Arc::clone(&wire));
            let fates = (!from_daemon).then(|| Fates::new(network, seed));
            thread::spawn(move || relay_audio(from_daemon, &relay, &seen, fates));
        }
        Self { address, wire }
    }

    /// Waits for what passes.
    #[track_caller]
    pub fn wait_for<R>(&self, what: &str, question: impl FnMut(&Wire) -> Option<R>) -> R {
        self.wire.wait_for(what, question)
    }

    /// When the first SIP message that fits passed.
    #[track_caller]
    pub fn wait_for_sip(&self, what: &str, from_daemon: bool, fits: impl Fn(&Message) -> bool) -> Instant {
        self.wait_for(what, |wire| wire.first(from_daemon, &fits))
    }

    /// Writes all that passed as a capture file (pcap, raw IPv4).
    pub fn write_capture(&self, path: &Path) {
        let mut file = vec![];
        for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65535, 101] {
            file.extend(word.to_le_bytes());
        }
        self.wire.look(|wire| {
            let start = wire.datagrams.first().map(|datagram| datagram.at);
            for datagram in &wire.datagrams {
                let offset = start.map_or(Duration::ZERO, |start| {
                    datagram.at.saturating_duration_since(start)
                });
                let packet = in_ipv4(datagram);
                let length = packet.len() as u32;
                for word in [
                    1_700_000_000 + offset.as_secs() as u32,
                    offset.subsec_micros(),
                    length,
                    length,
                ] {
                    file.extend(word.to_le_bytes());
                }
                file.extend(packet);
            }
        });
        std::fs::File::create(path).unwrap().write_all(&file).unwrap();
    }
}

impl Wire {
    /// When the first SIP message that fits passed.
    pub fn first(&self, from_daemon: bool, fits: impl Fn(&Message) -> bool) -> Option<Instant> {
        let fitting = self
            .sip
            .iter()
            .find(|line| line.from_daemon == from_daemon && fits(&line.message));
        fitting.map(|line| line.at)
    }

    /// The leg in this direction.
    pub fn leg(&self, from_daemon: bool) -> &Leg {
        if from_daemon {
            &self.from_daemon
        } else {
            &self.to_daemon
        }
    }
}

/// Takes a datagram from one side; says from where it came.
fn receive(from_daemon: bool, relay: &Relay, bytes: &mut [u8]) -> Option<(usize, SocketAddr)> {
    let socket = if from_daemon { &relay.near } else { &relay.far };
    let (count, from) = socket.recv_from(bytes).ok()?;
    if from_daemon {
        relay.daemon.change(|address| *address = Some(from));
    }
    Some((count, from))
}

fn relay_sip(from_daemon: bool, relay: &Relay, audio: &Relay, seen: &Watched<Wire>) {
    let mut bytes = vec![0; 65536];
    let near = relay.near_address();
    loop {
        let Some((count, from)) = receive(from_daemon, relay, &mut bytes) else {
            continue;
        };
        let at = Instant::now();
        let raw = &bytes[..count];
        let Ok(message) = Message::read(raw) else {
            if from_daemon {
                relay.send_to_far_end(raw)
            } else {
                relay.send_to_daemon(raw)
            }
            continue;
        };
        let far = relay.far_end.look(Clone::clone).unwrap();
        let (old, new) = if from_daemon { (near, far) } else { (far, near) };
        let mut passed = message.clone();
        passed.start = passed.start.replace(&old.to_string(), &new.to_string());
        for (_, value) in &mut passed.headers {
            *value = value.replace(&old.to_string(), &new.to_string());
        }
        if let Some(described) = Audio::read(&message.body) {
            let (side, shown) = match from_daemon {
                true => (&audio.daemon, audio.far_address()),
                false => (&audio.far_end, audio.near_address()),
            };
            side.change(|address| *address = Some(described.address));
            seen.change(|wire| wire.events = described.events.or(wire.events));
            let named = |port: u16| format!("m=audio {port} ");
            passed.body = passed
                .body
                .replace(&named(described.address.port()), &named(shown.port()));
        }
        let (message, datagram) = if from_daemon {
            (
                message,
                Datagram {
                    at,
                    from,
                    to: near,
                    bytes: raw.to_vec(),
                },
            )
        } else {
            let to = relay.daemon.look(Clone::clone).unwrap_or(near);
            (
                passed.clone(),
                Datagram {
                    at,
                    from: near,
                    to,
                    bytes: passed.write(),
                },
            )
        };
        seen.change(|wire| {
            wire.sip.push(Line {
                at,
                from_daemon,
                message,
            });
            wire.datagrams.push(datagram);
        });
        let bytes = passed.write();
        if from_daemon {
            relay.send_to_far_end(&bytes)
        } else {
            relay.send_to_daemon(&bytes)
        }
    }
}

fn relay_audio(from_daemon: bool, relay: &Arc<Relay>, seen: &Watched<Wire>, mut fates: Option<Fates>) {
    let mut bytes = vec![0; 2048];
    let near = relay.near_address();
    let late = Arc::clone(relay);
    let carrier = fates
        .is_some()
        .then(|| carrier(move |packet| late.send_to_daemon(packet)));
    loop {
        let Some((count, _)) = receive(from_daemon, relay, &mut bytes) else {
            continue;
        };
        let at = Instant::now();
        let raw = &bytes[..count];
        let mut passed_on = Some(Duration::ZERO);
        match (&mut fates, &carrier) {
            // Reports come on the same way where they are asked to; what becomes of them is not of interest.
            (Some(fates), Some(carrier)) if Packet::read(raw).is_some() => {
                let copies = fates.deal();
                passed_on = copies.iter().min().copied();
                for delay in copies {
                    match delay.is_zero() {
                        true => relay.send_to_daemon(raw),
                        false => carrier.send((at + delay, raw.to_vec())).unwrap(),
                    }
                }
            }
            _ if from_daemon => relay.send_to_far_end(raw),
            _ => relay.send_to_daemon(raw),
        }
        let daemon = relay.daemon.look(Clone::clone).unwrap_or(near);
        let (from, to) = if from_daemon {
            (daemon, near)
        } else {
            (near, daemon)
        };
        seen.change(|wire| {
            wire.datagrams.push(Datagram {
                at,
                from,
                to,
                bytes: raw.to_vec(),
            });
            let events = wire.events;
            let leg = if from_daemon {
                &mut wire.from_daemon
            } else {
                &mut wire.to_daemon
            };
            let Some(packet) = Packet::read(raw) else { return };
            leg.packets += 1;
            leg.passed_on.push(passed_on);
            leg.first.get_or_insert(at);
            if let Some(digit) = leg.ear.hear(&packet, events) {
                leg.digits.push((at, digit));
            }
        });
    }
}

/// The datagram with its UDP and IPv4 headers (RFC 768, 791).
fn in_ipv4(datagram: &Datagram) -> Vec<u8> {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (datagram.from, datagram.to) else {
        return Vec::new();
    };
    let length = datagram.bytes.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend((length + 28).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    let sum: u32 = packet
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    let ports = |address: SocketAddrV4| address.port().to_be_bytes();
    packet.extend(ports(from));
    packet.extend(ports(to));
    packet.extend((length + 8).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(&datagram.bytes);
    packet
}
