//! The only reader of clocks, and the alarm that wakes the loop at the agent's deadline.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::time::{Deadline, Moment, Now};

/// Both clocks of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// The present: time since boot with suspend included, and the wall clock.
    pub fn now(self) -> Now {
        Now {
            moment: Moment::since_boot(since_boot(ClockId::Boottime)),
            wall: wall(),
        }
    }

    /// How long the machine has been suspended since boot.
    pub fn suspended(self) -> Duration {
        let awake = since_boot(ClockId::Monotonic);
        since_boot(ClockId::Boottime).saturating_sub(awake)
    }
}

fn since_boot(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where the wall clock is read"
)]
fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A timer on `CLOCK_BOOTTIME`: one that ran out in a suspend is due at resume.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
    armed: Option<Moment>,
}

impl Alarm {
    /// An alarm that is not set. Must be made inside the runtime.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, since a type may lie about its descriptor; an OwnedFd keeps one open for life"
    )]
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Boottime,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        Ok(Self {
            timer: AsyncFd::new(timer)?,
            armed: None,
        })
    }

    /// Sets it to this deadline in place of the last one; `None` switches it off.
    pub fn arm(&mut self, deadline: Option<Deadline>) -> io::Result<()> {
        let at = deadline.map(|deadline| deadline.at);
        if at == self.armed {
            return Ok(());
        }
        // A timer value of zero would switch it off; one nanosecond after boot is as long past.
        let value = at.map_or(Duration::ZERO, |at| {
            at.elapsed_since_boot().max(Duration::from_nanos(1))
        });
        let setting = Itimerspec {
            it_interval: timespec(Duration::ZERO),
            it_value: timespec(value),
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::ABSTIME, &setting)?;
        self.armed = at;
        Ok(())
    }

    /// Returns when the moment has come; never while it is not set. Giving up waiting loses nothing.
    pub async fn due(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut expirations) {
                Ok(_) => {
                    self.armed = None;
                    return Ok(());
                }
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::testing::in_runtime;

    #[test]
    fn moments_go_forward_only() {
        let first = Clock.now();
        let second = Clock.now();
        assert!(second.moment >= first.moment);
        assert!(first.moment.elapsed_since_boot() > Duration::ZERO);
        assert!(Clock.suspended() < Clock.now().moment.elapsed_since_boot());
    }

    #[test]
    fn alarm_rings_at_its_deadline_and_not_before() {
        in_runtime(async {
            let mut alarm = Alarm::new().unwrap();
            let deadline = Deadline::after(Clock.now(), Duration::from_millis(20), "test");
            alarm.arm(Some(deadline)).unwrap();
            alarm.due().await.unwrap();
            assert!(deadline.is_due(Clock.now()));
        });
    }

    #[test]
    fn alarm_set_to_the_past_rings_at_once_and_again_when_set_again() {
        in_runtime(async {
            let mut alarm = Alarm::new().unwrap();
            let past = Deadline {
                at: Moment::default(),
                why: "test",
            };
            for _ in 0..2 {
                alarm.arm(Some(past)).unwrap();
                alarm.due().await.unwrap();
            }
        });
    }

    #[test]
    fn alarm_switched_off_does_not_ring() {
        in_runtime(async {
            let mut alarm = Alarm::new().unwrap();
            alarm
                .arm(Some(Deadline {
                    at: Moment::default(),
                    why: "test",
                }))
                .unwrap();
            alarm.arm(None).unwrap();
            let rings = tokio::time::timeout(Duration::from_millis(30), alarm.due()).await;
            assert!(rings.is_err());
        });
    }
}
