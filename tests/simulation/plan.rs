//! What happens to a room in one simulated life, drawn from a seed.

use std::time::Duration;

use meetd::chance::Chance;

use crate::disk::DiskFault;
use crate::far_end::Manners;
use crate::names::NamesFault;
use crate::network::Network;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A join of a meeting that nobody has been in, at an address or at a name.
    Join {
        by_name: bool,
    },
    /// A join of the latest meeting, as a new directive.
    JoinSame,
    End,
    /// A directive of before comes again: so many back.
    Repeat(usize),
    /// "Alexa, stop."
    Stop,
    FarHangsUp,
    /// How the conference treats the next calls.
    Manners(Manners),
    Network(Network),
    Disk(DiskFault),
    Names(NamesFault),
    LoseBridge,
    /// kill -9 after so many more effects, and a start 0.1 s later.
    Kill {
        after: usize,
    },
    /// The power goes, and comes back 10 s later.
    CutPower,
    /// SIGTERM, and a start.
    Restart,
    SetClock(i64),
    Suspend(Duration),
    Wait(Duration),
}

/// A whole life. Each step is followed by some time.
pub fn draw(chance: &mut Chance) -> Vec<Step> {
    let steps = 4 + chance.below(14);
    (0..steps)
        .flat_map(|_| [step(chance), Step::Wait(pause(chance))])
        .collect()
}

fn step(chance: &mut Chance) -> Step {
    match chance.below(28) {
        0..6 => Step::Join {
            by_name: chance.below(3) == 0,
        },
        6 => Step::JoinSame,
        7..11 => Step::End,
        11..14 => Step::Repeat(chance.below(4) as usize),
        14 => Step::Stop,
        15 => Step::FarHangsUp,
        16..18 => Step::Manners(manners(chance)),
        18 => Step::Network(network(chance)),
        19 => Step::Disk(disk(chance)),
        20 => Step::LoseBridge,
        21..23 => Step::Kill {
            after: chance.below(40) as usize,
        },
        23 => match chance.below(2) {
            0 => Step::CutPower,
            _ => Step::Restart,
        },
        24 => Step::SetClock(chance.below(200_000) as i64 - 100_000),
        25 | 26 => Step::Names(names(chance)),
        _ => Step::Suspend(chance.up_to(Duration::from_secs(2 * 3600))),
    }
}

/// Mostly quiet seconds, sometimes an instant, sometimes a night.
fn pause(chance: &mut Chance) -> Duration {
    match chance.below(64) {
        0..16 => chance.up_to(Duration::from_millis(400)),
        16..56 => Duration::from_secs(10) + chance.up_to(Duration::from_secs(60)),
        56..63 => chance.up_to(Duration::from_secs(1200)),
        _ => chance.up_to(Duration::from_secs(5 * 3600)),
    }
}

fn manners(chance: &mut Chance) -> Manners {
    let usual = Manners::default();
    match chance.below(8) {
        0 => Manners {
            is_silent: true,
            ..usual
        },
        1 => Manners {
            answers_after: Some(chance.up_to(Duration::from_secs(20))),
            ..usual
        },
        2 => Manners {
            answers_after: None,
            ..usual
        },
        3 => Manners {
            refuses_with: Some(486),
            ..usual
        },
        4 => Manners { forks: true, ..usual },
        5 => Manners {
            loses_acks: 1 + chance.below(3) as u32,
            ..usual
        },
        6 => Manners {
            hangs_up_after: Some(chance.up_to(Duration::from_secs(30))),
            ..usual
        },
        _ => usual,
    }
}

fn network(chance: &mut Chance) -> Network {
    if chance.below(2) == 0 {
        return Network::default();
    }
    Network {
        loss: chance.below(25),
        duplication: chance.below(20),
        delay: chance.up_to(Duration::from_millis(300)),
    }
}

fn names(chance: &mut Chance) -> NamesFault {
    match chance.below(6) {
        0 => NamesFault::NotFound,
        1 => NamesFault::Slow,
        2 => NamesFault::Lost,
        3 | 4 => NamesFault::GoneServer,
        _ => NamesFault::None,
    }
}

fn disk(chance: &mut Chance) -> DiskFault {
    match chance.below(4) {
        0 => DiskFault::Unwritable,
        1 => DiskFault::Unsyncable,
        _ => DiskFault::None,
    }
}
