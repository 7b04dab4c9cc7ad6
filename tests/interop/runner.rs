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

/// How many run at once: they mostly wait for one another's packets.
const AT_ONCE: usize = 4;

/// Runs those stories that the command line asks for, with the usual harness's arguments as far as cargo's users
/// need them: filters, `--exact`, `--list`.
pub fn run(stories: &[Story]) -> ExitCode {
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
    let chosen: Vec<_> = stories.iter().filter(|(name, _)| wanted(name)).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let began = Instant::now();
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, story)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = tell(name, *story);
                    verdicts.lock().unwrap().push((*name, verdict));
                }
            });
        }
    });
    sum_up(
        &verdicts.into_inner().unwrap(),
        stories.len() - chosen.len(),
        began,
    )
}

enum Verdict {
    Passed,
    Failed,
    Skipped,
}

fn tell(name: &'static str, story: fn() -> Result<(), Skipped>) -> Verdict {
    let named = thread::Builder::new().name(name.to_owned());
    let told = named
        .spawn(move || catch_unwind(AssertUnwindSafe(story)))
        .unwrap()
        .join();
    match told.unwrap() {
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
