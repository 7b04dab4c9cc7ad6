//! What a call costs while people talk, and how evenly its packets leave: meetd and baresip call the same far end, a
//! baresip of its own that speaks and listens. Times of packets are the kernel's.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::baresip::Baresip;
use crate::idle;
use crate::peers::bridge::Bridge;
use crate::peers::daemon::{Home, Meetd};
use crate::peers::directives;
use crate::peers::programs::Skipped;
use crate::peers::speech;

mod capture;

use capture::{Call, Capture};

/// The start of a call does not count.
const SETTLED: Duration = Duration::from_secs(3);
/// How long a call is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// Calls whose first packet is timed.
const CALLS: usize = 20;
/// Both say this many seconds, again and again.
const SPOKEN: f64 = 60.0;
/// How long each of those goes on.
const SHORT: Duration = Duration::from_millis(300);

/// Measures and prints.
pub fn print() {
    if let Err(Skipped(why)) = measure_all() {
        println!("SKIPPED: {why}");
    }
}

fn measure_all() -> Result<(), Skipped> {
    println!(
        "\na call with speech both ways, watched for {WATCHED:?}; answer to first packet: of {CALLS} calls\n"
    );
    println!(
        "{:<20}{:>12}{:>16}{:>20}{:>26}{:>30}",
        "", "CPU", "memory", "load of machine", "packet gap, deviation", "answer to first packet"
    );
    for codec in ["pcmu", "opus"] {
        if codec == "opus" && !cfg!(feature = "opus") {
            println!("SKIPPED: opus is not built in (cargo bench --features opus)");
            continue;
        }
        for caller in ["meetd", "baresip"] {
            let far_end = far_end(codec)?;
            let mut caller: Box<dyn Caller> = match caller {
                "meetd" => Box::new(Room::new(codec)),
                _ => Box::new(Talker(self::far_end(codec)?)),
            };
            let figures = measure(caller.as_mut(), &far_end)?;
            println!(
                "{:<20}{}",
                format!("{} in {codec}", caller.name()),
                figures.shown()
            );
        }
    }
    println!();
    Ok(())
}

/// A baresip that speaks and answers by itself.
fn far_end(codec: &str) -> Result<Baresip, Skipped> {
    let said = speech::speak(1, SPOKEN);
    Baresip::speaking(codec, |path, rate| speech::write(path, &said, rate))
}

/// A program that calls.
trait Caller {
    fn name(&self) -> &'static str;
    fn process(&self) -> u32;
    /// Calls the far end at this port.
    fn call(&mut self, port: u16);
    fn hang_up(&mut self);
}

struct Figures {
    cpu_percent: f64,
    memory_kb: u64,
    load: String,
    deviation_ms: f64,
    mean_ms: f64,
    first: Vec<f64>,
}

impl Figures {
    fn shown(mut self) -> String {
        self.first.sort_by(f64::total_cmp);
        let at = |percent: usize| self.first.get((self.first.len().max(1) - 1) * percent / 100);
        let at = |percent: usize| at(percent).copied().unwrap_or(f64::NAN);
        format!(
            "{:>10.2} %{:>13.1} MB{:>20}{:>26}{:>30}",
            self.cpu_percent,
            self.memory_kb as f64 / 1000.0,
            self.load,
            format!("{:.2} ms, {:.3} ms", self.mean_ms, self.deviation_ms),
            format!("{:.2} ms (90 %: {:.2})", at(50), at(90)),
        )
    }
}

fn measure(caller: &mut dyn Caller, far_end: &Baresip) -> Result<Figures, Skipped> {
    let wait_for = |kind: &str, count: usize| {
        far_end.control.wait_for(kind, |heard| {
            let events = heard.iter().filter(|(_, value)| value["type"] == kind);
            (events.count() >= count).then_some(())
        });
    };
    let capture = Capture::start()?;
    for count in 1..=CALLS {
        caller.call(far_end.port);
        wait_for("CALL_ESTABLISHED", count);
        sleep(SHORT);
        caller.hang_up();
        wait_for("CALL_CLOSED", count);
    }
    caller.call(far_end.port);
    wait_for("CALL_ESTABLISHED", CALLS + 1);
    sleep(SETTLED);
    let (before, began) = (running_time(caller.process()), Instant::now());
    sleep(WATCHED);
    let used = running_time(caller.process()) - before;
    let cpu_percent = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    let memory_kb = idle::memory(caller.process());
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    caller.hang_up();
    wait_for("CALL_CLOSED", CALLS + 1);
    let calls = capture.stop().calls_to(far_end.port);
    assert_eq!(calls.len(), CALLS + 1, "answers that were captured");
    let first = calls.iter().filter_map(Call::first_packet).collect();
    let gaps = calls[CALLS].gaps_after(SETTLED);
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    Ok(Figures {
        cpu_percent,
        memory_kb,
        load: load.split_whitespace().next().unwrap_or_default().to_owned(),
        mean_ms: mean,
        deviation_ms: square.sqrt(),
        first,
    })
}

/// How long all threads of this process have run, to the nanosecond.
fn running_time(process: u32) -> Duration {
    let of_thread = |thread: PathBuf| {
        let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
        let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
        Duration::from_nanos(nanoseconds.unwrap_or(0))
    };
    idle::tasks(process).into_iter().map(of_thread).sum()
}

/// meetd as it is shipped, behind a bridge.
struct Room {
    bridge: Bridge,
    meetd: Meetd,
    _home: Home,
}

impl Room {
    fn new(codec: &str) -> Self {
        let bridge = Bridge::start();
        let mut home = Home::new(&bridge);
        let said = home.path().join("said.wav");
        speech::write(&said, &speech::speak(2, SPOKEN), 48_000);
        home.set("log.level", "\"info\"")
            .set("media.codecs", &format!("[{codec:?}]"))
            .set("media.input", &format!("\"file:{}\"", said.display()))
            // baresip cancels no echo either.
            .set("media.processing", "\"off\"");
        let meetd = home.start();
        bridge.wait_for_snapshot(1);
        Self {
            bridge,
            meetd,
            _home: home,
        }
    }
}

impl Caller for Room {
    fn name(&self) -> &'static str {
        "meetd"
    }

    fn process(&self) -> u32 {
        self.meetd.id()
    }

    fn call(&mut self, port: u16) {
        self.bridge.send(&directives::join(&format!(
            "sip:far@127.0.0.1:{port};transport=udp"
        )));
    }

    fn hang_up(&mut self) {
        self.bridge.ask(&directives::end());
    }
}

/// baresip, told by its ctrl_tcp.
struct Talker(Baresip);

impl Caller for Talker {
    fn name(&self) -> &'static str {
        "baresip"
    }

    fn process(&self) -> u32 {
        self.0.program.id()
    }

    fn call(&mut self, port: u16) {
        self.0
            .control
            .command("dial", &format!("sip:far@127.0.0.1:{port}"));
    }

    fn hang_up(&mut self) {
        self.0.control.command("hangup", "");
    }
}
