//! The words for links: the websocket to the bridge, the local clients, the control socket.

use thiserror::Error;

use crate::network::ConnectFault;

/// Who is at the other end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkId {
    /// The bridge, in our n-th attempt to connect: what an older attempt says late is not heard.
    Bridge(u32),
    /// A client of the local link.
    Local(u64),
    /// A command at the control socket.
    Control(u64),
}

/// What the edge shall connect to. Token, roots and time limits it has from the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// Where to: the configured URL, or where a redirect led.
    pub url: String,
    /// Only if the token is another one than that of the last try; else [`LinkFault::SameToken`], and nobody is asked.
    pub only_with_another_token: bool,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, whole.
    Text(String),
    /// A ping whose answer comes back as [`LinkEvent::Pong`].
    Ping,
}

/// What happened on a link. Text comes as a wake-up of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The server showed a certificate that is valid until then. Comes before [`LinkEvent::Opened`].
    Certificate {
        /// When it expires.
        expires: jiff::Timestamp,
    },
    /// It is open; for the bridge: the server said 101.
    Opened,
    /// The answer to our ping.
    Pong,
    /// It could not be opened, or is over. The last event of its link.
    Lost(LinkFault),
}

/// Why a link could not be opened, or ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkFault {
    /// The token file is missing, empty or unreadable.
    #[error("no token: {0}")]
    NoToken(String),
    /// The token is still the one that was refused.
    #[error("the token is still the one that was refused")]
    SameToken,
    /// Name, TCP, TLS or proxy.
    #[error("{0}")]
    Connect(#[from] ConnectFault),
    /// TLS or HTTP were not answered in time.
    #[error("the websocket handshake was not answered in time")]
    HandshakeSlow,
    /// The server answered with something else than 101.
    #[error("the bridge answered HTTP {status}")]
    Http {
        /// The status.
        status: u16,
        /// `Retry-After`, as it came.
        retry_after: Option<String>,
        /// `Location`, as it came.
        location: Option<String>,
    },
    /// The answer, or a frame, breaks the websocket's rules.
    #[error("the bridge broke the websocket's rules: {0}")]
    Protocol(String),
    /// A binary frame (we closed with 1003).
    #[error("the bridge sent a binary message")]
    Binary,
    /// More than 64 KiB in a frame or 128 KiB in a message (we closed with 1009).
    #[error("the bridge sent a message that is too large: {0}")]
    TooLarge(String),
    /// A write was stuck for `bridge.write_timeout`.
    #[error("the bridge did not take what was written")]
    WriteStuck,
    /// A close frame.
    #[error("the bridge closed with code {code}")]
    Closed {
        /// The close code; 1005 when it had none.
        code: u16,
        /// Its reason, at most 123 bytes.
        reason: String,
    },
    /// End of stream or reset without a close frame.
    #[error("the connection ended: {0}")]
    Ended(String),
}
