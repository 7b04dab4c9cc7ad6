//! Audio in the world: RTP sockets, one pacer thread a call that keeps the beat, one device thread a call that may
//! hang. The loop tells them what to do and never waits for them; when idle there is no thread.

use std::collections::BTreeMap;
use std::io;
use std::net::UdpSocket;
use std::sync::mpsc::SyncSender;

use tokio::sync::mpsc;

use crate::agent::Wake;
use crate::call::CallId;
use crate::chance::Chance;
use crate::media::{CallTone, Command, Event, Loudspeaker, Plan, Settings};

mod beat;
mod device;
mod devices;
mod outbox;
mod pacer;
mod ports;
mod pulse;
#[cfg(test)]
mod tests;

use devices::Configured;
pub use devices::try_card;
use outbox::Outbox;
use pacer::{Order, Pacer};
use pulse::{Pulse, Pulses};

/// The audio of all calls.
pub struct Audio {
    settings: Settings,
    wakes: mpsc::Sender<Wake>,
    chance: Chance,
    loudspeaker: Loudspeaker,
    calls: BTreeMap<CallId, Call>,
    /// The pacer of a call without voices that sounds: it rings, or it is over. One call at a time has the
    /// loudspeaker; dropping this ends the tone.
    sounding: Option<(CallId, SyncSender<Order>)>,
    pulses: Pulses,
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
            loudspeaker: Loudspeaker::default(),
            calls: BTreeMap::new(),
            sounding: None,
            pulses: Pulses::default(),
        }
    }

    /// Sets the loudspeaker, for the call there is and for those to come.
    pub fn set_loudspeaker(&mut self, loudspeaker: Loudspeaker) {
        self.loudspeaker = loudspeaker;
        let talking = self.calls.values().filter_map(|call| match call {
            Call::Running(orders) => Some(orders),
            Call::Reserved { .. } => None,
        });
        let sounding = self.sounding.iter().map(|(_, orders)| orders);
        for orders in talking.chain(sounding) {
            // One that is over needs none.
            let _ = orders.try_send(Order::Set(loudspeaker));
        }
    }

    /// Whether every pacer has kept its beat since this was asked last.
    pub fn keeps_its_beat(&mut self) -> bool {
        self.pulses.have_beaten()
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
                self.stop(call);
                None
            }
            Command::Play(tone) => {
                self.play(call, tone);
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
        // What another call leaves to be heard ends here: one call has the devices.
        let ringing = self.sounding.take().filter(|(sounding, _)| *sounding == call);
        let orders = match ringing {
            Some((_, orders)) => Ok(orders),
            None => self.spawn(call),
        };
        match orders {
            Ok(orders) => {
                // A pacer that has heard nothing of voices waits for this.
                let _ = orders.try_send(Order::Mute(is_muted));
                let _ = orders.try_send(Order::Start(socket, plan));
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

    fn stop(&mut self, call: CallId) {
        let Some(Call::Running(orders)) = self.calls.remove(&call) else {
            return;
        };
        if self.settings.tones && orders.try_send(Order::Stop).is_ok() {
            self.sounding = Some((call, orders));
        }
    }

    fn play(&mut self, call: CallId, tone: Option<CallTone>) {
        if !self.settings.tones {
            return;
        }
        if let Some(Call::Running(orders)) = self.calls.get(&call) {
            // A thread that does not answer has been told of.
            let _ = orders.try_send(Order::Play(tone));
            return;
        }
        let sounding = self.sounding.take().filter(|(sounding, _)| *sounding == call);
        let orders = match (sounding, tone) {
            (Some((_, orders)), _) => orders,
            (None, None) => return,
            (None, Some(_)) => match self.spawn(call) {
                Ok(orders) => orders,
                Err(error) => return tracing::debug!(call_id = %call, "no thread for a tone: {error}"),
            },
        };
        if tone != Some(CallTone::RingBack) {
            // It is the last sound of this call; one that talked has been stopped before.
            let _ = orders.try_send(Order::Stop);
        }
        if orders.try_send(Order::Play(tone)).is_ok() {
            self.sounding = Some((call, orders));
        }
    }

    fn spawn(&mut self, call: CallId) -> io::Result<SyncSender<Order>> {
        let (outbox, pulse) = (Outbox::new(call, self.wakes.clone()), Pulse::default());
        self.pulses.watch(&pulse);
        let devices = Configured {
            input: self.settings.input.clone(),
            output: self.settings.output.clone(),
        };
        Pacer::spawn(
            devices,
            self.settings.processing_of_input(),
            self.loudspeaker,
            outbox,
            pulse,
            self.chance.fork(),
        )
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
