//! Alexa: what can be said ([`messages`]) and what is true of the AlexaClient ([`client`]).

pub mod client;
pub mod messages;
