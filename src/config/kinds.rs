//! The types that keys have, by name, so that the table of [`super::keys`] stays a table.

use std::time::Duration;

use super::value::{Form, Kind};
use super::{addresses, formats};

const fn form(allowed: &'static str, check: fn(&str) -> Result<(), String>) -> Form {
    Form { allowed, check }
}

const TEMPLATE_FORM: &str = "a template with {id}, {pin}, {endpoint} and [...] around what may be missing";
const TARGET_FORM: Form = form("a SIP URI or HOST:PORT", |text| {
    addresses::sip_target(text).map(drop)
});
const ADDRESS_FORM: Form = form("ADDRESS:PORT", |text| addresses::socket_address(text).map(drop));
const ALLOW_FORM: Form = form(
    "HOST, *.DOMAIN, NETWORK/BITS, USER@HOST or tel:+PREFIX",
    addresses::allow_entry,
);
const URL_FORM: Form = form("wss://HOST[:PORT]/PATH, or ws:// to this machine", |text| {
    addresses::websocket_url(text).map(drop)
});
const IDENTITY_FORM: Form = form("sip:USER@DOMAIN", |text| addresses::sip_identity(text).map(drop));
const IP_FORM: Form = form("an IP address", |text| addresses::public_address(text).map(drop));
const REFUSAL_FORM: Form = form("a SIP status from \"400\" to \"699\"", |text| {
    formats::refusal_status(text).map(drop)
});
const INPUT_FORM: Form = form("alsa:PCM, file:PATH.wav, tone:HZ, silence", |text| {
    formats::input_device(text).map(drop)
});
const OUTPUT_FORM: Form = form("alsa:PCM, file:PATH.wav, discard", |text| {
    formats::output_device(text).map(drop)
});
const PORTS_FORM: Form = form("a range FIRST-LAST from 1024 to 65535", |text| {
    formats::ports(text).map(drop)
});

// Wide limits: they keep out slips (a unit, a zero too many), not uses.
const MILLISECONDS_10: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) const FLAG: Kind = Kind::Flag;
pub(super) const PLAIN: Kind = Kind::Optional(form("text on one line", formats::plain_text));
pub(super) const WORDS: Kind = Kind::Text(form("1 to 128 characters on one line", formats::words));
pub(super) const FILE: Kind = Kind::Optional(form("the name of a file", formats::file_name));
pub(super) const PATH: Kind = Kind::Optional(form("an absolute path", formats::absolute_path));
pub(super) const ADDRESS: Kind = Kind::Optional(ADDRESS_FORM);
pub(super) const ADDRESSES: Kind = Kind::List(ADDRESS_FORM);
pub(super) const IP: Kind = Kind::Optional(IP_FORM);
pub(super) const HOSTS: Kind = Kind::List(form("a host name", addresses::host_name));
pub(super) const PINS: Kind = Kind::List(form("the base64 of a SHA-256 of 32 bytes", formats::key_hash));

pub(super) const ENDPOINT_ID: Kind = Kind::Text(form(
    "1 to 256 of a-z A-Z 0-9 _ - = # ; : ? @ &",
    formats::endpoint_id,
));

pub(super) const BRIDGE_URL: Kind = Kind::Text(URL_FORM);
pub(super) const PROXY: Kind = Kind::Optional(form("http://[USER:PASSWORD@]HOST[:PORT]", addresses::proxy));
pub(super) const TIMER: Kind = Kind::Duration(MILLISECONDS_10, HOUR);
pub(super) const BACKOFF: Kind = Kind::Duration(MILLISECONDS_10, DAY);

pub(super) const ORIGINS: Kind = Kind::List(form(
    "an origin such as https://panel.example.com",
    addresses::web_origin,
));

pub(super) const ALLOW: Kind = Kind::List(ALLOW_FORM);
pub(super) const NEVER: Kind = Kind::List(form("a number or name", formats::dialled_user));
pub(super) const WHEN_BUSY: Kind = Kind::Choice(&["reject", "replace"]);
// Alexa gives a directive up after 8 s.
pub(super) const DEADLINE: Kind = Kind::Duration(Duration::from_millis(100), Duration::from_secs(8));
pub(super) const PER_MINUTE: Kind = Kind::Number(0, 600);
pub(super) const CALL_LENGTH: Kind = Kind::DurationOrNone(SECOND, MONTH);
pub(super) const RINGING: Kind = Kind::Duration(SECOND, HOUR);
pub(super) const DELAY: Kind = Kind::Duration(Duration::ZERO, MINUTE);
pub(super) const DIALER: Kind = Kind::Optional(form("the name of a dialer", formats::plain_text));
pub(super) const TEMPLATE: Kind = Kind::Optional(form(TEMPLATE_FORM, formats::template));

pub(super) const IDENTITY: Kind = Kind::Optional(IDENTITY_FORM);
pub(super) const SIP_TARGET: Kind = Kind::Optional(TARGET_FORM);
pub(super) const TRANSPORT: Kind = Kind::Choice(&["", "udp", "tcp", "tls"]);
// RFC 4028 5: no session expires sooner than 90 s.
pub(super) const SESSION: Kind = Kind::Duration(Duration::from_secs(90), DAY);
pub(super) const REFUSAL: Kind = Kind::Text(REFUSAL_FORM);

pub(super) const INPUT: Kind = Kind::Text(INPUT_FORM);
pub(super) const OUTPUT: Kind = Kind::Text(OUTPUT_FORM);
pub(super) const CODECS: Kind = Kind::List(form("one of opus, g722, pcmu, pcma", formats::codec));
pub(super) const SRTP: Kind = Kind::Choice(&["require", "prefer", "off"]);
pub(super) const DTMF: Kind = Kind::Choice(&["auto", "rfc4733", "info", "inband"]);
pub(super) const PORTS: Kind = Kind::Text(PORTS_FORM);
pub(super) const SILENCE: Kind = Kind::DurationOrNone(SECOND, HOUR);
pub(super) const PROCESSING: Kind = Kind::Choice(&["full", "noise", "off"]);

pub(super) const CALENDARS: Kind = Kind::Choice(&["", "ics", "caldav"]);
pub(super) const CALENDAR: Kind = Kind::Optional(form(
    "an https URL, a file:// URL or a path",
    addresses::calendar_url,
));

pub(super) const LEVEL: Kind = Kind::Choice(&["error", "warn", "info", "debug", "trace"]);
