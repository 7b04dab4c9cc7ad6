//! TLS against good and bad certificates.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PublicKeyData,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::edge::testing::in_runtime;

const NAME: &str = "bridge.example.com";

#[test]
fn a_certificate_from_our_own_root_is_taken() {
    assert_eq!(shake_hands(&Authority::new(), Leaf::default(), &[]), Ok(()));
}

#[test]
fn each_fault_of_a_certificate_has_its_name() {
    let authority = Authority::new();
    let days = |days: i64| time_from_now(days);
    let expired = Leaf {
        valid: (days(-20), days(-10)),
        ..Leaf::default()
    };
    assert_eq!(shake_hands(&authority, expired, &[]), Err(CertFault::Expired));
    let not_yet = Leaf {
        valid: (days(10), days(20)),
        ..Leaf::default()
    };
    assert_eq!(shake_hands(&authority, not_yet, &[]), Err(CertFault::NotYetValid));
    let other_name = Leaf {
        name: "other.example.com",
        ..Leaf::default()
    };
    assert_eq!(
        shake_hands(&authority, other_name, &[]),
        Err(CertFault::WrongName)
    );
    let stranger = Leaf {
        issuer: Some(Authority::new()),
        ..Leaf::default()
    };
    assert_eq!(
        shake_hands(&authority, stranger, &[]),
        Err(CertFault::UnknownIssuer)
    );
}

#[test]
fn the_end_of_a_certificate_is_known() {
    let leaf = Leaf {
        valid: (time_from_now(-1), time_from_now(45)),
        ..Leaf::default()
    };
    let authority = Authority::new();
    let server = leaf.server(&authority);
    let file = authority.file();
    let trust = only(Some(file.path().to_owned()), &[]);
    let expires = in_runtime(async {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move { server.accept(far).await.map(drop) });
        Trust::expires(&trust.connect(NAME, near).await.unwrap())
    });
    let left = expires
        .unwrap()
        .duration_since(crate::edge::clock::Clock.now().wall);
    assert!((44..=45).contains(&(left.as_hours() / 24)), "{left:?}");
}

#[test]
fn a_pin_matches_any_key_of_the_chain_and_is_no_replacement_for_it() {
    let authority = Authority::new();
    let leaf = Leaf::default();
    let (leaf_pin, root_pin) = (pin(&leaf.key), pin(&authority.key));
    let wrong = pin(&KeyPair::generate().unwrap());
    assert_eq!(
        shake_hands(&authority, leaf.clone(), std::slice::from_ref(&leaf_pin)),
        Ok(())
    );
    assert_eq!(
        shake_hands(&authority, leaf.clone(), &[wrong.clone(), root_pin]),
        Ok(())
    );
    assert_eq!(
        shake_hands(&authority, leaf.clone(), &[wrong]),
        Err(CertFault::NotPinned)
    );
    assert_eq!(
        shake_hands(&authority, leaf.clone(), &["no hash".to_owned()]),
        Err(CertFault::NotPinned)
    );
    let stranger = Leaf {
        issuer: Some(Authority::new()),
        ..leaf
    };
    assert_eq!(
        shake_hands(&authority, stranger, &[leaf_pin]),
        Err(CertFault::UnknownIssuer)
    );
}

#[test]
fn keys_of_any_length_get_their_header() {
    assert_eq!(as_sequence(&[1, 2]), [0x30, 2, 1, 2]);
    assert_eq!(as_sequence(&[7; 200])[..4], [0x30, 0x81, 200, 7]);
    assert_eq!(as_sequence(&[7; 0x1234])[..5], [0x30, 0x82, 0x12, 0x34, 7]);
}

#[test]
fn an_unusable_ca_file_is_what_the_fault_speaks_of() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path(), Path::new("/nonexistent/ca.pem")] {
        let trust = only(Some(path.to_owned()), &[]);
        let Err(CertFault::Handshake(why)) = trust.prepare().map(drop) else {
            panic!()
        };
        assert!(why.contains(&path.display().to_string()), "{why}");
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_a_handshake_fault() {
    let fault = in_runtime(async {
        let (near, mut far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            far.read_to_end(&mut Vec::new()).await
        });
        let authority = Authority::new();
        let file = authority.file();
        only(Some(file.path().to_owned()), &[])
            .connect(NAME, near)
            .await
            .map(drop)
            .unwrap_err()
    });
    assert!(
        matches!(
            fault,
            ConnectFault::Tls {
                fault: CertFault::Handshake(_),
                ..
            }
        ),
        "{fault:?}"
    );
}

/// Connects with only this authority trusted; what became of it.
fn shake_hands(trusted: &Authority, leaf: Leaf, pins: &[String]) -> Result<(), CertFault> {
    let server = leaf.server(trusted);
    let file = trusted.file();
    let trust = only(Some(file.path().to_owned()), pins);
    in_runtime(async {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            if let Ok(mut stream) = server.accept(far).await {
                let _ = stream.write_all(b"hello").await;
            }
        });
        let connected = tokio::time::timeout(Duration::from_secs(20), trust.connect(NAME, near))
            .await
            .unwrap();
        match connected {
            Ok(mut stream) => {
                stream.read_exact(&mut [0; 5]).await.unwrap();
                Ok(())
            }
            Err(ConnectFault::Tls { server_name, fault }) => {
                assert_eq!(server_name, NAME);
                Err(fault)
            }
            Err(other) => panic!("{other:?}"),
        }
    })
}

pub(in crate::edge) fn only(ca_file: Option<PathBuf>, pins: &[String]) -> Trust {
    Trust {
        with_system_roots: false,
        ..Trust::new(ca_file, pins)
    }
}

pub(in crate::edge) fn pin(key: &KeyPair) -> String {
    STANDARD.encode(Sha256::digest(key.subject_public_key_info()))
}

pub(in crate::edge) fn time_from_now(days: i64) -> (i32, u8, u8) {
    let zoned = crate::edge::clock::Clock
        .now()
        .wall
        .to_zoned(jiff::tz::TimeZone::UTC);
    let date = zoned.saturating_add(jiff::Span::new().days(days)).date();
    (
        date.year().into(),
        date.month().try_into().unwrap(),
        date.day().try_into().unwrap(),
    )
}

/// An issuer of certificates.
pub(in crate::edge) struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    pub(in crate::edge) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Test root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            params,
            key: KeyPair::generate().unwrap(),
        }
    }

    pub(in crate::edge) fn file(&self) -> tempfile::NamedTempFile {
        let certificate = self.params.self_signed(&self.key).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate.pem()).unwrap();
        file
    }
}

/// What a server shows.
pub(in crate::edge) struct Leaf {
    pub(in crate::edge) name: &'static str,
    pub(in crate::edge) valid: ((i32, u8, u8), (i32, u8, u8)),
    /// In place of the trusted one.
    pub(in crate::edge) issuer: Option<Authority>,
    pub(in crate::edge) key: KeyPair,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            name: NAME,
            valid: (time_from_now(-10), time_from_now(10)),
            issuer: None,
            key: KeyPair::generate().unwrap(),
        }
    }
}

impl Clone for Leaf {
    fn clone(&self) -> Self {
        let key = KeyPair::from_pem(&self.key.serialize_pem()).unwrap();
        Self {
            name: self.name,
            valid: self.valid,
            issuer: None,
            key,
        }
    }
}

impl Leaf {
    /// A server that shows it to anybody.
    pub(in crate::edge) fn server(&self, trusted: &Authority) -> TlsAcceptor {
        self.server_for(trusted, WebPkiClientVerifier::no_client_auth())
    }

    /// A server that shows it to those who have a certificate of this authority themselves.
    pub(in crate::edge) fn server_for_members(&self, trusted: &Authority) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        let root = trusted.params.self_signed(&trusted.key).unwrap();
        roots.add(root.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        self.server_for(trusted, verifier.build().unwrap())
    }

    /// The certificate and its key as files.
    pub(in crate::edge) fn files(&self, trusted: &Authority) -> (tempfile::TempDir, IdentityFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = IdentityFiles {
            certificate: folder.path().join("certificate.pem"),
            key: folder.path().join("key.pem"),
        };
        std::fs::write(&files.certificate, self.signed(trusted).pem()).unwrap();
        std::fs::write(&files.key, self.key.serialize_pem()).unwrap();
        (folder, files)
    }

    fn signed(&self, trusted: &Authority) -> rcgen::Certificate {
        let issuer = self.issuer.as_ref().unwrap_or(trusted);
        let mut params = CertificateParams::new(vec![self.name.to_owned()]).unwrap();
        let date = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
        (params.not_before, params.not_after) = (date(self.valid.0), date(self.valid.1));
        let issuer = Issuer::from_params(&issuer.params, &issuer.key);
        params.signed_by(&self.key, &issuer).unwrap()
    }

    fn server_for(&self, trusted: &Authority, clients: Arc<dyn ClientCertVerifier>) -> TlsAcceptor {
        let signed = self.signed(trusted);
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![signed.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
