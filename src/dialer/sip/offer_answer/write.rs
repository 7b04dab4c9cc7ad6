//! Session descriptions of ours: the offer, and the answer to an offer of theirs.

use std::time::Duration;

use sdp_types::{Attribute, Connection, Media, MediaType, Origin, Session, Time, TransportProto};

use super::crypto::{Crypto, Profile};
use super::{OfferParts, TELEPHONE_EVENT_ENCODING};
use crate::media::{CodecName, Direction, Plan, TelephoneEvent};

/// The packet time that we ask for: what RFC 3551 4.2 gives as the default.
pub(super) const PACKET_TIME: Duration = Duration::from_millis(20);

/// The longest that we take and send: more in one packet is too much to lose.
pub(super) const LONGEST_PACKET_TIME: Duration = Duration::from_millis(60);

/// Reports travel with the audio (RFC 5761).
const MULTIPLEXED: &str = "rtcp-mux";

/// Our offer: one audio stream with all our codecs.
pub fn offer(parts: &OfferParts) -> Vec<u8> {
    let codecs = parts
        .codecs
        .iter()
        .map(|codec| Format::Codec(codec.payload_type(), *codec));
    let mut formats: Vec<_> = codecs.collect();
    if parts.telephone_event {
        formats.extend(events(&parts.codecs).map(Format::Events));
    }
    let mut audio = audio(parts, &formats, parts.direction, PACKET_TIME);
    audio.add_attribute(Attribute::new(MULTIPLEXED));
    if let Some(crypto) = &parts.crypto {
        audio.proto = match crypto.profile() {
            Profile::Avp => TransportProto::RtpAvp.to_string(),
            Profile::Savp => TransportProto::RtpSavp.to_string(),
        };
        for line in crypto.offer_lines() {
            audio.add_attribute(Attribute::with_value("crypto", line));
        }
    }
    written(Session {
        times: vec![Time::new(0, 0)],
        medias: vec![audio],
        ..session(parts)
    })
}

/// Our answer: the accepted stream as planned, all others refused with port 0, in their order and number
/// (RFC 3264 6).
pub(super) fn answer(ours: &OfferParts, theirs: &Session, accepted: usize, plan: &Plan) -> Vec<u8> {
    let mut formats = vec![Format::Codec(plan.receive_payload_type, plan.codec)];
    formats.extend(plan.telephone_event.map(Format::Events));
    let medias = theirs
        .medias
        .iter()
        .enumerate()
        .map(|(index, media)| match index == accepted {
            true => accepted_audio(ours, &formats, plan, media),
            false => refused(media),
        });
    written(Session {
        // RFC 3264 6: the time line of an answer is that of the offer.
        times: theirs
            .times
            .iter()
            .take(1)
            .map(|time| Time::new(time.start_time, time.stop_time))
            .collect(),
        medias: medias.collect(),
        ..session(ours)
    })
}

/// The stream that we take: by their protocol, with the key that answers theirs.
fn accepted_audio(ours: &OfferParts, formats: &[Format], plan: &Plan, theirs: &Media) -> Media {
    let mut media = audio(ours, formats, plan.direction, plan.packet_time);
    media.proto.clone_from(&theirs.proto);
    if plan.control.is_some_and(|control| control.is_multiplexed) {
        media.add_attribute(Attribute::new(MULTIPLEXED));
    }
    let line = ours
        .crypto
        .as_ref()
        .and_then(|crypto: &Crypto| crypto.answer_line(theirs));
    if let Some(line) = line.filter(|_| plan.keys.is_some()) {
        media.add_attribute(Attribute::with_value("crypto", line));
    }
    media
}

/// One format of the stream.
enum Format {
    /// Voice, under this payload type.
    Codec(u8, CodecName),
    /// Digits.
    Events(TelephoneEvent),
}

impl Format {
    fn payload_type(&self) -> u8 {
        match self {
            Self::Codec(payload_type, _) => *payload_type,
            Self::Events(event) => event.payload_type,
        }
    }

    /// Name, clock rate and channels (RFC 8866 6.6).
    fn map(&self) -> String {
        match self {
            Self::Codec(payload_type, codec) => {
                let channels = codec.channels().map(|channels| format!("/{channels}"));
                let (name, rate) = (codec.encoding(), codec.clock_rate());
                format!("{payload_type} {name}/{rate}{}", channels.unwrap_or_default())
            }
            Self::Events(event) => {
                let (payload_type, rate) = (event.payload_type, event.clock_rate);
                format!("{payload_type} {TELEPHONE_EVENT_ENCODING}/{rate}")
            }
        }
    }

    fn parameters(&self) -> Option<String> {
        match self {
            Self::Codec(payload_type, codec) => codec
                .parameters()
                .map(|parameters| format!("{payload_type} {parameters}")),
            // RFC 4733 2.4.1: digits, and the flash that every implementation lists.
            Self::Events(event) => Some(format!("{} 0-16", event.payload_type)),
        }
    }
}

/// The usual events, and those at each other clock of our codecs (RFC 4733 2.1), numbered on.
fn events(codecs: &[CodecName]) -> impl Iterator<Item = TelephoneEvent> {
    let mut rates: Vec<_> = codecs
        .iter()
        .map(|codec| codec.clock_rate())
        .filter(|rate| *rate != TelephoneEvent::USUAL.clock_rate)
        .collect();
    rates.dedup();
    let others = (TelephoneEvent::USUAL.payload_type + 1..).zip(rates);
    std::iter::once(TelephoneEvent::USUAL).chain(others.map(|(payload_type, clock_rate)| TelephoneEvent {
        payload_type,
        clock_rate,
    }))
}

fn session(parts: &OfferParts) -> Session {
    let address = parts.address.ip();
    let origin = Origin::with_ip_addr(parts.session_id, parts.version, address);
    Session {
        connection: Some(Connection::from_ip_addr(address)),
        ..Session::new(origin, "-")
    }
}

fn audio(parts: &OfferParts, formats: &[Format], direction: Direction, packet_time: Duration) -> Media {
    let list = formats
        .iter()
        .map(|format| format.payload_type().to_string())
        .collect::<Vec<_>>()
        .join(" ");
    let mut media = Media::new(
        MediaType::Audio,
        parts.address.port(),
        TransportProto::RtpAvp,
        list,
    );
    for format in formats {
        media.add_attribute(Attribute::with_value("rtpmap", format.map()));
        if let Some(parameters) = format.parameters() {
            media.add_attribute(Attribute::with_value("fmtp", parameters));
        }
    }
    media.add_attribute(Attribute::with_value("ptime", packet_time.as_millis()));
    media.add_attribute(Attribute::with_value("maxptime", LONGEST_PACKET_TIME.as_millis()));
    media.add_attribute(Attribute::new(direction_name(direction)));
    media
}

fn refused(theirs: &Media) -> Media {
    Media {
        port: 0,
        num_ports: None,
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
        ..theirs.clone()
    }
}

/// As SDP spells it (RFC 8866 6.7).
pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::SendReceive => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::ReceiveOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

fn written(session: Session) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    // Writing into memory cannot fail.
    let _ = session.write(&mut bytes);
    bytes
}
