//! The local link: a unix socket, and where configured a TCP port, that speak websocket. Voice engines and touch
//! panels connect to it; each is a link of its own.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::agent::Wake;
use crate::bridge::LocalSettings;
use crate::bridge::link::{LinkEvent, LinkId};
use crate::secret::Secret;

use super::control_socket::{ControlFault, ControlSocket};
use super::links::Links;
use super::secrets::SecretFiles;
use super::wakes::Wakes;
use super::websocket::{Stream, session};

mod guard;

use guard::Guard;

/// How many clients may be connected at once: some engines, some panels, and those who look.
const CLIENTS: usize = 16;
/// How long a client may take to ask for a websocket.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may leave a frame untaken.
const STUCK: Duration = Duration::from_secs(10);
/// The pause after a failed accept: without descriptors each attempt would fail at once again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// A client over TCP that is silent for so long is asked whether it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Why nobody listens.
#[derive(Debug, Error)]
pub enum LocalFault {
    /// The unix socket could not be made.
    #[error("local.listen: {0}")]
    Unix(#[from] ControlFault),
    /// The TCP port could not be opened.
    #[error("local.tcp: {address} cannot be listened at: {error}")]
    Tcp {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

/// What all clients share.
#[derive(Clone, Debug)]
pub struct LocalLink {
    settings: Arc<LocalSettings>,
    secrets: SecretFiles,
    room: Arc<Semaphore>,
    next: Arc<std::sync::atomic::AtomicU64>,
    links: Links,
    wakes: Wakes,
}

impl LocalLink {
    /// With these settings; the token is read from `secrets` for each client.
    pub fn new(settings: LocalSettings, secrets: SecretFiles, links: Links, wakes: Wakes) -> Self {
        Self {
            settings: Arc::new(settings),
            secrets,
            room: Arc::new(Semaphore::new(CLIENTS)),
            next: Arc::default(),
            links,
            wakes,
        }
    }

    /// Listens wherever the settings say; what went wrong where it does not. Must be called inside the runtime.
    pub fn open(&self) -> Vec<LocalFault> {
        let unix = self.settings.listen.as_deref().map(|path| self.open_unix(path));
        let tcp = self.settings.tcp.map(|address| self.open_tcp(address));
        [unix, tcp]
            .into_iter()
            .flatten()
            .filter_map(Result::err)
            .collect()
    }

    fn open_unix(&self, path: &str) -> Result<(), LocalFault> {
        let (listener, file) = ControlSocket::bind(Path::new(path))?.into_parts();
        let link = self.clone();
        tokio::spawn(async move {
            // The socket's file goes away with this task.
            let _file = file;
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                // Who may use the file need not show more.
                link.welcome(accepted, Trusted::ByFile).await;
            }
        });
        Ok(())
    }

    fn open_tcp(&self, address: SocketAddr) -> Result<(), LocalFault> {
        let listen = || -> io::Result<TcpListener> {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let fault = |error| LocalFault::Tcp { address, error };
        let listener = listen().map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        tracing::info!(event = "local-link", %address, "local clients may connect over TCP");
        let link = self.clone();
        tokio::spawn(async move {
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                let accepted = accepted.inspect(keep_alive);
                link.welcome(accepted, Trusted::ByToken).await;
            }
        });
        Ok(())
    }

    async fn welcome<S: Stream + 'static>(&self, accepted: io::Result<S>, trusted: Trusted) {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(error = %error, "a local client could not be accepted");
                return tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return tracing::warn!(limit = CLIENTS, "too many local clients; one is sent away");
        };
        tokio::spawn(self.clone().serve(Box::new(stream), trusted, permit));
    }

    async fn serve(self, stream: Box<dyn Stream>, trusted: Trusted, _permit: OwnedSemaphorePermit) {
        let opening = async {
            let token = match trusted {
                Trusted::ByFile => Ok(None),
                Trusted::ByToken => self.token().await.map(Some),
            };
            session::accept(stream, Guard::new(&self.settings.origins, token)).await
        };
        let socket = match tokio::time::timeout(HANDSHAKE, opening).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return tracing::info!(error = %error, "a local client was refused"),
            Err(_) => return tracing::info!("a local client never asked for a websocket"),
        };
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let link = LinkId::Local(number);
        let end = self.links.add(link);
        let event = LinkEvent::Opened;
        self.wakes.send(Wake::Link { link, event }).await;
        if let Some(fault) = session::run(socket, link, end, &self.wakes, STUCK).await {
            let event = LinkEvent::Lost(fault);
            self.wakes.send(Wake::Link { link, event }).await;
        }
    }

    /// The token as its file holds it at this moment; why there is none.
    async fn token(&self) -> Result<Secret, String> {
        let name = self.settings.token_file.clone().unwrap_or_default();
        let secrets = self.secrets.clone();
        let read = tokio::task::spawn_blocking(move || secrets.read(&name));
        match read.await {
            Ok(Ok(token)) if token.is_empty() => Err("the file of local.token_file is empty".to_owned()),
            Ok(token) => token.map_err(|error| error.to_string()),
            Err(_) => Err("the file of local.token_file could not be read".to_owned()),
        }
    }
}

/// Why a client may connect.
#[derive(Clone, Copy, Debug)]
enum Trusted {
    /// It may open the socket's file.
    ByFile,
    /// It shows the token.
    ByToken,
}

/// A client whose machine vanished says nothing for ever.
fn keep_alive(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let asked = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE);
    if let Err(error) = socket.set_tcp_keepalive(&asked) {
        tracing::debug!(error = %error, "a local client is not asked whether it lives");
    }
    let _ = stream.set_nodelay(true);
}
