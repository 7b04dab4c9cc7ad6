//! Session descriptions of theirs: the answer to our offer, and their offers. Nothing in them is believed that
//! audio could be misled with.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use sdp_types::{Media, RtpMap, Session};

use super::crypto;
use super::write::{self, PACKET_TIME, direction_name};
use super::{AnswerFault, OfferParts, Offered, TELEPHONE_EVENT_ENCODING, shown};
use crate::media::{CodecName, Control, Direction, Plan, TelephoneEvent};

/// The longest description that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// The most streams that are looked at: audio, two videos, slides, control and as many again.
const MOST_STREAMS: usize = 16;
/// From here on numbers mean what their rtpmap says (RFC 3551 6).
const FIRST_DYNAMIC: u8 = 96;
/// Packet times outside are moved to the nearer end: less is a flood, more is no conversation.
const PACKET_TIMES: std::ops::RangeInclusive<u64> = 10..=60;

/// Reads the answer to our offer: its first usable audio stream (RFC 3264 6, 7).
pub fn read_answer(offered: &Offered, body: &[u8]) -> Result<Plan, AnswerFault> {
    let session = read_session(body)?;
    let (_, plan) = first_usable(&session, |media| plan_of(offered, &session, media, Role::Offerer))?;
    Ok(plan)
}

/// Answers an offer of theirs: our answer, and the plan from the moment it is sent (RFC 3264 6). `ours.codecs` is
/// what we speak and `ours.direction` what we want; the order of codecs is theirs.
pub fn answer(ours: &OfferParts, body: &[u8]) -> Result<(Vec<u8>, Plan), AnswerFault> {
    let session = read_session(body)?;
    let (accepted, plan) = first_usable(&session, |media| plan_of(ours, &session, media, Role::Answerer))?;
    Ok((write::answer(ours, &session, accepted, &plan), plan))
}

/// Which side of the exchange we are on: it decides whose numbers for codecs we receive (RFC 3264 5.1, 6.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// They send by the numbers of our offer.
    Offerer,
    /// Our answer repeats their numbers.
    Answerer,
}

fn read_session(body: &[u8]) -> Result<Session, AnswerFault> {
    if body.len() > LONGEST {
        return Err(AnswerFault::Long(body.len()));
    }
    // Names of sessions come in other character sets; nothing that we use is beyond ASCII.
    let text = String::from_utf8_lossy(body);
    let session =
        Session::parse(text.as_bytes()).map_err(|fault| AnswerFault::Malformed(shown(&fault.to_string())))?;
    match session.medias.len() {
        0 => Err(AnswerFault::NoAudio),
        found if found > MOST_STREAMS => Err(AnswerFault::Streams {
            found,
            most: MOST_STREAMS,
        }),
        _ => Ok(session),
    }
}

/// The first stream that can be planned; else the fault of the first that is audio and was not refused.
fn first_usable(
    session: &Session,
    plan: impl Fn(&Media) -> Result<Plan, AnswerFault>,
) -> Result<(usize, Plan), AnswerFault> {
    let mut first_fault = AnswerFault::NoAudio;
    let is_audio = |media: &Media| media.media.eq_ignore_ascii_case("audio") && media.port != 0;
    for (index, media) in session
        .medias
        .iter()
        .enumerate()
        .filter(|(_, media)| is_audio(media))
    {
        match plan(media) {
            Ok(plan) => return Ok((index, plan)),
            Err(fault) if first_fault == AnswerFault::NoAudio => first_fault = fault,
            Err(_) => {}
        }
    }
    Err(first_fault)
}

fn plan_of(ours: &OfferParts, session: &Session, media: &Media, role: Role) -> Result<Plan, AnswerFault> {
    let crypto = ours.crypto.as_ref();
    if !crypto::is_speakable(crypto, media) {
        return Err(AnswerFault::Protocol(shown(&media.proto)));
    }
    let keys = match role {
        Role::Offerer => crypto::of_answer(crypto, media)?,
        Role::Answerer => crypto::of_offer(crypto, media)?,
    };
    let formats = Formats::of(media);
    let (codec, send_payload_type) = formats.first_of(&ours.codecs).ok_or(AnswerFault::NoCommonCodec)?;
    let digits = if ours.telephone_event {
        formats.telephone_event(codec.clock_rate())
    } else {
        None
    };
    let remote = SocketAddr::new(read_address(ours.address, session, media)?, media.port);
    let theirs = if remote.ip().is_unspecified() {
        // RFC 3264 8.4: hold as RFC 2543 had it.
        Direction::Inactive
    } else {
        read_direction(session, media)
    };
    Ok(Plan {
        codec,
        send_payload_type,
        receive_payload_type: match role {
            Role::Offerer => codec.payload_type(),
            Role::Answerer => send_payload_type,
        },
        telephone_event: digits,
        local: ours.address,
        remote,
        control: read_control(remote, media),
        packet_time: read_packet_time(media),
        direction: agreed_direction(ours.direction, theirs),
        is_early: false,
        keys,
    })
}

/// The formats of a stream: in order, each with the rtpmap that belongs to it.
struct Formats<'a> {
    media: &'a Media,
    maps: Vec<RtpMap>,
}

impl<'a> Formats<'a> {
    fn of(media: &'a Media) -> Self {
        let lines = media.get_attribute_values("rtpmap").flatten();
        Self {
            media,
            maps: lines
                .filter_map(|line| RtpMap::from_str(line.trim()).ok())
                .collect(),
        }
    }

    fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.media
            .fmt
            .split_ascii_whitespace()
            .filter_map(|format| format.parse().ok())
            .filter(|number| *number < 128)
    }

    fn is(&self, payload_type: u8, encoding: &str, clock_rate: u32, channels: &str) -> bool {
        self.maps
            .iter()
            .find(|map| map.payload_type == payload_type)
            .is_some_and(|map| {
                map.encoding_name.eq_ignore_ascii_case(encoding)
                    && map.clock_rate == clock_rate
                    && map.encoding_params.as_deref().unwrap_or("1").trim() == channels
            })
    }

    /// A static payload type says what it is by itself, unless a rtpmap says otherwise (RFC 3551 6).
    fn is_static(&self, payload_type: u8, codec: CodecName) -> bool {
        payload_type < FIRST_DYNAMIC
            && payload_type == codec.payload_type()
            && !self.maps.iter().any(|map| map.payload_type == payload_type)
    }

    /// The first format that is one of these codecs: what its sender prefers (RFC 3264 6.1).
    fn first_of(&self, codecs: &[CodecName]) -> Option<(CodecName, u8)> {
        self.payload_types().find_map(|payload_type| {
            let is_it = |codec: &&CodecName| {
                self.is_static(payload_type, **codec)
                    || self.is(
                        payload_type,
                        codec.encoding(),
                        codec.clock_rate(),
                        codec.channels().unwrap_or("1"),
                    )
            };
            codecs.iter().find(is_it).map(|codec| (*codec, payload_type))
        })
    }

    /// Events count in the clock of the audio that they replace (RFC 4733 2.1); who has none at that of Opus has them at
    /// the usual one.
    fn telephone_event(&self, clock_rate: u32) -> Option<TelephoneEvent> {
        let at = |clock_rate| {
            let is_it = |number: &u8| self.is(*number, TELEPHONE_EVENT_ENCODING, clock_rate, "1");
            self.payload_types()
                .find(is_it)
                .map(|payload_type| TelephoneEvent {
                    payload_type,
                    clock_rate,
                })
        };
        at(clock_rate).or_else(|| at(TelephoneEvent::USUAL.clock_rate))
    }
}

/// The connection line of the stream, else that of the session; nothing that is not one far end of our family.
fn read_address(local: SocketAddr, session: &Session, media: &Media) -> Result<IpAddr, AnswerFault> {
    let connection = media
        .connections
        .first()
        .or(session.connection.as_ref())
        .ok_or(AnswerFault::NoAddress)?;
    let text = connection.connection_address.as_str();
    let refused = |why| AnswerFault::Address {
        address: shown(text),
        why,
    };
    let address: IpAddr = text.parse().map_err(|_| refused("not a single address"))?;
    let address = address.to_canonical();
    if address.is_unspecified() {
        return Ok(address);
    }
    let local_address = local.ip().to_canonical();
    let why = match address {
        _ if address.is_multicast() => "multicast",
        _ if address.is_ipv4() != local_address.is_ipv4() => "another family than ours",
        // Else anybody could make us send to what listens on this machine only.
        _ if address.is_loopback() && !local_address.is_loopback() => "our own loopback",
        _ if SocketAddr::new(address, media.port) == SocketAddr::new(local_address, local.port()) => {
            "our own port"
        }
        // RFC 1122 3.2.1.3, RFC 1112 4: this network, reserved, limited broadcast.
        IpAddr::V4(address) if address.octets()[0] == 0 => "no host address",
        IpAddr::V4(address) if address.octets()[0] >= 240 => "broadcast or reserved",
        _ => return Ok(address),
    };
    Err(refused(why))
}

/// With the audio when both say so (our offers do, RFC 5761 5.1.1); else where they say (RFC 3605), on the host of the
/// audio; else on the next port.
fn read_control(audio: SocketAddr, media: &Media) -> Option<Control> {
    if media.has_attribute("rtcp-mux") {
        return Some(Control {
            remote: audio,
            is_multiplexed: true,
        });
    }
    let told = media.get_first_attribute_value("rtcp").flatten();
    let port = told.and_then(|told| told.split_ascii_whitespace().next()?.parse().ok());
    match port.filter(|port| *port != 0) {
        Some(port) => Some(Control {
            remote: SocketAddr::new(audio.ip(), port),
            is_multiplexed: false,
        }),
        None => Control::beside(audio),
    }
}

/// The stream's own word, else the session's, else both ways (RFC 8866 6.7).
fn read_direction(session: &Session, media: &Media) -> Direction {
    const ALL: [Direction; 4] = [
        Direction::SendReceive,
        Direction::SendOnly,
        Direction::ReceiveOnly,
        Direction::Inactive,
    ];
    let of_stream = ALL
        .into_iter()
        .find(|direction| media.has_attribute(direction_name(*direction)));
    let of_session = || {
        ALL.into_iter()
            .find(|direction| session.has_attribute(direction_name(*direction)))
    };
    of_stream.or_else(of_session).unwrap_or(Direction::SendReceive)
}

/// Ours, as far as theirs lets it.
fn agreed_direction(ours: Direction, theirs: Direction) -> Direction {
    match (
        ours.sends() && theirs.receives(),
        ours.receives() && theirs.sends(),
    ) {
        (true, true) => Direction::SendReceive,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::ReceiveOnly,
        (false, false) => Direction::Inactive,
    }
}

/// ptime, below maxptime, in steps of 10 ms, within bounds (RFC 8866 6.4).
fn read_packet_time(media: &Media) -> Duration {
    let milliseconds = |name| {
        let text = media.get_first_attribute_value(name).flatten()?.trim();
        let whole = text.split('.').next().unwrap_or("");
        let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
        // A number too large for 64 bits is a large one.
        is_number.then(|| whole.parse::<u64>().unwrap_or(u64::MAX))
    };
    let wanted = milliseconds("ptime")
        .filter(|time| *time > 0)
        .unwrap_or(PACKET_TIME.as_millis() as u64);
    let most = milliseconds("maxptime")
        .filter(|time| *time > 0)
        .unwrap_or(u64::MAX);
    let bounded = wanted.min(most).clamp(*PACKET_TIMES.start(), *PACKET_TIMES.end());
    Duration::from_millis(bounded / 10 * 10)
}
