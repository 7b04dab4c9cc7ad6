//! Where a request goes: from a dial string to a URI, from a URI to the next hop, from there to addresses. Names are
//! asked for their addresses only; the services of RFC 3263 (NAPTR, SRV) are steps to be added in [`Locating`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::call::{DialTarget, Protocol};
use crate::dialer::sip::Settings;
use crate::dialer::sip::uri::{Host, Scheme, Uri};
use crate::media::Encryption;
use crate::network::{ConnectFault, NamesAnswer, Question, Transport};

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
        Ok(Self {
            host,
            port: uri.port(),
            transport,
        })
    }

    /// Whether it is a TLS hop written as an address: no certificate bears that.
    pub fn is_nameless(&self) -> bool {
        self.transport == Transport::Tls && self.host.address().is_some()
    }

    fn at(&self, address: IpAddr) -> Target {
        let (port, server_name) = match self.transport {
            Transport::Udp | Transport::Tcp => (PORT, None),
            Transport::Tls => (PORT_OF_TLS, Some(Arc::from(self.server_name()))),
        };
        Target {
            transport: self.transport,
            address: SocketAddr::new(address, self.port.unwrap_or(port)),
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

/// What stands between a hop and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The name servers must be asked.
    Ask(Question),
    /// These are the addresses, in the order to try them; never empty.
    Found(Vec<Target>),
    /// There are none.
    Failed(ConnectFault),
}

/// A hop on the way to its addresses, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locating {
    hop: Hop,
}

impl Locating {
    /// Begins; an address that is written out needs no question.
    pub fn start(hop: Hop) -> (Self, Step) {
        let step = match (&hop.host, hop.host.address()) {
            (_, Some(address)) => Step::Found(vec![hop.at(address)]),
            (host, None) => Step::Ask(Question::Addresses(host.to_string())),
        };
        (Self { hop }, step)
    }

    /// Goes on with an answer.
    pub fn handle_answer(&self, answer: NamesAnswer) -> Step {
        let name = self.hop.host.to_string();
        match answer {
            NamesAnswer::Addresses(addresses) if addresses.is_empty() => {
                Step::Failed(ConnectFault::Name(name))
            }
            NamesAnswer::Addresses(addresses) => {
                // RFC 3263 sets no limit; more than this is no help to anybody who waits.
                Step::Found(
                    addresses
                        .into_iter()
                        .take(8)
                        .map(|address| self.hop.at(address))
                        .collect(),
                )
            }
            NamesAnswer::NotFound => Step::Failed(ConnectFault::Name(name)),
            NamesAnswer::Slow => Step::Failed(ConnectFault::NameSlow(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        Locating::start(Hop::of(&dial(address).unwrap(), None).unwrap()).1
    }

    fn target(transport: Transport, address: &str) -> Step {
        Step::Found(vec![Target {
            transport,
            address: address.parse().unwrap(),
            server_name: None,
        }])
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
    fn names_are_asked_for_their_addresses() {
        assert_eq!(
            located("room@sip.example.com"),
            Step::Ask(Question::Addresses("sip.example.com".to_owned()))
        );
        let (locating, _) = Locating::start(Hop::of(&dial("sip.example.com:5070").unwrap(), None).unwrap());
        let answer =
            NamesAnswer::Addresses(vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()]);
        let Step::Found(targets) = locating.handle_answer(answer) else {
            panic!("no targets")
        };
        assert_eq!(targets.len(), 2);
        assert_eq!(targets[1].address, "[2001:db8::7]:5070".parse().unwrap());
        let missing = Step::Failed(ConnectFault::Name("sip.example.com".to_owned()));
        assert_eq!(locating.handle_answer(NamesAnswer::NotFound), missing);
        let slow = Step::Failed(ConnectFault::NameSlow("sip.example.com".to_owned()));
        assert_eq!(locating.handle_answer(NamesAnswer::Slow), slow);
    }

    #[test]
    fn tls_is_reached_at_its_port_under_the_name_that_was_dialled() {
        let answered = |address: &str| {
            let (locating, _) = Locating::start(Hop::of(&dial(address).unwrap(), None).unwrap());
            match locating.handle_answer(NamesAnswer::Addresses(vec!["192.0.2.7".parse().unwrap()])) {
                Step::Found(mut targets) => targets.remove(0),
                other => panic!("{other:?}"),
            }
        };
        let target = answered("sip:room@SIP.example.com.;transport=tls");
        assert_eq!(target.address, "192.0.2.7:5061".parse().unwrap());
        assert!(
            target
                .server_name
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case("sip.example.com"))
        );
        let other = answered("sip:room@sip.example.net:5063;transport=tls");
        assert_eq!(other.address, "192.0.2.7:5063".parse().unwrap());
        assert_eq!(other.server_name.as_deref(), Some("sip.example.net"));
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
