//! All of the world that the agent's effects change, behind one match.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::agent::{Effect, Wake};
use crate::call::CallId;
use crate::chance::Chance;
use crate::config::{Config, SipNetwork};
use crate::{bridge, media};

use super::audio::Audio;
use super::control_socket::{ControlFault, ControlSocket};
use super::flow::Flows;
use super::links::Links;
use super::local_link::{LocalFault, LocalLink};
use super::metrics::Metrics;
use super::names::Names;
use super::secrets::SecretFiles;
use super::store::Store;
use super::systemd;
use super::tls::{IdentityFiles, Trust};
use super::wakes::Wakes;
use super::websocket::Bridge;

/// How long what was sent last may take to leave. SIGTERM to exit is 2 s, most of which belongs to the agent.
const FLUSH: Duration = Duration::from_millis(200);
/// How long [`World::finish`] takes at most: connections, then the store.
pub const FINISH_LIMIT: Duration = FLUSH.saturating_mul(2);

/// Sockets, files and threads of the running daemon.
pub struct World {
    bridge: Bridge,
    local: LocalLink,
    links: Links,
    flows: Flows,
    /// Those of the system, for the bridge.
    system_names: Names,
    /// For SIP: those of `sip.resolver`, else the same.
    names: Names,
    audio: Audio,
    /// The calls whose audio is heard.
    sounding: BTreeSet<CallId>,
    store: Store,
    secrets: SecretFiles,
    /// Where figures shall be served, and the port if that could be opened.
    metrics: (Option<SocketAddr>, Option<Metrics>),
    wakes: Wakes,
}

/// What the world needs of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[bridge]`.
    pub bridge: bridge::Settings,
    /// `[media]`.
    pub media: media::Settings,
    /// What `[sip]` says of certificates and name servers.
    pub sip: SipNetwork,
    /// `log.metrics`.
    pub metrics: Option<SocketAddr>,
}

impl Settings {
    /// Those of this configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            bridge: config.bridge.clone(),
            media: config.media.clone(),
            sip: config.sip_network.clone(),
            metrics: config.metrics,
        }
    }
}

fn names_for(settings: &SipNetwork, system_names: &Names) -> Names {
    match settings.resolver {
        Some(server) => Names::of_server(server),
        None => system_names.clone(),
    }
}

fn sip_trust(settings: &SipNetwork, secrets: &SecretFiles) -> Trust {
    let ca_file = settings.ca_file.as_deref().map(|name| secrets.find(name));
    let identity = settings
        .identity_files
        .as_ref()
        .map(|(certificate, key)| IdentityFiles {
            certificate: secrets.find(certificate),
            key: secrets.find(key),
        });
    Trust::new(ca_file, &settings.pin_sha256).with_identity(identity)
}

/// What carrying out an effect led to.
#[derive(Debug)]
pub enum Carried {
    /// Nothing to hear at once.
    Out,
    /// It was answered at once.
    Answered(Wake),
    /// The process shall leave with this exit code.
    Leave(u8),
}

impl World {
    /// The world as these settings have it; nothing is opened.
    pub fn new(settings: Settings, secrets: SecretFiles, store: Store, wakes: Wakes, chance: Chance) -> Self {
        let system_names = Names::default();
        let trust = sip_trust(&settings.sip, &secrets);
        let links = Links::default();
        let local = LocalLink::new(
            settings.bridge.local.clone(),
            secrets.clone(),
            links.clone(),
            wakes.clone(),
        );
        Self {
            local,
            bridge: Bridge::new(settings.bridge, secrets.clone(), system_names.clone()),
            links,
            flows: Flows::new(trust, wakes.clone()),
            names: names_for(&settings.sip, &system_names),
            system_names,
            audio: Audio::new(settings.media, wakes.sender(), chance),
            sounding: BTreeSet::new(),
            store,
            secrets,
            metrics: (None, None),
            wakes,
        }
    }

    /// From the next connection, and the next call, on these count; what is open stays as it is.
    pub fn reload(&mut self, settings: Settings) {
        self.flows.set_trust(sip_trust(&settings.sip, &self.secrets));
        self.names = names_for(&settings.sip, &self.system_names);
        self.local.follow(settings.bridge.local.clone());
        self.bridge = Bridge::new(settings.bridge, self.secrets.clone(), self.system_names.clone());
        self.audio.set(settings.media);
        self.serve_metrics(settings.metrics);
    }

    /// Whether the threads that carry voices have gone on since this was asked last.
    pub fn audio_goes_on(&mut self) -> bool {
        self.audio.keeps_its_beat()
    }

    /// Serves figures there and nowhere else. Must be called inside the runtime.
    pub fn serve_metrics(&mut self, address: Option<SocketAddr>) {
        if self.metrics.0 == address {
            return;
        }
        // The former port closes first: it may be the same one.
        self.metrics = (address, None);
        let Some(address) = address else {
            return;
        };
        match Metrics::open(address, self.links.clone(), self.wakes.clone()) {
            Ok(metrics) => self.metrics.1 = Some(metrics),
            Err(error) => {
                tracing::error!(
                    "log.metrics: {address} cannot be listened at: {error}; no figures are served"
                );
            }
        }
    }

    /// Lets commands in. Must be called inside the runtime.
    pub fn open_control_socket(&self, path: &Path) -> Result<(), ControlFault> {
        let socket = ControlSocket::bind(path)?;
        tokio::spawn(socket.serve(self.links.clone(), self.wakes.clone()));
        Ok(())
    }

    /// Lets voice engines and panels in, where the settings say; what went wrong. Must be called inside the runtime.
    pub fn open_local_link(&mut self) -> Vec<LocalFault> {
        self.local.open()
    }

    /// Carries one effect out. Must be called inside the runtime.
    pub fn carry_out(&mut self, effect: Effect) -> Carried {
        let answer = match effect {
            Effect::SendFrame { link, frame } => self.links.send(link, frame),
            Effect::OpenLink { link, request } => {
                self.bridge.open(link, request, &self.links, &self.wakes);
                None
            }
            Effect::CloseLink { link, code } => {
                self.links.close(link, code);
                None
            }
            Effect::OpenFlow { flow, request } => self.flows.open(flow, request),
            Effect::Transmit { flow, to, bytes } => self.flows.transmit(flow, to, bytes),
            Effect::CloseFlow { flow } => {
                self.flows.close(flow);
                None
            }
            Effect::LookUp { query, question } => self.names.look_up(query, question, &self.wakes),
            Effect::Media { call, command } => self.command_audio(call, command),
            Effect::SetLoudspeaker(loudspeaker) => {
                self.audio.set_loudspeaker(loudspeaker);
                None
            }
            Effect::Record { slot, content } => {
                // The store has said so, and the next sync is answered with it.
                let _ = self.store.record(slot, &content);
                None
            }
            Effect::Sync => self.store.sync(),
            Effect::Notify(readiness) => {
                systemd::notify(&readiness);
                None
            }
            Effect::Exit(code) => return Carried::Leave(code),
        };
        answer.map_or(Carried::Out, Carried::Answered)
    }

    fn command_audio(&mut self, call: CallId, command: media::Command) -> Option<Wake> {
        match command {
            media::Command::Stop => self.sounding.remove(&call),
            // A tone may follow the end; what becomes of it is nobody's news.
            media::Command::Play(_) => false,
            media::Command::Reserve { .. }
            | media::Command::Start(_)
            | media::Command::Mute(_)
            | media::Command::SendDigits(_) => self.sounding.insert(call),
        };
        let event = self.audio.command(call, command)?;
        Some(Wake::Media { call, event })
    }

    /// Whether the agent still wants to hear this: what was closed may have spoken just before.
    pub fn hears(&self, wake: &Wake) -> bool {
        match wake {
            Wake::Frame { link, .. } => self.links.hears(*link, None),
            Wake::Link { link, event } => self.links.hears(*link, Some(event)),
            Wake::Flow { flow, event } => self.flows.hears(*flow, event),
            Wake::Media { call, .. } => self.sounding.contains(call),
            Wake::Start
            | Wake::Names { .. }
            | Wake::Stored(_)
            | Wake::Signal(_)
            | Wake::Reload(_)
            | Wake::Deadline => true,
        }
    }

    /// Lets what was sent leave, within [`FINISH_LIMIT`].
    pub async fn finish(mut self) {
        tokio::join!(self.links.finish(FLUSH), self.flows.finish(FLUSH));
        self.store.close(FLUSH);
    }
}
