//! `meetd end`: ends the meeting.

use super::{Exit, Options, control_socket, join};
use crate::control::Request;

/// Does what EndMeeting does, and says in one line what its event would say.
pub(super) fn run(options: &Options) -> Exit {
    join::tell(control_socket::ask(options, &Request::End))
}
