//! The world: everything that touches sockets, files, threads, processes or clocks.

pub mod audio;
