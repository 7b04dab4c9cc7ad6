//! The local link: a unix socket, and where configured a TCP port, that speak websocket. Voice engines and touch
//! panels connect to it; each is a link of its own.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::agent::Wake;
use crate::bridge::LocalSettings;
use crate::bridge::link::{LinkEvent, LinkId};
use crate::secret::Secret;

use super::control_socket::{ControlFault, ControlSocket, SocketFile};
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

/// Where clients connect.
#[derive(Debug)]
pub struct LocalLink {
    clients: Clients,
    unix: Listening<String>,
    tcp: Listening<SocketAddr>,
}

/// One of the two places: where it is, and who takes clients there.
#[derive(Debug)]
struct Listening<A> {
    at: Option<A>,
    task: Option<JoinHandle<()>>,
}

/// What all clients share.
#[derive(Clone, Debug)]
struct Clients {
    /// Those of the last reload.
    settings: Arc<Mutex<LocalSettings>>,
    secrets: SecretFiles,
    room: Arc<Semaphore>,
    next: Arc<std::sync::atomic::AtomicU64>,
    links: Links,
    wakes: Wakes,
}

impl LocalLink {
    /// With these settings; the token is read from `secrets` for each client. Nothing is opened.
    pub fn new(settings: LocalSettings, secrets: SecretFiles, links: Links, wakes: Wakes) -> Self {
        Self {
            clients: Clients {
                settings: Arc::new(Mutex::new(settings)),
                secrets,
                room: Arc::new(Semaphore::new(CLIENTS)),
                next: Arc::default(),
                links,
                wakes,
            },
            unix: Listening { at: None, task: None },
            tcp: Listening { at: None, task: None },
        }
    }

    /// Listens wherever the settings say; what went wrong where it does not. Must be called inside the runtime.
    pub fn open(&mut self) -> Vec<LocalFault> {
        let LocalSettings { listen, tcp, .. } = self.clients.settings();
        let mut faults = Vec::new();
        if let Some(path) = listen {
            match bind_unix(&path) {
                Ok(bound) => {
                    let task = tokio::spawn(take_by_file(bound, self.clients.clone()));
                    self.unix = Listening::new(path, task);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if let Some(address) = tcp {
            match bind_tcp(address) {
                Ok(bound) => {
                    let task = tokio::spawn(take_by_token(bound, self.clients.clone()));
                    self.tcp = Listening::new(address, task);
                }
                Err(fault) => faults.push(fault),
            }
        }
        faults
    }

    /// Listens where these settings say from here on; clients that are connected stay so. Must be called inside the
    /// runtime.
    pub fn follow(&mut self, settings: LocalSettings) {
        let (listen, tcp) = (settings.listen.clone(), settings.tcp);
        *self.clients.locked() = settings;
        let clients = self.clients.clone();
        self.unix.follow(listen, |path, former| async move {
            former.close().await;
            match bind_unix(&path) {
                Ok(bound) => take_by_file(bound, clients).await,
                Err(fault) => fault.say(),
            }
        });
        let clients = self.clients.clone();
        self.tcp.follow(tcp, |address, former| async move {
            former.close().await;
            match bind_tcp(address) {
                Ok(bound) => take_by_token(bound, clients).await,
                Err(fault) => fault.say(),
            }
        });
    }
}

impl LocalFault {
    /// Says it in the journal.
    pub fn say(&self) {
        tracing::error!("{self}; voice engines and panels cannot connect there");
    }
}

impl<A: Clone + PartialEq> Listening<A> {
    fn new(at: A, task: JoinHandle<()>) -> Self {
        Self {
            at: Some(at),
            task: Some(task),
        }
    }

    /// Leaves the former place, if it is another one, and opens the new one once that is closed: they may overlap.
    fn follow<F>(&mut self, at: Option<A>, open: impl FnOnce(A, Former) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let is_open = self.task.as_ref().is_some_and(|task| !task.is_finished());
        if self.at == at && (is_open || at.is_none()) {
            return;
        }
        let former = Former(self.task.take());
        self.task = match &at {
            Some(new) => Some(tokio::spawn(open(new.clone(), former))),
            None => Some(tokio::spawn(former.close())),
        };
        self.at = at;
    }
}

/// The listener of a place that is left.
struct Former(Option<JoinHandle<()>>);

impl Former {
    async fn close(mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            // It says that it was aborted.
            let _ = task.await;
        }
    }
}

impl Drop for Former {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

fn bind_unix(path: &str) -> Result<(UnixListener, SocketFile), LocalFault> {
    Ok(ControlSocket::bind(Path::new(path))?.into_parts())
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, LocalFault> {
    let listen = || -> io::Result<TcpListener> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        tracing::info!(event = "local-link", %address, "local clients may connect over TCP");
        Ok(listener)
    };
    listen().map_err(|error| LocalFault::Tcp { address, error })
}

/// The socket's file goes away with it.
async fn take_by_file((listener, _file): (UnixListener, SocketFile), clients: Clients) {
    loop {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        // Who may use the file need not show more.
        clients.welcome(accepted, Trusted::ByFile).await;
    }
}

async fn take_by_token(listener: TcpListener, clients: Clients) {
    loop {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        let accepted = accepted.inspect(keep_alive);
        clients.welcome(accepted, Trusted::ByToken).await;
    }
}

impl Clients {
    fn locked(&self) -> std::sync::MutexGuard<'_, LocalSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settings(&self) -> LocalSettings {
        self.locked().clone()
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
            session::accept(stream, Guard::new(&self.settings().origins, token)).await
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
        let name = self.settings().token_file.unwrap_or_default();
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
