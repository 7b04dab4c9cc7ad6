//! Messages on a stream (RFC 3261 18.3, RFC 5626 3.5.1): framed by Content-Length and by nothing else.

use std::fmt;

use super::read::{Head, LONGEST_MESSAGE, end_of_head};
use super::{Malformed, Message};

/// What comes out of a stream.
#[expect(clippy::large_enum_variant, reason = "nearly all are messages, and none is kept")]
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
        loop {
            match &mut self.state {
                State::Broken => return None,
                State::InBody { .. } => return self.finish_body(),
                State::BetweenMessages {
                    searched,
                    after_line_end,
                } => {
                    let rest = &self.buffer[self.start..];
                    if *searched == 0 && rest.starts_with(b"\r\n") {
                        self.start += 2;
                        *after_line_end = !*after_line_end;
                        let is_first = *after_line_end;
                        return Some(Ok(if is_first {
                            StreamItem::KeepAlivePong
                        } else {
                            StreamItem::KeepAlivePing
                        }));
                    }
                    // A CR alone may become a line end; with anything else behind it it is no start line.
                    if rest.is_empty() || rest == b"\r" {
                        return None;
                    }
                    let Some(end) = end_of_head(&rest[*searched..]).map(|end| *searched + end) else {
                        if rest.len() > LONGEST_MESSAGE {
                            return Some(Err(self.break_off(Malformed::silent("the head is too long"))));
                        }
                        // The last three bytes may be the beginning of the end.
                        *searched = rest.len().saturating_sub(3);
                        return None;
                    };
                    let head = Head::read(&rest[..end]);
                    self.start += end;
                    if let Err(malformed) = self.enter_body(head, end) {
                        return Some(Err(self.break_off(malformed)));
                    }
                }
            }
        }
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

    fn finish_body(&mut self) -> Option<Result<StreamItem, Malformed>> {
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
