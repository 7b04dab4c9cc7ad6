//! The words for reaching others: flows, names, and the one list of ways in which connecting fails.

use std::net::SocketAddr;

use thiserror::Error;

/// How bytes travel on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A plain stream.
    Tcp,
    /// A stream under TLS with verified name.
    Tls,
}

impl Transport {
    /// As SIP's Via spells it.
    pub fn in_capitals(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// As URI parameters spell it.
    pub fn in_lower_case(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Whether messages on it need framing and arrive in order.
    pub fn is_stream(self) -> bool {
        !matches!(self, Self::Udp)
    }
}

/// One path on which bytes go back and forth: a connected socket, or a listening one. The pure side names it
/// first (numbers below [`FlowId::ACCEPTED`]); accepted connections get theirs from the edge, from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

impl FlowId {
    /// The first number of connections that others opened to us.
    pub const ACCEPTED: u64 = 1 << 63;
}

/// What the edge shall open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowRequest {
    /// A datagram socket that takes what anybody sends to `bind`. It may share its port with connected ones.
    ListenUdp {
        /// Address and port; port 0 lets the system choose.
        bind: SocketAddr,
    },
    /// A stream socket that accepts connections at `bind`.
    ListenTcp {
        /// Address and port; port 0 lets the system choose.
        bind: SocketAddr,
    },
    /// A datagram socket connected to `remote`, so that ICMP errors are heard and the source address is known.
    ConnectUdp {
        /// The local port it leaves from: that of the listening socket, so that answers find us.
        local_port: u16,
        /// The far end.
        remote: SocketAddr,
    },
    /// A stream to `remote`.
    ConnectTcp {
        /// The far end.
        remote: SocketAddr,
    },
    /// A TLS stream to `remote`, verified against `server_name`.
    ConnectTls {
        /// The far end.
        remote: SocketAddr,
        /// The name that its certificate must bear (RFC 5922).
        server_name: String,
    },
}

/// What happened on a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowEvent {
    /// It is open: from here, to there (itself for a listening one).
    Opened {
        /// The local address, with the source address of the route to the far end when connected.
        local: SocketAddr,
        /// The far end.
        remote: SocketAddr,
    },
    /// A listening flow accepted a connection, which is a flow of its own from now on.
    Accepted {
        /// Its number.
        flow: FlowId,
        /// Our address on it.
        local: SocketAddr,
        /// Who connected.
        remote: SocketAddr,
    },
    /// Bytes came: one datagram, or what a stream had just then.
    Received {
        /// Who sent them.
        from: SocketAddr,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// It could not be opened, or an ICMP error came back on it. The flow is gone in the first case; a
    /// datagram flow lives on in the second.
    Failed(ConnectFault),
    /// A stream ended: orderly or by reset. The flow is gone.
    Closed,
}

/// Why connecting failed. AlexaClient reasons, ErrorResponses and remedies are read from it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectFault {
    /// The name does not exist or has no address.
    #[error("the name {0} was not found")]
    Name(String),
    /// No name server answered in time.
    #[error("no name server answered for {0} in time")]
    NameSlow(String),
    /// The far end refused: TCP reset or ICMP port unreachable.
    #[error("{0} refused the connection")]
    Refused(SocketAddr),
    /// No route, or ICMP host or network unreachable.
    #[error("{0} cannot be reached from here")]
    Unreachable(SocketAddr),
    /// The TCP handshake was not answered in time.
    #[error("{0} did not answer the connection in time")]
    TcpSlow(SocketAddr),
    /// TLS failed.
    #[error("TLS with {server_name} failed: {fault}")]
    Tls {
        /// The name that was to be verified.
        server_name: String,
        /// What was wrong.
        fault: CertFault,
    },
    /// The proxy refused or could not be reached.
    #[error("the proxy {0} did not let the connection through")]
    Proxy(String),
    /// The system would not open a socket: no descriptors, no such address, no permission.
    #[error("no socket could be opened: {0}")]
    Socket(String),
}

/// What was wrong with a TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertFault {
    /// Past its last day.
    #[error("the certificate has expired")]
    Expired,
    /// Before its first day; often our own clock.
    #[error("the certificate is not valid yet (is this device's clock right?)")]
    NotYetValid,
    /// Issued for other names.
    #[error("the certificate is for another name")]
    WrongName,
    /// Signed by nobody we know, self-signed included.
    #[error("the certificate's issuer is not trusted (a private one goes into ca_file)")]
    UnknownIssuer,
    /// No key of the chain is among the pinned ones.
    #[error("no key of the certificate chain matches pin_sha256")]
    NotPinned,
    /// Anything else: protocol versions, alerts, broken records.
    #[error("{0}")]
    Handshake(String),
}

/// One question to the name servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The addresses (A and AAAA, and the hosts file) of a name.
    Addresses(String),
    /// By which services a domain is reached (NAPTR).
    Naptr(String),
    /// The servers of a service (SRV), with their addresses.
    Srv(String),
}

/// A NAPTR record (RFC 3403 4.1), as far as SIP reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones go first, and what is supported there hides the rest.
    pub order: u16,
    /// Lower ones go first within an order.
    pub preference: u16,
    /// `s`: the replacement is asked for servers.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`, …
    pub service: String,
    /// The next name.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones go first.
    pub priority: u16,
    /// The share within a priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The addresses of its target, in the order to try them; none when it has none or nobody answered for it.
    pub addresses: Vec<std::net::IpAddr>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamesAnswer {
    /// The addresses, in the order to try them; never empty.
    Addresses(Vec<std::net::IpAddr>),
    /// The services; never empty.
    Naptr(Vec<Naptr>),
    /// The servers; never empty.
    Srv(Vec<Srv>),
    /// There is no such name, or it has nothing of what was asked for.
    NotFound,
    /// Nobody answered in time, or a server failed.
    Slow,
}
