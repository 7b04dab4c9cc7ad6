//! The websocket to the bridge: opened as the settings say, then carried by a task of its own until either side ends
//! it. The token leaves in one header of one request and nowhere else.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::agent::Wake;
use crate::bridge::Settings;
use crate::bridge::link::{LinkEvent, LinkFault, LinkId, LinkRequest};
use crate::secret::Secret;

use super::links::{LinkEnd, Links, Order};
use super::names::Names;
use super::secrets::SecretFiles;
use super::tls::Trust;
use super::wakes::Wakes;

mod connect;
mod proxy;
pub(super) mod session;
mod target;
mod upgrade;

pub(super) use connect::Stream;

/// Opens links to the bridge.
#[derive(Clone, Debug)]
pub struct Bridge(Arc<Means>);

#[derive(Debug)]
struct Means {
    settings: Settings,
    secrets: SecretFiles,
    trust: Trust,
    names: Names,
    /// SHA-256 of the token of the last try, if one was sent.
    last_token: Mutex<Option<[u8; 32]>>,
}

impl Bridge {
    /// With these settings; the token is read from `secrets` at each try.
    pub fn new(settings: Settings, secrets: SecretFiles, names: Names) -> Self {
        let ca_file = settings.ca_file.as_deref().map(|name| secrets.find(name));
        let trust = Trust::new(ca_file, &settings.pin_sha256);
        Self(Arc::new(Means {
            settings,
            secrets,
            trust,
            names,
            last_token: Mutex::default(),
        }))
    }

    /// Connects in a task; what becomes of it comes as wakes. Must be called inside the runtime.
    pub fn open(&self, link: LinkId, request: LinkRequest, links: &Links, wakes: &Wakes) {
        let mut end = links.add(link);
        let (bridge, wakes) = (self.clone(), wakes.clone());
        tokio::spawn(async move {
            let connected = tokio::select! {
                connected = bridge.connect(&request) => connected,
                () = closed_early(&mut end) => return,
            };
            let lost = match connected {
                Ok((socket, expires)) => {
                    if let Some(expires) = expires {
                        let event = LinkEvent::Certificate { expires };
                        wakes.send(Wake::Link { link, event }).await;
                    }
                    let event = LinkEvent::Opened;
                    wakes.send(Wake::Link { link, event }).await;
                    session::run(socket, link, end, &wakes, bridge.0.settings.write_timeout).await
                }
                Err(fault) => Some(fault),
            };
            if let Some(fault) = lost {
                let event = LinkEvent::Lost(fault);
                wakes.send(Wake::Link { link, event }).await;
            }
        });
    }

    /// The websocket, and when the server's certificate expires.
    async fn connect(
        &self,
        request: &LinkRequest,
    ) -> Result<(session::Socket, Option<jiff::Timestamp>), LinkFault> {
        let Means {
            settings,
            trust,
            names,
            ..
        } = &*self.0;
        let target =
            target::Target::read(&request.url, settings.allow_plaintext).map_err(LinkFault::Protocol)?;
        let token = self.token().await?;
        if !self.is_another_token(token.as_ref()) && request.only_with_another_token {
            return Err(LinkFault::SameToken);
        }
        let proxy = proxy::choose(settings.proxy.as_deref(), &target, |name| {
            std::env::var(name).ok()
        })?;
        let stream = match &proxy {
            Some(proxy) => {
                let reached = connect::tcp(names, &proxy.host, proxy.port, settings.connect_timeout).await;
                reached.map_err(|fault| proxy.fault(&fault))?
            }
            None => connect::tcp(names, &target.host, target.port, settings.connect_timeout).await?,
        };
        let shaking_hands = async {
            let stream = match &proxy {
                Some(proxy) => upgrade::through_proxy(stream, proxy, &target).await?,
                None => Box::new(stream),
            };
            let (stream, expires): (Box<dyn connect::Stream>, _) = if target.is_secure {
                let stream = trust.connect(&target.host, stream).await?;
                let expires = Trust::expires(&stream);
                (Box::new(stream), expires)
            } else {
                (stream, None)
            };
            let stream = upgrade::to_websocket(stream, &target, token.as_ref()).await?;
            Ok::<_, LinkFault>((stream, expires))
        };
        let (stream, expires) = tokio::time::timeout(settings.handshake_timeout, shaking_hands)
            .await
            .map_err(|_| LinkFault::HandshakeSlow)??;
        Ok((session::over(stream).await, expires))
    }

    /// Whether this is another token than that of the last try; it is remembered for the next one.
    fn is_another_token(&self, token: Option<&Secret>) -> bool {
        let digest = token.map(|token| Sha256::digest(token.expose()).into());
        let mut last = self.0.last_token.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *last, digest) != digest
    }

    /// The token as its file holds it at this moment; `None` when none is to be sent.
    async fn token(&self) -> Result<Option<Secret>, LinkFault> {
        let Some(name) = self.0.settings.token_file.clone() else {
            return Ok(None);
        };
        let bridge = self.clone();
        let read = tokio::task::spawn_blocking(move || match bridge.0.secrets.read(&name) {
            Ok(token) if token.is_empty() => Err(format!("{name} is empty")),
            Ok(token) => Ok(token),
            Err(error) => Err(error.to_string()),
        });
        match read.await {
            Ok(token) => token.map(Some).map_err(LinkFault::NoToken),
            Err(_) => Err(LinkFault::NoToken("its file could not be read".to_owned())),
        }
    }
}

/// Returns when the link is closed while it still connects. There is nothing to send on it before.
async fn closed_early(end: &mut LinkEnd) {
    while let Some(Order::Send(_)) = end.orders.recv().await {}
}

#[cfg(test)]
mod tests;
