//! A front before a peer that speaks plain TCP: it takes the TLS off, and can break connections as a network does.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use socket2::SockRef;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::certificates::Authority;
use crate::name_stories;

/// A running front. Dropped, it and its connection are gone.
pub struct Front {
    /// Where it listens, on loopback.
    pub port: u16,
    /// How often the connection was broken.
    broken: watch::Sender<usize>,
    root: Option<TempDir>,
}

impl Front {
    /// One that passes bytes on to there, and listens beside it.
    pub fn plain(behind: SocketAddr) -> Self {
        Self::start(behind, None, None)
    }

    /// One with a certificate for `localhost` and the domain of the name server, or over IPv6 for its address.
    pub fn tls(behind: SocketAddr) -> Self {
        // One for all of them, so that a room can call several.
        static AUTHORITY: OnceLock<Authority> = OnceLock::new();
        let authority = AUTHORITY.get_or_init(Authority::new);
        let folder = TempDir::with_prefix("meetd-front-").unwrap();
        std::fs::write(folder.path().join("root.pem"), &authority.certificate).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = match behind.ip() {
            IpAddr::V4(_) => ["localhost", name_stories::DOMAIN].map(str::to_owned).to_vec(),
            // Which addresses `localhost` has is the machine's business.
            IpAddr::V6(address) => vec![address.to_string()],
        };
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &authority.issuer()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self::start(behind, Some(TlsAcceptor::from(Arc::new(config))), Some(folder))
    }

    /// The file with the root of its certificate, when it has one.
    pub fn ca_file(&self) -> Option<String> {
        let folder = self.root.as_ref()?;
        Some(folder.path().join("root.pem").display().to_string())
    }

    /// Breaks the connection, as a box in the network that forgot it: we get a reset, who is behind notices nothing.
    pub fn break_connection(&self) {
        self.broken.send_modify(|times| *times += 1);
    }

    fn start(behind: SocketAddr, acceptor: Option<TlsAcceptor>, root: Option<TempDir>) -> Self {
        let (broken, told) = watch::channel(0);
        let listener = std::net::TcpListener::bind((behind.ip(), 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let serving = serve(listener, behind, acceptor, told);
        thread::spawn(move || runtime.unwrap().block_on(serving));
        Self { port, broken, root }
    }
}

/// One connection after the other, so that the peer behind sees one connection in spite of what breaks before it.
async fn serve(
    listener: std::net::TcpListener,
    behind: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    mut told: watch::Receiver<usize>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut inside = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = told.changed() => match changed {
                Ok(()) => continue,
                Err(_gone) => return,
            },
        };
        let Ok((outside, _)) = accepted else { return };
        SockRef::from(&outside).set_linger(Some(Duration::ZERO)).unwrap();
        let behind = match inside.take() {
            Some(still_open) => Ok(still_open),
            None => TcpStream::connect(behind).await,
        };
        let Ok(behind) = behind else { continue };
        inside = match &acceptor {
            None => pass_on(outside, behind, &mut told).await,
            Some(acceptor) => match acceptor.accept(outside).await {
                Ok(outside) => pass_on(outside, behind, &mut told).await,
                // Whoever does not like the certificate goes away.
                Err(_) => Some(behind),
            },
        };
    }
}

/// Passes bytes on both ways until one side ends it, or the connection is broken: then the inside lives on.
async fn pass_on<S>(
    mut outside: S,
    mut inside: TcpStream,
    told: &mut watch::Receiver<usize>,
) -> Option<TcpStream>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        _ = copy_bidirectional(&mut outside, &mut inside) => None,
        _ = told.changed() => Some(inside),
    }
}
