//! The bridge: one websocket that we open and keep. When to try, ping and give up ([`session`]), who is told what
//! ([`publisher`]), who waits for which answer ([`askers`]), what is not done twice ([`memory`]).

use std::collections::{BTreeMap, VecDeque};

use crate::alexa::client::auth::Auth;
use crate::alexa::client::connection::Connection;
use crate::alexa::client::dialog::Dialogs;
use crate::alexa::messages::auth_state::AuthStatus;
use crate::alexa::messages::connection_status::ConnectionStatus;
use crate::alexa::messages::dialog_state::Dialog;
use crate::alexa::messages::directive::{AskId, Directive};
use crate::alexa::messages::incoming::Identity;
use crate::alexa::messages::message::Message;
use crate::alexa::messages::outcome::{ErrorType, Outcome, Refusal};
use crate::alexa::messages::redacted::redacted;
use crate::alexa::messages::report::Report;
use crate::chance::Chance;
use crate::record::{Restored, Slot};
use crate::secret::Secret;
use crate::time::{Deadline, Now};

use askers::Askers;
use engines::Engines;
use failure::Failure;
use link::{Frame, LinkEvent, LinkId, LinkRequest};
use publisher::Publisher;
use session::Session;

pub mod askers;
pub mod backoff;
pub mod engines;
pub mod failure;
pub mod link;
pub mod memory;
pub mod publisher;
pub mod redirect;
pub mod session;

mod conversation;
mod engine_words;
mod journal;
mod settings;

pub use settings::{LocalSettings, Settings};

/// What the bridge is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The process has started: connect.
    Start,
    /// Something happened on a link.
    Link {
        /// On which.
        link: LinkId,
        /// What.
        event: LinkEvent,
    },
    /// A text frame came from the bridge or a local client.
    Frame {
        /// From whom.
        link: LinkId,
        /// The text.
        text: String,
    },
    /// A command at the control socket asks what a directive would ask.
    Ask {
        /// Which command.
        link: LinkId,
        /// What it asks.
        directive: Directive,
    },
    /// What became of a directive.
    Outcome {
        /// Of which.
        ask: AskId,
        /// What.
        outcome: Outcome,
    },
    /// The room tells a change. The call state of snapshots and the pings of a call are read from it.
    Report(Report),
    /// The room's call is being ended: what was answered about it stands.
    HangingUp,
    /// Addresses or routes changed, or the machine slept.
    NetworkChanged,
    /// The settings were read again.
    Settings(Box<Settings>),
    /// The daemon stops: say so, and close.
    Leave,
    /// A deadline may have come.
    Deadline,
}

/// What the bridge wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the bridge.
    OpenLink {
        /// Under this number.
        link: LinkId,
        /// Where to.
        request: LinkRequest,
    },
    /// Send a frame.
    SendFrame {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Close a link. Nothing is heard of it afterwards.
    CloseLink {
        /// Which.
        link: LinkId,
        /// The close code.
        code: u16,
    },
    /// To the room: work on this, and say what became of it by [`Input::Outcome`].
    Directive {
        /// Under this number.
        ask: AskId,
        /// Its messageId, fit for showing; `None` for a command.
        directive_id: Option<String>,
        /// What.
        directive: Directive,
    },
    /// To the room: what is said there is said to an assistant from here on, or to the meeting again.
    AssistantListens(bool),
    /// To the room: no dialog was in the foreground, so the call, or the join being placed, stops.
    StopForeground,
    /// To the room: send these digits.
    SendDigits {
        /// In this call; `None`: in the one there is.
        call: Option<String>,
        /// The digits, as they came.
        signal: Secret,
    },
    /// To the room: this call stops.
    StopCall {
        /// Which; `None`: the one there is.
        call: Option<String>,
    },
    /// To a command at the control socket: what its event would say.
    Answered {
        /// Which command.
        link: LinkId,
        /// What.
        outcome: Outcome,
    },
    /// Write a slot of the store, before the next output.
    Record {
        /// Which.
        slot: Slot,
        /// Its content.
        content: Vec<u8>,
    },
    /// Bring the records to the disk, off the path.
    Sync,
}

/// A failure that people are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it happened.
    pub at: jiff::Timestamp,
    /// What happened, in one sentence.
    pub sentence: String,
}

/// The bridge as one machine: session, publisher, askers, and what is true of the AlexaClient.
#[derive(Debug)]
pub struct Bridge {
    endpoint_id: String,
    chance: Chance,
    session: Session,
    publisher: Publisher,
    askers: Askers,
    connection: Connection,
    auth: Auth,
    dialogs: Dialogs,
    engines: Engines,
    /// Whether the connection is told in its detailed form.
    is_detailed: bool,
    /// What was told of the connection last.
    told: Message,
    /// What the bridge says of the authorisation.
    bridge_auth: AuthStatus,
    last_fault: Option<Fault>,
    dropped_frames: u64,
    /// How often there was no connection, by reason.
    failures: BTreeMap<&'static str, u64>,
    /// As the server of the last connection showed it.
    certificate_expires: Option<jiff::Timestamp>,
    journal: journal::Journal,
    outputs: VecDeque<Output>,
}

impl Bridge {
    /// The bridge of the room with this endpointId, before [`Input::Start`].
    pub fn new(settings: Settings, endpoint_id: String, mut chance: Chance) -> Self {
        let auth = Auth::new();
        let mut bridge = Self {
            endpoint_id,
            engines: Engines::new(settings.local.dialog_timeout),
            is_detailed: settings.local.is_open(),
            told: Message::ConnectionStatus(Connection::new().current()),
            bridge_auth: auth.current(),
            session: Session::new(settings, chance.fork()),
            chance,
            publisher: Publisher::default(),
            askers: Askers::default(),
            connection: Connection::new(),
            auth,
            dialogs: Dialogs::new(),
            last_fault: None,
            dropped_frames: 0,
            failures: BTreeMap::new(),
            certificate_expires: None,
            journal: journal::Journal::default(),
            outputs: VecDeque::new(),
        };
        bridge.told = bridge.connection_now();
        bridge
    }

    /// Takes over what the last process remembered of directives.
    pub fn restore(&mut self, restored: &Restored) {
        self.askers.restore(restored);
    }

    /// The last process did this directive, whether or not it lived to remember it.
    pub fn was_done(&mut self, directive: Identity, outcome: &Outcome) {
        self.askers.was_done(directive, outcome);
    }

    /// Which directive is worked on under this number; `None` for what was asked at the control socket.
    pub fn identity_of(&self, ask: AskId) -> Option<Identity> {
        self.askers.identity_of(ask)
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Start => self.session(now, session::Input::Start),
            Input::Link { link, event } => self.link(now, link, event),
            Input::Frame { link, text } => self.frame(now, link, &text),
            Input::Ask { link, directive } => self.ask(now, link, directive),
            Input::Outcome { ask, outcome } => self.outcome(now, ask, &outcome),
            Input::Report(report) => self.report(now, report),
            Input::HangingUp => self.call_is_over(),
            Input::NetworkChanged => self.session(now, session::Input::NetworkChanged),
            Input::Settings(settings) => {
                self.engines.set_dialog_timeout(settings.local.dialog_timeout);
                self.is_detailed = settings.local.is_open();
                self.tell_connection();
                self.session(now, session::Input::Settings(settings));
            }
            Input::Leave => self.session(now, session::Input::Leave),
            Input::Deadline => self.deadline(now),
        }
    }

    /// The next output. Drain it until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Input::Deadline`] next.
    pub fn next_deadline(&self) -> Option<Deadline> {
        Deadline::earliest([
            self.session.next_deadline(),
            self.askers.next_deadline(),
            self.engines.next_deadline(),
        ])
    }

    /// Whether the AlexaClient is connected, why, and since when.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether it is authorised.
    pub fn auth(&self) -> AuthStatus {
        self.auth.current()
    }

    /// Whether there is a voice engine on the device.
    pub fn local(&self) -> ConnectionStatus {
        self.engines.local()
    }

    /// The dialogs of all assistants.
    pub fn dialogs(&self) -> impl Iterator<Item = Dialog> + '_ {
        self.dialogs.all()
    }

    /// What went wrong last with the connection.
    pub fn last_fault(&self) -> Option<&Fault> {
        self.last_fault.as_ref()
    }

    /// How many frames could not be answered and were dropped.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped_frames
    }

    /// How often there was no connection, by reason.
    pub fn failures(&self) -> &BTreeMap<&'static str, u64> {
        &self.failures
    }

    /// When the certificate expires that the bridge showed last.
    pub fn certificate_expires(&self) -> Option<jiff::Timestamp> {
        self.certificate_expires
    }

    fn link(&mut self, now: Now, link: LinkId, event: LinkEvent) {
        match (link, event) {
            (LinkId::Bridge(_), LinkEvent::Certificate { expires }) => {
                self.certificate_expires = Some(expires)
            }
            (LinkId::Bridge(attempt), event) => self.session(now, session::Input::Link(attempt, event)),
            (LinkId::Local(_), LinkEvent::Opened) => self.welcome(link),
            (LinkId::Local(_) | LinkId::Control(_), LinkEvent::Lost(_)) => {
                self.publisher.left(link);
                self.askers.lost(link);
                self.engine_lost(now, link);
            }
            (LinkId::Local(_), LinkEvent::Pong | LinkEvent::Certificate { .. }) => {}
            (LinkId::Control(_), LinkEvent::Opened | LinkEvent::Pong | LinkEvent::Certificate { .. }) => {}
        }
    }

    fn session(&mut self, now: Now, input: session::Input) {
        self.session.handle_input(now, input);
        while let Some(output) = self.session.poll_output() {
            self.carry_out(now, output);
        }
    }

    fn carry_out(&mut self, now: Now, output: session::Output) {
        match output {
            session::Output::Open(attempt, url) => self.open(attempt, url, false),
            session::Output::OpenWithAnotherToken(attempt, url) => self.open(attempt, url, true),
            session::Output::Ping(attempt) => self.outputs.push_back(Output::SendFrame {
                link: LinkId::Bridge(attempt),
                frame: Frame::Ping,
            }),
            session::Output::Close(attempt, code) => self.outputs.push_back(Output::CloseLink {
                link: LinkId::Bridge(attempt),
                code,
            }),
            session::Output::Opened(attempt) => {
                let link = LinkId::Bridge(attempt);
                self.welcome(link);
                for answer in self.askers.bridge_opened(now, link) {
                    self.send_answer(now, answer);
                }
            }
            session::Output::Gone(attempt) => self.publisher.left(LinkId::Bridge(attempt)),
            session::Output::Failed(failure) => self.failed(now, &failure),
            session::Output::Connection(status) => self.connection_is(now, status, None),
            session::Output::Auth(auth) => self.auth_is(now, auth, None),
        }
    }

    fn open(&mut self, attempt: u32, url: String, only_with_another_token: bool) {
        self.outputs.push_back(Output::OpenLink {
            link: LinkId::Bridge(attempt),
            request: LinkRequest {
                url,
                only_with_another_token,
            },
        });
    }

    fn failed(&mut self, now: Now, failure: &Failure) {
        self.journal.failed();
        let consequence = failure.consequence();
        let reason = consequence.connection.reason.name();
        *self.failures.entry(reason).or_default() += 1;
        if let Some(auth) = consequence.auth {
            self.auth_is(now, auth, Some(failure));
        }
        self.connection_is(now, consequence.connection, Some(failure));
        self.last_fault = Some(Fault {
            at: now.wall,
            sentence: failure.to_string(),
        });
    }

    fn connection_is(&mut self, now: Now, status: ConnectionStatus, failure: Option<&Failure>) {
        if let Some(change) = self.connection.change(now, status) {
            self.journal.connection_changed(now, change, failure);
            self.tell_connection();
        }
    }

    fn auth_is(&mut self, now: Now, auth: AuthStatus, failure: Option<&Failure>) {
        if self.bridge_auth != auth {
            self.bridge_auth = auth;
            self.journal.auth_changed(now, auth, failure);
        }
        self.tell_auth();
    }

    fn report(&mut self, now: Now, report: Report) {
        if !self.publisher.is_news(&report) {
            return;
        }
        if !self.publisher.call_is_up() {
            self.call_is_over();
        }
        self.tell(&Message::Call(report));
        let is_up = self.publisher.call_is_up();
        self.session(now, session::Input::CallUp(is_up));
    }

    fn call_is_over(&mut self) {
        self.askers.call_is_over();
        self.write_down();
    }

    fn deadline(&mut self, now: Now) {
        self.session(now, session::Input::Deadline);
        self.journal.tell(now);
        self.end_silent_dialogs(now);
        for ask in self.askers.overdue(now) {
            tracing::error!(
                "the room never said what became of directive {}; answered as a fault of ours",
                ask.0
            );
            let refusal = Refusal::new(ErrorType::InternalError, "the directive was not answered in time");
            self.outcome(now, ask, &Outcome::Refused(refusal));
        }
    }

    fn welcome(&mut self, link: LinkId) {
        let snapshot = self
            .publisher
            .joined(link, self.connection_now(), &self.auth, &self.dialogs);
        for message in snapshot {
            let text = message.print(self.chance.uuid());
            self.send(link, text);
        }
    }

    /// Tells everyone who listens.
    fn tell(&mut self, message: &Message) {
        let text = message.print(self.chance.uuid());
        for link in self.publisher.listeners().collect::<Vec<_>>() {
            self.send(link, text.clone());
        }
    }

    fn send(&mut self, link: LinkId, text: String) {
        if tracing::enabled!(tracing::Level::TRACE) {
            tracing::trace!(?link, "> {}", redacted(&text));
        }
        let frame = Frame::Text(text);
        self.outputs.push_back(Output::SendFrame { link, frame });
    }
}

#[cfg(test)]
mod tests;
