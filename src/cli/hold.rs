//! `meetd hold on|off`: puts the call on hold, or takes it off.

use clap::Args;

use super::{Exit, Options, Switch, control_socket, join};
use crate::control::Request;

/// What `meetd hold` takes.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Arguments {
    /// Whether the call shall be on hold
    state: Switch,
}

/// Asks the daemon, and says in one line what is true then.
pub(super) fn run(options: &Options, arguments: Arguments) -> Exit {
    let request = Request::Hold(arguments.state == Switch::On);
    join::tell(control_socket::ask(options, &request))
}
