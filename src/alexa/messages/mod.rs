//! What can be said over the bridge, as types: directives and their events (Smart Home v3), AASB envelope and
//! topics (4.0). The far side's names stay as the protocol spells them, in here only.
//!
//! A directive is a file and its row in [`directive::DIRECTIVES`]; an AASB message is a file, its variant in
//! [`message::Message`] and, when it can come in, its row in [`message::ACTIONS`].

pub mod auth_state;
pub mod call_failed;
pub mod call_state;
pub mod connection_status;
pub mod dialog_state;
pub mod directive;
pub mod discover;
pub mod end_meeting;
pub mod envelope;
pub mod event;
pub mod field;
pub mod incoming;
pub mod join_meeting;
pub mod message;
pub mod outcome;
pub mod phone_call;
pub mod power;
pub mod property;
pub mod redacted;
pub mod report;
pub mod report_state;
pub mod speaker;
pub mod stop_foreground;

mod unreadable;

#[cfg(test)]
mod tests;
