//! kamailio as a peer: a registrar and proxy on UDP, TCP and TLS, with one TLS port for each certificate it shows.

use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::peers::programs::{self, Program, Skipped};

/// The password of everybody.
pub const PASSWORD: &str = "password-canary-88c1";

/// What a kamailio does besides.
pub struct Manner {
    /// Where calls are sent on to.
    pub callee: u16,
    /// Of its challenges: `MD5` or `SHA-256`.
    pub algorithm: &'static str,
    /// Whether callers are asked for the password.
    pub challenges_calls: bool,
    /// Whether `sips:` is answered with 416.
    pub refuses_sips: bool,
    /// The shortest registration, in seconds.
    pub min_expires: u32,
    /// Registrations shorter than this are refused with 423.
    pub refused_below: u32,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            callee: 9,
            algorithm: "MD5",
            challenges_calls: false,
            refuses_sips: false,
            min_expires: 1,
            refused_below: 1,
        }
    }
}

/// A certificate that one of its TLS ports shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// For localhost, from the trusted issuer.
    Good,
    /// The same, of last year.
    Expired,
    /// For another name.
    WrongName,
    /// By nobody else than itself.
    SelfSigned,
    /// From an issuer that nobody knows.
    UnknownIssuer,
}

impl Shows {
    const ALL: [Self; 5] = [
        Self::Good,
        Self::Expired,
        Self::WrongName,
        Self::SelfSigned,
        Self::UnknownIssuer,
    ];
}

/// A running kamailio.
pub struct Kamailio {
    /// Its port for UDP and TCP.
    pub port: u16,
    tls_ports: Vec<(Shows, u16)>,
    /// The process.
    pub program: Program,
    folder: TempDir,
}

impl Kamailio {
    /// Starts one.
    pub fn start(manner: &Manner) -> Result<Self, Skipped> {
        let kamailio = programs::find("kamailio", "kamailio, with kamailio-tls-modules")?;
        let folder = TempDir::with_prefix("meetd-kamailio-").unwrap();
        let port = programs::free_port();
        let tls_ports: Vec<_> = Shows::ALL.map(|shows| (shows, programs::free_port())).into();
        write_certificates(folder.path(), &tls_ports);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/kamailio/kamailio.cfg");
        let listen: String = tls_ports
            .iter()
            .map(|(_, port)| format!("listen=tls:127.0.0.1:{port}\n"))
            .collect();
        let text = std::fs::read_to_string(path).unwrap();
        let text = [
            ("@PORT@", port.to_string()),
            ("@TLS_LISTEN@", listen),
            ("@FOLDER@", folder.path().display().to_string()),
            ("@MIN_EXPIRES@", manner.min_expires.to_string()),
            ("@REFUSED_BELOW@", manner.refused_below.to_string()),
            ("@ALGORITHM@", manner.algorithm.to_owned()),
            ("@PASSWORD@", PASSWORD.to_owned()),
            (
                "@CHALLENGES_CALLS@",
                u8::from(manner.challenges_calls).to_string(),
            ),
            ("@REFUSES_SIPS@", u8::from(manner.refuses_sips).to_string()),
            ("@CALLEE@", manner.callee.to_string()),
        ]
        .into_iter()
        .fold(text, |text, (word, value)| text.replace(word, &value));
        let configuration = folder.path().join("kamailio.cfg");
        std::fs::write(&configuration, text).unwrap();
        let mut command = Command::new(kamailio);
        command
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
            .arg(&configuration)
            .arg("-w")
            .arg(folder.path())
            .arg("-Y")
            .arg(folder.path())
            .arg("-P")
            .arg(folder.path().join("kamailio.pid"));
        let program = programs::start(&mut command);
        let this = Self {
            port,
            tls_ports,
            program,
            folder,
        };
        this.program.wait_for_line("kamailio is ready");
        Ok(this)
    }

    /// The TLS port that shows this certificate.
    pub fn tls_port(&self, shows: Shows) -> u16 {
        let found = self.tls_ports.iter().find(|(shown, _)| *shown == shows);
        found.expect("a port for each").1
    }

    /// The root of the trusted issuer.
    pub fn ca_file(&self) -> String {
        self.folder.path().join("root.pem").display().to_string()
    }
}

impl Drop for Kamailio {
    /// Killing the first of its processes would leave the others behind.
    fn drop(&mut self) {
        self.program.terminate();
        let done = |status: &str| !Path::new(status).exists();
        let status = format!("/proc/{}/task/{0}/children", self.program.id());
        for _ in 0..300 {
            let children = std::fs::read_to_string(&status).unwrap_or_default();
            if done(&status) || children.trim().is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// `tls.cfg`, and a certificate and key for each port.
fn write_certificates(folder: &Path, ports: &[(Shows, u16)]) {
    let root = Authority::new();
    let stranger = Authority::new();
    std::fs::write(folder.join("root.pem"), &root.certificate).unwrap();
    let mut text = "[client:default]\nmethod = TLSv1.2+\nverify_certificate = no\n".to_owned();
    for (shows, port) in ports {
        let key = KeyPair::generate().unwrap();
        let name = match shows {
            Shows::WrongName => "other.example.com",
            Shows::Good | Shows::Expired | Shows::SelfSigned | Shows::UnknownIssuer => "localhost",
        };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if *shows == Shows::Expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let certificate = match shows {
            Shows::SelfSigned => params.self_signed(&key),
            Shows::UnknownIssuer => params.signed_by(&key, &stranger.issuer()),
            Shows::Good | Shows::Expired | Shows::WrongName => params.signed_by(&key, &root.issuer()),
        };
        let (certificate_file, key_file) = (
            folder.join(format!("{port}.pem")),
            folder.join(format!("{port}.key")),
        );
        std::fs::write(&certificate_file, certificate.unwrap().pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let section = if *shows == Shows::Good {
            "[server:default]".to_owned()
        } else {
            format!("[server:127.0.0.1:{port}]")
        };
        text.push_str(&format!(
            "{section}\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\n\
             certificate = {}\nprivate_key = {}\n",
            certificate_file.display(),
            key_file.display()
        ));
    }
    std::fs::write(folder.join("tls.cfg"), text).unwrap();
}
