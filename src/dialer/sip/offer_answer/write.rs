//! Session descriptions of ours: the offer, and the answer to an offer of theirs.

use std::time::Duration;

use sdp_types::{Attribute, Connection, Media, MediaType, Origin, RtpMap, Session, Time, TransportProto};

use super::crypto::{Crypto, Profile};
use super::{OfferParts, TELEPHONE_EVENT, TELEPHONE_EVENT_ENCODING};
use crate::media::{CodecName, Direction, Plan};

/// The packet time that we ask for: what RFC 3551 4.2 gives as the default.
pub(super) const PACKET_TIME: Duration = Duration::from_millis(20);

/// The longest that we take and send: more in one packet is too much to lose.
pub(super) const LONGEST_PACKET_TIME: Duration = Duration::from_millis(60);

/// Our offer: one audio stream with all our codecs.
pub fn offer(parts: &OfferParts) -> Vec<u8> {
    let mut formats: Vec<_> = parts
        .codecs
        .iter()
        .map(|codec| (codec.payload_type(), codec_map(*codec)))
        .collect();
    if parts.telephone_event {
        formats.push((TELEPHONE_EVENT, TELEPHONE_EVENT_ENCODING));
    }
    let mut audio = audio(parts, &formats, parts.direction, PACKET_TIME);
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
    let mut formats = vec![(plan.receive_payload_type, codec_map(plan.codec))];
    formats.extend(
        plan.telephone_event
            .map(|payload_type| (payload_type, TELEPHONE_EVENT_ENCODING)),
    );
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
fn accepted_audio(ours: &OfferParts, formats: &[(u8, Map)], plan: &Plan, theirs: &Media) -> Media {
    let mut media = audio(ours, formats, plan.direction, plan.packet_time);
    media.proto.clone_from(&theirs.proto);
    let line = ours
        .crypto
        .as_ref()
        .and_then(|crypto: &Crypto| crypto.answer_line(theirs));
    if let Some(line) = line.filter(|_| plan.keys.is_some()) {
        media.add_attribute(Attribute::with_value("crypto", line));
    }
    media
}

/// Name and clock rate, as rtpmap spells them.
type Map = (&'static str, u32);

fn codec_map(codec: CodecName) -> Map {
    (codec.encoding(), codec.clock_rate())
}

fn session(parts: &OfferParts) -> Session {
    let address = parts.address.ip();
    let origin = Origin::with_ip_addr(parts.session_id, parts.version, address);
    Session {
        connection: Some(Connection::from_ip_addr(address)),
        ..Session::new(origin, "-")
    }
}

fn audio(parts: &OfferParts, formats: &[(u8, Map)], direction: Direction, packet_time: Duration) -> Media {
    let list = formats
        .iter()
        .map(|(payload_type, _)| payload_type.to_string())
        .collect::<Vec<_>>()
        .join(" ");
    let mut media = Media::new(
        MediaType::Audio,
        parts.address.port(),
        TransportProto::RtpAvp,
        list,
    );
    for (payload_type, map) in formats {
        let line = RtpMap::new(*payload_type, map.0, map.1).to_string();
        media.add_attribute(Attribute::with_value("rtpmap", line));
        if *map == TELEPHONE_EVENT_ENCODING {
            // RFC 4733 2.4.1: digits, and the flash that every implementation lists.
            media.add_attribute(Attribute::with_value("fmtp", format!("{payload_type} 0-16")));
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
