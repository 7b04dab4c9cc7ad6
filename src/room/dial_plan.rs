//! The dial plan: what is dialled for a join, whether it may be, and which digits follow the answer.

use std::fmt;

use crate::alexa::messages::directive::JoinMeeting;
use crate::alexa::messages::field::shown;
use crate::alexa::messages::outcome::{ErrorType, Refusal};
use crate::call::{DialTarget, DigitScript, Protocol};
use crate::secret::Secret;

use super::Settings;

mod allow_list;
mod dial_string;
mod digits;
mod host;
mod mask;
mod meeting;
mod place;
mod providers;
mod telephone;
mod template;

pub use allow_list::AllowEntry;
pub use mask::Mask;
pub use providers::{Provider, built_in, normalized};
pub use template::Template;

use allow_list::Lists;
use dial_string::{DialString, LONGEST};
use meeting::Meeting;
use telephone::Telephone;
use template::{Name, Values};

/// A join that may be dialled, decided to the last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The dialer that makes the call, as `calls.dialers` names it.
    pub dialer: String,
    /// Whom to call.
    pub target: DialTarget,
    /// What to send after the answer.
    pub digits: Option<DigitScript>,
    /// Whether the PIN is among those digits.
    pub pin_in_digits: bool,
    /// How the dial string came about, for people.
    pub rule: String,
    /// The provider's normalized name, at most 64 characters.
    pub provider: String,
    /// Two joins with the same key are joins of the same meeting.
    pub meeting: MeetingKey,
    /// The entry of `calls.allow` that allows it.
    pub allowed_by: String,
    /// Hides the PIN in what comes back from the far end.
    pub mask: Mask,
}

/// What makes a meeting the same: protocol, dial string without PIN, and the id where that is sent as digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingKey {
    protocol: Protocol,
    dial_string: Secret,
    id_in_digits: Option<Secret>,
}

/// Decides what is dialled for this join, or says why nothing is.
pub fn plan(join: &JoinMeeting, settings: &Settings) -> Result<Planned, Refusal> {
    let mask = Mask::of(join.pin.iter().map(Secret::expose));
    let protocol = Protocol::read(join.protocol.trim()).ok_or_else(|| {
        let found = mask.hide(&join.protocol);
        unusable(format!(
            "the protocol \"{found}\" is not known; known are sip, sips and h323"
        ))
    })?;
    let dialer = settings
        .dialers
        .get(&protocol)
        .filter(|dialer| !dialer.is_empty())
        .ok_or_else(|| {
            unusable(format!(
                "no dialer makes {protocol} calls here; calls.dialers.{protocol} names one",
                protocol = protocol.name()
            ))
        })?;
    let meeting = Meeting::read(join)?;
    let mask = meeting.mask(join);
    let draft = Draft {
        protocol,
        meeting: &meeting,
        mask: &mask,
        shown_endpoint: format!("\"{}\"", mask.hide(join.endpoint.trim())),
    };
    let endpoint = draft.read_endpoint(join.endpoint.trim(), settings)?;
    let provider = settings.provider_of(&join.provider);
    let sip_or_h323 = provider.and_then(|provider| provider.template_for(protocol));
    let route = draft.route(&endpoint, sip_or_h323, &normalized(&join.provider))?;
    let allowed_by = draft.judge(&endpoint, &route, settings)?.to_string();
    let (digits, pin_in_digits) = draft.digits(&endpoint, &route, provider, settings)?;
    Ok(Planned {
        dialer: dialer.clone(),
        target: DialTarget {
            protocol,
            address: Secret::new(route.target.to_text(protocol)),
            shown: route.shown.to_text(protocol),
        },
        provider: normalized(&join.provider).chars().take(64).collect(),
        meeting: MeetingKey {
            protocol,
            dial_string: Secret::new(route.without_pin.to_text(protocol)),
            id_in_digits: meeting.id.as_deref().filter(|_| !route.uses_id).map(Secret::new),
        },
        digits,
        pin_in_digits,
        rule: route.rule,
        allowed_by,
        mask,
    })
}

/// The entry of `calls.allow` that lets the call go on to this contact. The error says why none does; it shows no PIN.
pub fn may_follow<'s>(
    contact: &Secret,
    planned: &Planned,
    settings: &'s Settings,
) -> Result<&'s AllowEntry, String> {
    let protocol = planned.target.protocol;
    let target = DialString::read(contact.expose(), protocol).map_err(|why| format!("the contact {why}"))?;
    target
        .check_strength(protocol)
        .map_err(|why| format!("the contact {why}"))?;
    let hide = |part: &Option<String>| part.as_deref().map(|part| planned.mask.strike(part));
    let shown = DialString {
        user: hide(&target.user),
        extension: hide(&target.extension),
        ..target.clone()
    };
    Lists::of(settings).judge(&target, &shown)
}

impl Planned {
    /// What the digits after the answer are, for people.
    pub fn entered(&self) -> &'static str {
        match (&self.meeting.id_in_digits, self.pin_in_digits) {
            (Some(_), true) => "the id and the PIN",
            (Some(_), false) => "the id",
            (None, true) => "the PIN",
            (None, false) => "what the provider's dtmf template says",
        }
    }
}

/// What would be dialled and why it may, in one line for people.
impl fmt::Display for Planned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} by {} through the dialer \"{}\", {}; allowed by \"{}\" in calls.allow",
            self.target.shown,
            self.target.protocol.name(),
            self.dialer,
            self.rule,
            self.allowed_by
        )?;
        match &self.digits {
            None => Ok(()),
            Some(_) => write!(formatter, "; after the answer digits: {}", self.entered()),
        }
    }
}

/// What is known of a join while its route is looked for.
struct Draft<'a> {
    protocol: Protocol,
    meeting: &'a Meeting,
    mask: &'a Mask,
    shown_endpoint: String,
}

/// `meeting.endpoint`, read.
enum Endpoint {
    There(DialString),
    /// A number, and the dial string that carries it to our proxy or registrar.
    Number(Telephone, DialString),
}

/// One dial string in its three forms.
struct Route {
    target: DialString,
    /// The PIN as `***`.
    shown: DialString,
    /// As without a PIN: what the meeting is recognized by.
    without_pin: DialString,
    uses_id: bool,
    uses_pin: bool,
    /// How it came about, for people.
    rule: String,
}

impl Draft<'_> {
    fn read_endpoint(&self, text: &str, settings: &Settings) -> Result<Endpoint, Refusal> {
        if text.len() > LONGEST {
            return Err(self.unusable_endpoint(&format!("has more than {LONGEST} bytes")));
        }
        let endpoint = match telephone::number_of(text) {
            Some(number) => {
                let number = Telephone::read(number).map_err(|why| self.unusable_endpoint(&why))?;
                let carrier = self.carrier(&number, settings)?;
                Endpoint::Number(number, carrier)
            }
            None => Endpoint::There(self.read(text)?),
        };
        let (Endpoint::There(written) | Endpoint::Number(_, written)) = &endpoint;
        written
            .check_strength(self.protocol)
            .map_err(|why| self.unusable_endpoint(&why))?;
        Ok(endpoint)
    }

    /// Where a number is sent: `sip:+…@` our proxy or registrar.
    fn carrier(&self, number: &Telephone, settings: &Settings) -> Result<DialString, Refusal> {
        let scheme = match self.protocol {
            Protocol::Sip => dial_string::Scheme::Sip,
            Protocol::Sips => dial_string::Scheme::Sips,
            Protocol::H323 => {
                return Err(self.unusable_endpoint("is a telephone number, which only SIP calls"));
            }
        };
        let gateway = settings.telephone_gateway.as_deref().ok_or_else(|| {
            self.unusable_endpoint("is a telephone number, and neither sip.outbound_proxy nor sip.registrar says where to send it")
        })?;
        let gateway = DialString::read(gateway, Protocol::Sip).map_err(|why| {
            Refusal::new(
                ErrorType::InternalError,
                format!("the SIP proxy or registrar {why}"),
            )
        })?;
        // Under sips the scheme alone says how it travels.
        let transport = gateway.transport.filter(|_| self.protocol == Protocol::Sip);
        Ok(DialString {
            scheme: Some(scheme),
            user: Some(number.as_str().to_owned()),
            transport,
            ..gateway
        })
    }

    /// The dial string: by the template when there is one that can be filled in, else by the default rules.
    fn route(&self, endpoint: &Endpoint, template: Option<&str>, provider: &str) -> Result<Route, Refusal> {
        let Endpoint::There(written) = endpoint else {
            return Ok(self.as_written(endpoint));
        };
        if let Some(text) = template {
            let template: Template = text.parse().map_err(unusable)?;
            if !(written.names_somebody() && template.writes_user())
                && let Some(route) = self.route_by(&template, written)?
            {
                let rule = format!("made by the template \"{text}\" of {}", shown(provider));
                return Ok(Route { rule, ..route });
            }
        }
        if written.names_somebody() || self.meeting.id.is_none() {
            return Ok(self.as_written(endpoint));
        }
        let default = match (self.protocol, &written.host) {
            (Protocol::H323, host::Host::Address(_)) => "{endpoint}##{id}",
            (Protocol::H323, host::Host::Name(_)) | (Protocol::Sip | Protocol::Sips, _) => "{id}@{endpoint}",
        };
        let template: Template = default.parse().map_err(unusable)?;
        let route = self.route_by(&template, written)?;
        Ok(route.unwrap_or_else(|| self.as_written(endpoint)))
    }

    /// `None` when the template names what the join has not.
    fn route_by(&self, template: &Template, written: &DialString) -> Result<Option<Route>, Refusal> {
        let here = DialString {
            scheme: None,
            transport: None,
            ..written.clone()
        }
        .to_text(self.protocol);
        let values = |pin| Values {
            id: self.meeting.id.as_deref(),
            pin,
            endpoint: &here,
        };
        let Some(filled) = template.fill(values(self.meeting.pin())) else {
            return Ok(None);
        };
        let read = |text: &str| -> Result<DialString, Refusal> {
            let read = self.read(text)?;
            Ok(DialString {
                scheme: read.scheme.or(written.scheme),
                transport: read.transport.or(written.transport),
                ..read
            })
        };
        let stars = self.meeting.pin().map(|_| "***");
        let shown = template
            .fill(values(stars))
            .map_or_else(String::new, |filled| filled.text());
        let without_pin = template
            .fill(values(None))
            .map_or_else(|| shown.clone(), |filled| filled.text());
        Ok(Some(Route {
            target: read(&filled.text())?,
            shown: read(&shown)?,
            without_pin: read(&without_pin)?,
            uses_id: filled.uses(Name::Id),
            uses_pin: filled.uses(Name::Pin),
            rule: "made by the default for an id and an endpoint".to_owned(),
        }))
    }

    /// The endpoint itself. An id that stands there already counts as used; a PIN that does is not shown.
    fn as_written(&self, endpoint: &Endpoint) -> Route {
        let (Endpoint::There(written) | Endpoint::Number(_, written)) = endpoint;
        let hide = |part: &Option<String>| part.as_deref().map(|part| self.mask.strike(part));
        let shown = DialString {
            user: hide(&written.user),
            extension: hide(&written.extension),
            ..written.clone()
        };
        let stands_there = |part: &Option<String>| part.is_some() && *part == self.meeting.id;
        Route {
            shown,
            without_pin: written.clone(),
            uses_id: stands_there(&written.user) || stands_there(&written.extension),
            uses_pin: false,
            target: written.clone(),
            rule: match endpoint {
                Endpoint::There(_) => "the endpoint as it stands",
                Endpoint::Number(..) => "a telephone number at our own SIP server",
            }
            .to_owned(),
        }
    }

    fn judge<'s>(
        &self,
        endpoint: &Endpoint,
        route: &Route,
        settings: &'s Settings,
    ) -> Result<&'s AllowEntry, Refusal> {
        route
            .target
            .check_strength(self.protocol)
            .map_err(|why| self.unusable_endpoint(&why))?;
        if route.target.to_text(self.protocol).len() > LONGEST {
            return Err(self.unusable_endpoint(&format!("makes a dial string of more than {LONGEST} bytes")));
        }
        let lists = Lists::of(settings);
        match endpoint {
            Endpoint::There(_) => lists.judge(&route.target, &route.shown),
            Endpoint::Number(number, carrier) => lists.judge_number(number, &carrier.host),
        }
        .map_err(unusable)
    }

    fn digits(
        &self,
        endpoint: &Endpoint,
        route: &Route,
        provider: Option<&Provider>,
        settings: &Settings,
    ) -> Result<(Option<DigitScript>, bool), Refusal> {
        let template = provider
            .and_then(|provider| provider.dtmf.as_deref())
            .map(|template| template.parse::<Template>().map_err(unusable))
            .transpose()?;
        let (Endpoint::There(written) | Endpoint::Number(_, written)) = endpoint;
        let here = written.host_and_port();
        let values = Values {
            id: self.meeting.id.as_deref(),
            pin: self.meeting.pin(),
            endpoint: &here,
        };
        let script = digits::script(
            template.as_ref(),
            values,
            route.uses_id,
            route.uses_pin,
            settings.dtmf_delay,
        )
        .map_err(unusable)?;
        let filled = template.as_ref().and_then(|template| template.fill(values));
        let by_template = filled.is_some_and(|filled| filled.uses(Name::Pin));
        let pin_in_digits = values.pin.is_some() && (by_template || !route.uses_pin);
        Ok((script, pin_in_digits))
    }

    fn read(&self, text: &str) -> Result<DialString, Refusal> {
        DialString::read(text, self.protocol).map_err(|why| self.unusable_endpoint(&why))
    }

    fn unusable_endpoint(&self, why: &str) -> Refusal {
        unusable(format!("the endpoint {} {why}", self.shown_endpoint))
    }
}

fn unusable(message: String) -> Refusal {
    Refusal::new(ErrorType::InvalidValue, message)
}

#[cfg(test)]
mod tests;
