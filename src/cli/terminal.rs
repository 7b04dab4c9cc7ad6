//! What people see: lines on standard output and standard error.

use std::io::{self, Write};

use crate::config::problem::printable;

/// A line on standard output. A reader that has gone away, as `head` does, is no failure.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{}", printable(line));
}

/// The same without making anything visible: for JSON, which has escapes of its own.
pub fn say_exactly(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// A line on standard error.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(line));
}
