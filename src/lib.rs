//! meetd, the conferencing agent of a meeting room. This page is the map.
//!
//! **One idea.** Decisions in the middle, input and output at the edge; time and chance are arguments. The whole
//! daemon is one pure machine, [`agent::Agent`]: a [`agent::Wake`] in, [`agent::Effect`]s out. Only [`edge`],
//! [`daemon`], [`cli`] and `main.rs` touch sockets, files, threads or clocks (`tests/architecture.rs` proves it).
//!
//! **The path of one call.** A frame comes in by `edge::websocket` → [`bridge`] (which session, who asks) →
//! [`alexa::messages`] makes it a directive → [`room`] decides (dial plan, busy, deadline) → a
//! [`call::CallCommand`] goes to the [`dialer`] of its protocol → SIP leaves as effects → the wire. Back: a flow
//! wakes the dialer → [`call::CallEvent`] → room → a report to [`bridge::publisher`], the answer to whoever asked
//! ([`bridge::askers`]) → a frame.
//!
//! | module | job | may use |
//! |---|---|---|
//! | [`time`], [`chance`], [`secret`], [`network`], [`record`], [`call`] | words that all share | – |
//! | [`alexa::messages`] | what can be said over the bridge, as types: a list and a file each | words |
//! | [`alexa::client`] | connected? signed in? in a dialog? Three small machines | `alexa::messages` |
//! | [`bridge`] | sessions (when to try, ping, give up), who is told what, who waits for which answer, what is not done twice | `alexa` |
//! | [`room`] | what the room does next: directives, dial plan, deadlines, reports | `alexa::messages`, `media` |
//! | [`media`] | what was agreed, RTP streams, digits, quality, echo and noise | words |
//! | [`dialer`] | makes calls: the trait, its table, SIP | `media` |
//! | [`control`] | what `meetd status`, `join`, `end`, `dtmf`, `hold`, `mute`, `volume` ask of the running daemon | words |
//! | [`agent`] | all machines as one | all of the above |
//! | [`config`] | files, environment and flags to one checked configuration; one table of keys | every module's `Settings` |
//! | [`doctor`] | what a call needs, judged, with the remedies | `bridge`, `config`, `control` |
//! | [`edge`] | the world: clock, network, names, TLS, websocket, local link, control socket, store, journal, audio | words, `Settings`, the pure types it carries |
//! | [`daemon`] | the only loop: wait for a wake, feed the agent, carry out its effects in order | `agent`, `edge`, `config` |
//! | [`cli`] | a file for each subcommand | `config`, `edge`, `daemon`, `control`, `doctor` |
//!
//! **Machines** all have the same verbs: `handle_input(now, input)`, `poll_output()` until `None`,
//! `next_deadline()`. **To add** a dialer: a file in `dialer/` and a row in its table; a directive: a file in
//! `alexa/messages/`, its row, an arm in `room/directives.rs`; a setting: a row in `config/keys.rs` and a field.

pub mod agent;
pub mod alexa;
pub mod bridge;
pub mod call;
pub mod chance;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod dialer;
pub mod doctor;
pub mod edge;
pub mod media;
pub mod network;
pub mod record;
pub mod room;
pub mod secret;
pub mod time;
