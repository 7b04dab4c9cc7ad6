//! TLS before a bridge: what comes in under a certificate of its own goes on in plain text.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::bridge::Bridge;

/// A running front. It lives until the process ends.
pub struct TlsFront {
    address: SocketAddr,
    /// The certificate that must be trusted (PEM).
    pub issuer: String,
}

impl TlsFront {
    /// Starts one before this bridge.
    pub fn start(bridge: &Bridge) -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
        let url = bridge.url();
        let authority = url.trim_start_matches("ws://").split('/').next().unwrap();
        let behind: SocketAddr = authority.parse().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(forward(listener, TlsAcceptor::from(Arc::new(config)), behind));
        });
        let issuer = signed.cert.pem();
        Self { address, issuer }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("wss://localhost:{}/room", self.address.port())
    }
}

async fn forward(listener: std::net::TcpListener, tls: TlsAcceptor, behind: SocketAddr) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let tls = tls.clone();
        tokio::spawn(async move {
            let mut near = tls.accept(near).await?;
            let mut far = TcpStream::connect(behind).await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        });
    }
}
