//! The world: everything that touches sockets, files, threads, processes or clocks. Each file turns what happens
//! into a [`Wake`](crate::agent::Wake), or carries out one kind of [`Effect`](crate::agent::Effect); none decides.

pub mod audio;
pub mod clock;
pub mod config_files;
pub mod control_socket;
pub mod flow;
pub mod journal;
pub mod leaving;
pub mod links;
pub mod local_link;
pub mod metrics;
pub mod named_files;
pub mod names;
pub mod network_changes;
pub mod secrets;
pub mod seed;
pub mod store;
pub mod systemd;
#[cfg(test)]
pub mod testing;
pub mod tls;
pub mod wakes;
pub mod websocket;
pub mod world;

/// The directory that systemd names in this variable (the first of several), or `otherwise`.
fn directory_from(variable: &str, otherwise: &str) -> std::path::PathBuf {
    std::env::var(variable)
        .ok()
        .and_then(|paths| paths.split(':').next().map(str::to_owned))
        .filter(|path| !path.is_empty())
        .map_or_else(|| otherwise.into(), Into::into)
}
