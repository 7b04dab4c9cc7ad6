//! What the daemon would log at trace level in a life, and whether a secret stands in it.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

/// The PIN of every join.
pub const PIN: &str = "9876501234";

/// Reads every line, and keeps the first that holds a secret.
#[derive(Clone, Debug, Default)]
pub struct Log {
    leak: Arc<Mutex<Option<String>>>,
}

impl Log {
    /// Runs this with everything logged here.
    pub fn over<T>(&self, life: impl FnOnce() -> T) -> T {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(self.clone())
            .finish();
        // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(subscriber, life)
    }

    /// The line that holds a secret.
    pub fn leak(&self) -> Option<String> {
        self.leak.lock().unwrap().clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.windows(PIN.len()).any(|window| window == PIN.as_bytes()) {
            let line = String::from_utf8_lossy(bytes).into_owned();
            self.leak.lock().unwrap().get_or_insert(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn a_secret_in_the_log_is_seen() {
    let log = Log::default();
    log.over(|| tracing::trace!(request = PIN, "said"));
    assert!(log.leak().is_some_and(|line| line.contains("said")));
}
