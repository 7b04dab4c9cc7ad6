//! Dialers make calls. This is their trait, and the table of those that exist. To add one: a file beside this one
//! and two lines here, `mod` and its row.

use std::net::SocketAddr;

use crate::call::{CallCommand, CallEvent, CallId};
use crate::chance::Chance;
use crate::media;
use crate::network::{FlowEvent, FlowId, FlowRequest, NamesAnswer, QueryId, Question};
use crate::record::{Restored, Slot};
use crate::time::{Deadline, Now};

pub mod sip;

/// A machine that makes calls of some protocols.
///
/// Promises that hold for each (walked by the tests): a `Dial` ends in exactly one `Ended`, after which nothing is
/// said of that call; `HangUp` brings `Ended` at once; a dialog that may be alive at the far end is written down
/// before it can be, and erased when it is over; nothing from outside makes it panic; no state waits for ever.
pub trait Dialer: Send {
    /// Takes one input. Cannot fail: bad input becomes an output, or nothing.
    fn handle_input(&mut self, now: Now, input: Input);
    /// The next output, in order. Drain it until `None` after every input.
    fn poll_output(&mut self) -> Option<Output>;
    /// When it wants to be woken next.
    fn next_deadline(&self) -> Option<Deadline>;
    /// Whether nothing is left to do at any far end: no call, no BYE or CANCEL on its way.
    fn is_quiet(&self) -> bool;
    /// Whether we are registered, as a recent answer proves; `None` when nobody wanted that.
    fn is_registered(&self, now: Now) -> Option<bool>;
}

/// What a dialer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The process has started: listen, and end what the last process left behind.
    Start,
    /// The room wants something.
    Command(CallCommand),
    /// Something happened on one of its flows.
    Flow(FlowId, FlowEvent),
    /// One of its questions was answered.
    Names(QueryId, NamesAnswer),
    /// The audio side of one of its calls speaks ([`media::Event::Reserved`], `ReserveFailed` and `DigitsSent`
    /// come here).
    Media(CallId, media::Event),
    /// Addresses or routes of this machine changed, or it slept.
    NetworkChanged,
    /// The daemon stops: no call is made any more, and what others remember of us is taken back.
    Stop,
    /// The settings were read again. They count for the calls that come; a call that is up keeps its own, and sockets
    /// that listen stay.
    Settings(Box<Settings>),
    /// A deadline may have come.
    Deadline,
}

/// What a dialer wants done. Carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To the room.
    Event(CallEvent),
    /// Open a flow under this number.
    OpenFlow(FlowId, FlowRequest),
    /// Send bytes; `to` names the receiver on a listening datagram flow.
    Transmit {
        /// On which flow.
        flow: FlowId,
        /// To whom, when the flow is not connected.
        to: Option<SocketAddr>,
        /// One datagram, or a piece of a stream.
        bytes: Vec<u8>,
    },
    /// Close a flow.
    CloseFlow(FlowId),
    /// Ask the name servers.
    LookUp(QueryId, Question),
    /// To the audio side.
    Media(CallId, media::Command),
    /// Write this into a slot, now: before whatever comes after it.
    Record(Slot, Vec<u8>),
    /// Empty a slot.
    Erase(Slot),
    /// Bring what was recorded to the disk, off the path.
    Sync,
    /// All that the last process left behind has been ended, or given up; `ended` dialogs were found. Said exactly
    /// once after `Start`; directives wait for it, for at most 2 s.
    Recovered {
        /// How many were found.
        ended: usize,
    },
}

/// What a dialer is built from.
pub struct Parts<'a> {
    /// The number of this dialer: its flows and queries start at [`Parts::first_id`].
    pub index: u8,
    /// The settings of all dialers.
    pub settings: &'a Settings,
    /// A stream of chance of its own.
    pub chance: Chance,
    /// What the last process wrote down.
    pub restored: &'a Restored,
}

impl Parts<'_> {
    /// The first number for this dialer's flows and queries; it has 2⁴⁸ of them.
    pub fn first_id(&self) -> u64 {
        u64::from(self.index) << 48
    }
}

/// The settings of all dialers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[sip]`.
    pub sip: sip::Settings,
}

/// A row of the table.
pub struct Row {
    /// As `calls.dialers` names it.
    pub name: &'static str,
    /// Builds one.
    pub build: fn(Parts<'_>) -> Box<dyn Dialer>,
}

/// Every dialer that is built in.
pub const DIALERS: &[Row] = &[Row {
    name: "sip",
    build: sip::build,
}];
