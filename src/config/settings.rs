//! The merged values as each module's `Settings`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::addresses::{self, HostPort};
use super::formats::{self, Reason};
use super::layers::Effective;
use super::problem::Problem;
use super::value::Value;
use super::{Config, SipNetwork, providers};
use crate::call::Protocol;
use crate::dialer::DIALERS;
use crate::media::CodecName;
use crate::network::Transport;
use crate::{bridge, dialer, media, room};

/// The configuration, if all values that it needs are there; and what is wrong with those that are.
pub fn convert(effective: &Effective) -> (Option<Config>, Vec<Problem>) {
    let mut reader = Reader {
        effective,
        problems: Vec::new(),
    };
    let config = reader.config();
    (config, reader.problems)
}

/// The dialer that is named for a protocol, when this build has it.
pub fn built_in_dialer(name: &str) -> Option<&'static str> {
    DIALERS
        .iter()
        .map(|row| row.name)
        .find(|built_in| *built_in == name)
}

struct Reader<'a> {
    effective: &'a Effective,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self) -> Option<Config> {
        Some(Config {
            room: self.room()?,
            bridge: self.bridge()?,
            dialer: dialer::Settings { sip: self.sip()? },
            media: self.media()?,
            sip_password_file: self.optional("sip.password_file"),
            sip_network: self.sip_network()?,
            log_level: self.parsed("log.level", log_level)?,
            metrics: self.parsed_or_none("log.metrics", addresses::socket_address),
        })
    }

    fn room(&mut self) -> Option<room::Settings> {
        Some(room::Settings {
            endpoint_id: self.text("room.endpoint_id")?,
            friendly_name: self.text("room.friendly_name")?,
            manufacturer: self.text("room.manufacturer")?,
            description: self.text("room.description")?,
            allow: self.list_of("calls.allow", str::parse)?,
            never: self.list("calls.never")?,
            own_hosts: self.own_hosts(),
            telephone_gateway: self
                .optional("sip.outbound_proxy")
                .or_else(|| self.optional("sip.registrar")),
            when_busy: self.parsed("calls.when_busy", when_busy)?,
            response_deadline: self.parsed("calls.response_deadline", formats::duration)?,
            per_minute: u32::try_from(self.number("calls.per_minute")?)
                .ok()
                .filter(|limit| *limit > 0),
            max_duration: self.limit("calls.max_duration"),
            ring_timeout: self.parsed("calls.ring_timeout", formats::duration)?,
            dtmf_delay: self.parsed("calls.dtmf_delay", formats::duration)?,
            rtp_timeout: self.limit("media.rtp_timeout"),
            has_microphone: self.parsed("media.input", formats::input_device)? != media::InputDevice::Silence,
            dialers: self.dialers(),
            providers: providers::with_built_in(
                providers::configured(self.effective),
                room::dial_plan::built_in(),
            ),
            join_wakes: self.flag("power.join_wakes")?,
            mute_during_dialog: self.flag("media.mute_during_dialog")?,
        })
    }

    fn bridge(&mut self) -> Option<bridge::Settings> {
        Some(bridge::Settings {
            enabled: self.flag("bridge.enabled")?,
            url: self.text("bridge.url")?,
            token_file: self.optional("bridge.token_file"),
            ca_file: self.optional("bridge.ca_file"),
            pin_sha256: self.list("bridge.pin_sha256")?,
            allow_plaintext: self.flag("bridge.allow_plaintext")?,
            ping_interval: self.parsed("bridge.ping_interval", formats::duration)?,
            ping_timeout: self.parsed("bridge.ping_timeout", formats::duration)?,
            connect_timeout: self.parsed("bridge.connect_timeout", formats::duration)?,
            handshake_timeout: self.parsed("bridge.handshake_timeout", formats::duration)?,
            write_timeout: self.parsed("bridge.write_timeout", formats::duration)?,
            reconnect_min: self.parsed("bridge.reconnect_min", formats::duration)?,
            reconnect_max: self.parsed("bridge.reconnect_max", formats::duration)?,
            redirect_allow: self.list("bridge.redirect_allow")?,
            proxy: self.optional("bridge.proxy"),
            local: bridge::LocalSettings {
                listen: self.optional("local.listen"),
                tcp: self.parsed_or_none("local.tcp", addresses::socket_address),
                token_file: self.optional("local.token_file"),
                origins: self.list("local.origins")?,
                dialog_timeout: self.parsed("local.dialog_timeout", formats::duration)?,
            },
        })
    }

    fn sip(&mut self) -> Option<dialer::sip::Settings> {
        Some(dialer::sip::Settings {
            // RFC 3323 4.1.1.3: how a caller without a name is written.
            identity: self
                .optional("sip.identity")
                .unwrap_or_else(|| "sip:anonymous@anonymous.invalid".to_owned()),
            username: self.text("sip.username")?,
            password: None,
            realm: self.text("sip.realm")?,
            registrar: self.text("sip.registrar")?,
            outbound_proxy: self.text("sip.outbound_proxy")?,
            listen: self.list_of("sip.listen", addresses::socket_address)?,
            transport: self.parsed_or_none("sip.transport", transport),
            public_address: self.parsed_or_none("sip.public_address", addresses::public_address),
            session_expires: self.parsed("sip.session_expires", formats::duration)?,
            inbound: self.parsed("sip.inbound", formats::refusal_status)?,
            codecs: self.codecs()?,
            dtmf: self.parsed("media.dtmf", formats::digits_by)?,
            srtp: self.parsed("media.srtp", formats::encryption)?,
        })
    }

    fn sip_network(&mut self) -> Option<SipNetwork> {
        Some(SipNetwork {
            ca_file: self.optional("sip.ca_file"),
            pin_sha256: self.list("sip.pin_sha256")?,
            identity_files: self.optional("sip.cert_file").zip(self.optional("sip.key_file")),
            resolver: self.parsed_or_none("sip.resolver", addresses::socket_address),
        })
    }

    fn media(&mut self) -> Option<media::Settings> {
        Some(media::Settings {
            input: self.parsed("media.input", formats::input_device)?,
            output: self.parsed("media.output", formats::output_device)?,
            codecs: self.codecs()?,
            dtmf: self.parsed("media.dtmf", formats::digits_by)?,
            rtp_ports: self.parsed("media.rtp_ports", formats::ports)?,
            rtp_timeout: self.limit("media.rtp_timeout"),
            processing: self.parsed("media.processing", formats::processing)?,
            tones: self.flag("media.tones")?,
        })
    }

    /// The hosts that are ours: registrar, proxy and the identity's domain.
    fn own_hosts(&mut self) -> Vec<String> {
        let mut hosts: Vec<String> = ["sip.registrar", "sip.outbound_proxy", "sip.identity"]
            .into_iter()
            .filter_map(|key| self.parsed_or_none(key, addresses::sip_target))
            .map(|target| {
                let HostPort { host, .. } = target.authority;
                host
            })
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Those that are built in; [`super::agreement`] remarks the others.
    fn dialers(&mut self) -> BTreeMap<Protocol, String> {
        [Protocol::Sip, Protocol::Sips, Protocol::H323]
            .into_iter()
            .filter_map(|protocol| {
                let named = self.optional(&format!("calls.dialers.{}", protocol.name()))?;
                built_in_dialer(&named).map(|dialer| (protocol, dialer.to_owned()))
            })
            .collect()
    }

    /// Those that are built in, each once; [`super::agreement`] remarks the others.
    fn codecs(&mut self) -> Option<Vec<CodecName>> {
        let mut codecs = Vec::new();
        for name in self.list("media.codecs")? {
            let codec = CodecName::BUILT_IN
                .iter()
                .copied()
                .find(|codec| codec.name() == name);
            codecs.extend(codec.filter(|codec| !codecs.contains(codec)));
        }
        Some(codecs)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        match self.effective.value(key)? {
            Value::Flag(flag) => Some(*flag),
            Value::Number(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    fn number(&self, key: &str) -> Option<i64> {
        match self.effective.value(key)? {
            Value::Number(number) => Some(*number),
            Value::Flag(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.effective.value(key)? {
            Value::Text(text) => Some(text.clone()),
            Value::Flag(_) | Value::Number(_) | Value::List(_) => None,
        }
    }

    fn list(&self, key: &str) -> Option<Vec<String>> {
        match self.effective.value(key)? {
            Value::List(texts) => Some(texts.clone()),
            Value::Flag(_) | Value::Number(_) | Value::Text(_) => None,
        }
    }

    /// A text; `""` is none.
    fn optional(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty())
    }

    fn parsed<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Reason>) -> Option<T> {
        let text = self.text(key)?;
        self.remark(key, parse(&text))
    }

    fn parsed_or_none<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Reason>) -> Option<T> {
        let text = self.optional(key)?;
        self.remark(key, parse(&text))
    }

    fn list_of<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Reason>) -> Option<Vec<T>> {
        let parsed: Result<Vec<T>, Reason> = self.list(key)?.iter().map(|text| parse(text)).collect();
        self.remark(key, parsed)
    }

    /// A duration where zero means none.
    fn limit(&mut self, key: &str) -> Option<Duration> {
        self.parsed(key, formats::duration)
            .filter(|duration| !duration.is_zero())
    }

    /// The table's check keeps wrong values out, so a failure here is a row whose check is too lenient: it is said, and
    /// the configuration refused.
    fn remark<T>(&mut self, key: &str, parsed: Result<T, Reason>) -> Option<T> {
        parsed
            .map_err(|reason| {
                let sentence = format!("this value {reason}");
                self.problems
                    .push(Problem::error(self.effective.place(key), key, sentence));
            })
            .ok()
    }
}

fn when_busy(text: &str) -> Result<room::WhenBusy, Reason> {
    match text {
        "reject" => Ok(room::WhenBusy::Reject),
        "replace" => Ok(room::WhenBusy::Replace),
        _ => Err("is neither reject nor replace".to_owned()),
    }
}

fn transport(text: &str) -> Result<Transport, Reason> {
    [Transport::Udp, Transport::Tcp, Transport::Tls]
        .into_iter()
        .find(|transport| transport.in_lower_case() == text)
        .ok_or_else(|| "is no transport".to_owned())
}

fn log_level(text: &str) -> Result<tracing::Level, Reason> {
    text.parse().map_err(|_| "is no level".to_owned())
}
