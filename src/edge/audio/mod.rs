//! Audio in the world: RTP sockets, one pacer thread a call that keeps the beat, one device thread a call that may
//! hang. The loop tells them what to do and never waits for them; when idle there is no thread.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::mpsc::SyncSender;

use tokio::sync::mpsc;

use crate::agent::Wake;
use crate::call::CallId;
use crate::chance::Chance;
use crate::media::{Command, Event, Plan, Settings};

mod beat;
mod device;
mod devices;
mod outbox;
mod pacer;
mod ports;
#[cfg(test)]
mod tests;

use outbox::Outbox;
use pacer::{Order, Pacer};

/// The audio of all calls.
pub struct Audio {
    settings: Settings,
    wakes: mpsc::Sender<Wake>,
    chance: Chance,
    calls: BTreeMap<CallId, Call>,
}

/// ```text
/// (none) ─Reserve─> Reserved ─Start─> Running
///    ^─────Stop───────┴─────────Stop─────┘
/// ```
enum Call {
    /// The socket waits for a plan.
    Reserved { socket: UdpSocket, is_muted: bool },
    /// The pacer has the socket. Dropping this ends it.
    Running(SyncSender<Order>),
}

impl Audio {
    /// Nothing is opened or started yet. Events come as [`Wake::Media`] on `wakes`.
    pub fn new(settings: Settings, wakes: mpsc::Sender<Wake>, chance: Chance) -> Self {
        Self {
            settings,
            wakes,
            chance,
            calls: BTreeMap::new(),
        }
    }

    /// From the next call on these count.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Carries one command out. What is known at once is returned, the rest comes as [`Wake::Media`]. An event that
    /// was on its way when `Stop` came may still arrive.
    pub fn command(&mut self, call: CallId, command: Command) -> Option<Event> {
        match command {
            Command::Reserve { source } => {
                if let Some(Call::Running(_)) = self.calls.get(&call) {
                    return Some(Event::ReserveFailed {
                        why: "the audio of this call runs already".to_owned(),
                    });
                }
                match ports::reserve(source, &self.settings.rtp_ports, &mut self.chance) {
                    Ok((socket, local)) => {
                        let is_muted = false;
                        self.calls.insert(call, Call::Reserved { socket, is_muted });
                        Some(Event::Reserved { local })
                    }
                    Err(fault) => Some(Event::ReserveFailed {
                        why: fault.to_string(),
                    }),
                }
            }
            Command::Start(plan) => self.start(call, plan),
            Command::Mute(is_muted) => self.mute(call, is_muted),
            Command::SendDigits(script) => self
                .order(call, Order::SendDigits(script))
                .map(|why| Event::DigitsFailed { why }),
            Command::Stop => {
                self.calls.remove(&call);
                None
            }
        }
    }

    fn start(&mut self, call: CallId, plan: Box<Plan>) -> Option<Event> {
        let (socket, is_muted) = match self.calls.remove(&call) {
            Some(Call::Reserved { socket, is_muted }) => (socket, is_muted),
            Some(running @ Call::Running(_)) => {
                self.calls.insert(call, running);
                return self
                    .order(call, Order::Change(plan))
                    .map(|why| Event::DeviceLost { why });
            }
            None => {
                return Some(Event::DeviceLost {
                    why: "audio was started without a reserved socket".to_owned(),
                });
            }
        };
        let outbox = Outbox::new(call, self.wakes.clone());
        match Pacer::spawn(
            socket,
            (*plan, is_muted),
            &self.settings,
            outbox,
            self.chance.fork(),
        ) {
            Ok(orders) => {
                self.calls.insert(call, Call::Running(orders));
                None
            }
            Err(error) => Some(Event::DeviceLost {
                why: format!("no thread for audio: {error}"),
            }),
        }
    }

    /// A voice that cannot be silenced is worse than none: such a call's audio ends.
    fn mute(&mut self, call: CallId, wanted: bool) -> Option<Event> {
        if let Some(Call::Reserved { is_muted, .. }) = self.calls.get_mut(&call) {
            *is_muted = wanted;
            return None;
        }
        let why = self.order(call, Order::Mute(wanted))?;
        self.calls.remove(&call);
        Some(Event::DeviceLost { why })
    }

    /// Passes an order on; says why it could not.
    fn order(&mut self, call: CallId, order: Order) -> Option<String> {
        match self.calls.get(&call) {
            Some(Call::Running(orders)) => orders
                .try_send(order)
                .err()
                .map(|_| "the audio thread does not answer".to_owned()),
            Some(Call::Reserved { .. }) | None => Some("the audio of this call has not started".to_owned()),
        }
    }
}
