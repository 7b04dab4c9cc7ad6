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

#[cfg(test)]
mod tests;

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
    /// Ours; one for each of their nonces, since the key of `-sess` holds the first (RFC 7616 3.4.2).
    cnonce: String,
    /// How often their nonce was used.
    nonce_count: u32,
    /// How often in a row its nonces were called stale.
    stale: u8,
    standing: Standing,
}

/// `Asked → Shown → Proven`, and from each back to `Asked` by another challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It asked; nothing was shown yet.
    Asked,
    /// Credentials were sent.
    Shown,
    /// And not refused.
    Proven,
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
        let account = usable(account).ok_or(DigestFault::NoAccount)?;
        let mut fault = DigestFault::NoUsableChallenge;
        let mut taken = 0;
        // A forking proxy puts what it collected into one response, of both kinds (RFC 3261 16.7).
        for kind in [Kind::Origin, Kind::Proxy] {
            for challenge in strongest_of_each_realm(&response.headers, kind) {
                let realm = challenge.get("realm").unwrap_or("");
                if !account.realm.is_empty() && account.realm != realm {
                    fault = DigestFault::OtherRealm(shown(realm));
                    continue;
                }
                self.take_challenge(kind, challenge)?;
                taken += 1;
            }
        }
        if taken == 0 { Err(fault) } else { Ok(()) }
    }

    fn take_challenge(&mut self, kind: Kind, challenge: Challenge) -> Result<(), DigestFault> {
        let asked = |challenge, stale| Realm {
            kind,
            challenge,
            cnonce: String::new(),
            nonce_count: 0,
            stale,
            standing: Standing::Asked,
        };
        let is_same =
            |realm: &&mut Realm| realm.kind == kind && realm.challenge.get("realm") == challenge.get("realm");
        let Some(known) = self.realms.iter_mut().find(is_same) else {
            if self.realms.len() == MOST_REALMS {
                return Err(DigestFault::NoUsableChallenge);
            }
            self.realms.push(asked(challenge, 0));
            return Ok(());
        };
        let is_stale = challenge
            .get("stale")
            .is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        let is_new = known.challenge.get("nonce") != challenge.get("nonce");
        let stale = match known.standing {
            Standing::Asked => known.stale,
            // Shown and asked for again: wrong, unless only the nonce was too old (RFC 7616 3.3).
            Standing::Shown if is_stale => known.stale + 1,
            Standing::Shown => return Err(DigestFault::Refused),
            // They were right once: many servers forget to say that the nonce has become stale.
            Standing::Proven if is_stale || is_new => 1,
            Standing::Proven => return Err(DigestFault::Refused),
        };
        if stale > MOST_STALE {
            return Err(DigestFault::StaleForEver);
        }
        *known = asked(challenge, stale);
        Ok(())
    }

    /// Notes that a request with credentials was not challenged again: they are right.
    pub fn note_accepted(&mut self) {
        for realm in self
            .realms
            .iter_mut()
            .filter(|realm| realm.standing == Standing::Shown)
        {
            realm.standing = Standing::Proven;
        }
    }

    /// Writes credentials for every realm that has challenged us into a request, in place of older ones. An ACK to
    /// a 2xx gets those of its INVITE, unchanged, by a copy (RFC 3261 22.1), not from here.
    pub fn authorize(&mut self, account: Option<&Account>, request: &mut Request, chance: &mut Chance) {
        for kind in [Kind::Origin, Kind::Proxy] {
            request.headers.remove(kind.credentials_header());
        }
        let Some(account) = usable(account) else { return };
        for realm in &mut self.realms {
            if realm.cnonce.is_empty() {
                realm.cnonce = chance.hex(16);
            }
            realm.nonce_count = realm.nonce_count.saturating_add(1);
            let asked = Asked {
                method: request.method.as_str(),
                uri: request.uri.as_str(),
                body: &request.body,
            };
            let credentials = credentials(&realm.challenge, account, asked, realm.nonce_count, &realm.cnonce);
            if let Some(credentials) = credentials {
                if realm.standing == Standing::Asked {
                    realm.standing = Standing::Shown;
                }
                request
                    .headers
                    .push(realm.kind.credentials_header(), credentials.to_string());
            }
        }
    }
}

fn usable(account: Option<&Account>) -> Option<&Account> {
    account.filter(|account| !account.username.is_empty() && !account.password.is_empty())
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

/// What a challenge asks for, when all of it is known to us.
struct Method {
    hash: Hash,
    /// Whether the key depends on the session (`-sess`).
    is_session: bool,
    /// `auth` or `auth-int`; none as RFC 2069 had it.
    qop: Option<&'static str>,
}

fn read_method(challenge: &Challenge) -> Option<Method> {
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
    let qop = match challenge.get("qop") {
        None => None,
        Some(offered) => {
            let has = |qop: &&str| {
                offered
                    .split(',')
                    .any(|found| found.trim().eq_ignore_ascii_case(qop))
            };
            Some(["auth", "auth-int"].into_iter().find(has)?)
        }
    };
    // The key of a session holds our nonce, which is only sent with a qop.
    (!is_session || qop.is_some()).then_some(Method {
        hash,
        is_session,
        qop,
    })
}

/// One challenge for each realm: that with the strongest algorithm, the first of equals. RFC 8760 2.4 would take the
/// first of all; an attacker on the way could then choose the weakest.
fn strongest_of_each_realm(headers: &Headers, kind: Kind) -> Vec<Challenge> {
    let lines = headers.all(kind.challenge_header());
    let mut chosen: Vec<(Hash, Challenge)> = Vec::new();
    for challenge in lines
        .filter_map(|line| Challenge::parse_list(line).ok())
        .flatten()
    {
        let is_complete =
            challenge.is_digest() && challenge.get("realm").is_some() && challenge.get("nonce").is_some();
        let Some(Method { hash, .. }) = read_method(&challenge).filter(|_| is_complete) else {
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

/// What the proof is about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: &'a str,
    uri: &'a str,
    body: &'a [u8],
}

/// The proof (RFC 7616 3.4); `None` when the challenge is of no kind that we know.
fn credentials(
    challenge: &Challenge,
    account: &Account,
    asked: Asked<'_>,
    nonce_count: u32,
    cnonce: &str,
) -> Option<Credentials> {
    let Method {
        hash,
        is_session,
        qop,
    } = read_method(challenge)?;
    let (realm, nonce) = (challenge.get("realm")?, challenge.get("nonce")?);
    let Asked { method, uri, body } = asked;
    let username = &account.username;
    let mut key = hash.hex(format!("{username}:{realm}:{}", account.password.expose()).as_bytes());
    if is_session {
        key = hash.hex(format!("{key}:{nonce}:{cnonce}").as_bytes());
    }
    let what = match qop {
        Some("auth-int") => format!("{method}:{uri}:{}", hash.hex(body)),
        _ => format!("{method}:{uri}"),
    };
    let what = hash.hex(what.as_bytes());
    let proof = match qop {
        Some(qop) => format!("{key}:{nonce}:{nonce_count:08x}:{cnonce}:{qop}:{what}"),
        None => format!("{key}:{nonce}:{what}"),
    };
    Some(Credentials {
        username: username.clone(),
        realm: realm.to_owned(),
        nonce: nonce.to_owned(),
        uri: uri.to_owned(),
        response: hash.hex(proof.as_bytes()),
        algorithm: challenge.get("algorithm").map(str::to_owned),
        opaque: challenge.get("opaque").map(str::to_owned),
        protection: qop.map(|qop| Protection {
            qop,
            cnonce: cnonce.to_owned(),
            nonce_count,
        }),
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
