//! A pretend world around a bridge: a clock, and its outputs in words.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::settings;
use crate::alexa::messages::directive::{AskId, Directive};
use crate::alexa::messages::outcome::Outcome;
use crate::alexa::messages::report::{CallFailedCode, CallState, CallStateName, Report};
use crate::bridge::link::{Frame, LinkEvent, LinkFault, LinkId};
use crate::bridge::{Bridge, Input, Output, Settings};
use crate::call::CallId;
use crate::chance::Chance;
use crate::time::{Moment, Now};

pub(super) const JOIN: &str = include_str!("../../../tests/data/directives/join_meeting.json");
pub(super) const END: &str = include_str!("../../../tests/data/directives/end_meeting.json");
pub(super) const STOP: &str = include_str!("../../../tests/data/directives/stop_foreground_activity.json");
pub(super) const BRIDGE: LinkId = LinkId::Bridge(1);

/// A bridge, its clock, and what came out.
pub(super) struct World {
    pub(super) bridge: Bridge,
    pub(super) now: Now,
    /// What the last input brought, in words.
    pub(super) last: Vec<String>,
    /// All text frames.
    pub(super) frames: Vec<(LinkId, String)>,
    /// All outputs.
    pub(super) story: Vec<Output>,
}

impl World {
    pub(super) fn started() -> Self {
        Self::started_with(settings())
    }

    /// Connected, and with a local link.
    pub(super) fn opened_with_local_link() -> Self {
        let mut settings = settings();
        settings.local.listen = Some("/run/meetd/meetd.sock".to_owned());
        let mut world = Self::started_with(settings);
        world.link(BRIDGE, LinkEvent::Opened);
        world
    }

    pub(super) fn started_with(settings: Settings) -> Self {
        let mut world = Self {
            bridge: Bridge::new(settings, "room-15-104".to_owned(), Chance::from_seed([5; 32])),
            now: Now {
                moment: Moment::since_boot(Duration::from_secs(100)),
                wall: "2026-11-21T08:49:37Z".parse::<Timestamp>().unwrap(),
            },
            last: Vec::new(),
            frames: Vec::new(),
            story: Vec::new(),
        };
        assert_eq!(world.input(Input::Start), ["open bridge1"]);
        world
    }

    pub(super) fn opened() -> Self {
        let mut world = Self::started();
        world.link(BRIDGE, LinkEvent::Opened);
        world
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<String> {
        self.bridge.handle_input(self.now, input);
        let mut said = Vec::new();
        while let Some(output) = self.bridge.poll_output() {
            if !matches!(output, Output::Record { .. } | Output::Sync) {
                said.push(in_words(&output));
            }
            if let Output::SendFrame {
                link,
                frame: Frame::Text(text),
            } = &output
            {
                self.frames.push((*link, text.clone()));
            }
            self.story.push(output);
        }
        self.last = said.clone();
        said
    }

    pub(super) fn link(&mut self, link: LinkId, event: LinkEvent) -> Vec<String> {
        self.input(Input::Link { link, event })
    }

    pub(super) fn lose(&mut self, link: LinkId, fault: LinkFault) -> Vec<String> {
        self.link(link, LinkEvent::Lost(fault))
    }

    pub(super) fn frame(&mut self, link: LinkId, text: &str) -> Vec<String> {
        let text = text.to_owned();
        self.input(Input::Frame { link, text })
    }

    pub(super) fn done(&mut self, ask: u64) -> Vec<String> {
        self.input(Input::Outcome {
            ask: AskId(ask),
            outcome: Outcome::Done,
        })
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.moment = self.now.moment + time;
        self.now.wall += jiff::SignedDuration::try_from(time).unwrap();
    }

    pub(super) fn next_deadline(&mut self) -> Duration {
        let wait = self.bridge.next_deadline().unwrap().at - self.now.moment;
        self.pass(wait);
        self.input(Input::Deadline);
        wait
    }

    /// Waits for the next try, and lets it succeed.
    pub(super) fn until_reopened(&mut self, attempt: u32) {
        self.next_deadline();
        assert_eq!(self.last, [format!("open bridge{attempt}")]);
        self.link(LinkId::Bridge(attempt), LinkEvent::Opened);
    }

    /// The event that was sent last.
    pub(super) fn event(&self) -> Value {
        self.frames.iter().rev().find_map(event_of).unwrap()
    }
}

pub(super) fn event_of((_, text): &(LinkId, String)) -> Option<Value> {
    let message: Value = serde_json::from_str(text).unwrap();
    message.get("event").cloned()
}

fn in_words(output: &Output) -> String {
    match output {
        Output::OpenLink { link, .. } => format!("open {}", name(*link)),
        Output::SendFrame {
            link,
            frame: Frame::Ping,
        } => format!("ping {}", name(*link)),
        Output::SendFrame {
            link,
            frame: Frame::Text(text),
        } => format!("{} {}", name(*link), message_in_words(text)),
        Output::CloseLink { link, code } => format!("close {} {code}", name(*link)),
        Output::Directive { ask, directive, .. } => match directive {
            Directive::JoinMeeting(_) => format!("directive {} join", ask.0),
            Directive::EndMeeting => format!("directive {} end", ask.0),
            other => format!("directive {} {other:?}", ask.0),
        },
        Output::SendDigits { call, signal } => format!("digits {call:?} {}", signal.expose()),
        Output::StopCall { call } => format!("stop {call:?}"),
        Output::AssistantListens(listens) => format!("assistant listens {listens}"),
        Output::StopForeground => "stop foreground".to_owned(),
        Output::Record { slot, .. } => format!("record {slot:?}"),
        Output::Sync => "sync".to_owned(),
        Output::Answered { link, outcome } => format!("answered {} {outcome:?}", name(*link)),
    }
}

fn name(link: LinkId) -> String {
    match link {
        LinkId::Bridge(number) => format!("bridge{number}"),
        LinkId::Local(number) => format!("local{number}"),
        LinkId::Control(number) => format!("control{number}"),
    }
}

fn message_in_words(text: &str) -> String {
    let message: Value = serde_json::from_str(text).unwrap();
    let payload = &message["payload"];
    let word = |name: &str| payload[name].as_str().unwrap_or("?").to_owned();
    if let Some(event) = message.get("event") {
        let kind = event["payload"].get("type").and_then(Value::as_str);
        let name = event["header"]["name"].as_str().unwrap();
        assert_eq!(
            kind.is_none(),
            message.get("context").is_some(),
            "context on success only"
        );
        return kind.map_or(name.to_owned(), |kind| format!("{name} {kind}"));
    }
    let action = message["header"]["messageDescription"]["action"]
        .as_str()
        .unwrap();
    let call = || {
        word("callId")
            .trim_start_matches("00000000-0000-0000-0000-00000000000")
            .to_owned()
    };
    let call = || match call().as_str() {
        "" => String::new(),
        number => format!("call-{number}"),
    };
    let rest = match action {
        "ConnectionStatusChanged" => {
            let words = |status: &Value| {
                let word = |name: &str| status[name].as_str().unwrap_or("?").to_owned();
                format!("{}/{}", word("status"), word("reason"))
            };
            match payload.get("detailed") {
                None => words(payload),
                Some(detailed) => format!(
                    "{} avs {} local {}",
                    words(payload),
                    words(&detailed["avs"]),
                    words(&detailed["local"])
                ),
            }
        }
        "StopForegroundActivity" => return action.to_owned(),
        "AuthStateChanged" => format!("{}/{}", word("state"), word("error")),
        "DialogStateChanged" => format!("{} {}", payload["assistantId"], word("state")),
        "CallStateChanged" => format!("{} {} {}", word("state"), call(), word("callerId")),
        "CallFailed" => format!("{} {}", call(), word("code")),
        other => panic!("{other} is not ours to send"),
    };
    assert_eq!(message["header"]["version"], json!("4.0"));
    format!("{action} {rest}")
}

pub(super) fn call(number: u64, state: CallStateName) -> Report {
    Report::CallState(CallState {
        state,
        call: Some(CallId(Uuid::from_u128(number.into()))),
        caller_id: format!("{number}.***@x"),
    })
}

pub(super) fn failed(number: u64) -> Report {
    Report::CallFailed {
        call: CallId(Uuid::from_u128(number.into())),
        code: CallFailedCode::Other,
        message: "it broke".to_owned(),
    }
}

pub(super) fn ended() -> LinkFault {
    LinkFault::Ended("reset".to_owned())
}
