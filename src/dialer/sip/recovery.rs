//! What is written down of a dialog, so that the next process can end it.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dialog::{Dialog, FarSide};
use super::headers::via;
use super::leg::{Invitation, Leg};
use super::locate::Target;
use super::uri::{Host, Scheme};
use super::wire::{Message, Method, Request, read_datagram};
use crate::chance::Chance;
use crate::network::Transport;
use crate::record::SLOT_CAPACITY;

const DIALER: &str = "sip";
const VERSION: u8 = 1;

/// How far a dialog was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedState {
    /// The INVITE may have left; nothing was heard.
    Inviting,
    /// A provisional response came.
    Early,
    /// A 2xx came.
    Confirmed(FarSide),
}

/// The content of a slot. It holds what was dialled, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    dialer: String,
    version: u8,
    invite: String,
    transport: Transport,
    address: SocketAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    local_port: u16,
    #[serde(default)]
    is_secure: bool,
    state: RecordedState,
    number: u32,
}

/// What a record tells the next process to end.
pub enum Orphan {
    /// An INVITE without final response; `is_early` when a provisional one came.
    Invited {
        /// The INVITE.
        invitation: Box<Invitation>,
        /// Whether a provisional response came.
        is_early: bool,
    },
    /// A dialog.
    Dialog(Box<Leg>),
}

impl Record {
    /// What is to be written of an INVITE that went this far.
    pub fn of(invitation: &Invitation, state: RecordedState, number: u32) -> Self {
        let mut request = invitation.request.clone();
        if let RecordedState::Confirmed(_) = state {
            // Only an unanswered INVITE is ever sent again.
            request.body.clear();
        }
        Self {
            dialer: DIALER.to_owned(),
            version: VERSION,
            invite: String::from_utf8_lossy(&request.to_bytes()).into_owned(),
            transport: invitation.target.transport,
            address: invitation.target.address,
            server_name: invitation.target.server_name.as_deref().map(str::to_owned),
            local_port: invitation.local_port,
            is_secure: invitation.is_secure,
            state,
            number,
        }
    }

    /// As it goes into the slot.
    pub fn to_bytes(&self) -> Vec<u8> {
        // There is nothing in it that JSON could not hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the content of a slot. The error says what is wrong and nothing of the content.
    pub fn read(content: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(content).map_err(|fault| {
            format!(
                "not a record of this dialer (line {}, column {})",
                fault.line(),
                fault.column()
            )
        })?;
        if record.dialer != DIALER || record.version != VERSION {
            return Err(format!(
                "written by another dialer or version ({})",
                record.version
            ));
        }
        Ok(record)
    }

    /// What has to be ended.
    pub fn orphan(&self, chance: &mut Chance) -> Result<Orphan, String> {
        let invite = match read_datagram(self.invite.as_bytes()) {
            Ok(Message::Request(request)) if request.method == Method::Invite => request,
            Ok(_) => return Err("its message is no INVITE".to_owned()),
            Err(malformed) => return Err(format!("its INVITE cannot be read: {malformed}")),
        };
        let target = Target {
            transport: self.transport,
            address: self.address,
            server_name: self.server_name.as_deref().map(Arc::from),
        };
        let local = sent_by(&invite).ok_or("its INVITE has no usable Via")?;
        let invitation = Invitation {
            is_secure: self.is_secure || invite.uri.scheme() == Scheme::Sips,
            request: invite,
            target,
            local,
            local_port: self.local_port,
            last_number: self.number,
        };
        let invitation = Box::new(invitation);
        match &self.state {
            RecordedState::Inviting => Ok(Orphan::Invited {
                invitation,
                is_early: false,
            }),
            RecordedState::Early => Ok(Orphan::Invited {
                invitation,
                is_early: true,
            }),
            RecordedState::Confirmed(far_side) => {
                let dialog = Dialog::restore(&invitation.request, far_side, self.number)
                    .ok_or("its dialog cannot be read")?;
                Ok(Orphan::Dialog(Box::new(Leg::with(*invitation, dialog, chance))))
            }
        }
    }
}

/// Whether a record can be written.
pub fn fits(content: &[u8]) -> bool {
    content.len() <= SLOT_CAPACITY
}

/// Our address, as the Via of our request has it.
fn sent_by(request: &Request) -> Option<SocketAddr> {
    let via = request.via_top().filter(via::Via::has_magic_branch)?;
    match via.host {
        Host::Name(_) => None,
        Host::V4(address) => Some(SocketAddr::new(address.into(), via.port.unwrap_or(5060))),
        Host::V6(address) => Some(SocketAddr::new(address.into(), via.port.unwrap_or(5060))),
    }
}
