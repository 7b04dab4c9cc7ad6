//! `meetd mute on|off`: silences the microphone towards the meeting, or opens it again.

use clap::Args;

use super::{Exit, Options, Switch, control_socket, join};
use crate::control::Request;

/// What `meetd mute` takes.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Arguments {
    /// Whether the microphone shall be muted
    state: Switch,
}

/// Asks the daemon, and says in one line what is true then.
pub(super) fn run(options: &Options, arguments: Arguments) -> Exit {
    let request = Request::Mute(arguments.state == Switch::On);
    join::tell(control_socket::ask(options, &request))
}
