//! One call of ours, from the dial string to the end. What is left to do at the far end after that is a
//! [`Farewell`](super::farewell::Farewell)'s business.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::digest::Authenticator;
use super::headers::NameAddr;
use super::leg::{Act, Invitation, Leg, Profile};
use super::locate::{self, Candidate, Hop, Locating, Step, Target};
use super::offer_answer::OfferParts;
use super::out_of_service::OutOfService;
use super::uri::{Scheme, Uri};
use super::wire::{Request, Response};
use crate::call::{CallEvent, CallId, DialTarget, DigitScript, EndReason, EndedHere};
use crate::chance::Chance;
use crate::media;
use crate::network::NamesAnswer;
use crate::time::{Deadline, Moment, Now};

mod confirmed;
mod connecting;
mod conversation;
mod doubt;
mod early;
mod ending;
mod info_digits;
mod inviting;
mod our_change;
mod redirected;
mod reliable;
mod session_timer;
mod their_change;

use connecting::Race;
use conversation::Conversation;
use early::EarlyDialogs;
use redirected::Redirections;
use session_timer::SessionTimer;

/// The edge gives up on names and connections before this; nothing waits longer even if it does not.
const LOCATING: Duration = Duration::from_secs(10);
/// As [`LOCATING`].
const CONNECTING: Duration = Duration::from_secs(15);
/// Opening a socket of our own takes no time.
const RESERVING: Duration = Duration::from_secs(5);

/// ```text
/// Locating ──→ Connecting ──→ ReservingMedia ──record, INVITE──→ Inviting ──1xx──→ Early ──2xx──→ Confirmed
///                  ↑  ↑___more addresses___│   ↑                  │ │ 401, 407: a new INVITE        │
///                  │                       └───┴──────────────────┘ │  (Early too)                  │
///                  └──ICMP error, 503, 2 s of silence: more addresses┘ (503: Early too)             │
/// Inviting, Early ──3xx──→ Moved ──a contact may be called──→ Locating
/// Every state ──hang-up, refusal, fault──→ Ended ←──────────────────────────────────────────────────┘
/// ```
enum State {
    /// The name of the next hop is asked for.
    Locating { locating: Locating, until: Moment },
    /// Flows to targets open; the first one that is open is taken.
    Connecting(Race),
    /// The audio side opens its socket.
    ReservingMedia {
        reached: Reached,
        others: VecDeque<Candidate>,
        until: Moment,
    },
    /// The INVITE left (and is recorded); nothing was heard yet. Where there are others, it has until then.
    Inviting {
        reached: Reached,
        silent_at: Moment,
        others: VecDeque<Candidate>,
        invitation: Invitation,
        offered: OfferParts,
    },
    /// A provisional response came. The others are for a 503.
    Early {
        reached: Reached,
        others: VecDeque<Candidate>,
        invitation: Invitation,
        offered: OfferParts,
        early_answer: Option<EarlyAnswer>,
    },
    /// The room is asked whether these contacts may be called.
    Moved {
        contacts: Vec<Uri>,
        refusal: EndReason,
        until: Moment,
    },
    /// A 2xx came and was acknowledged.
    Confirmed(Box<Conversation>),
    /// Over for the room.
    Ended,
}

/// A target with an open flow.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Where.
    pub target: Target,
    /// The source address of the route, which RTP takes too.
    pub source: SocketAddr,
    /// The port at which we listen there.
    pub port: u16,
}

/// A session description in a provisional response.
struct EarlyAnswer {
    tag: Option<String>,
    body: Vec<u8>,
}

/// What the room has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Nothing,
    Proceeding,
    Ringing,
}

/// The audio side of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audio {
    /// Not asked for.
    None,
    /// Asked to open a socket.
    Asked,
    /// Open, here.
    Reserved(SocketAddr),
}

/// What stays the same for each INVITE of the call.
struct Identity {
    call_id: String,
    from: NameAddr,
    to: Uri,
    /// Whom the next INVITE is for: the same as To until the call is sent on.
    uri: Uri,
    /// Whether it never leaves TLS, and its audio is encrypted.
    is_secure: bool,
    route: Option<Uri>,
    session_id: u64,
}

/// One call.
pub struct OutboundCall {
    call: CallId,
    profile: Arc<Profile>,
    chance: Chance,
    shown: String,
    identity: Identity,
    number: u32,
    authenticator: Authenticator,
    timer: SessionTimer,
    early: EarlyDialogs,
    ring_timeout: Duration,
    /// When the first INVITE left.
    left: Option<Moment>,
    progress: Progress,
    audio: Audio,
    redirections: Redirections,
    /// Where a stream was tried for the sake of a long INVITE.
    streams_tried: Vec<SocketAddr>,
    is_muted: bool,
    state: State,
    acts: VecDeque<Act>,
}

impl OutboundCall {
    /// Begins. The error is why it cannot even begin.
    pub fn dial(
        now: Now,
        profile: Arc<Profile>,
        mut chance: Chance,
        call: CallId,
        target: &DialTarget,
        ring_timeout: Duration,
    ) -> Result<Self, EndReason> {
        let to = locate::read_dial_target(target, &profile.settings).map_err(EndReason::BadTarget)?;
        let from = profile
            .identity()
            .map_err(EndReason::OurFault)?
            .with_tag(&chance.hex(8));
        let route = profile.route().map_err(EndReason::OurFault)?;
        let next = route.as_ref().unwrap_or(&to);
        let hop = Hop::of(next, profile.settings.transport).map_err(EndReason::BadTarget)?;
        let identity = Identity {
            call_id: chance.uuid().to_string(),
            from,
            uri: to.clone(),
            is_secure: to.scheme() == Scheme::Sips,
            to,
            route,
            session_id: chance.u64() >> 2,
        };
        let (locating, step) = Locating::start(hop, &mut chance);
        let mut this = Self {
            call,
            timer: SessionTimer::new(profile.settings.session_expires),
            early: EarlyDialogs::default(),
            profile,
            chance,
            shown: target.shown.clone(),
            identity,
            number: 0,
            authenticator: Authenticator::new(),
            ring_timeout,
            left: None,
            progress: Progress::Nothing,
            audio: Audio::None,
            redirections: Redirections::default(),
            streams_tried: Vec::new(),
            is_muted: false,
            state: State::Locating {
                locating,
                until: now.moment + LOCATING,
            },
            acts: VecDeque::new(),
        };
        this.follow(now, step);
        Ok(this)
    }

    /// The name it goes by.
    pub fn id(&self) -> CallId {
        self.call
    }

    /// Whether the room has been told its end.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether its flow to this target is still needed.
    pub fn needs(&self, target: &Target) -> bool {
        match &self.state {
            State::Connecting(race) => race.runs_to(target),
            State::ReservingMedia { reached, .. }
            | State::Inviting { reached, .. }
            | State::Early { reached, .. } => reached.target == *target,
            State::Confirmed(conversation) => conversation.leg.invitation.target == *target,
            State::Locating { .. } | State::Moved { .. } | State::Ended => false,
        }
    }

    /// Whether the far end must find us on the flow to this target.
    pub fn keeps(&self, target: &Target) -> bool {
        matches!(self.state, State::Confirmed(_)) && self.needs(target)
    }

    /// Its dialog that a request of theirs belongs to.
    pub fn leg_of(&self, request: &Request) -> Option<&Leg> {
        match &self.state {
            State::Confirmed(conversation) => Some(&conversation.leg).filter(|leg| leg.dialog.owns(request)),
            State::Inviting { .. } | State::Early { .. } => self.early.leg_of(request),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Moved { .. }
            | State::Ended => None,
        }
    }

    /// Whether a 2xx to the INVITE belongs to its dialog.
    pub fn is_answered_by(&self, response: &Response) -> bool {
        match &self.state {
            State::Confirmed(conversation) => conversation.leg.dialog.is_answered_by(response),
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Inviting { .. }
            | State::Early { .. }
            | State::Moved { .. }
            | State::Ended => false,
        }
    }

    /// Takes the answer of the name servers.
    pub fn handle_names(&mut self, now: Now, answer: NamesAnswer, out_of_service: &OutOfService) {
        if let State::Locating { locating, .. } = &mut self.state {
            let step = locating.handle_answer(answer);
            self.follow(now, out_of_service.pass_over(now, step));
        }
    }

    fn follow(&mut self, now: Now, step: Step) {
        match step {
            Step::Ask(question) => self.acts.push_back(Act::LookUp(question)),
            Step::Found(targets) => {
                let addresses = targets.iter().map(|found| found.target.address.ip());
                self.acts.push_back(Act::Met(addresses.collect()));
                self.connect(now, targets.into(), None);
            }
            Step::Failed(fault) => self.unreachable(now, fault),
        }
    }

    /// The audio side speaks.
    pub fn handle_media(&mut self, now: Now, event: media::Event) {
        match (event, &self.state) {
            (media::Event::Reserved { local }, State::ReservingMedia { reached, others, .. })
                // The answer to an earlier question, for an address of the other family, is waited over.
                if local.is_ipv4() == reached.source.is_ipv4() =>
            {
                let (reached, others) = (reached.clone(), others.clone());
                self.audio = Audio::Reserved(local);
                self.invite(now, reached, others, local);
            }
            (media::Event::ReserveFailed { why }, State::ReservingMedia { .. }) => {
                self.end(EndReason::OurFault(format!("no socket for audio: {why}")));
            }
            (media::Event::DigitsFailed { why }, State::Confirmed(_)) => {
                self.acts
                    .push_back(Act::Event(CallEvent::DigitsFailed { call: self.call, why }));
            }
            (media::Event::DigitsSent, State::Confirmed(_)) => {
                self.acts
                    .push_back(Act::Event(CallEvent::DigitsSent { call: self.call }));
            }
            (
                media::Event::Reserved { .. }
                | media::Event::ReserveFailed { .. }
                | media::Event::DigitsSent
                | media::Event::DigitsFailed { .. }
                | media::Event::FarAudio
                | media::Event::Figures(_)
                | media::Event::DeviceLost { .. }
                | media::Event::DeviceBack { .. },
                _,
            ) => {}
        }
    }

    /// The room wants digits sent.
    pub fn send_digits(&mut self, now: Now, script: DigitScript) {
        match &mut self.state {
            State::Confirmed(conversation) => {
                conversation.send_digits(now, &self.profile.settings, script);
                conversation.follow_digits(now, &self.profile, &mut self.chance);
            }
            State::Locating { .. }
            | State::Connecting(_)
            | State::ReservingMedia { .. }
            | State::Inviting { .. }
            | State::Early { .. }
            | State::Moved { .. }
            | State::Ended => {
                let why = "the call has not been answered".to_owned();
                self.acts
                    .push_back(Act::Event(CallEvent::DigitsFailed { call: self.call, why }));
            }
        }
        self.drain_conversation(now);
    }

    /// Looks at the clock.
    pub fn handle_deadline(&mut self, now: Now) {
        let has_rung_too_long = self
            .left
            .is_some_and(|left| left + self.ring_timeout <= now.moment);
        match &self.state {
            State::Locating { locating, until } if *until <= now.moment => {
                let fault = locating.out_of_time();
                self.unreachable(now, fault);
            }
            State::Connecting(_) => self.race_deadline(now),
            State::ReservingMedia { until, .. } if *until <= now.moment => {
                self.end(EndReason::OurFault(
                    "the audio side did not open a socket in time".to_owned(),
                ));
            }
            State::Inviting { .. } | State::Early { .. } if has_rung_too_long => {
                self.hang_up(now, EndedHere::RangTooLong);
            }
            State::Inviting {
                silent_at,
                invitation,
                others,
                ..
            } if *silent_at <= now.moment && self.has_another(others) => {
                tracing::info!(call_id = %self.call, remote = %invitation.target.address, "a SIP target is silent, the next one is called");
                let (invitation, others) = (invitation.clone(), others.clone());
                self.leave_for_next(now, invitation, others, None);
            }
            State::Moved { refusal, until, .. } if *until <= now.moment => {
                let refusal = refusal.clone();
                self.try_next_contact(now, refusal);
            }
            State::Confirmed(_) => self.conversation_deadline(now),
            State::Locating { .. }
            | State::ReservingMedia { .. }
            | State::Inviting { .. }
            | State::Early { .. }
            | State::Moved { .. }
            | State::Ended => {}
        }
    }

    /// When it wants to be woken.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let at = |at, why| Some(Deadline { at, why });
        match &self.state {
            State::Locating { until, .. } => at(*until, "SIP target is located"),
            State::Connecting(race) => Some(race.next_deadline()),
            State::ReservingMedia { until, .. } => at(*until, "audio socket opens"),
            State::Inviting {
                silent_at, others, ..
            } if self.has_another(others) => {
                let silent = at(*silent_at, "silent SIP target is left for the next");
                Deadline::earliest([silent, self.ring_deadline()])
            }
            State::Inviting { .. } | State::Early { .. } => self.ring_deadline(),
            State::Moved { until, .. } => at(*until, "the room judges contacts"),
            State::Confirmed(conversation) => conversation.next_deadline(),
            State::Ended => None,
        }
    }

    fn ring_deadline(&self) -> Option<Deadline> {
        self.left.map(|left| Deadline {
            at: left + self.ring_timeout,
            why: "unanswered call is given up",
        })
    }

    /// What it wants done next.
    pub fn poll_output(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn enter(&mut self, next: State) {
        tracing::debug!(from = self.state.name(), to = next.name(), call_id = %self.call, "call");
        self.state = next;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Locating { .. } => "Locating",
            Self::Connecting(_) => "Connecting",
            Self::ReservingMedia { .. } => "ReservingMedia",
            Self::Inviting { .. } => "Inviting",
            Self::Early { .. } => "Early",
            Self::Moved { .. } => "Moved",
            Self::Confirmed(_) => "Confirmed",
            Self::Ended => "Ended",
        }
    }
}

/// Whether a Content-Type names a session description; senders that leave it out mean one.
fn is_description(content_type: Option<&str>) -> bool {
    content_type.is_none_or(|content_type| {
        let essence = content_type.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/sdp")
    })
}
