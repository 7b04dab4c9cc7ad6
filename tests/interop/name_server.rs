//! A small name server on loopback, written from RFC 1035, 2782 and 3403: it knows what it is told and nothing else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

/// What it knows of one name.
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// A server of a service.
    Srv {
        /// Lower ones first.
        priority: u16,
        /// The share within a priority.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its name.
        target: &'static str,
    },
    /// A service of a domain, with the flag `s`.
    Naptr {
        /// Lower ones first.
        order: u16,
        /// `SIP+D2U`.
        service: &'static str,
        /// The next name.
        replacement: &'static str,
    },
}

/// Starts one, which lives as long as the tests do; where it listens.
pub fn start(records: Vec<(&'static str, Record)>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            if let Some(answer) = answer(&question[..length], &records) {
                // A resolver that is gone asks no more.
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

fn answer(question: &[u8], records: &[(&str, Record)]) -> Option<Vec<u8>> {
    let (name, after) = read_name(question.get(12..)?)?;
    let end = 12 + after + 4;
    let kind = u16::from_be_bytes(question.get(12 + after..12 + after + 2)?.try_into().ok()?);
    let is_known = records.iter().any(|(known, _)| *known == name);
    let fitting: Vec<Vec<u8>> = records
        .iter()
        .filter(|(known, record)| *known == name && record.kind() == kind)
        .map(|(_, record)| record.data())
        .collect();
    // A response, authoritative, recursion available; NXDOMAIN for what it does not know.
    let mut bytes = question.get(..2)?.to_vec();
    bytes.extend([0x85, if is_known { 0x80 } else { 0x83 }]);
    for count in [1, u16::try_from(fitting.len()).ok()?, 0, 0] {
        bytes.extend(count.to_be_bytes());
    }
    bytes.extend(question.get(12..end)?);
    for data in fitting {
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        bytes.extend(data);
    }
    Some(bytes)
}

/// The name in lower case, and how many bytes it takes.
fn read_name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = bytes.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

impl Record {
    fn kind(&self) -> u16 {
        match self {
            Self::Address(IpAddr::V4(_)) => 1,
            Self::Address(IpAddr::V6(_)) => 28,
            Self::Srv { .. } => 33,
            Self::Naptr { .. } => 35,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self {
            Self::Address(IpAddr::V4(address)) => address.octets().to_vec(),
            Self::Address(IpAddr::V6(address)) => address.octets().to_vec(),
            Self::Srv {
                priority,
                weight,
                port,
                target,
            } => {
                let mut data: Vec<u8> = [priority, weight, port]
                    .into_iter()
                    .flat_map(|number| number.to_be_bytes())
                    .collect();
                data.extend(name_bytes(target));
                data
            }
            Self::Naptr {
                order,
                service,
                replacement,
            } => {
                let mut data: Vec<u8> = [*order, 1].into_iter().flat_map(u16::to_be_bytes).collect();
                for text in ["s", service, ""] {
                    data.push(u8::try_from(text.len()).unwrap());
                    data.extend(text.as_bytes());
                }
                data.extend(name_bytes(replacement));
                data
            }
        }
    }
}

fn name_bytes(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
