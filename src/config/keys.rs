//! Every key there is, in one table. A new setting is one row here, one field of its module's `Settings`, and its
//! lines in `config/meetd.toml` (a test compares).

use super::kinds::*;
use super::value::{Kind, Value};

/// A row of the table.
pub struct Key {
    /// `section.key`.
    pub name: &'static str,
    /// Its type, and what its values may be.
    pub kind: Kind,
    /// What holds when nobody sets it.
    pub default: Fallback,
    /// When a changed value counts.
    pub reload: Reload,
    /// What it is for, in one sentence.
    pub sentence: &'static str,
}

/// What holds when nobody sets a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Somebody has to.
    Required,
    /// This.
    Flag(bool),
    /// This.
    Number(i64),
    /// This.
    Text(&'static str),
    /// These.
    List(&'static [&'static str]),
}

/// When a changed value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// At once.
    Live,
    /// For the next call.
    NextCall,
    /// After a restart.
    Restart,
}

impl Key {
    /// The section: all before the last dot.
    pub fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Whether its value names a file.
    pub fn names_a_file(&self) -> bool {
        self.name.ends_with("_file")
    }

    /// Whether its file holds a secret, and not roots or a certificate.
    pub fn names_a_secret_file(&self) -> bool {
        self.names_a_file() && !self.name.ends_with(".ca_file") && !self.name.ends_with(".cert_file")
    }

    /// Whether a value of it may be a secret itself: a private calendar's URL is one, a proxy's may hold a password, a
    /// bridge's a key, and a SIP URI could hold a password once (RFC 2543).
    pub fn hides(&self, value: &Value) -> bool {
        match (self.name, value) {
            ("calendar.url", Value::Text(url)) => !url.is_empty(),
            ("bridge.proxy", Value::Text(url)) => url.contains('@'),
            ("bridge.url", Value::Text(url)) => url.contains(['@', '?']),
            ("sip.identity" | "sip.registrar" | "sip.outbound_proxy", Value::Text(uri)) => {
                let user = uri.rsplit_once('@').map_or("", |(user, _)| user);
                user.trim_start_matches("sips:")
                    .trim_start_matches("sip:")
                    .contains(':')
            }
            _ => false,
        }
    }

    /// A value as `meetd config` shows it.
    pub fn show(&self, value: &Value) -> String {
        if self.hides(value) {
            "\"***\"".to_owned()
        } else {
            value.to_string()
        }
    }

    /// The default as a value; `None` when the key is required.
    pub fn default_value(&self) -> Option<Value> {
        match self.default {
            Fallback::Required => None,
            Fallback::Flag(flag) => Some(Value::Flag(flag)),
            Fallback::Number(number) => Some(Value::Number(number)),
            Fallback::Text(text) => Some(Value::Text(text.to_owned())),
            Fallback::List(texts) => Some(Value::List(texts.iter().map(|text| (*text).to_owned()).collect())),
        }
    }

    /// What is wrong with a value; one that may be a secret is not quoted.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        self.kind.check(value, !self.hides(value))
    }
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: Fallback,
    reload: Reload,
    sentence: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        reload,
        sentence,
    }
}

use Fallback::{Flag, List, Number, Required, Text};
use Reload::{Live, NextCall, Restart};

/// Every key, in the order of `config/meetd.toml`.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("room.endpoint_id", ENDPOINT_ID, Required, Restart, "The endpointId that directives name this room by."),
    key("room.friendly_name", WORDS, Text("Meeting room"), Live, "The name of the room in discovery."),
    key("room.manufacturer", WORDS, Text("meetd"), Live, "The manufacturer in discovery."),
    key("room.description", WORDS, Text("Conferencing equipment of a meeting room"), Live, "The description in discovery."),

    key("bridge.enabled", FLAG, Flag(true), Live, "Whether to connect to the bridge at all."),
    key("bridge.url", BRIDGE_URL, Required, Live, "Where the bridge is."),
    key("bridge.token_file", FILE, Text("bridge-token"), Live, "The file with the bearer token; \"\" sends none."),
    key("bridge.ca_file", FILE, Text(""), Live, "A PEM file with roots to trust besides those of the system."),
    key("bridge.pin_sha256", PINS, List(&[]), Live, "Public keys (SHA-256 of the SPKI), one of which the verified chain must hold."),
    key("bridge.allow_plaintext", FLAG, Flag(false), Live, "Whether ws:// may leave this machine."),
    key("bridge.ping_interval", TIMER, Text("20s"), Live, "From the answer to a ping to the next ping; at most 5 s in a call."),
    key("bridge.ping_timeout", TIMER, Text("10s"), Live, "How long a ping may stay unanswered; at most 5 s in a call."),
    key("bridge.connect_timeout", TIMER, Text("10s"), Live, "How long the name, and TCP, may take."),
    key("bridge.handshake_timeout", TIMER, Text("10s"), Live, "How long TLS and HTTP may take."),
    key("bridge.write_timeout", TIMER, Text("10s"), Live, "How long a write may be stuck."),
    key("bridge.reconnect_min", BACKOFF, Text("1s"), Live, "The first back-off."),
    key("bridge.reconnect_max", BACKOFF, Text("120s"), Live, "The largest back-off."),
    key("bridge.redirect_allow", HOSTS, List(&[]), Live, "Other hosts that a redirect may lead to, with the token."),
    key("bridge.proxy", PROXY, Text(""), Live, "The HTTP proxy; \"\" takes the one of the environment."),

    key("local.listen", PATH, Text(""), Live, "The unix socket of the local link; who is connected stays so."),
    key("local.tcp", ADDRESS, Text(""), Live, "The TCP address of the local link; it needs local.token_file."),
    key("local.token_file", FILE, Text(""), Live, "The file with the token that clients over TCP must bring."),
    key("local.origins", ORIGINS, List(&[]), Live, "The web pages that may connect."),
    key("local.dialog_timeout", TIMER, Text("30s"), Live, "After this long without a word of its engine a dialog is over."),

    key("calls.allow", ALLOW, List(&[]), NextCall, "Who may be dialled; empty: nobody."),
    key("calls.never", NEVER, List(&["112", "911", "999", "110"]), NextCall, "Numbers that are never dialled."),
    key("calls.when_busy", WHEN_BUSY, Text("reject"), NextCall, "What a join does while the room is in another meeting."),
    key("calls.response_deadline", DEADLINE, Text("6.5s"), NextCall, "From the arrival of a join to its event, at most."),
    key("calls.per_minute", PER_MINUTE, Number(6), NextCall, "Calls placed in 60 s at most; 0: no limit."),
    key("calls.max_duration", CALL_LENGTH, Text("12h"), NextCall, "The longest call; \"0\": no limit."),
    key("calls.ring_timeout", RINGING, Text("60s"), NextCall, "The longest ringing."),
    key("calls.dtmf_delay", DELAY, Text("2s"), NextCall, "From the answer to the first digit."),
    key("calls.dialers.sip", DIALER, Text("sip"), NextCall, "The dialer of protocol SIP."),
    key("calls.dialers.sips", DIALER, Text("sip"), NextCall, "The dialer of protocol SIPS."),
    key("calls.dialers.h323", DIALER, Text("h323"), NextCall, "The dialer of protocol H323."),

    key("providers.NAME.sip", TEMPLATE, Text(""), NextCall, "What is dialled by SIP and SIPS."),
    key("providers.NAME.h323", TEMPLATE, Text(""), NextCall, "What is dialled by H.323."),
    key("providers.NAME.dtmf", TEMPLATE, Text(""), NextCall, "The digits after the answer; w waits 0.5 s, a comma 2 s."),

    key("sip.identity", IDENTITY, Text(""), NextCall, "Who calls: our address of record; \"\": anonymous."),
    key("sip.username", PLAIN, Text(""), NextCall, "For digest; \"\": the user part of the identity."),
    key("sip.password_file", FILE, Text(""), NextCall, "The file with the password for digest."),
    key("sip.realm", PLAIN, Text(""), NextCall, "The only realm that gets an answer; \"\": any, for our own requests."),
    key("sip.registrar", SIP_TARGET, Text(""), Restart, "Where to register; \"\": nowhere."),
    key("sip.outbound_proxy", SIP_TARGET, Text(""), NextCall, "Through which proxy all requests go; \"\": none."),
    key("sip.listen", ADDRESSES, List(&["0.0.0.0:0", "[::]:0"]), Restart, "Where to listen, UDP and TCP; port 0 is chosen once and kept."),
    key("sip.transport", TRANSPORT, Text(""), NextCall, "The transport when neither URI nor DNS says."),
    key("sip.resolver", ADDRESS, Text(""), NextCall, "A DNS server for SIP names; \"\": those of the system."),
    key("sip.public_address", IP, Text(""), NextCall, "The address in Via, Contact and SDP; \"\": the source address of the route."),
    key("sip.session_expires", SESSION, Text("30m"), NextCall, "The interval of session timers (RFC 4028)."),
    key("sip.inbound", REFUSAL, Text("480"), Live, "The status that answers calls from outside."),
    key("sip.ca_file", FILE, Text(""), NextCall, "A PEM file with roots to trust besides those of the system."),
    key("sip.pin_sha256", PINS, List(&[]), NextCall, "Public keys (SHA-256 of the SPKI), one of which the verified chain must hold."),
    key("sip.cert_file", FILE, Text(""), NextCall, "The PEM file with our own certificate."),
    key("sip.key_file", FILE, Text(""), NextCall, "The PEM file with its key."),

    key("media.input", INPUT, Text("alsa:default"), NextCall, "Where the room's voice comes from."),
    key("media.output", OUTPUT, Text("alsa:default"), NextCall, "Where the meeting's voice goes."),
    key("media.codecs", CODECS, List(&["opus", "g722", "pcmu", "pcma"]), NextCall, "The codecs, the best first; one that is not built in is skipped."),
    key("media.srtp", SRTP, Text("prefer"), NextCall, "Whether audio is encrypted."),
    key("media.dtmf", DTMF, Text("auto"), NextCall, "How digits are sent."),
    key("media.rtp_ports", PORTS, Text("16384-32767"), NextCall, "The local ports for RTP."),
    key("media.rtp_timeout", SILENCE, Text("30s"), NextCall, "After this long without audio a call ends; \"0\": never."),
    key("media.processing", PROCESSING, Text("full"), NextCall, "What is done to the voice of a microphone: echo, noise and level, noise only, or nothing where the hardware does it."),
    key("media.mute_during_dialog", FLAG, Flag(true), Live, "Whether the meeting does not hear what the room says to its assistant."),
    key("media.tones", FLAG, Flag(true), NextCall, "Whether the room hears ring-back and a tone at the end."),

    key("calendar.source", CALENDARS, Text(""), Live, "The kind of calendar; \"\": none."),
    key("calendar.url", CALENDAR, Text(""), Live, "Where the calendar is."),
    key("calendar.username", PLAIN, Text(""), Live, "For the calendar's server."),
    key("calendar.password_file", FILE, Text(""), Live, "The file with the password for the calendar's server."),

    key("power.join_wakes", FLAG, Flag(true), Live, "Whether a join turns the room on."),

    key("log.level", LEVEL, Text("info"), Live, "How much is logged; MEETD_LOG goes over it."),
    key("log.metrics", ADDRESS, Text(""), Live, "The address on this machine where Prometheus reads figures; \"\": nowhere."),
];

#[cfg(test)]
mod tests;
