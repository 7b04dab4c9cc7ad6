//! `meetd hold on|off`: puts the call on hold, or takes it off.

use clap::{Args, ValueEnum};

use super::{Exit, Options, control_socket, join};
use crate::control::Request;

/// What `meetd hold` takes.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Arguments {
    /// Whether the call shall be on hold
    state: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wanted {
    On,
    Off,
}

/// Asks the daemon, and says in one line what is true then.
pub(super) fn run(options: &Options, arguments: Arguments) -> Exit {
    let request = Request::Hold(arguments.state == Wanted::On);
    join::tell(control_socket::ask(options, &request))
}
