//! What a room costs while nothing happens: memory, threads, wake-ups, and the time from its start until it is connected.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::baresip::Baresip;
use crate::peers::bridge::Bridge;
use crate::peers::daemon::Home;
use crate::peers::programs::Skipped;
use crate::peers::tls_front::TlsFront;

/// How often each is started.
const STARTS: usize = 20;
/// Threads for blocking work leave after 10 s without any.
const SETTLED: Duration = Duration::from_secs(13);
/// How long wake-ups are counted.
const WATCHED: Duration = Duration::from_secs(60);

/// Libraries that every program on a machine maps.
const COMMON: [&str; 4] = ["/libc.so", "/libm.so", "/libgcc_s.so", "/ld-linux"];

/// Measures and prints.
pub fn print() {
    let bridge = Bridge::start();
    let tls = TlsFront::start(&bridge);
    let over_ws = starts(&bridge, &home(&bridge));
    let mut secure = home(&bridge);
    let issuer = secure.write("issuer.pem", &tls.issuer);
    secure
        .set("bridge.ca_file", &format!("{issuer:?}"))
        .set("bridge.url", &format!("{:?}", tls.url()));
    let over_wss = starts(&bridge, &secure);
    let baresip_starts = (0..STARTS).map(|_| {
        let begun = Instant::now();
        Baresip::start().map(|_| begun.elapsed())
    });
    let baresip_starts: Result<Vec<Duration>, Skipped> = baresip_starts.collect();

    // Its directory lives as long as it does.
    let home = home(&bridge);
    let mut meetd = start(&home);
    bridge.wait_for_connection(2 * STARTS + 1);
    let idle = Idle::of(meetd.id());
    // It answers nobody any more: its own way out is measured elsewhere.
    let _ = meetd.kill();
    let _ = meetd.wait();

    println!("\nnothing happens; median (90th percentile) of {STARTS} starts\n");
    println!(
        "{:<34}{:>14}{:>10}{:>16}{:>22}",
        "", "memory", "threads", "wake-ups a s", "start to ready in ms"
    );
    row("meetd, connected over ws", Some(&idle), over_ws);
    row("meetd, connected over wss", None, over_wss);
    match baresip_starts {
        Ok(starts) => {
            let idle = Baresip::start().map(|baresip| Idle::of(baresip.program.id()));
            row("baresip, ready", idle.ok().as_ref(), starts);
        }
        Err(Skipped(why)) => println!("SKIPPED: {why}"),
    }
    println!(
        "\nmemory: resident; of {COMMON:?}, which everybody maps, only its share (PSS)\n\
         wake-ups: voluntary context switches of all threads in {WATCHED:?}, without pings of the bridge\n"
    );
}

fn row(name: &str, idle: Option<&Idle>, mut starts: Vec<Duration>) {
    starts.sort_unstable();
    let at = |percent: usize| starts[(starts.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    let [memory, threads, wakes] = match idle {
        Some(idle) => [
            format!("{:.1} MB", idle.memory as f64 / 1000.0),
            idle.threads.to_string(),
            format!("{:.2}", idle.wakes as f64 / WATCHED.as_secs_f64()),
        ],
        None => ["", "", ""].map(str::to_owned),
    };
    println!(
        "{name:<34}{memory:>14}{threads:>10}{wakes:>16}{:>14.1} ({:.1})",
        at(50),
        at(90)
    );
}

/// As it is shipped, and with a bridge that is never pinged.
fn home(bridge: &Bridge) -> Home {
    let mut home = Home::new(bridge);
    home.set("log.level", "\"info\"")
        .set("bridge.ping_interval", "\"1h\"");
    home
}

fn start(home: &Home) -> Child {
    let config = home.write("meetd.toml", &home.text());
    let mut command = home.command(&["run", "--config"]);
    command
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// From exec to the websocket that the bridge has opened.
fn starts(bridge: &Bridge, home: &Home) -> Vec<Duration> {
    (0..STARTS)
        .map(|_| {
            let before = bridge.events().iter().map(|event| event.connection).max();
            let begun = Instant::now();
            let mut meetd = start(home);
            let connected = bridge.wait_for_connection(before.unwrap_or(0) + 1);
            let _ = meetd.kill();
            let _ = meetd.wait();
            connected - begun
        })
        .collect()
}

/// What a process costs.
struct Idle {
    /// In kB.
    memory: u64,
    threads: usize,
    wakes: u64,
}

impl Idle {
    fn of(process: u32) -> Self {
        std::thread::sleep(SETTLED);
        let before = wakes(process);
        std::thread::sleep(WATCHED);
        let wakes = wakes(process) - before;
        Self {
            memory: memory(process),
            threads: tasks(process).len(),
            wakes,
        }
    }
}

fn wakes(process: u32) -> u64 {
    let of_task = |task: PathBuf| {
        let status = fs::read_to_string(task.join("status")).unwrap_or_default();
        number_after(&status, "voluntary_ctxt_switches:")
    };
    tasks(process).into_iter().map(of_task).sum()
}

/// Its threads' directories.
pub fn tasks(process: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// In kB, as if no other of its kind ran: two of them share what each would need alone.
pub fn memory(process: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
    let (mut sum, mut counted) = (0, "Rss:");
    for line in maps.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if first.contains('-') {
            let is_common = COMMON.iter().any(|name| line.contains(name));
            counted = if is_common { "Pss:" } else { "Rss:" };
        } else if first == counted {
            sum += number_after(line, counted);
        }
    }
    sum
}

/// The number after this name at the begin of a line; 0 when there is none.
fn number_after(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}
