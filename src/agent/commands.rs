//! The commands at the control socket, and how the daemon stands, for people.

use super::{Agent, Effect, HELD_COMMANDS, Phase};
use crate::alexa::messages::connection_status::Status;
use crate::alexa::messages::directive::{Directive, JoinMeeting};
use crate::alexa::messages::outcome::{ErrorType, Outcome, Refusal};
use crate::alexa::messages::property::Property;
use crate::alexa::messages::report::CallStateName;
use crate::bridge;
use crate::bridge::link::{Frame, LinkId};
use crate::control::{
    AuthReport, CallReport, ConnectionReport, DialogReport, Join, LastCallReport, LastError, LocalReport,
    MediaReport, Microphone, Power, Reply, Request, StatusReport, Utc,
};
use crate::media::Figures;
use crate::room::{self, CallStatus, CurrentCall, LastCall};
use crate::time::Now;

impl Agent {
    /// Takes one line from a command.
    pub(super) fn take_command(&mut self, now: Now, link: LinkId, text: String) {
        let request = match Request::read(&text) {
            Ok(request) => request,
            Err(fault) => {
                return self.reply(
                    link,
                    &Reply::NotUnderstood {
                        message: fault.to_string(),
                    },
                );
            }
        };
        match request {
            Request::Status => {
                let report = Box::new(self.report(now));
                self.reply(link, &Reply::Status(report));
            }
            Request::Watch => self.watch(now, link),
            Request::Metrics => {
                let text = self.figures_in_text(now);
                self.reply(link, &Reply::Metrics { text });
            }
            Request::Join(join) if join.dry_run => {
                let reply = match self.room.explain(&meeting_of(join)) {
                    Ok(sentence) => Reply::Done { sentence },
                    Err(refusal) => refused(refusal),
                };
                self.reply(link, &reply);
            }
            Request::Hold(is_held) => {
                let done = self.room.hold(is_held);
                self.drain(now);
                self.reply(link, &told(done));
            }
            Request::Mute(is_muted) => {
                let done = self.room.mute(is_muted);
                self.drain(now);
                self.reply(link, &told(done));
            }
            Request::Join(_) | Request::End | Request::Volume(_) | Request::Digits(_)
                if self.hold_back(link, &text) => {}
            Request::Join(join) => self.ask(now, link, Directive::JoinMeeting(meeting_of(join))),
            Request::End => self.ask(now, link, Directive::EndMeeting),
            Request::Digits(digits) => self.ask(now, link, Directive::PressDigits(digits)),
            Request::Volume(volume) => self.ask(now, link, Directive::SetVolume(volume.into())),
        }
    }

    /// Tells a command what became of it.
    pub(super) fn answer_command(&mut self, link: LinkId, outcome: Outcome) {
        let reply = match outcome {
            Outcome::Done | Outcome::State(_) | Outcome::Discovered(_) => Reply::Done {
                sentence: self.in_words(),
            },
            Outcome::Changed(properties) => Reply::Done {
                sentence: properties
                    .into_iter()
                    .map(property_in_words)
                    .chain([self.in_words()])
                    .collect::<Vec<_>>()
                    .join("; "),
            },
            Outcome::Refused(refusal) => refused(refusal),
        };
        self.reply(link, &reply);
    }

    /// How things are, in a few words.
    pub(super) fn in_words(&self) -> String {
        let connection = self.bridge.connection().current();
        let bridge = match connection.status {
            Status::Connected => "connected to the bridge".to_owned(),
            Status::Pending => format!("trying to reach the bridge ({})", connection.reason.name()),
            Status::Disconnected => format!("not connected to the bridge ({})", connection.reason.name()),
        };
        let call = match self.room.status().call {
            None => "no call".to_owned(),
            Some(call) => match call.state {
                CallStateName::Dialing => format!("calling {}", call.remote),
                CallStateName::OutboundRinging => format!("ringing at {}", call.remote),
                CallStateName::Active => format!("in a call with {}", call.remote),
                CallStateName::Idle => "ending a call".to_owned(),
            },
        };
        match self.needs_restart.is_empty() {
            true => format!("{bridge}; {call}"),
            false => format!(
                "{bridge}; {call}; a restart is needed for {}",
                self.needs_restart.join(", ")
            ),
        }
    }

    fn ask(&mut self, now: Now, link: LinkId, directive: Directive) {
        self.bridge
            .handle_input(now, bridge::Input::Ask { link, directive });
        self.drain(now);
    }

    /// While the calls of the last process are being ended, commands wait.
    fn hold_back(&mut self, link: LinkId, text: &str) -> bool {
        match &mut self.phase {
            Phase::Recovering { held, .. } if held.len() < HELD_COMMANDS => {
                held.push((link, text.to_owned()));
                true
            }
            Phase::Before | Phase::Recovering { .. } | Phase::Leaving { .. } | Phase::Gone => {
                let refusal = Refusal::new(
                    ErrorType::InternalError,
                    "the daemon is not ready for calls at the moment",
                );
                self.reply(link, &refused(refusal));
                true
            }
            Phase::Running => false,
        }
    }

    pub(super) fn reply(&mut self, link: LinkId, reply: &Reply) {
        let frame = Frame::Text(reply.to_line());
        self.effects.push_back(Effect::SendFrame { link, frame });
    }

    pub(super) fn report(&self, now: Now) -> StatusReport {
        let connection = self.bridge.connection();
        let auth = self.bridge.auth();
        let local = self.bridge.local();
        let equipment = self.room.equipment();
        let CallStatus { call, last_call } = self.room.status();
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            endpoint_id: self.endpoint_id.clone(),
            connection: ConnectionReport {
                status: connection.current().status.name().to_owned(),
                reason: connection.current().reason.name().to_owned(),
                since: Some(connection.since())
                    .filter(|since| *since != jiff::Timestamp::UNIX_EPOCH)
                    .map(Utc),
                certificate_expires: self.bridge.certificate_expires().map(Utc),
            },
            local: LocalReport {
                status: local.status.name().to_owned(),
                reason: local.reason.name().to_owned(),
            },
            auth: AuthReport {
                state: auth.state.name().to_owned(),
                error: auth.error.name().to_owned(),
            },
            dialogs: self
                .bridge
                .dialogs()
                .map(|dialog| DialogReport {
                    assistant_id: dialog.assistant.0,
                    state: dialog.state.name().to_owned(),
                })
                .collect(),
            call: call.map(call_report),
            last_call: last_call.map(last_call_report),
            registered: self
                .dialers
                .iter()
                .find_map(|dialer| dialer.machine.is_registered(now)),
            power: match equipment.is_on {
                true => Power::On,
                false => Power::Off,
            },
            volume: equipment.volume,
            muted: equipment.is_muted,
            last_error: self.last_error(),
            needs_restart: self.needs_restart.clone(),
        }
    }

    /// The later one of the connection's last fault and everybody else's.
    fn last_error(&self) -> Option<LastError> {
        let own = self.last_error.clone();
        let of_bridge = self
            .bridge
            .last_fault()
            .map(|fault| (fault.at, fault.sentence.clone()));
        let (at, message) = own.into_iter().chain(of_bridge).max_by_key(|(at, _)| *at)?;
        Some(LastError { at: Utc(at), message })
    }
}

fn property_in_words(property: Property) -> String {
    match property {
        Property::Power(true) => "the room is on".to_owned(),
        Property::Power(false) => "the room is off".to_owned(),
        Property::Volume(volume) => format!("volume {volume}"),
        Property::Muted(true) => "the loudspeaker is muted".to_owned(),
        Property::Muted(false) => "the loudspeaker is not muted".to_owned(),
    }
}

fn told(done: Result<&'static str, Refusal>) -> Reply {
    match done {
        Ok(sentence) => Reply::Done {
            sentence: sentence.to_owned(),
        },
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Reply {
    Reply::Refused {
        kind: refusal.kind.name().to_owned(),
        message: refusal.message,
    }
}

fn meeting_of(join: Join) -> JoinMeeting {
    let Join {
        endpoint,
        protocol,
        provider,
        id,
        pin,
        dry_run: _,
    } = join;
    JoinMeeting {
        endpoint,
        protocol,
        provider,
        id,
        pin,
    }
}

fn call_report(call: CurrentCall) -> CallReport {
    CallReport {
        call_id: call.call.to_string(),
        state: call.state.name().to_owned(),
        protocol: call.protocol.name().to_uppercase(),
        remote: call.remote,
        provider: call.provider,
        since: Some(Utc(call.since)),
        transport: call.agreed.as_ref().map(|agreed| agreed.transport),
        codec: call.agreed.as_ref().map(|agreed| agreed.codec.to_owned()),
        srtp: call.agreed.as_ref().is_some_and(|agreed| agreed.srtp),
        microphone: match call.microphone {
            room::Microphone::On => Microphone::On,
            room::Microphone::Muted => Microphone::Muted,
            room::Microphone::Dialog => Microphone::Dialog,
            room::Microphone::Hold => Microphone::Hold,
        },
        media: call.figures.map(media_report).unwrap_or_default(),
    }
}

fn media_report(figures: Figures) -> MediaReport {
    MediaReport {
        rx_packets: figures.received,
        tx_packets: figures.sent,
        loss_percent: Some(f64::from(figures.loss_percent)),
        jitter_ms: Some(f64::from(figures.jitter_ms)),
        rtt_ms: figures.round_trip.map(|way| way.as_secs_f64() * 1000.0),
        delay_ms: Some(figures.playout_delay.as_secs_f64() * 1000.0),
        microphone_dbfs: Some(f64::from(figures.microphone_level_dbfs)),
        sent_dbfs: Some(f64::from(figures.near_level_dbfs)),
        received_dbfs: Some(f64::from(figures.far_level_dbfs)),
        device_slips: Some(figures.device_slips),
        concealed_percent: Some(f64::from(figures.concealed_percent)),
        mos: figures.mos.map(f64::from),
    }
}

fn last_call_report(last: LastCall) -> LastCallReport {
    LastCallReport {
        call_id: last.call.to_string(),
        code: last.code.map(|code| code.name().to_owned()),
        message: last.message,
        sip_status: last.sip_status,
        duration_seconds: last.duration.as_secs(),
    }
}
