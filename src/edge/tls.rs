//! TLS towards servers: one provider, the system's roots and those of `ca_file`, read anew for each connection, and
//! pinned keys. Nothing here turns verification off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::network::{CertFault, ConnectFault};

/// The year 9999 and after, in seconds: the last that a certificate can name (RFC 5280 4.1.2.5).
const END_OF_TIME: u64 = 253_402_300_800;

/// What is trusted for one kind of connection.
#[derive(Clone, Debug)]
pub struct Trust {
    ca_file: Option<PathBuf>,
    pins: Vec<Vec<u8>>,
    identity: Option<IdentityFiles>,
    with_system_roots: bool,
}

/// The files with our own certificate, for servers that ask who we are.
#[derive(Clone, Debug)]
pub struct IdentityFiles {
    /// The chain, ours first (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

impl Trust {
    /// The system's roots and those of `ca_file` (PEM). With `pin_sha256` (base64 of SHA-256 of a public key, SPKI),
    /// one key of the verified chain must match as well; an entry that is no such hash matches nothing.
    pub fn new(ca_file: Option<PathBuf>, pin_sha256: &[String]) -> Self {
        Self {
            ca_file,
            pins: pin_sha256
                .iter()
                .map(|pin| STANDARD.decode(pin).unwrap_or_default())
                .collect(),
            identity: None,
            with_system_roots: true,
        }
    }

    /// The same, and a certificate of our own to show when a server asks for one.
    pub fn with_identity(self, identity: Option<IdentityFiles>) -> Self {
        Self { identity, ..self }
    }

    /// Shakes hands over `stream` with a server that must prove to be `server_name`. Sets no time limit.
    pub async fn connect<S>(&self, server_name: &str, stream: S) -> Result<TlsStream<S>, ConnectFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let fault = |fault| ConnectFault::Tls {
            server_name: server_name.to_owned(),
            fault,
        };
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| {
            fault(CertFault::Handshake(
                "that is no name for a certificate".to_owned(),
            ))
        })?;
        // Reading all the system's roots takes some milliseconds.
        let trust = self.clone();
        let prepared = tokio::task::spawn_blocking(move || trust.prepare()).await;
        let Prepared { config, ca_fault } = prepared
            .unwrap_or_else(|_| Err(CertFault::Handshake("the roots could not be read".to_owned())))
            .map_err(fault)?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        connecting.await.map_err(|error| {
            fault(match (cert_fault(&error), ca_fault) {
                (CertFault::UnknownIssuer, Some(why)) => CertFault::Handshake(why),
                (other, _) => other,
            })
        })
    }

    /// When the certificate expires that the server of this connection showed.
    pub fn expires<S>(stream: &TlsStream<S>) -> Option<jiff::Timestamp> {
        let (_, connection) = stream.get_ref();
        let certificate = EndEntityCert::try_from(connection.peer_certificates()?.first()?).ok()?;
        let provider = rustls::crypto::ring::default_provider();
        // Nothing is valid at the end of time: the fault of the certificate itself comes first, and says since when.
        let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(END_OF_TIME));
        let fault = certificate
            .verify_for_usage(
                provider.signature_verification_algorithms.all,
                &[],
                &[],
                end_of_time,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .err()?;
        match fault {
            webpki::Error::CertExpired { not_after, .. } => {
                jiff::Timestamp::from_second(i64::try_from(not_after.as_secs()).ok()?).ok()
            }
            _ => None,
        }
    }

    fn prepare(&self) -> Result<Prepared, CertFault> {
        let (roots, ca_fault) = self.roots();
        if roots.is_empty() {
            let none = "this machine trusts no issuer (is ca-certificates installed?)".to_owned();
            return Err(CertFault::Handshake(ca_fault.unwrap_or(none)));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let broken = |error: &dyn std::error::Error| CertFault::Handshake(error.to_string());
        let verifier = Verifier::new(roots, self.pins.clone(), &provider).map_err(|error| broken(&error))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.read().map_err(CertFault::Handshake)?;
                config.with_client_auth_cert(chain, key).map_err(|error| {
                    let path = identity.certificate.display();
                    CertFault::Handshake(format!("our certificate {path} cannot be used: {error}"))
                })?
            }
        };
        Ok(Prepared { config, ca_fault })
    }

    /// All roots that could be read, and what was wrong with `ca_file`.
    fn roots(&self) -> (RootCertStore, Option<String>) {
        let mut roots = RootCertStore::empty();
        if self.with_system_roots {
            let native = rustls_native_certs::load_native_certs();
            let (taken, left) = roots.add_parsable_certificates(native.certs);
            tracing::debug!(taken, left, faults = native.errors.len(), "system roots read");
        }
        let ca_fault = self
            .ca_file
            .as_deref()
            .and_then(|path| add_from(path, &mut roots).err());
        (roots, ca_fault)
    }
}

struct Prepared {
    config: ClientConfig,
    ca_fault: Option<String>,
}

impl IdentityFiles {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let fault = |path: &Path, why: &dyn std::fmt::Display| {
            format!("our certificate's file {} cannot be used: {why}", path.display())
        };
        let (certificate, key) = (self.certificate.as_path(), self.key.as_path());
        let chain =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| fault(certificate, &error))?;
        if chain.is_empty() {
            return Err(fault(certificate, &"it holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, &error))?;
        Ok((chain, key))
    }
}

fn add_from(path: &Path, roots: &mut RootCertStore) -> Result<(), String> {
    let fault = |why: &dyn std::fmt::Display| format!("ca_file {} cannot be used: {why}", path.display());
    let mut any = false;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(&error))? {
        let certificate = certificate.map_err(|error| fault(&error))?;
        roots.add(certificate).map_err(|error| fault(&error))?;
        any = true;
    }
    if any {
        Ok(())
    } else {
        Err(fault(&"it holds no certificate"))
    }
}

/// Verifies as rustls does, and the pins over the verified chain.
#[derive(Debug)]
struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
    pins: Vec<Vec<u8>>,
    provider: Arc<CryptoProvider>,
}

/// Why a chain that verified is refused.
#[derive(Clone, Copy, Debug, Error)]
#[error("no key of the chain is pinned")]
struct NotPinned;

impl Verifier {
    fn new(
        roots: RootCertStore,
        pins: Vec<Vec<u8>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let roots = Arc::new(roots);
        let provider = Arc::clone(provider);
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
        Ok(Self {
            chain,
            roots,
            pins,
            provider,
        })
    }

    /// Whether there is a verified path that holds a pinned key. Paths are tried until one does.
    fn has_pinned_path(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<bool, webpki::Error> {
        let certificate = EndEntityCert::try_from(end_entity)?;
        let check = |path: &VerifiedPath<'_>| match self.is_pinned(path) {
            true => Ok(()),
            false => Err(webpki::Error::UnknownIssuer),
        };
        let path = certificate.verify_for_usage(
            self.provider.signature_verification_algorithms.all,
            &self.roots.roots,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            Some(&check),
        );
        Ok(path.is_ok())
    }

    fn is_pinned(&self, path: &VerifiedPath<'_>) -> bool {
        let matches = |key: &[u8]| {
            let hash = Sha256::digest(key);
            self.pins.iter().any(|pin| pin[..] == hash[..])
        };
        matches(&path.end_entity().subject_public_key_info())
            || path
                .intermediate_certificates()
                .any(|certificate| matches(&certificate.subject_public_key_info()))
            || matches(&as_sequence(&path.anchor().subject_public_key_info))
    }
}

/// A trust anchor's key comes without the header of its SEQUENCE, which the hash covers.
fn as_sequence(value: &[u8]) -> Vec<u8> {
    const SEQUENCE: u8 = 0x30;
    let length = value.len().to_be_bytes();
    let digits: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![SEQUENCE];
    // X.690 8.1.3: below 128 the length itself, else how many bytes it takes.
    match (value.len(), u8::try_from(digits.len())) {
        (0..128, _) | (_, Err(_)) => der.push(length[length.len() - 1]),
        (_, Ok(count)) => {
            der.push(0x80 | count);
            der.extend(digits);
        }
    }
    der.extend(value);
    der
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.chain
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        if !self.pins.is_empty()
            && !self
                .has_pinned_path(end_entity, intermediates, now)
                .unwrap_or(false)
        {
            return Err(CertificateError::Other(OtherError(Arc::new(NotPinned))).into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// What the error of a handshake says of the certificate.
fn cert_fault(error: &io::Error) -> CertFault {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(certificate)) = tls else {
        return CertFault::Handshake(tls.map_or_else(|| error.to_string(), ToString::to_string));
    };
    match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => CertFault::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertFault::WrongName
        }
        // A bad signature is an authority of the same name with another key: one that was made anew.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => CertFault::UnknownIssuer,
        CertificateError::Other(OtherError(other)) if other.is::<NotPinned>() => CertFault::NotPinned,
        // A self-signed certificate that calls itself an authority.
        CertificateError::Other(OtherError(other))
            if matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
        {
            CertFault::UnknownIssuer
        }
        other => CertFault::Handshake(other.to_string()),
    }
}

#[cfg(test)]
pub(super) mod tests;
