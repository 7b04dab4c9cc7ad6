//! The two lists between the agent and the world: what happened, and what shall be done. Closed lists; they grow
//! only when something new is needed.

use std::net::SocketAddr;

use crate::bridge::link::{Frame, LinkEvent, LinkId, LinkRequest};
use crate::call::CallId;
use crate::config::Config;
use crate::media;
use crate::network::{FlowEvent, FlowId, FlowRequest, NamesAnswer, QueryId, Question};
use crate::record::Slot;

/// What happened in the world.
#[derive(Clone, Debug)]
pub enum Wake {
    /// The process has started and the loop runs.
    Start,
    /// A text frame, or a line at the control socket.
    Frame {
        /// From whom.
        link: LinkId,
        /// The text.
        text: String,
    },
    /// Something else happened on a link.
    Link {
        /// On which.
        link: LinkId,
        /// What.
        event: LinkEvent,
    },
    /// Something happened on a flow.
    Flow {
        /// On which.
        flow: FlowId,
        /// What.
        event: FlowEvent,
    },
    /// The name servers answered, or did not.
    Names {
        /// Which question.
        query: QueryId,
        /// The answer.
        answer: NamesAnswer,
    },
    /// The audio side of a call speaks.
    Media {
        /// Which call.
        call: CallId,
        /// What it says.
        event: media::Event,
    },
    /// A sync ended; `Err` says why what was recorded may not last.
    Stored(Result<(), String>),
    /// Somebody outside wants something of the process, or the machine changed.
    Signal(Signal),
    /// Somebody asked that the configuration be read again (SIGHUP), and it was.
    Reload(Reload),
    /// The agent's deadline has come.
    Deadline,
}

/// What reading the configuration again brought.
#[derive(Clone, Debug)]
pub enum Reload {
    /// This is in force from here on.
    Config {
        /// The checked configuration, secrets filled in.
        config: Box<Config>,
        /// The keys whose new values wait for a restart.
        needs_restart: Vec<String>,
    },
    /// It is wrong: what was in force stays.
    Refused {
        /// The first of its problems, in a sentence.
        why: String,
    },
}

/// What the system tells the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: hang up, say so, leave.
    Terminate,
    /// Addresses or routes changed, or the machine slept.
    NetworkChanged,
}

/// What shall be done in the world, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a frame, or a line at the control socket.
    SendFrame {
        /// To whom.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Connect to the bridge.
    OpenLink {
        /// Under this number.
        link: LinkId,
        /// Where to.
        request: LinkRequest,
    },
    /// Close a link, with this close code where it is a websocket. Nothing is heard of it afterwards.
    CloseLink {
        /// Which.
        link: LinkId,
        /// The close code.
        code: u16,
    },
    /// Open a flow under this number.
    OpenFlow {
        /// The number.
        flow: FlowId,
        /// What to open.
        request: FlowRequest,
    },
    /// Send bytes on a flow, in this very turn where it is a datagram.
    Transmit {
        /// On which.
        flow: FlowId,
        /// To whom, when it is not connected.
        to: Option<SocketAddr>,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close a flow. Nothing is heard of it afterwards.
    CloseFlow {
        /// Which.
        flow: FlowId,
    },
    /// Ask the name servers.
    LookUp {
        /// Under this number.
        query: QueryId,
        /// What.
        question: Question,
    },
    /// To the audio side of a call.
    Media {
        /// Which call.
        call: CallId,
        /// What.
        command: media::Command,
    },
    /// Set the loudspeaker, for this call and those to come.
    SetLoudspeaker(media::Loudspeaker),
    /// Write a slot, before the next effect: it survives the death of the process from here on.
    Record {
        /// Which.
        slot: Slot,
        /// Its content; empty erases it.
        content: Vec<u8>,
    },
    /// Bring the records to the disk, off the path.
    Sync,
    /// Tell the service manager.
    Notify(Readiness),
    /// Leave with this exit code, after all before it.
    Exit(u8),
}

/// What the service manager is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The loop runs and directives are taken.
    Ready,
    /// How things are, in words.
    Status(String),
    /// On the way out.
    Stopping,
}
