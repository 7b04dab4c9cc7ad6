//! The only loop: wait for a wake, feed the agent, carry out its effects in order.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinError;
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep};

use crate::agent::{Agent, Effect, Parts, Reload, Signal, Wake};
use crate::chance::Chance;
use crate::config::{Checked, Config, Problem};
use crate::edge::clock::{Alarm, Clock};
use crate::edge::config_files::ConfigFiles;
use crate::edge::control_socket::{self, ControlFault};
use crate::edge::journal::{self, Journal, JournalFault};
use crate::edge::secrets::SecretFiles;
use crate::edge::store::{self, Store, StoreFault};
use crate::edge::wakes::Wakes;
use crate::edge::world::{self, Carried, World};
use crate::edge::{network_changes, seed, systemd};
use crate::secret::Secret;
use crate::time::{Deadline, Now};

use reloading::{Reloading, Taken};

mod reloading;

/// How long the agent has to leave after SIGTERM. It promises 2 s.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the last log lines may take.
const JOURNAL_FLUSH: Duration = Duration::from_millis(200);
/// A suspend shorter than this is not worth a word: the two clocks are not read at the same instant.
const SHORTEST_SUSPEND: Duration = Duration::from_secs(1);

const FAILED: u8 = 1;
/// EX_CONFIG of sysexits.h.
const WRONG_CONFIGURATION: u8 = 78;

/// Why the daemon could not start.
#[derive(Debug, Error)]
enum StartFault {
    #[error("{0}")]
    Store(#[from] StoreFault),
    #[error("{0}")]
    Control(ControlFault),
    #[error("the system refuses what the loop needs: {0}")]
    System(#[from] io::Error),
    #[error("a fault of ours: {0}")]
    Panicked(#[from] JoinError),
}

/// Runs the daemon until it is told to leave; the exit code of the process. `config` is what `read` became, and
/// `files` is where it was read.
pub fn run(config: Config, read: &Checked, files: ConfigFiles) -> ExitCode {
    let journal = match journal::start(config.log_level) {
        Ok(journal) => journal,
        Err(fault) => return without_journal(&fault),
    };
    let secrets = files.secrets();
    let reloading = Reloading::new(files, read, journal.clone());
    let code = start(config, secrets, reloading).unwrap_or_else(|fault| {
        tracing::error!("{fault}");
        FAILED
    });
    journal.flush(JOURNAL_FLUSH);
    ExitCode::from(code)
}

/// Says in the journal why the daemon does not start; the exit code of the process.
pub fn refuse(problems: &[Problem]) -> ExitCode {
    let journal = match journal::start(tracing::Level::INFO) {
        Ok(journal) => journal,
        Err(fault) => return without_journal(&fault),
    };
    for problem in problems {
        if problem.is_error() {
            tracing::error!(event = "config-wrong", "{problem}");
        } else {
            tracing::warn!("{problem}");
        }
    }
    journal.flush(JOURNAL_FLUSH);
    ExitCode::from(WRONG_CONFIGURATION)
}

#[expect(clippy::print_stderr, reason = "there is no log to write it to")]
fn without_journal(fault: &JournalFault) -> ExitCode {
    eprintln!("meetd: {fault}");
    ExitCode::from(match fault {
        JournalFault::WrongFilter { .. } => WRONG_CONFIGURATION,
        JournalFault::SetUpTwice | JournalFault::NoThread(_) => FAILED,
    })
}

fn start(config: Config, secrets: SecretFiles, reloading: Reloading) -> Result<u8, StartFault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // A task of its own: to wake it takes no call of the system, as to wake what `block_on` waits for would.
    let life = runtime.spawn(live(config, secrets, reloading));
    let code = runtime.block_on(life)?;
    // A name or a file that hangs does not keep us.
    runtime.shutdown_background();
    code
}

async fn live(mut config: Config, secrets: SecretFiles, reloading: Reloading) -> Result<u8, StartFault> {
    config.dialer.sip.password = sip_password(&config, &secrets);
    let (wakes, heard) = Wakes::channel();
    let (store, restored) = Store::open(&store::state_directory(), &wakes)?;
    let mut chance = Chance::from_seed(seed::from_system()?);
    if let Err(error) = network_changes::watch(wakes.clone()) {
        tracing::warn!(error = %error, "changes of the network will not be seen");
    }
    let settings = world::Settings::of(&config);
    let metrics = settings.metrics;
    let mut world = World::new(settings, secrets.clone(), store, wakes, chance.fork());
    match world.open_control_socket(&control_socket::path()) {
        Ok(()) => {}
        Err(fault @ ControlFault::InUse(_)) => return Err(StartFault::Control(fault)),
        // Calls matter more than the commands that watch them.
        Err(fault @ ControlFault::Socket { .. }) => {
            tracing::error!("{fault}; meetd status, join and end will not work")
        }
    }
    world.serve_metrics(metrics);
    for fault in world.open_local_link() {
        fault.say();
    }
    let agent = Agent::new(Parts {
        config,
        chance,
        restored,
    });
    Ok(Loop::new(agent, world, heard, secrets, reloading)?.run().await)
}

/// A missing password is said and lived without: the far end may not ask for one.
fn sip_password(config: &Config, secrets: &SecretFiles) -> Option<Secret> {
    let name = config.sip_password_file.as_deref()?;
    match secrets.read(name) {
        Ok(password) => Some(password),
        Err(error) => {
            tracing::warn!(file = name, error = %error, "the SIP password cannot be read; calls go without it");
            None
        }
    }
}

/// What the loop drives: the agent, or a pretended one in tests.
trait Machine {
    fn handle_input(&mut self, now: Now, wake: Wake);
    fn poll_output(&mut self) -> Option<Effect>;
    fn next_deadline(&self) -> Option<Deadline>;
}

impl Machine for Agent {
    fn handle_input(&mut self, now: Now, wake: Wake) {
        self.handle_input(now, wake);
    }

    fn poll_output(&mut self) -> Option<Effect> {
        self.poll_output()
    }

    fn next_deadline(&self) -> Option<Deadline> {
        self.next_deadline()
    }
}

struct Loop<M> {
    machine: M,
    world: World,
    journal: Journal,
    /// What was answered at once: fed before anything is waited for.
    answers: VecDeque<Wake>,
    heard: Receiver<Wake>,
    alarm: Alarm,
    terminate: [SignalStream; 2],
    reload: SignalStream,
    secrets: SecretFiles,
    reloading: Reloading,
    watchdog: Option<Interval>,
    suspended: Duration,
    patience: Duration,
    /// Runs from SIGTERM on.
    leave_by: Option<Pin<Box<Sleep>>>,
}

/// What the loop waits for.
enum Next {
    Wake(Wake),
    /// SIGHUP: the configuration shall be read again.
    AskedToReload,
    /// It was, if nothing broke.
    Reread(Option<Box<Checked>>),
    PingWatchdog,
    OutOfPatience,
}

impl<M: Machine> Loop<M> {
    fn new(
        machine: M,
        world: World,
        heard: Receiver<Wake>,
        secrets: SecretFiles,
        reloading: Reloading,
    ) -> io::Result<Self> {
        Ok(Self {
            machine,
            world,
            journal: reloading.journal(),
            answers: VecDeque::from([Wake::Start]),
            heard,
            alarm: Alarm::new()?,
            terminate: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
            reload: signal(SignalKind::hangup())?,
            secrets,
            reloading,
            watchdog: systemd::watchdog_interval().map(|every| {
                let mut watchdog = interval(every);
                watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
                watchdog
            }),
            suspended: Clock.suspended(),
            patience: PATIENCE,
            leave_by: None,
        })
    }

    /// Runs until an effect, or our patience, ends it.
    async fn run(mut self) -> u8 {
        let code = loop {
            if let Some(code) = self.feed_answers() {
                break code;
            }
            if let Err(error) = self.alarm.arm(self.machine.next_deadline()) {
                tracing::error!(error = %error, "the alarm cannot be set");
                break FAILED;
            }
            match self.next().await {
                Ok(Next::Wake(wake)) => self.take(wake),
                Ok(Next::AskedToReload) => self.reloading.ask(),
                Ok(Next::Reread(read)) => self.take_configuration(read),
                Ok(Next::PingWatchdog) => self.ping_watchdog(),
                Ok(Next::OutOfPatience) => {
                    tracing::error!(
                        seconds = self.patience.as_secs(),
                        "calls did not end in time; leaving anyway"
                    );
                    break FAILED;
                }
                Err(error) => {
                    tracing::error!(error = %error, "the alarm is broken");
                    break FAILED;
                }
            }
        };
        self.world.finish().await;
        code
    }

    /// Feeds what waits, and what that is answered with, until there is nothing; the exit code when one is given.
    fn feed_answers(&mut self) -> Option<u8> {
        let _turn = self.journal.turn();
        while let Some(wake) = self.answers.pop_front() {
            if !self.world.hears(&wake) {
                continue;
            }
            self.machine.handle_input(Clock.now(), wake);
            while let Some(effect) = self.machine.poll_output() {
                match self.world.carry_out(effect) {
                    Carried::Out => {}
                    Carried::Answered(wake) => self.answers.push_back(wake),
                    Carried::Leave(code) => return Some(code),
                }
            }
        }
        None
    }

    async fn next(&mut self) -> io::Result<Next> {
        let [terminate, interrupt] = &mut self.terminate;
        Ok(tokio::select! {
            // Sockets that are never quiet hold up neither an end nor a deadline.
            biased;
            _ = terminate.recv() => Next::Wake(Wake::Signal(Signal::Terminate)),
            _ = interrupt.recv() => Next::Wake(Wake::Signal(Signal::Terminate)),
            _ = self.reload.recv() => Next::AskedToReload,
            read = self.reloading.finished() => Next::Reread(read.map(Box::new)),
            () = when(self.leave_by.as_mut()) => Next::OutOfPatience,
            () = tick(self.watchdog.as_mut()) => Next::PingWatchdog,
            due = self.alarm.due() => due.map(|()| Next::Wake(Wake::Deadline))?,
            Some(wake) = self.heard.recv() => Next::Wake(wake),
        })
    }

    /// Says that the loop lives, and the pacers with it: a call that nobody hears shall not last for hours.
    fn ping_watchdog(&mut self) {
        match self.world.audio_goes_on() {
            true => systemd::ping_watchdog(),
            false => tracing::error!("an audio thread hangs; the service manager is asked to restart us"),
        }
    }

    /// The world takes its part first: what the agent wants of it comes after.
    fn take_configuration(&mut self, read: Option<Box<Checked>>) {
        let reload = match self.reloading.take(read.map(|read| *read)) {
            Ok(Taken {
                mut config,
                needs_restart,
            }) => {
                config.dialer.sip.password = sip_password(&config, &self.secrets);
                self.world.reload(world::Settings::of(&config));
                Reload::Config {
                    config: Box::new(config),
                    needs_restart,
                }
            }
            Err(why) => Reload::Refused { why },
        };
        self.answers.push_back(Wake::Reload(reload));
    }

    /// Puts a wake in line, behind the news that the machine slept where it did.
    fn take(&mut self, wake: Wake) {
        let suspended = Clock.suspended();
        if suspended.saturating_sub(self.suspended) > SHORTEST_SUSPEND {
            self.suspended = suspended;
            tracing::info!("the machine was suspended");
            self.answers.push_back(Wake::Signal(Signal::NetworkChanged));
        }
        if let Wake::Signal(Signal::Terminate) = &wake
            && self.leave_by.is_none()
        {
            self.leave_by = Some(Box::pin(sleep(self.patience)));
        }
        self.answers.push_back(wake);
    }
}

async fn when(sleep: Option<&mut Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => pending().await,
    }
}

async fn tick(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
