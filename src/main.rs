//! The `meetd` command.

fn main() -> std::process::ExitCode {
    meetd::cli::main()
}
