//! The journal: how lines look, what they never show, what happens when nobody takes them.

use std::sync::Mutex;

use super::*;
use crate::secret::Secret;

#[test]
fn an_event_stands_in_the_line_with_its_fields_and_those_of_its_spans() {
    let lines = logged(Level::INFO, || {
        let span = tracing::info_span!("call", call_id = %"7e1c", sip_status = tracing::field::Empty);
        span.record("sip_status", 200);
        let _inside = span.enter();
        tracing::info!(
            event = "call-placed",
            remote = "sip:room@example.com",
            "calling room 15"
        );
    });
    let text = lines[0].for_people();
    let (time, rest) = text.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(
        rest,
        "INFO  calling room 15 call_id=7e1c sip_status=200 event=call-placed remote=sip:room@example.com\n"
    );
}

#[test]
fn what_the_far_side_says_cannot_forge_a_line() {
    let lines = logged(Level::INFO, || {
        let phrase = "Busy\r\n2026-01-01T00:00:00Z INFO  event=call-answered\u{1b}[2J";
        tracing::warn!(phrase, shown = %phrase, debugged = ?phrase, "{phrase}");
    });
    let text = lines[0].for_people();
    assert_eq!(text.matches('\n').count(), 1);
    assert!(!text.trim_end().contains(char::is_control), "{text}");
    for (_, value) in journal_fields(&lines[0]) {
        assert!(!value.contains(char::is_control), "{value}");
    }
}

#[test]
fn a_secret_never_shows() {
    let lines = logged(Level::TRACE, || {
        let token = Secret::new("canary-token");
        tracing::trace!(token = ?token, request = ?Some(&token), "connecting with {token:?}");
    });
    assert_eq!(lines.len(), 1);
    assert!(!lines[0].for_people().contains("canary"));
    assert!(!format!("{:?}", journal_fields(&lines[0])).contains("canary"));
}

#[test]
fn journal_fields_are_in_capitals_with_the_message_id_of_the_event() {
    let lines = logged(Level::INFO, || {
        tracing::info!(event = "call-ended", end_reason = "hung up", priority = 7, "over");
    });
    let fields = journal_fields(&lines[0]);
    let value = |name: &str| {
        fields
            .iter()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(value("EVENT"), Some("call-ended"));
    assert_eq!(value("END_REASON"), Some("hung up"));
    assert_eq!(value("MESSAGE_ID"), message_id("call-ended"));
    assert_eq!((value("PRIORITY"), value("MEETD_PRIORITY")), (None, Some("7")));
}

#[test]
fn the_environment_goes_over_the_configured_level() {
    let count = |level, environment: Option<&str>| {
        let filter = filter(level, environment).unwrap();
        collected(filter, || {
            tracing::error!("one");
            tracing::info!("two");
            tracing::trace!("three");
            tracing::info!(target: "hickory_net", "a library's");
        })
        .len()
    };
    assert_eq!(count(Level::INFO, None), 2);
    assert_eq!(count(Level::INFO, Some("")), 2);
    assert_eq!(count(Level::INFO, Some("trace")), 3);
    assert_eq!(count(Level::TRACE, Some("ERROR")), 1);
    assert_eq!(count(Level::ERROR, Some("meetd=info,hickory_net=info")), 3);
    assert!(
        filter(Level::INFO, Some("meetd=loud,="))
            .unwrap_err()
            .to_string()
            .contains("meetd=loud")
    );
}

#[test]
fn lines_that_nobody_takes_are_counted_and_said() {
    let (release, gate) = sync_channel::<()>(0);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (layer, journal) = layer(Box::new(Gated(gate, Arc::clone(&seen)))).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    let said = QUEUE + 10;
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..said {
            tracing::info!("line");
        }
        drop(release);
        journal.flush(Duration::from_secs(20));
        while !journal_is_idle(&journal) {}
        tracing::info!("after");
        journal.flush(Duration::from_secs(20));
    });
    let lines = seen.lock().unwrap();
    let missing: usize = lines
        .iter()
        .filter_map(|line: &Line| line.field("missing_lines")?.parse::<usize>().ok())
        .sum();
    let written = lines.iter().filter(|line| line.message == "line").count();
    assert!((8..=10).contains(&missing), "{missing}");
    assert_eq!(written + missing, said);
    assert_eq!(lines[lines.len() - 1].message, "after");
}

#[test]
fn the_lines_of_a_turn_leave_when_it_ends_and_a_warning_at_once_with_those_before() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (layer, journal) = layer(Box::new(Kept(Arc::clone(&seen)))).unwrap();
    let written = || {
        journal.flush(Duration::from_secs(20));
        let seen = seen.lock().unwrap();
        seen.iter()
            .map(|line: &Line| line.message.clone())
            .collect::<Vec<_>>()
    };
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let turn = journal.turn();
        tracing::info!("one");
        tracing::debug!("two");
        assert_eq!(written(), Vec::<String>::new());
        tracing::warn!("three");
        assert_eq!(written(), ["one", "two", "three"]);
        tracing::info!("four");
        assert_eq!(written().len(), 3);
        drop(turn);
        assert_eq!(written().len(), 4);
        tracing::info!("five");
        assert_eq!(written(), ["one", "two", "three", "four", "five"]);
    });
}

#[test]
fn a_turn_without_end_holds_no_more_lines_than_the_queue_takes() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (layer, journal) = layer(Box::new(Kept(Arc::clone(&seen)))).unwrap();
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let _turn = journal.turn();
        for _ in 0..QUEUE + 1 {
            tracing::info!("line");
        }
        assert_eq!(journal.lines.held().as_ref().map(Vec::len), Some(1));
    });
}

fn journal_is_idle(journal: &Journal) -> bool {
    let (done, written) = sync_channel(1);
    journal.lines.queue.try_send(Entry::Flush(done)).is_ok() && written.recv().is_ok()
}

/// Writes nothing until the gate is dropped.
struct Gated(Receiver<()>, Arc<Mutex<Vec<Line>>>);

impl Sink for Gated {
    fn write(&mut self, line: &Line) {
        let _ = self.0.recv();
        self.1.lock().unwrap().push(line.clone());
    }
}

struct Kept(Arc<Mutex<Vec<Line>>>);

impl Sink for Kept {
    fn write(&mut self, line: &Line) {
        self.0.lock().unwrap().push(line.clone());
    }
}

fn logged(level: Level, say: impl FnOnce()) -> Vec<Line> {
    collected(filter(level, None).unwrap(), say)
}

fn collected(filter: EnvFilter, say: impl FnOnce()) -> Vec<Line> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (layer, journal) = layer(Box::new(Kept(Arc::clone(&lines)))).unwrap();
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(filter).with(layer), say);
    journal.flush(Duration::from_secs(20));
    lines.lock().unwrap().clone()
}
