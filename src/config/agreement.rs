//! Whether the values fit each other, and this build: what no row of the table can see alone.

use super::addresses;
use super::formats;
use super::layers::Effective;
use super::problem::Problem;
use super::settings::built_in_dialer;
use super::value::Value;
use crate::dialer::DIALERS;
use crate::media::{CodecName, processing};

/// Everything that does not fit.
pub fn problems(effective: &Effective) -> Vec<Problem> {
    let mut look = Look {
        effective,
        problems: Vec::new(),
    };
    // A file that could not be read may hold what would be missed here.
    if !effective.is_complete {
        return Vec::new();
    }
    look.bridge();
    look.local();
    look.calls();
    look.dialers();
    look.sip();
    look.media();
    look.calendar();
    look.metrics();
    look.not_in_this_build();
    look.problems
}

/// Keys whose function this build lacks, and what that means. A row goes when the function comes.
const NOT_IN_THIS_BUILD: &[(&str, &str)] = &[("calendar.source", "this build has no calendar")];

/// Whether this build speaks to sound cards.
const HAS_CARDS: bool = cfg!(feature = "alsa");

/// Dialers that other builds may have.
const OTHER_DIALERS: &[&str] = &["h323", "baresip", "exec"];

struct Look<'a> {
    effective: &'a Effective,
    problems: Vec<Problem>,
}

impl Look<'_> {
    fn bridge(&mut self) {
        let allows_plaintext = self.effective.value("bridge.allow_plaintext") == Some(&Value::Flag(true));
        if let Some(url) = self
            .text("bridge.url")
            .and_then(|url| addresses::websocket_url(url).ok())
            && !url.is_secure
            && !url.authority.is_loopback()
            && !allows_plaintext
            && self.is_sound(&["bridge.allow_plaintext"])
        {
            let sentence = format!(
                "ws:// to {} would send the token in plain text; use wss://, or set bridge.allow_plaintext = true",
                url.authority.host
            );
            self.error("bridge.url", sentence);
        }
        self.order("bridge.reconnect_min", "bridge.reconnect_max");
    }

    fn local(&mut self) {
        if self.is_set("local.tcp")
            && !self.is_set("local.token_file")
            && self.is_sound(&["local.token_file"])
        {
            self.error(
                "local.tcp",
                "clients over TCP need a token; set local.token_file".to_owned(),
            );
        }
    }

    fn calls(&mut self) {
        if self.list("calls.allow").is_empty() && self.is_sound(&["calls.allow"]) {
            let sentence = "it is empty, so every call is refused; to allow calls to a host write a line such as \
                            allow = [\"sip.example.com\"] below [calls]";
            self.warning("calls.allow", sentence.to_owned());
        }
    }

    fn dialers(&mut self) {
        for protocol in ["sip", "sips", "h323"] {
            let key = format!("calls.dialers.{protocol}");
            let Some(named) = self.text(&key).filter(|named| !named.is_empty()) else {
                continue;
            };
            if built_in_dialer(named).is_some() || !self.is_configured(&key) {
                continue;
            }
            let built_in: Vec<_> = DIALERS.iter().map(|row| row.name).collect();
            let there_is = built_in.join(", ");
            if OTHER_DIALERS.contains(&named) {
                let sentence = format!(
                    "the dialer {named:?} is not in this build, so {protocol} cannot be dialled; there is {there_is}"
                );
                self.warning(&key, sentence);
            } else {
                self.error(
                    &key,
                    format!("there is no dialer {named:?}; allowed: {there_is}, or \"\" for none"),
                );
            }
        }
    }

    fn sip(&mut self) {
        if self.list("sip.listen").is_empty() && self.is_sound(&["sip.listen"]) {
            self.error(
                "sip.listen",
                "it is empty; allowed: at least one ADDRESS:PORT".to_owned(),
            );
        }
        for (one, other) in [
            ("sip.cert_file", "sip.key_file"),
            ("sip.key_file", "sip.cert_file"),
        ] {
            if self.is_set(one) && !self.is_set(other) && self.is_sound(&[other]) {
                self.error(one, format!("it needs {other} beside it"));
            }
        }
        if self.is_set("sip.password_file") && !self.is_set("sip.username") && !self.is_set("sip.identity") {
            self.warning(
                "sip.password_file",
                "there is neither sip.username nor sip.identity to use the password with".to_owned(),
            );
        }
    }

    fn media(&mut self) {
        let is_built_in = |name: &str| CodecName::BUILT_IN.iter().any(|codec| codec.name() == name);
        let codecs = self.list("media.codecs").to_vec();
        let (usable, skipped): (Vec<_>, Vec<_>) = codecs.into_iter().partition(|name| is_built_in(name));
        if usable.is_empty() && self.is_sound(&["media.codecs"]) {
            let sentence = "no codec of this build is left; g722, pcmu and pcma are always there";
            self.error("media.codecs", sentence.to_owned());
        } else if !skipped.is_empty() && self.is_configured("media.codecs") {
            self.warning(
                "media.codecs",
                format!("not in this build and skipped: {}", skipped.join(", ")),
            );
        }
        for key in ["media.input", "media.output"] {
            if !HAS_CARDS
                && self.is_sound(&[key])
                && self.text(key).is_some_and(|device| device.starts_with("alsa:"))
            {
                self.warning(
                    key,
                    "this build has no sound card: silence is used in its place".to_owned(),
                );
            }
        }
        let processing = self.text("media.processing").filter(|wanted| *wanted != "off");
        if !processing::IS_BUILT_IN && processing.is_some() && self.is_configured("media.processing") {
            self.warning(
                "media.processing",
                "this build leaves echo, noise and level as they are".to_owned(),
            );
        }
    }

    fn calendar(&mut self) {
        if self.is_set("calendar.source") && !self.is_set("calendar.url") && self.is_sound(&["calendar.url"])
        {
            self.error("calendar.source", "it needs calendar.url".to_owned());
        }
    }

    fn metrics(&mut self) {
        let address = self
            .text("log.metrics")
            .and_then(|text| addresses::socket_address(text).ok());
        if let Some(address) = address
            && !address.ip().is_loopback()
        {
            let sentence = format!(
                "{address} can be reached from other machines, and nobody is asked for a password there; allowed: an \
                 address of this machine alone, such as \"127.0.0.1:9560\""
            );
            self.error("log.metrics", sentence);
        }
    }

    fn not_in_this_build(&mut self) {
        for (key, meaning) in NOT_IN_THIS_BUILD {
            let is_used = self.is_set(key) || !self.list(key).is_empty();
            if is_used {
                self.warning(key, (*meaning).to_owned());
            }
        }
    }

    /// That one duration is not longer than another.
    fn order(&mut self, least: &str, most: &str) {
        let read = |key| self.text(key).and_then(|text| formats::duration(text).ok());
        if let (Some(shorter), Some(longer)) = (read(least), read(most))
            && shorter > longer
            && self.is_sound(&[least, most])
        {
            let sentence = format!(
                "\"{}\" is longer than {most} = \"{}\"",
                formats::spell_duration(shorter),
                formats::spell_duration(longer)
            );
            let at = if self.is_configured(least) { least } else { most };
            self.error(at, sentence);
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.effective.value(key)? {
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Number(_) | Value::List(_) => None,
        }
    }

    fn list(&self, key: &str) -> &[String] {
        match self.effective.value(key) {
            Some(Value::List(texts)) => texts,
            _ => &[],
        }
    }

    fn is_set(&self, key: &str) -> bool {
        self.text(key).is_some_and(|text| !text.is_empty())
    }

    fn is_configured(&self, key: &str) -> bool {
        self.effective.origin(key) != super::Origin::Default
    }

    /// Whether none of these was set wrongly somewhere, so that a conclusion from it would only repeat that.
    fn is_sound(&self, keys: &[&str]) -> bool {
        !self
            .effective
            .faulty
            .iter()
            .any(|name| keys.contains(&name.as_str()))
    }

    fn error(&mut self, key: &str, sentence: String) {
        self.problems
            .push(Problem::error(self.effective.place(key), key, sentence));
    }

    fn warning(&mut self, key: &str, sentence: String) {
        self.problems
            .push(Problem::warning(self.effective.place(key), key, sentence));
    }
}
