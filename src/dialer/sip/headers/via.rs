//! Via (RFC 3261 20.42, RFC 3581, RFC 5118): the way that responses go back.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{HeaderFault, Parameters, is_token, split};
use crate::dialer::sip::uri::{Host, read_host_port, read_v6};
use crate::network::Transport;

/// What every branch of RFC 3261 begins with (8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop of the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// As it came: `UDP`, `TCP`, `TLS`, `SCTP`, anything.
    pub transport: String,
    /// The host that sent.
    pub host: Host,
    /// Its port, when it says one.
    pub port: Option<u16>,
    /// All parameters, branch, received and rport included.
    pub parameters: Parameters,
}

impl Via {
    /// Ours: asks for rport (RFC 3581).
    pub fn new(transport: Transport, sent_by: SocketAddr, branch: &str) -> Self {
        let mut parameters = Parameters::default();
        parameters.set("branch", Some(branch));
        parameters.set("rport", None);
        Self {
            transport: transport.in_capitals().to_owned(),
            host: sent_by.ip().into(),
            port: Some(sent_by.port()),
            parameters,
        }
    }

    /// Reads one; several joined by commas are a fault.
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        let (protocol, rest) =
            read_protocol(text).ok_or(HeaderFault("does not begin with SIP/2.0/TRANSPORT"))?;
        let sent_by_ends = rest.find(';').unwrap_or(rest.len());
        let (host, port) = read_host_port(rest[..sent_by_ends].trim())?;
        let parameters = Parameters::parse(&rest[sent_by_ends..])?;
        if ["branch", "received", "rport"]
            .iter()
            .any(|name| parameters.count(name) > 1)
        {
            return Err(HeaderFault("a parameter is there twice"));
        }
        Ok(Self {
            transport: protocol.to_owned(),
            host,
            port,
            parameters,
        })
    }

    /// Reads all of one header line, which may hold several.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, HeaderFault> {
        split(text, b',')?.map(Self::parse).collect()
    }

    /// The branch; `None` from senders of RFC 2543.
    pub fn branch(&self) -> Option<&str> {
        self.parameters.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Whether the branch identifies the transaction (RFC 3261 17.2.3): the magic cookie with something behind it.
    pub fn has_magic_branch(&self) -> bool {
        self.branch().is_some_and(|branch| {
            branch.len() > MAGIC_COOKIE.len()
                && branch.as_bytes()[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE.as_bytes())
        })
    }

    /// The address that the receiver saw; IPv6 with or without brackets (RFC 5118 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.parameters.get("received")?;
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        text.parse()
            .ok()
            .or_else(|| read_v6(inside.unwrap_or(text)).map(IpAddr::V6))
    }

    /// The port that the receiver saw; `None` when it is not there or was only asked for.
    pub fn rport(&self) -> Option<u16> {
        self.parameters.get("rport")?.parse().ok()
    }

    /// Whether rport was asked for or filled in.
    pub fn has_rport(&self) -> bool {
        self.parameters.has("rport")
    }

    /// Notes where the request really came from (RFC 3261 18.2.1, RFC 3581 4).
    pub fn note_source(&mut self, source: SocketAddr) {
        let is_different = self.host.address() != Some(source.ip());
        if is_different || self.has_rport() {
            self.parameters.set("received", Some(&source.ip().to_string()));
        }
        if self.has_rport() {
            self.parameters.set("rport", Some(&source.port().to_string()));
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(formatter, ":{port}")?;
        }
        self.parameters.fmt(formatter)
    }
}

/// `SIP / 2.0 / UDP rest` → (`UDP`, `rest`); there may be spaces around the slashes.
fn read_protocol(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.trim().split_once('/')?;
    let (version, rest) = rest.split_once('/')?;
    let rest = rest.trim_start();
    let (transport, rest) = rest.split_once([' ', '\t'])?;
    let is_ours = name.trim().eq_ignore_ascii_case("SIP") && version.trim() == "2.0" && is_token(transport);
    is_ours.then_some((transport, rest))
}
