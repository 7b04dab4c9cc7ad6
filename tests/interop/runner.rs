//! Runs the stories of this binary and says which were skipped, and why: the usual harness has no word for a test
//! that needs a program which is not installed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::peers::programs::Skipped;

/// One story: its promise, and how it is told.
pub type Story = (&'static str, fn() -> Result<(), Skipped>);

/// The same, made at run time.
pub struct Told {
    /// Its promise.
    pub name: String,
    /// How it is told.
    pub story: Box<dyn Fn() -> Result<(), Skipped> + Send + Sync>,
}

impl From<&Story> for Told {
    fn from((name, story): &Story) -> Self {
        Self {
            name: (*name).to_owned(),
            story: Box::new(*story),
        }
    }
}

impl Told {
    /// What sipp tells over this transport.
    pub fn over(
        name: &str,
        transport: &str,
        story: impl Fn() -> Result<(), Skipped> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("sipp_{name}_{transport}"),
            story: Box::new(story),
        }
    }
}

/// Conditions by transports: rows, each with what it is called and its stories' names.
pub type Table = Vec<(String, Vec<String>)>;

/// The row of these stories.
pub fn row(name: &str, stories: &[Told]) -> (String, Vec<String>) {
    let names = stories.iter().map(|told| told.name.clone());
    (name.to_owned(), names.collect())
}

/// The columns of the table, as the names of stories end.
const COLUMNS: [&str; 3] = ["udp", "tcp", "tls"];

/// How many run at once: they mostly wait for one another's packets.
const AT_ONCE: usize = 4;

/// Runs those stories that the command line asks for, with the usual harness's arguments as far as cargo's users
/// need them: filters, `--exact`, `--list`.
pub fn run(stories: &[Told], table: &Table) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let filters: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted = |name: &str| {
        let fits = |filter: &&String| {
            if exact {
                name == filter.as_str()
            } else {
                name.contains(filter.as_str())
            }
        };
        filters.is_empty() || filters.iter().any(fits)
    };
    let chosen: Vec<_> = stories.iter().filter(|told| wanted(&told.name)).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|told| println!("{}: test", told.name));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let began = Instant::now();
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(told) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = tell(told);
                    verdicts.lock().unwrap().push((told.name.as_str(), verdict));
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap();
    show(table, &verdicts);
    sum_up(&verdicts, stories.len() - chosen.len(), began)
}

enum Verdict {
    Passed,
    Failed,
    Skipped,
}

fn tell(told: &Told) -> Verdict {
    let name = &told.name;
    let verdict = thread::scope(|scope| {
        let named = thread::Builder::new().name(name.clone());
        let story = AssertUnwindSafe(&told.story);
        let running = named.spawn_scoped(scope, move || catch_unwind(AssertUnwindSafe(|| (*story)())));
        running.unwrap().join().unwrap()
    });
    match verdict {
        Ok(Ok(())) => {
            println!("test {name} ... ok");
            Verdict::Passed
        }
        Ok(Err(Skipped(why))) => {
            println!("test {name} ... SKIPPED: {why}");
            Verdict::Skipped
        }
        Err(_) => {
            println!("test {name} ... FAILED");
            Verdict::Failed
        }
    }
}

/// Prints the table of conditions, as far as they were told.
fn show(table: &Table, verdicts: &[(&str, Verdict)]) {
    let word = |stories: &[String], column: &str| {
        let Some(story) = stories.iter().find(|story| story.ends_with(column)) else {
            return "";
        };
        let told = verdicts.iter().find(|(name, _)| *name == story.as_str());
        match told {
            Some((_, Verdict::Passed)) => "pass",
            Some((_, Verdict::Failed)) => "FAIL",
            Some((_, Verdict::Skipped)) => "skipped",
            None => "-",
        }
    };
    println!("\n{:<40}{:<9}{:<9}TLS", "condition", "UDP", "TCP");
    for (condition, stories) in table {
        let words: String = COLUMNS
            .iter()
            .map(|column| format!("{:<9}", word(stories, column)))
            .collect();
        println!("{condition:<40}{}", words.trim_end());
    }
}

fn sum_up(verdicts: &[(&str, Verdict)], filtered: usize, began: Instant) -> ExitCode {
    let named = |wanted: fn(&Verdict) -> bool| {
        let fitting = verdicts.iter().filter(move |(_, verdict)| wanted(verdict));
        fitting.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let failed = named(|verdict| matches!(verdict, Verdict::Failed));
    let skipped = named(|verdict| matches!(verdict, Verdict::Skipped));
    for (what, names) in [("failures", &failed), ("skipped", &skipped)] {
        if !names.is_empty() {
            println!("\n{what}:\n    {}", names.join("\n    "));
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {filtered} filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        verdicts.len() - failed.len() - skipped.len(),
        failed.len(),
        skipped.len(),
        began.elapsed().as_secs_f32(),
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
