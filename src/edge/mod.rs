//! The world: everything that touches sockets, files, threads, processes or clocks.

pub mod config_files;
pub mod secrets;
