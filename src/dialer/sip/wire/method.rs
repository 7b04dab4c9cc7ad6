//! What a request wants.

use std::fmt;

/// A method. Methods are told apart with regard to case (RFC 3261 7.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// RFC 3261.
    Invite,
    /// RFC 3261.
    Ack,
    /// RFC 3261.
    Cancel,
    /// RFC 3261.
    Bye,
    /// RFC 3261.
    Options,
    /// RFC 3261.
    Register,
    /// RFC 6086.
    Info,
    /// RFC 3262.
    Prack,
    /// RFC 3311.
    Update,
    /// RFC 3515.
    Refer,
    /// RFC 6665.
    Subscribe,
    /// RFC 6665.
    Notify,
    /// RFC 3428.
    Message,
    /// RFC 3903.
    Publish,
    /// One that we do not know.
    Other(String),
}

impl Method {
    /// Those that we know by name.
    pub const KNOWN: [Self; 14] = [
        Self::Invite,
        Self::Ack,
        Self::Cancel,
        Self::Bye,
        Self::Options,
        Self::Register,
        Self::Info,
        Self::Prack,
        Self::Update,
        Self::Refer,
        Self::Subscribe,
        Self::Notify,
        Self::Message,
        Self::Publish,
    ];

    /// The method that this token names.
    pub fn from_token(token: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|method| method.as_str() == token)
            .unwrap_or_else(|| Self::Other(token.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Cancel => "CANCEL",
            Self::Bye => "BYE",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Info => "INFO",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Refer => "REFER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Message => "MESSAGE",
            Self::Publish => "PUBLISH",
            Self::Other(token) => token,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        match super::super::headers::is_token(text) {
            true => formatter.write_str(text),
            // Nothing that is no token may begin a line of ours.
            false => formatter.write_str("UNKNOWN"),
        }
    }
}
