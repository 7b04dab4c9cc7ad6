//! Where log lines go: fields to the systemd journal when it started us, readable lines on standard error
//! otherwise. A thread of its own writes them behind a bounded queue, so that a slow journal never holds the loop.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use systemd_journal_logger::JournalLog;
use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::edge::clock::Clock;
use crate::time::Moment;

use line::{Fields, Line};
pub use message_ids::{MESSAGE_IDS, message_id};
use rate::Rates;

mod line;
mod message_ids;
mod rate;

/// How many lines may wait for the writer. A burst of SIP at TRACE fits; what does not is counted.
const QUEUE: usize = 2048;

/// Why the journal could not be set up.
#[derive(Debug, Error)]
pub enum JournalFault {
    /// `MEETD_LOG` is neither a level nor a list of directives.
    #[error("MEETD_LOG is {value:?}: {why} (use error, warn, info, debug, trace, or target=level, …)")]
    WrongFilter {
        /// What it was.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The process has one already.
    #[error("the log is set up already")]
    SetUpTwice,
    /// No thread could be started.
    #[error("no thread to write the log: {0}")]
    NoThread(io::Error),
}

/// The running journal. Lines that wait when the process leaves are lost unless it is flushed.
#[derive(Clone, Debug)]
pub struct Journal {
    lines: Arc<Lines>,
    filter: Option<reload::Handle<EnvFilter, Registry>>,
}

/// The way of the lines to their writer.
#[derive(Debug)]
struct Lines {
    queue: SyncSender<Entry>,
    /// The lines of a turn that goes on: to wake the writer for each would take longer than all else between a
    /// directive and its INVITE.
    held: Mutex<Option<Vec<Line>>>,
    dropped: Arc<AtomicU64>,
}

/// A turn of the loop. Its lines reach the writer together when it ends, a warning or worse at once with those before.
#[derive(Debug)]
pub struct Turn<'a>(&'a Lines);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

enum Entry {
    Line(Box<Line>),
    Flush(SyncSender<()>),
}

/// Sets up logging for the whole process, at this level unless `MEETD_LOG` says otherwise.
pub fn start(level: Level) -> Result<Journal, JournalFault> {
    let filter = filter(level, std::env::var("MEETD_LOG").ok().as_deref())?;
    let sink: Box<dyn Sink> = match is_the_services().then(systemd_sink).flatten() {
        Some(sink) => Box::new(sink),
        None => Box::new(StandardError),
    };
    let (layer, journal) = layer(sink)?;
    let (filter, handle) = reload::Layer::new(filter);
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| JournalFault::SetUpTwice)?;
    Ok(Journal {
        filter: Some(handle),
        ..journal
    })
}

impl Journal {
    /// From here on this much is logged, unless `MEETD_LOG` says otherwise.
    pub fn set_level(&self, level: Level) {
        let from_environment = std::env::var("MEETD_LOG").ok();
        if let (Some(handle), Ok(filter)) = (&self.filter, filter(level, from_environment.as_deref()))
            && let Err(error) = handle.reload(filter)
        {
            tracing::warn!(error = %error, "the level of the log cannot be changed");
        }
    }

    /// Waits until all lines so far are written, no longer than `limit`.
    pub fn flush(&self, limit: Duration) {
        let (done, written) = sync_channel(1);
        if self.lines.queue.try_send(Entry::Flush(done)).is_ok() {
            let _ = written.recv_timeout(limit);
        }
    }

    /// A journal that nobody writes to, for tests of the loop.
    #[cfg(test)]
    pub fn unread() -> Self {
        let (_, journal) = layer(Box::new(StandardError)).expect("a thread");
        journal
    }

    /// Begins a turn of the loop.
    pub fn turn(&self) -> Turn<'_> {
        self.lines.held().get_or_insert_default();
        Turn(&self.lines)
    }
}

impl Lines {
    fn add(&self, line: Line) {
        let is_urgent = line.level <= Level::WARN;
        let mut held = self.held();
        match &mut *held {
            Some(lines) => {
                lines.push(line);
                if is_urgent || lines.len() >= QUEUE {
                    self.pass_on(std::mem::take(lines));
                }
            }
            None => self.pass_on([line]),
        }
    }

    fn let_go(&self) {
        let mut held = self.held();
        if let Some(lines) = held.take() {
            self.pass_on(lines);
        }
    }

    fn pass_on(&self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            if let Err(TrySendError::Full(_)) = self.queue.try_send(Entry::Line(Box::new(line))) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<Line>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Our own modules at `level`, the libraries' warnings.
fn filter(level: Level, from_environment: Option<&str>) -> Result<EnvFilter, JournalFault> {
    let own = |level: LevelFilter| {
        let others = level.min(LevelFilter::WARN);
        EnvFilter::new(format!("{others},meetd={level}"))
    };
    let Some(value) = from_environment.map(str::trim).filter(|value| !value.is_empty()) else {
        return Ok(own(LevelFilter::from_level(level)));
    };
    if let Ok(level) = value.parse::<LevelFilter>() {
        return Ok(own(level));
    }
    EnvFilter::builder()
        .parse(value)
        .map_err(|error| JournalFault::WrongFilter {
            value: value.to_owned(),
            why: error.to_string(),
        })
}

/// Whether what we say goes to the journal, which keeps fields. systemd.exec(5): `JOURNAL_STREAM` names device and inode of the stream that is the journal; a program that we
/// were started from may have handed the variable down with another standard error.
pub fn is_the_services() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let is_journal = |status: rustix::io::Result<rustix::fs::Stat>| {
        status.is_ok_and(|status| stream == format!("{}:{}", status.st_dev, status.st_ino))
    };
    is_journal(rustix::fs::fstat(io::stderr())) || is_journal(rustix::fs::fstat(io::stdout()))
}

fn systemd_sink() -> Option<SystemdJournal> {
    match JournalLog::empty() {
        Ok(log) => Some(SystemdJournal(log.with_syslog_identifier("meetd".to_owned()))),
        Err(_) => None,
    }
}

/// The layer that fills the queue, and the handle on it. The writer ends with both.
fn layer(sink: Box<dyn Sink>) -> Result<(JournalLayer, Journal), JournalFault> {
    let (queue, entries) = sync_channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&dropped);
    std::thread::Builder::new()
        .name("meetd-journal".to_owned())
        .spawn(move || write_all(&entries, sink, &counted))
        .map_err(JournalFault::NoThread)?;
    let lines = Arc::new(Lines {
        queue,
        held: Mutex::new(None),
        dropped,
    });
    let layer = JournalLayer {
        lines: Arc::clone(&lines),
        rates: Mutex::default(),
    };
    Ok((layer, Journal { lines, filter: None }))
}

fn write_all(entries: &Receiver<Entry>, mut sink: Box<dyn Sink>, dropped: &AtomicU64) {
    for entry in entries {
        match entry {
            Entry::Line(line) => {
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    sink.write(&lines_lost(lost, &line));
                }
                sink.write(&line);
            }
            // The one who waits may have given up.
            Entry::Flush(done) => drop(done.try_send(())),
        }
    }
}

fn lines_lost(count: u64, next: &Line) -> Line {
    Line {
        at: next.at,
        level: Level::WARN,
        target: module_path!(),
        source: None,
        message: "the log was too slow; lines are missing here".to_owned(),
        fields: vec![("missing_lines", count.to_string())],
    }
}

struct JournalLayer {
    lines: Arc<Lines>,
    rates: Mutex<Rates>,
}

impl JournalLayer {
    /// Whether this event may be written, with how many of its place that were held back before.
    fn admit(&self, now: Moment, metadata: &Metadata<'static>) -> Option<u64> {
        if LevelFilter::current() >= LevelFilter::DEBUG {
            return Some(0);
        }
        let Some(place) = metadata.file().zip(metadata.line()) else {
            return Some(0);
        };
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.admit(now, place)
    }
}

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Layer<S> for JournalLayer {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let now = Clock.now();
        let Some(held_back) = self.admit(now.moment, event.metadata()) else {
            return;
        };
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(around) = span.extensions().get::<Fields>() {
                fields.append(around.clone());
            }
        }
        let mut own = Fields::default();
        event.record(&mut own);
        fields.append(own);
        let mut line = Line::new(now.wall, event.metadata(), fields);
        if held_back > 0 {
            line.fields.push(("held_back_lines", held_back.to_string()));
        }
        self.lines.add(line);
    }
}

/// Where lines end up. Faults while logging have nowhere to go.
trait Sink: Send {
    fn write(&mut self, line: &Line);
}

struct StandardError;

impl Sink for StandardError {
    fn write(&mut self, line: &Line) {
        let text = line.for_people();
        let mut stderr = io::stderr().lock();
        let _ = match color(line.level).filter(|_| stderr.is_terminal()) {
            Some(color) => writeln!(stderr, "\u{1b}[{color}m{}\u{1b}[0m", text.trim_end()),
            None => stderr.write_all(text.as_bytes()),
        };
    }
}

fn color(level: Level) -> Option<&'static str> {
    match level {
        Level::ERROR => Some("31"),
        Level::WARN => Some("33"),
        Level::INFO => None,
        _ => Some("2"),
    }
}

struct SystemdJournal(JournalLog);

impl Sink for SystemdJournal {
    fn write(&mut self, line: &Line) {
        let fields = journal_fields(line);
        let (file, number) = line.source.unzip();
        let sent = self.0.journal_send(
            &log::Record::builder()
                .args(format_args!("{}", line.message))
                .level(log_level(line.level))
                .target(line.target)
                .file_static(file)
                .line(number)
                .key_values(&fields)
                .build(),
        );
        if sent.is_err() {
            StandardError.write(line);
        }
    }
}

/// The names that the journal gives fields of its own; ours step aside.
const TAKEN: [&str; 10] = [
    "message",
    "priority",
    "syslog_pid",
    "syslog_identifier",
    "code_file",
    "code_line",
    "code_module",
    "target",
    "message_id",
    "errno",
];

/// Names in capitals, and the `MESSAGE_ID` when the event has one.
fn journal_fields(line: &Line) -> Vec<(String, String)> {
    let own = line.fields.iter().map(|(name, value)| {
        let taken = TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(name));
        let prefix = if taken { "MEETD_" } else { "" };
        (format!("{prefix}{}", name.to_ascii_uppercase()), value.clone())
    });
    let id = line.field("event").and_then(message_id);
    own.chain(id.map(|id| ("MESSAGE_ID".to_owned(), id.to_owned())))
        .collect()
}

fn log_level(level: Level) -> log::Level {
    match level {
        Level::ERROR => log::Level::Error,
        Level::WARN => log::Level::Warn,
        Level::INFO => log::Level::Info,
        Level::DEBUG => log::Level::Debug,
        _ => log::Level::Trace,
    }
}

#[cfg(test)]
mod tests;
