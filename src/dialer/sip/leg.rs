//! What a call and its farewell share: what they want done, the INVITE that left, and the dialog it made.

use std::net::{IpAddr, SocketAddr};

use super::compose;
use super::dialog::Dialog;
use super::digest::Account;
use super::farewell::Farewell;
use super::headers::NameAddr;
use super::locate::{Hop, Target};
use super::recovery::{Record, RecordedState};
use super::request::Whither;
use super::transaction::table::{ClientKey, ServerKey};
use super::uri::Uri;
use super::wire::{Method, Request, Response};
use super::{Settings, locate};
use crate::call::CallEvent;
use crate::chance::Chance;
use crate::media;
use crate::network::{Question, Transport};
use crate::secret::Secret;

/// What a call or a farewell wants done, in order.
#[derive(Debug)]
pub enum Act {
    /// To the room.
    Event(CallEvent),
    /// To the audio side of the call.
    Media(media::Command),
    /// The far end is at these addresses, say the name servers.
    Met(Vec<IpAddr>),
    /// Ask the name servers; the answer comes back.
    LookUp(Question),
    /// Open the flow to a target; what became of it comes back.
    Connect(Target),
    /// Send a request in a transaction of its own.
    Send(Request, Whither),
    /// Send the ACK of a 2xx.
    Acknowledge(Request, Whither),
    /// Go on with an INVITE that got a provisional response, if it has no transaction.
    Resume(Request, Target),
    /// Forget a request.
    Abandon(ClientKey),
    /// Answer a request of theirs.
    Respond(ServerKey, Response),
    /// Write this into the slot.
    Record(Vec<u8>),
    /// Empty the slot: the dialog is over.
    Erase,
    /// Bring the records to the disk.
    Sync,
    /// From here on the farewell stands in the place of the call.
    Leave(Box<Farewell>),
    /// The INVITE that left last is a farewell's business, with its record; the call goes on elsewhere.
    Part(Box<Farewell>),
    /// One more dialog came out of the same INVITE, and has to be ended.
    Fork(Box<Farewell>),
}

/// Who we are, for every request.
#[derive(Debug)]
pub struct Profile {
    /// `[sip]`.
    pub settings: Settings,
    /// For digest.
    pub account: Option<Account>,
    identity: Result<Uri, String>,
    route: Result<Option<Uri>, String>,
}

impl Profile {
    /// Reads the settings once.
    pub fn new(settings: Settings) -> Self {
        let identity = Uri::parse(&settings.identity).map_err(|fault| format!("sip.identity: {fault}"));
        let user = identity
            .as_ref()
            .ok()
            .and_then(|uri| uri.user_decoded().map(|user| user.into_owned()));
        let username = Some(settings.username.clone())
            .filter(|name| !name.is_empty())
            .or(user);
        let account =
            username
                .zip(settings.password.clone())
                .map(|(username, password): (String, Secret)| Account {
                    username,
                    password,
                    realm: settings.realm.clone(),
                });
        Self {
            account,
            identity,
            route: locate::outbound_route(&settings),
            settings,
        }
    }

    /// From of our requests, without tag.
    pub fn identity(&self) -> Result<NameAddr, String> {
        self.identity.clone().map(NameAddr::new)
    }

    /// The Route of requests that begin a dialog.
    pub fn route(&self) -> Result<Option<Uri>, String> {
        self.route.clone()
    }
}

/// An INVITE that has left.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The request, byte for byte.
    pub request: Request,
    /// Where it went.
    pub target: Target,
    /// The host and port of its Via and Contact.
    pub local: SocketAddr,
    /// The port that its datagrams left from.
    pub local_port: u16,
    /// The highest CSeq that left in a dialog of it: its own, or that of a PRACK.
    pub last_number: u32,
    /// Whether nothing of it may leave TLS, whatever its URI says (RFC 3261 26.2.2).
    pub is_secure: bool,
}

impl Invitation {
    /// Its CSeq.
    pub fn number(&self) -> u32 {
        self.request.cseq().map_or(1, |cseq| cseq.number)
    }

    /// Its record before there is a dialog.
    pub fn record(&self, state: RecordedState) -> Vec<u8> {
        Record::of(self, state, self.last_number).to_bytes()
    }

    /// Its CANCEL.
    pub fn cancel(&self) -> Act {
        Act::Send(
            compose::cancel(&self.request),
            Whither::Exactly(self.target.clone()),
        )
    }
}

/// A dialog that a 2xx made (or a record tells of).
#[derive(Clone, Debug)]
pub struct Leg {
    /// The INVITE it came from.
    pub invitation: Invitation,
    /// The dialog.
    pub dialog: Dialog,
    /// The ACK, which repeated 2xx get again (RFC 3261 13.2.2.4).
    pub acknowledgement: Request,
}

impl Leg {
    /// The dialog of a 2xx; `None` when the message lacks what every message has.
    pub fn begin(invitation: Invitation, response: &Response, chance: &mut Chance) -> Option<Self> {
        let dialog = Dialog::begin(&invitation.request, response, invitation.last_number)?;
        Some(Self::with(invitation, dialog, chance))
    }

    /// The dialog of a record.
    pub fn with(invitation: Invitation, dialog: Dialog, chance: &mut Chance) -> Self {
        let via = compose::via(invitation.target.transport, invitation.local, chance);
        let acknowledgement = dialog.acknowledge(&invitation.request, &via);
        Self {
            invitation,
            dialog,
            acknowledgement,
        }
    }

    /// Sends the ACK, for the first time or again.
    pub fn acknowledge(&self) -> Act {
        Act::Acknowledge(self.acknowledgement.clone(), self.whither())
    }

    /// The next request in the dialog. It must be recorded before it leaves.
    pub fn next_request(&mut self, method: Method, chance: &mut Chance) -> Request {
        let via = compose::via(self.invitation.target.transport, self.invitation.local, chance);
        self.dialog.next_request(method, &via)
    }

    /// The record that says that the dialog lives.
    pub fn record(&self) -> Vec<u8> {
        let state = RecordedState::Confirmed(self.dialog.far_side());
        Record::of(&self.invitation, state, self.dialog.number()).to_bytes()
    }

    /// Whether none of its requests may leave TLS (RFC 3261 26.2.2).
    fn is_secure(&self) -> bool {
        self.invitation.is_secure
    }

    /// Where its requests go: a hop that names no transport is reached by that of the INVITE.
    pub fn whither(&self) -> Whither {
        let target = self.invitation.target.clone();
        match Hop::of(self.dialog.next_hop(), Some(target.transport)).map(Hop::with_its_transport) {
            // A certificate bears a name: the connection that was verified is used (RFC 5923 4).
            Ok(hop) if target.transport == Transport::Tls && hop.is_nameless() => Whither::Exactly(target),
            Ok(hop) if self.is_secure() && hop.transport != Transport::Tls => {
                tracing::debug!("a next hop without TLS is not taken in a sips dialog");
                Whither::Exactly(target)
            }
            Ok(hop) => Whither::NextHop {
                hop,
                otherwise: target,
            },
            Err(why) => {
                tracing::debug!(
                    why,
                    "the next hop cannot be used, requests go where the INVITE went"
                );
                Whither::Exactly(target)
            }
        }
    }
}
