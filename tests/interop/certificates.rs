//! Certificates for the test peers.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Who signs certificates.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    /// Its own certificate, PEM.
    pub certificate: String,
}

impl Authority {
    /// One with a key of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Test root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self {
            params,
            key,
            certificate,
        }
    }

    /// What signs.
    pub fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}
