//! Answering digest challenges (RFC 3261 22, RFC 7616, RFC 8760): which challenge, with what proof, and when to give
//! up.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use thiserror::Error;

use super::headers::authentication::Protection;
use super::headers::{Challenge, Credentials};
use super::wire::{Headers, Request, Response};
use crate::chance::Chance;
use crate::secret::Secret;

/// How often in a row a nonce may be called stale before we stop asking: a far end that does so for ever would keep
/// us busy for ever.
const MOST_STALE: u8 = 3;
/// The most realms (proxies on the way) that one request is authenticated to.
const MOST_REALMS: usize = 4;

/// Who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub username: String,
    /// The password; nobody is answered without one.
    pub password: Secret,
    /// The only realm that is answered; empty: any.
    pub realm: String,
}

/// Why a challenge is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DigestFault {
    /// There is no username or password.
    #[error("no sip.username and sip.password_file are set")]
    NoAccount,
    /// The far end is of another realm than `sip.realm`.
    #[error("the realm {0:?} is not sip.realm")]
    OtherRealm(String),
    /// No challenge is a digest that we know.
    #[error("it offers no digest with MD5, SHA-256 or SHA-512-256")]
    NoUsableChallenge,
    /// Our answer was not accepted.
    #[error("the user name or password is wrong")]
    Refused,
    /// Nonces were called stale again and again.
    #[error("it calls every nonce stale")]
    StaleForEver,
}

/// Answers challenges to the requests of one call or registration; it remembers them, so that later requests bring
/// their credentials along.
#[derive(Clone, Debug, Default)]
pub struct Authenticator {
    realms: Vec<Realm>,
}

/// One realm that has challenged us.
#[derive(Clone, Debug)]
struct Realm {
    kind: Kind,
    challenge: Challenge,
    nonce_count: u32,
    /// How often in a row its nonces were stale.
    stale: u8,
}

/// Who asks: the far end itself or a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Origin,
    Proxy,
}

impl Kind {
    fn challenge_header(self) -> &'static str {
        match self {
            Self::Origin => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    fn credentials_header(self) -> &'static str {
        match self {
            Self::Origin => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

impl Authenticator {
    /// Has not been challenged yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the challenges of a 401 or 407 to a request of ours. When it is `Ok`, [`Authenticator::authorize`]
    /// writes their answers into the next try of the request. Never call it for what answers a request of theirs.
    pub fn take_challenges(
        &mut self,
        account: Option<&Account>,
        response: &Response,
    ) -> Result<(), DigestFault> {
        let kind = if response.status == 407 {
            Kind::Proxy
        } else {
            Kind::Origin
        };
        let account = account.filter(|account| !account.username.is_empty() && !account.password.is_empty());
        let account = account.ok_or(DigestFault::NoAccount)?;
        let chosen = strongest_of_each_realm(&response.headers, kind);
        let mut fault = DigestFault::NoUsableChallenge;
        let mut taken = 0;
        for challenge in chosen {
            let realm = challenge.get("realm").unwrap_or("");
            if !account.realm.is_empty() && account.realm != realm {
                fault = DigestFault::OtherRealm(shown(realm));
                continue;
            }
            self.take_challenge(kind, challenge)?;
            taken += 1;
        }
        if taken == 0 { Err(fault) } else { Ok(()) }
    }

    fn take_challenge(&mut self, kind: Kind, challenge: Challenge) -> Result<(), DigestFault> {
        let is_same =
            |realm: &&mut Realm| realm.kind == kind && realm.challenge.get("realm") == challenge.get("realm");
        let Some(known) = self.realms.iter_mut().find(is_same) else {
            if self.realms.len() == MOST_REALMS {
                return Err(DigestFault::NoUsableChallenge);
            }
            self.realms.push(Realm {
                kind,
                challenge,
                nonce_count: 0,
                stale: 0,
            });
            return Ok(());
        };
        let is_stale = challenge
            .get("stale")
            .is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        // Used and asked for again: the answer was wrong, unless only the nonce was too old (RFC 7616 3.3).
        if known.nonce_count > 0 && !is_stale {
            return Err(DigestFault::Refused);
        }
        if known.stale == MOST_STALE {
            return Err(DigestFault::StaleForEver);
        }
        *known = Realm {
            kind,
            challenge,
            nonce_count: 0,
            stale: known.stale + 1,
        };
        Ok(())
    }

    /// Notes that a request with credentials was not challenged again: they are right.
    pub fn note_accepted(&mut self) {
        for realm in &mut self.realms {
            realm.stale = 0;
        }
    }

    /// Writes credentials for every realm that has challenged us into a request, in place of older ones. For an ACK
    /// to a 2xx copy those of the INVITE (RFC 3261 22.1).
    pub fn authorize(&mut self, account: Option<&Account>, request: &mut Request, chance: &mut Chance) {
        let Some(account) = account else { return };
        for kind in [Kind::Origin, Kind::Proxy] {
            request.headers.remove(kind.credentials_header());
        }
        for realm in &mut self.realms {
            realm.nonce_count = realm.nonce_count.saturating_add(1);
            let cnonce = chance.hex(16);
            let credentials = credentials(&realm.challenge, account, request, realm.nonce_count, &cnonce);
            if let Some(credentials) = credentials {
                request
                    .headers
                    .push(realm.kind.credentials_header(), credentials.to_string());
            }
        }
    }
}

/// The digest algorithms, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
    Sha512Half,
}

impl Hash {
    fn hex(self, text: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
            Self::Sha512Half => hex(&Sha512_256::digest(text)),
        }
    }
}

/// An algorithm, and whether its key depends on the session (`-sess`).
fn read_algorithm(challenge: &Challenge) -> Option<(Hash, bool)> {
    let name = challenge.get("algorithm").unwrap_or("MD5").to_ascii_uppercase();
    let (name, is_session) = name
        .strip_suffix("-SESS")
        .map_or((name.as_str(), false), |name| (name, true));
    let hash = match name {
        "MD5" => Hash::Md5,
        "SHA-256" => Hash::Sha256,
        "SHA-512-256" => Hash::Sha512Half,
        _ => return None,
    };
    Some((hash, is_session))
}

/// `auth` before `auth-int`; the outer `None` when all that is offered is unknown, the inner when nothing is.
fn read_qop(challenge: &Challenge) -> Option<Option<&'static str>> {
    let Some(offered) = challenge.get("qop") else {
        return Some(None);
    };
    let has = |qop: &str| {
        offered
            .split(',')
            .any(|found| found.trim().eq_ignore_ascii_case(qop))
    };
    ["auth", "auth-int"].into_iter().find(|qop| has(qop)).map(Some)
}

fn strongest_of_each_realm(headers: &Headers, kind: Kind) -> Vec<Challenge> {
    let lines = headers.all(kind.challenge_header());
    let mut chosen: Vec<(Hash, Challenge)> = Vec::new();
    for challenge in lines
        .filter_map(|line| Challenge::parse_list(line).ok())
        .flatten()
    {
        let is_complete =
            challenge.is_digest() && challenge.get("realm").is_some() && challenge.get("nonce").is_some();
        let Some((hash, _)) =
            read_algorithm(&challenge).filter(|_| is_complete && read_qop(&challenge).is_some())
        else {
            continue;
        };
        match chosen
            .iter_mut()
            .find(|(_, other)| other.get("realm") == challenge.get("realm"))
        {
            Some(weaker) if weaker.0 < hash => *weaker = (hash, challenge),
            Some(_) => {}
            None => chosen.push((hash, challenge)),
        }
    }
    chosen.into_iter().map(|(_, challenge)| challenge).collect()
}

/// The proof (RFC 7616 3.4); `None` when the challenge is of no kind that we know.
pub fn credentials(
    challenge: &Challenge,
    account: &Account,
    request: &Request,
    nonce_count: u32,
    cnonce: &str,
) -> Option<Credentials> {
    let (hash, is_session) = read_algorithm(challenge)?;
    let qop = read_qop(challenge)?;
    let (realm, nonce) = (challenge.get("realm")?, challenge.get("nonce")?);
    let (username, uri) = (&account.username, request.uri.as_str());
    let mut key = hash.hex(format!("{username}:{realm}:{}", account.password.expose()).as_bytes());
    if is_session {
        key = hash.hex(format!("{key}:{nonce}:{cnonce}").as_bytes());
    }
    let what = match qop {
        Some("auth-int") => format!("{}:{uri}:{}", request.method, hash.hex(&request.body)),
        _ => format!("{}:{uri}", request.method),
    };
    let what = hash.hex(what.as_bytes());
    let proof = match qop {
        Some(qop) => format!("{key}:{nonce}:{nonce_count:08x}:{cnonce}:{qop}:{what}"),
        None => format!("{key}:{nonce}:{what}"),
    };
    let protection = qop.map(|qop| Protection {
        qop,
        cnonce: cnonce.to_owned(),
        nonce_count,
    });
    Some(Credentials {
        username: username.clone(),
        realm: realm.to_owned(),
        nonce: nonce.to_owned(),
        uri: uri.to_owned(),
        response: hash.hex(proof.as_bytes()),
        algorithm: challenge.get("algorithm").map(str::to_owned),
        opaque: challenge.get("opaque").map(str::to_owned),
        protection,
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// A realm for people: short, without control characters.
fn shown(realm: &str) -> String {
    realm
        .chars()
        .filter(|character| !character.is_control())
        .take(64)
        .collect()
}
