//! `make bench`: how long meetd takes from a directive to the INVITE on the wire, from 200 to ACK and from hang-up to
//! BYE, beside a bare websocket-to-INVITE program and beside baresip driven by its ctrl_tcp. The three take turns in
//! one run against the same kind of far end; `-- CALLS` says how many calls each makes (100). Then what a call costs while
//! people talk (`-- audio`: this alone), and what each costs while nothing happens.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program of its own that measures real time and prints"
)]

mod audio;
mod bare;
#[path = "../tests/interop/baresip.rs"]
mod baresip;
mod idle;
#[path = "../tests/peers/mod.rs"]
mod peers;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use baresip::Baresip;
use peers::bridge::{Bridge, call_states};
use peers::daemon::{Home, Meetd};
use peers::directives;
use peers::far_end::{FarEnd, Manner, Phase};
use peers::programs::Skipped;

const CALLS: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, url] = arguments.as_slice()
        && role == "bare"
    {
        return bare::run(url);
    }
    if arguments.iter().any(|argument| argument == "audio") {
        return audio::print();
    }
    let calls = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(CALLS);
    let mut contestants: Vec<Box<dyn Contestant>> = vec![Box::new(Room::new()), Box::new(BareProgram::new())];
    match Baresip::start() {
        Ok(baresip) => contestants.push(Box::new(ByControl(baresip))),
        Err(Skipped(why)) => println!("SKIPPED: {why}"),
    }
    let mut figures: Vec<Figures> = contestants.iter().map(|_| Figures::default()).collect();
    let far_ends: Vec<_> = contestants
        .iter()
        .map(|_| {
            FarEnd::start(Manner::Answer {
                after: Duration::ZERO,
            })
        })
        .collect();
    for _ in 0..calls {
        for (contestant, (far_end, figures)) in contestants.iter_mut().zip(far_ends.iter().zip(&mut figures))
        {
            figures.add(measure(contestant.as_mut(), far_end));
        }
    }
    println!(
        "\n{calls} calls each over UDP on loopback, in turns; median (90th percentile) in microseconds\n"
    );
    println!(
        "{:<34}{:>22}{:>20}{:>20}",
        "", "directive to INVITE", "200 to ACK", "hang-up to BYE"
    );
    for (contestant, figures) in contestants.iter().zip(&mut figures) {
        let [invite, ack, bye] = figures.columns();
        println!("{:<34}{invite:>22}{ack:>20}{bye:>20}", contestant.name());
    }
    println!();
    // Others of their kind would share their memory with those that are measured next.
    drop(contestants);
    audio::print();
    idle::print();
}

/// A program that makes calls when told to.
trait Contestant {
    /// For the table.
    fn name(&self) -> &'static str;
    /// Tells it to call this far end; when.
    fn dial(&mut self, far_end: &FarEnd) -> Instant;
    /// Waits until it says that the call is up.
    fn wait_until_up(&mut self);
    /// Tells it to hang up; when.
    fn hang_up(&mut self) -> Instant;
    /// Waits until it says that the call is over.
    fn wait_until_over(&mut self);
}

fn measure(contestant: &mut dyn Contestant, far_end: &FarEnd) -> [Duration; 3] {
    let number = far_end.seen.look(|seen| seen.calls.len());
    let dialled = contestant.dial(far_end);
    far_end.wait_for("the call to be confirmed", |seen| {
        (seen.calls.get(number)?.phase == Phase::Confirmed).then_some(())
    });
    contestant.wait_until_up();
    let hung_up = contestant.hang_up();
    far_end.wait_for_phase(Phase::TheyLeft);
    contestant.wait_until_over();
    far_end.seen.look(|seen| {
        let of_call = |theirs: bool, start: &str| {
            let call_id = seen.calls[number].invite.call_id();
            let fits = |message: &peers::sip_text::Message| {
                message.call_id() == call_id
                    && message.start.starts_with(start)
                    && (theirs || message.answers("INVITE", 200))
            };
            seen.first(theirs, fits).unwrap()
        };
        let answered = of_call(false, "SIP/2.0 200");
        [
            of_call(true, "INVITE") - dialled,
            of_call(true, "ACK") - answered,
            of_call(true, "BYE") - hung_up,
        ]
    })
}

#[derive(Default)]
struct Figures([Vec<Duration>; 3]);

impl Figures {
    fn add(&mut self, measured: [Duration; 3]) {
        for (held, new) in self.0.iter_mut().zip(measured) {
            held.push(new);
        }
    }

    fn columns(&mut self) -> [String; 3] {
        self.0.each_mut().map(|column| {
            column.sort_unstable();
            let at = |percent: usize| column[(column.len() - 1) * percent / 100].as_micros();
            format!("{} ({})", at(50), at(90))
        })
    }
}

/// meetd as it is shipped, behind a bridge.
struct Room {
    bridge: Bridge,
    calls: usize,
    _meetd: Meetd,
    _home: Home,
}

impl Room {
    fn new() -> Self {
        let bridge = Bridge::start();
        let mut home = Home::new(&bridge);
        home.set("log.level", "\"info\"");
        let meetd = home.start();
        bridge.wait_for_snapshot(1);
        Self {
            bridge,
            calls: 0,
            _meetd: meetd,
            _home: home,
        }
    }

    fn wait_for(&self, state: &str) {
        self.bridge
            .wait_for_frames(&format!("{state} number {}", self.calls), |frames| {
                let states = call_states(frames);
                (states.iter().filter(|seen| *seen == state).count() == self.calls).then_some(())
            });
    }
}

impl Contestant for Room {
    fn name(&self) -> &'static str {
        "meetd"
    }

    fn dial(&mut self, far_end: &FarEnd) -> Instant {
        self.calls += 1;
        self.bridge.send(&directives::join(&far_end.endpoint()))
    }

    fn wait_until_up(&mut self) {
        self.wait_for("ACTIVE");
    }

    fn hang_up(&mut self) -> Instant {
        self.bridge.send(&directives::end())
    }

    fn wait_until_over(&mut self) {
        self.wait_for("IDLE");
    }
}

/// The program in `bare/`, behind a bridge, as a process of its own.
struct BareProgram {
    bridge: Bridge,
    process: Child,
}

impl BareProgram {
    fn new() -> Self {
        let bridge = Bridge::start();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let process = command.args(["bare", &bridge.url()]).spawn().unwrap();
        bridge.wait_for_connection(1);
        Self { bridge, process }
    }
}

impl Drop for BareProgram {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Contestant for BareProgram {
    fn name(&self) -> &'static str {
        "bare websocket-to-INVITE program"
    }

    fn dial(&mut self, far_end: &FarEnd) -> Instant {
        self.bridge.send(&directives::join(&far_end.endpoint()))
    }

    fn wait_until_up(&mut self) {}

    fn hang_up(&mut self) -> Instant {
        self.bridge.send(&directives::end())
    }

    fn wait_until_over(&mut self) {}
}

/// baresip, told by its ctrl_tcp.
struct ByControl(Baresip);

impl ByControl {
    fn wait_for(&self, kind: &str, count: usize) {
        self.0.control.wait_for(kind, |heard| {
            (heard.iter().filter(|(_, value)| value["type"] == kind).count() >= count).then_some(())
        });
    }

    fn over(&self) -> usize {
        self.0.control.events("CALL_CLOSED").len()
    }
}

impl Contestant for ByControl {
    fn name(&self) -> &'static str {
        "baresip by ctrl_tcp"
    }

    fn dial(&mut self, far_end: &FarEnd) -> Instant {
        self.0
            .control
            .command("dial", &format!("sip:far@{}", far_end.endpoint()))
    }

    fn wait_until_up(&mut self) {
        self.wait_for("CALL_ESTABLISHED", self.over() + 1);
    }

    fn hang_up(&mut self) -> Instant {
        self.0.control.command("hangup", "")
    }

    fn wait_until_over(&mut self) {
        let established = self.0.control.events("CALL_ESTABLISHED").len();
        self.wait_for("CALL_CLOSED", established);
    }
}
