//! Where a request goes: from a dial string to a URI, from a URI to the next hop, and by [`Locating`] from there to
//! addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::call::{DialTarget, Protocol};
use crate::dialer::sip::Settings;
use crate::dialer::sip::uri::{Host, Scheme, Uri};
use crate::media::Encryption;
use crate::network::Transport;

mod steps;

pub use steps::{Locating, Step};

/// The port when none is written (RFC 3261 19.1.2).
const PORT: u16 = 5060;
/// The same under TLS.
const PORT_OF_TLS: u16 = 5061;

const NO_KEYS: &str =
    "sips: promises encrypted audio, and media.srtp is \"off\"; set it to \"prefer\" or \"require\"";
const WEAKER: &str = "a sips: address is reached over TLS only";

/// An address to which requests can be sent. Connections are shared only where all of it is equal: what was verified
/// as one name is not used for another (RFC 5922 7.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// Under TLS the name that the certificate must bear.
    pub server_name: Option<Arc<str>>,
}

/// A target among those that DNS gave, in the order to try them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub target: Target,
    /// The number of its server: addresses of one server are as good as each other, those of the next are for when
    /// it fails.
    pub server: usize,
}

/// Reads what shall be dialled. The error is a sentence for people and holds nothing of the dial string's user part.
pub fn read_dial_target(target: &DialTarget, settings: &Settings) -> Result<Uri, String> {
    let uri = read_uri(target.address.expose())?;
    let uri = match (uri.scheme(), target.protocol) {
        (Scheme::Tel, _) => dial_number(&uri, settings)?,
        (Scheme::Sip, Protocol::Sips) => uri.as_sips(),
        (Scheme::Sip | Scheme::Sips | Scheme::Other, _) => uri,
    };
    if uri.scheme() == Scheme::Sips && settings.srtp == Encryption::Off {
        return Err(NO_KEYS.to_owned());
    }
    Hop::of(&uri, None)?;
    Ok(uri)
}

/// Reads a SIP URI, or one without its scheme: `user@host`, `host`, `host:port`, `[v6]:port`, each with parameters.
pub fn read_uri(text: &str) -> Result<Uri, String> {
    let scheme = text
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let uri = match scheme.as_deref() {
        Some("sip" | "sips" | "tel") => Uri::parse(text),
        Some("h323") => return Err("a SIP dialer cannot dial an h323: URI".to_owned()),
        _ => Uri::parse(&format!("sip:{text}")),
    };
    let uri = uri.map_err(|fault| format!("the dial string is no SIP address: {fault}"))?;
    if uri.has_headers() {
        return Err("the dial string carries headers after a ?, which are not sent".to_owned());
    }
    if uri.parameter("maddr").is_some() {
        return Err("the dial string carries maddr, which is not followed".to_owned());
    }
    Ok(uri)
}

/// A telephone number is dialled through our own proxy or registrar.
fn dial_number(number: &Uri, settings: &Settings) -> Result<Uri, String> {
    let through = [&settings.outbound_proxy, &settings.registrar]
        .into_iter()
        .find(|through| !through.is_empty())
        .ok_or("a telephone number needs sip.outbound_proxy or sip.registrar to be dialled through")?;
    let through = read_uri(through)?;
    let host = through
        .host()
        .ok_or("the proxy has no host to dial a telephone number through")?;
    Ok(Uri::build(
        Scheme::Sip,
        number.user_decoded().as_deref(),
        host,
        through.port(),
    ))
}

/// The proxy of the settings as the URI of a loose Route.
pub fn outbound_route(settings: &Settings) -> Result<Option<Uri>, String> {
    if settings.outbound_proxy.is_empty() {
        return Ok(None);
    }
    let uri = read_uri(&settings.outbound_proxy).map_err(|fault| format!("sip.outbound_proxy: {fault}"))?;
    Hop::of(&uri, None).map_err(|fault| format!("sip.outbound_proxy: {fault}"))?;
    Ok(Some(if uri.is_loose_router() {
        uri
    } else {
        uri.with_parameter("lr", None)
    }))
}

/// The next hop of a request, as its topmost Route or its request URI names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    host: Host,
    port: Option<u16>,
    /// As the URI says, or what was wanted of one that does not.
    pub transport: Transport,
    choice: Choice,
}

/// What DNS may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// Servers only: the transport was stated.
    Server,
    /// Any transport that we have.
    Transport,
    /// The servers of TLS (RFC 3263 4.1: services that are none of SIPS are discarded).
    Secure,
}

impl Hop {
    /// The hop that a URI names; `otherwise` is the transport when the URI names none (none at all: UDP).
    pub fn of(uri: &Uri, otherwise: Option<Transport>) -> Result<Self, String> {
        let host = match uri.scheme() {
            Scheme::Sip | Scheme::Sips => uri.host().cloned().ok_or("the SIP address has no host")?,
            Scheme::Tel | Scheme::Other => return Err("only SIP addresses can be reached".to_owned()),
        };
        let transport = match uri.parameter("transport").map(|name| name.to_ascii_lowercase()) {
            None => otherwise.unwrap_or(Transport::Udp),
            Some(name) => match name.as_str() {
                "udp" => Transport::Udp,
                "tcp" => Transport::Tcp,
                "tls" => Transport::Tls,
                _ => return Err("the transport of the SIP address is none of udp, tcp and tls".to_owned()),
            },
        };
        let transport = match (uri.scheme(), uri.parameter("transport"), transport) {
            // RFC 3261 26.2.2: transport=tcp with sips is TLS over TCP.
            (Scheme::Sips, Some(_), Transport::Udp) => return Err(WEAKER.to_owned()),
            (Scheme::Sips, _, _) => Transport::Tls,
            (Scheme::Sip | Scheme::Tel | Scheme::Other, _, transport) => transport,
        };
        let choice = match (uri.scheme(), uri.parameter("transport")) {
            (_, Some(_)) => Choice::Server,
            (Scheme::Sips, None) => Choice::Secure,
            (Scheme::Sip | Scheme::Tel | Scheme::Other, None) => Choice::Transport,
        };
        Ok(Self {
            host,
            port: uri.port(),
            transport,
            choice,
        })
    }

    /// The same, with the transport that was wanted whatever DNS says.
    pub fn with_its_transport(self) -> Self {
        Self {
            choice: Choice::Server,
            ..self
        }
    }

    /// Whether it is a TLS hop written as an address: no certificate bears that.
    pub fn is_nameless(&self) -> bool {
        self.transport == Transport::Tls && self.host.address().is_some()
    }

    fn at(&self, address: IpAddr) -> Target {
        let port = match self.transport {
            Transport::Udp | Transport::Tcp => PORT,
            Transport::Tls => PORT_OF_TLS,
        };
        self.over(
            self.transport,
            SocketAddr::new(address, self.port.unwrap_or(port)),
        )
    }

    fn over(&self, transport: Transport, address: SocketAddr) -> Target {
        let server_name = match transport {
            Transport::Udp | Transport::Tcp => None,
            Transport::Tls => Some(Arc::from(self.server_name())),
        };
        Target {
            transport,
            address,
            server_name,
        }
    }

    /// The domain that was asked for, whatever DNS made of it (RFC 5922 4).
    fn server_name(&self) -> String {
        match self.host.address() {
            Some(address) => address.to_string(),
            None => self.host.to_string().trim_end_matches('.').to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::dialer::sip::tests::settings;
    use crate::secret::Secret;

    fn dial(address: &str) -> Result<Uri, String> {
        let target = DialTarget {
            protocol: Protocol::Sip,
            address: Secret::new(address),
            shown: address.to_owned(),
        };
        read_dial_target(&target, &settings())
    }

    fn located(address: &str) -> Step {
        Locating::start(
            Hop::of(&dial(address).unwrap(), None).unwrap(),
            &mut Chance::from_seed([1; 32]),
        )
        .1
    }

    fn target(transport: Transport, address: &str) -> Step {
        let target = Target {
            transport,
            address: address.parse().unwrap(),
            server_name: None,
        };
        Step::Found(vec![Candidate { target, server: 0 }])
    }

    #[test]
    fn addresses_are_dialled_without_a_question() {
        assert_eq!(
            located("room@192.0.2.7"),
            target(Transport::Udp, "192.0.2.7:5060")
        );
        assert_eq!(
            located("192.0.2.7:5070"),
            target(Transport::Udp, "192.0.2.7:5070")
        );
        assert_eq!(
            located("[2001:db8::7]:5070"),
            target(Transport::Udp, "[2001:db8::7]:5070")
        );
        assert_eq!(
            located("sip:7@192.0.2.7;transport=TCP"),
            target(Transport::Tcp, "192.0.2.7:5060")
        );
    }

    #[test]
    fn sips_without_encryption_is_refused_in_plain_words() {
        let settings = Settings {
            srtp: Encryption::Off,
            ..settings()
        };
        for (address, protocol) in [
            ("sips:room@192.0.2.7", Protocol::Sip),
            ("room@192.0.2.7", Protocol::Sips),
        ] {
            let target = DialTarget {
                protocol,
                address: Secret::new(address),
                shown: String::new(),
            };
            assert_eq!(read_dial_target(&target, &settings).unwrap_err(), NO_KEYS);
        }
    }

    #[test]
    fn sips_never_leaves_tls() {
        let settings = settings();
        let hop = |address: &str, protocol| {
            let target = DialTarget {
                protocol,
                address: Secret::new(address),
                shown: String::new(),
            };
            let uri = read_dial_target(&target, &settings)?;
            // What the settings prefer weakens nothing.
            Hop::of(&uri, Some(Transport::Udp)).map(|hop| (uri.scheme(), hop.transport))
        };
        let secure = Ok((Scheme::Sips, Transport::Tls));
        assert_eq!(hop("sips:room@192.0.2.7", Protocol::Sip), secure);
        assert_eq!(hop("sips:room@192.0.2.7;transport=tcp", Protocol::Sips), secure);
        assert_eq!(hop("room@192.0.2.7", Protocol::Sips), secure);
        let weaker = hop("sips:room@192.0.2.7;transport=udp", Protocol::Sips);
        assert_eq!(weaker.unwrap_err(), WEAKER);
    }

    #[test]
    fn unusable_dial_strings_are_refused_without_their_user_part() {
        for address in [
            "",
            "4711@",
            "sip:4711@192.0.2.7?Subject=x",
            "sip:4711@192.0.2.7;maddr=192.0.2.8",
            "h323:4711@192.0.2.7",
            "sip:4711@192.0.2.7;transport=carrier-pigeon",
            "4711@192.0.2.7\r\nEvil: yes",
            "tel:+4711",
        ] {
            let refusal = dial(address).unwrap_err();
            assert!(!refusal.contains("4711"), "{refusal}");
        }
    }

    #[test]
    fn telephone_numbers_go_through_the_proxy() {
        let settings = Settings {
            outbound_proxy: "proxy.example.com:5070".to_owned(),
            ..settings()
        };
        let target = DialTarget {
            protocol: Protocol::Sip,
            address: Secret::new("tel:+4930123456"),
            shown: String::new(),
        };
        let uri = read_dial_target(&target, &settings).unwrap();
        assert_eq!(uri.as_str(), "sip:+4930123456@proxy.example.com:5070");
        let route = outbound_route(&settings).unwrap().unwrap();
        assert_eq!(route.as_str(), "sip:proxy.example.com:5070;lr");
    }
}
