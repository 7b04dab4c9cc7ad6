//! What is true of the AlexaClient: three small machines that know nothing of each other. Each takes what has become
//! true and gives the change, if it is one, to be published.

pub mod auth;
pub mod connection;
pub mod dialog;
