//! Bad networks between baresip and meetd: what is heard stays near, and what is told of it is true.

use std::time::Duration;

use tempfile::TempDir;

use crate::baresip::Baresip;
use crate::peers::bad_network::BadNetwork;
use crate::peers::directives::{self, outcome};
use crate::peers::hearing::compare;
use crate::peers::programs::Skipped;
use crate::peers::room::Room;
use crate::peers::speech;
use crate::peers::tap::Tap;
use crate::speech_stories::{Band, PACKET, TRIES, UNNOTICED, as_file, head_start};

/// Packets of 20 ms in ten seconds.
const ENOUGH: u64 = 500;
/// What is told of concealment may be wrong by this share of the truth.
const NEARLY: f64 = 0.2;
/// Or by as much as this many percent, which is five packets of these.
const A_POINT: f64 = 1.0;

/// Five percent, each packet by itself.
pub fn random_loss() -> Result<(), Skipped> {
    survives(
        "5 % lost",
        5.0,
        BadNetwork {
            lost: 5.0,
            ..BadNetwork::default()
        },
    )
}

/// Twenty percent, three and more in a row.
pub fn bursts() -> Result<(), Skipped> {
    let network = BadNetwork {
        lost: 20.0,
        burst: 3.0,
        ..BadNetwork::default()
    };
    survives("20 % lost in bursts", 20.0, network)
}

/// Anything up to 50 ms.
pub fn jitter() -> Result<(), Skipped> {
    let network = BadNetwork {
        jitter: Duration::from_millis(50),
        ..BadNetwork::default()
    };
    survives("50 ms of jitter", 0.0, network)
}

/// Every tenth behind the two that follow it, every tenth twice.
pub fn disorder() -> Result<(), Skipped> {
    let network = BadNetwork {
        overtaken: 10.0,
        doubled: 10.0,
        ..BadNetwork::default()
    };
    survives("disorder", 0.0, network)
}

/// All of it.
pub fn everything() -> Result<(), Skipped> {
    let network = BadNetwork {
        lost: 5.0,
        burst: 2.0,
        jitter: Duration::from_millis(50),
        overtaken: 5.0,
        doubled: 5.0,
    };
    survives("everything at once", 5.0, network)
}

fn survives(name: &str, lost: f64, network: BadNetwork) -> Result<(), Skipped> {
    let mut faults = Vec::new();
    for seed in 1..=TRIES as u64 {
        match call(name, lost, network, seed)? {
            Ok(()) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    panic!("{name}: {faults:#?}");
}

fn call(name: &str, lost: f64, network: BadNetwork, seed: u64) -> Result<Result<(), String>, Skipped> {
    let folder = TempDir::with_prefix("meetd-network-").unwrap();
    let recording = folder.path().join("heard.wav");
    let said = speech::speak(seed, 15.0);
    let baresip = Baresip::speaking("pcmu", |path, rate| speech::write(path, &said, rate))?;
    let tap = Tap::start_before(([127, 0, 0, 1], baresip.port).into(), network, seed);
    let room = Room::open_with(&[
        ("media.codecs", "[\"pcmu\"]"),
        ("media.output", &as_file(&recording)),
        ("media.processing", "\"off\""),
        ("media.tones", "false"),
    ]);
    let join = directives::join(&format!("sip:far@{};transport=udp", tap.address));
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "Response", "{event}");
    tap.wait_for("ten seconds of audio", |wire| {
        (wire.to_daemon.packets >= ENOUGH).then_some(())
    });
    let status = room.home.status();
    let told = status["call"]["media"]["concealedPercent"]
        .as_f64()
        .expect("a figure");
    let passed_on = tap.wire.look(|wire| wire.to_daemon.passed_on.clone());
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.bridge.wait_for_call_state("IDLE");
    let log = room.meetd.stop();
    let held_back = log
        .split("playout_delay_ms=")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .expect("what the buffer held back, in the line at the end of the call");
    let [said, _] = baresip.recordings();
    let heard = compare(
        &speech::read(&said),
        &speech::read(&recording),
        Band::NARROW.up_to_hertz,
    );
    let Some(heard) = heard else {
        return Ok(Err("nothing of what was said is heard".to_owned()));
    };
    let delay = heard.delay_ms + tap.wire.look(head_start) + PACKET;
    // What comes later than it is heard is lost to the ear.
    let in_time = Duration::from_secs_f64((delay - PACKET).max(0.0) / 1000.0);
    let share = |of: &dyn Fn(&Option<Duration>) -> bool| {
        passed_on.iter().filter(|packet| of(packet)).count() as f64 / passed_on.len() as f64 * 100.0
    };
    let dropped = share(&Option::is_none);
    let truth = dropped + share(&|packet| packet.is_some_and(|late| late > in_time));
    println!(
        "{name}: {told:.1} % made up, {dropped:.1} % dropped and {:.1} % too late; {delay:.0} ms from mouth to ear, \
         {held_back:.0} ms of them in the buffer; {:+.1} dB, spectra {:.1} dB apart",
        truth - dropped,
        heard.gain_db,
        heard.distance_db
    );
    let allowed = (truth * NEARLY).max(A_POINT);
    let faults = [
        ((dropped - lost).abs() > lost / 2.0).then(|| format!("the network lost {dropped} %")),
        ((told - truth).abs() > allowed).then(|| format!("{told} % made up are told, {truth} % are true")),
        (!(PACKET..UNNOTICED).contains(&delay)).then(|| format!("{delay} ms from mouth to ear")),
        (held_back >= UNNOTICED).then(|| format!("{held_back} ms are held back")),
    ];
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    Ok(if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join(", "))
    })
}
