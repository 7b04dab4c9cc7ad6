//! What can be said over the bridge, as types: directives and their events (Smart Home v3), AASB envelope and
//! topics (4.0). The far side's names stay as the protocol spells them, in here only.

pub mod directive;
pub mod outcome;
pub mod report;
