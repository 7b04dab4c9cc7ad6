//! `meetd volume`: sets the loudspeaker's volume.

use clap::Args;

use super::{Exit, Options, control_socket, join};
use crate::control::Request;

/// The volume.
#[derive(Args, Clone, Debug)]
pub(super) struct Arguments {
    /// From 0, silent, to 100, loudest
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    volume: u8,
}

/// Does what SetVolume does, and says in one line what its event would say.
pub(super) fn run(options: &Options, arguments: &Arguments) -> Exit {
    join::tell(control_socket::ask(options, &Request::Volume(arguments.volume)))
}
