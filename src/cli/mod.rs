//! The command line: a file for each subcommand.

/// Runs the command line and says how the process shall exit.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
