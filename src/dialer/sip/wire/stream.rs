//! Messages on a stream (RFC 3261 18.3, RFC 5626 3.5.1): framed by Content-Length and by nothing else.

use std::fmt;

use super::read::{Head, LONGEST_MESSAGE, end_of_head};
use super::{Malformed, Message};

/// What comes out of a stream.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are messages, and none is kept"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// A message.
    Message(Message),
    /// The second of two line ends between messages: together they are a ping, which who accepted the connection
    /// answers with one line end.
    KeepAlivePing,
    /// One line end between messages: a pong for who opened the connection. A ping begins with one as well, since
    /// nobody can know whether another will follow.
    KeepAlivePong,
}

/// Takes the bytes of one stream and gives its messages; how the bytes are cut into pieces makes no difference.
///
/// `BetweenMessages → InBody → BetweenMessages`, and from both to `Broken`, for ever: once it is not certain where
/// the next message begins, somebody else could decide it (smuggling).
#[derive(Default)]
pub struct StreamReader {
    /// Bytes that came, from `start` on not yet used.
    buffer: Vec<u8>,
    start: usize,
    state: State,
}

enum State {
    /// Waiting for a start line, or the rest of a head.
    BetweenMessages {
        /// How many bytes from `start` on hold no end of a head.
        searched: usize,
        /// Whether the last thing was the first line end of a possible ping.
        after_line_end: bool,
    },
    /// The head is read, `length` bytes of body follow.
    InBody { head: Box<Head>, length: usize },
    /// Nothing more can be read.
    Broken,
}

impl Default for State {
    fn default() -> Self {
        Self::BetweenMessages {
            searched: 0,
            after_line_end: false,
        }
    }
}

impl StreamReader {
    /// For a new stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what came. Drain [`StreamReader::next`] afterwards: what is not drained is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Broken) {
            return;
        }
        self.buffer.drain(..std::mem::take(&mut self.start));
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, or what is wrong; `None` when more bytes are needed, and for ever after a fatal fault.
    #[expect(
        clippy::should_implement_trait,
        reason = "a reader is no iterator: after None more may come"
    )]
    pub fn next(&mut self) -> Option<Result<StreamItem, Malformed>> {
        if let Some(line_end) = self.take_line_end() {
            return Some(Ok(line_end));
        }
        if let Err(malformed) = self.take_head() {
            return Some(Err(self.break_off(malformed)));
        }
        self.take_body()
    }

    /// A line end before a start line (RFC 3261 7.5).
    fn take_line_end(&mut self) -> Option<StreamItem> {
        let State::BetweenMessages {
            searched: 0,
            after_line_end,
        } = &mut self.state
        else {
            return None;
        };
        if !self.buffer[self.start..].starts_with(b"\r\n") {
            return None;
        }
        self.start += 2;
        *after_line_end = !*after_line_end;
        Some(match after_line_end {
            true => StreamItem::KeepAlivePong,
            false => StreamItem::KeepAlivePing,
        })
    }

    /// Goes into the body when all of the head is there.
    fn take_head(&mut self) -> Result<(), Malformed> {
        let State::BetweenMessages { searched, .. } = &mut self.state else {
            return Ok(());
        };
        let rest = &self.buffer[self.start..];
        let end = end_of_head(&rest[*searched..]).map(|end| *searched + end);
        if end.unwrap_or(rest.len()) > LONGEST_MESSAGE {
            return Err(Malformed::silent("the head is too long"));
        }
        let Some(end) = end else {
            // The last three bytes may be the beginning of the end.
            *searched = rest.len().saturating_sub(3);
            return Ok(());
        };
        let head = Head::read(&rest[..end]);
        self.start += end;
        self.enter_body(head, end)
    }

    fn enter_body(&mut self, head: Head, head_length: usize) -> Result<(), Malformed> {
        if let Some(why) = head.torn() {
            return Err(head.refuse(400, why));
        }
        let length = match &head.length {
            Ok(Some(length)) => *length,
            // RFC 3261 18.3: on a stream there must be one.
            Ok(None) => return Err(head.refuse(400, "Content-Length: missing on a stream")),
            Err(why) => return Err(head.refuse(400, why)),
        };
        if head_length + length > LONGEST_MESSAGE {
            return Err(head.refuse(513, "the message is too long"));
        }
        self.state = State::InBody {
            head: Box::new(head),
            length,
        };
        Ok(())
    }

    fn take_body(&mut self) -> Option<Result<StreamItem, Malformed>> {
        let State::InBody { length, .. } = &self.state else {
            return None;
        };
        let body = self.buffer.get(self.start..self.start + *length)?.to_vec();
        self.start += *length;
        let State::InBody { head, .. } = std::mem::take(&mut self.state) else {
            return None;
        };
        Some(head.finish(body).map(StreamItem::Message))
    }

    fn break_off(&mut self, malformed: Malformed) -> Malformed {
        self.state = State::Broken;
        self.buffer = Vec::new();
        self.start = 0;
        malformed.fatal()
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::BetweenMessages { .. } => "between messages",
            State::InBody { .. } => "in a body",
            State::Broken => "broken",
        };
        write!(
            formatter,
            "StreamReader({state}, {} bytes)",
            self.buffer.len() - self.start
        )
    }
}
