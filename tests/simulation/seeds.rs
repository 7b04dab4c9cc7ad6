//! Lives from seeds. `MEETD_SEED=n` replays one; `MEETD_ROOM_HOURS=n` lives on until so many hours were simulated.
//! A life that breaks a promise is made shorter until each of its steps is needed, and printed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meetd::chance::Chance;

use crate::checks::Broken;
use crate::frames;
use crate::log::Log;
use crate::peers;
use crate::plan::{self, Step};
use crate::run;

/// Seeds of every `cargo test`.
const SEEDS: u64 = 2000;

#[test]
fn every_promise_holds_in_every_life() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("MEETD_SEED") {
        return tell(seed);
    }
    let hours_wanted = number("MEETD_ROOM_HOURS");
    #[expect(
        clippy::disallowed_methods,
        reason = "the time that it took is one of the figures"
    )]
    let begun = Instant::now();
    let (next, lived) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_done = match hours_wanted {
                Some(hours) => lived.load(Ordering::Relaxed) >= hours * 3600,
                None => seed >= SEEDS,
            };
            if is_done {
                return None;
            }
            match attempt(seed, &steps_of(seed)) {
                Ok(time) => lived.fetch_add(time.as_secs(), Ordering::Relaxed),
                Err(_) => return Some(seed),
            };
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().unwrap())
            .collect()
    });
    let hours = lived.load(Ordering::Relaxed) / 3600;
    println!(
        "simulation: {} lives, {hours} room-hours in {:.1} s",
        next.load(Ordering::Relaxed) - workers as u64,
        begun.elapsed().as_secs_f64()
    );
    if let Some(seed) = failed.iter().min() {
        tell(*seed);
    }
    let shapes = frames::of_each_shape();
    assert!(shapes.len() > 10, "{} shapes", shapes.len());
    peers::frames::all_fit(&shapes);
}

#[test]
fn a_seed_tells_the_same_life_twice() {
    for seed in [3, 77] {
        let lives = [(); 2].map(|()| format!("{:?}", attempt(seed, &steps_of(seed))));
        assert_eq!(lives[0], lives[1]);
    }
}

/// Replays a life; fails with the shortest form of it when a promise breaks.
fn tell(seed: u64) {
    let steps = steps_of(seed);
    let Err(broken) = attempt(seed, &steps) else {
        println!("seed {seed}: every promise holds");
        return;
    };
    let (shortest, broken) = shorten(seed, steps, broken);
    let told: String = shortest.iter().map(|step| format!("  {step:?}\n")).collect();
    panic!(
        "{} is broken: {}\nby the life\n{told}replay it with MEETD_SEED={seed} cargo test --test simulation seeds",
        broken.promise, broken.words
    );
}

/// Leaves steps out for as long as the same promise breaks.
fn shorten(seed: u64, mut steps: Vec<Step>, mut broken: Broken) -> (Vec<Step>, Broken) {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            match attempt(seed, &fewer) {
                Err(again) if again.promise == broken.promise => (steps, broken) = (fewer, again),
                Err(_) | Ok(_) => at += size,
            }
        }
        size /= 2;
    }
    (steps, broken)
}

fn steps_of(seed: u64) -> Vec<Step> {
    plan::draw(&mut chance_of(seed))
}

fn chance_of(seed: u64) -> Chance {
    let mut bytes = [0x5e; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Chance::from_seed(bytes)
}

/// In so many lives one is logged whole: writing the lines takes longer than the life.
const LOGGED: u64 = 10;

/// One life; a panic breaks a promise too.
fn attempt(seed: u64, steps: &[Step]) -> Result<Duration, Broken> {
    let chance = chance_of(seed).fork();
    let log = Log::default();
    let life = || match seed.is_multiple_of(LOGGED) {
        true => log.over(|| run::live(steps, chance)),
        false => run::live(steps, chance),
    };
    match (catch_unwind(AssertUnwindSafe(life)), log.leak()) {
        (Ok(_), Some(line)) => Err(Broken::new("nothing_secret_in_the_log", &line)),
        (Ok(result), None) => result,
        (Err(panic), _) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(Broken::new("nothing_panics", &words.unwrap_or_default()))
        }
    }
}
