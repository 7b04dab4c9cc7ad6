//! `meetd dtmf`: presses digits during a meeting.

use clap::Args;

use super::{Exit, Options, control_socket, join};
use crate::control::Request;
use crate::secret::Secret;

/// The digits.
#[derive(Args, Clone)]
pub(super) struct Arguments {
    /// 0-9, A-D, * and #; `w` waits half a second, `,` two
    #[arg(allow_hyphen_values = true)]
    digits: String,
}

impl std::fmt::Debug for Arguments {
    /// They may be a PIN.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Arguments").finish_non_exhaustive()
    }
}

/// Does what SendDTMF does, and says whether they left.
pub(super) fn run(options: &Options, arguments: Arguments) -> Exit {
    let request = Request::Digits(Secret::new(arguments.digits));
    join::tell(control_socket::ask(options, &request))
}
