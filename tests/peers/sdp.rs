//! SDP, just enough for one stream of G.711 with digits (RFC 8866, 3264, 4733).

use std::net::SocketAddr;

/// What an offer or answer says of its audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// Where RTP goes.
    pub address: SocketAddr,
    /// The payload types, in their order.
    pub formats: Vec<u8>,
    /// telephone-event's payload type.
    pub events: Option<u8>,
}

impl Audio {
    /// Reads the first audio stream.
    pub fn read(sdp: &str) -> Option<Self> {
        let line = |prefix: &'static str| sdp.lines().find_map(move |line| line.strip_prefix(prefix));
        let host = line("c=IN IP4 ")?.trim();
        let mut media = line("m=audio ")?.split_whitespace();
        let port: u16 = media.next()?.parse().ok()?;
        let formats = media.skip(1).filter_map(|format| format.parse().ok()).collect();
        let events = sdp.lines().find_map(|line| {
            let (format, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            encoding
                .starts_with("telephone-event/8000")
                .then(|| format.parse().ok())?
        });
        Some(Self {
            address: SocketAddr::new(host.parse().ok()?, port),
            formats,
            events,
        })
    }

    /// The answer to this offer, received at `local`; `None` when it has no G.711.
    pub fn answer(&self, local: SocketAddr) -> Option<(u8, String)> {
        let codec = *self.formats.iter().find(|format| matches!(format, 0 | 8))?;
        let name = if codec == 0 { "PCMU" } else { "PCMA" };
        let (mut formats, mut attributes) = (codec.to_string(), format!("a=rtpmap:{codec} {name}/8000\r\n"));
        if let Some(events) = self.events {
            formats.push_str(&format!(" {events}"));
            attributes.push_str(&format!(
                "a=rtpmap:{events} telephone-event/8000\r\na=fmtp:{events} 0-15\r\n"
            ));
        }
        let (ip, port) = (local.ip(), local.port());
        Some((
            codec,
            format!(
                "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n\
                 {attributes}a=ptime:20\r\na=sendrecv\r\n"
            ),
        ))
    }
}
