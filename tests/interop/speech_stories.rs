//! Two-way speech: what each side said is recorded on the other and compared with the original.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::asterisk::Asterisk;
use crate::baresip::Baresip;
use crate::linphone::Linphone;
use crate::peers::directives::{self, outcome};
use crate::peers::hearing::{Heard, compare};
use crate::peers::programs::Skipped;
use crate::peers::room::Room;
use crate::peers::speech;
use crate::peers::tap::{Tap, Wire};

/// How long both speak: three hundred packets of 20 ms.
const SECONDS: f64 = 6.0;
/// What each has said ends later than the call.
const SAID: f64 = 9.0;
/// From mouth to ear, so that nobody notices, in milliseconds.
pub const UNNOTICED: f64 = 200.0;
/// What a busy machine spoils once, it does not spoil each time; a broken path does.
pub const TRIES: usize = 3;
/// A packet is full after this many milliseconds: its first sample is as old when it leaves.
pub const PACKET: f64 = 20.0;

/// How much of a voice a codec carries, and how well.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    /// Above this, nothing is compared.
    pub up_to_hertz: f64,
    /// The most that spectra may differ.
    distance_db: f64,
}

impl Band {
    /// G.711.
    pub const NARROW: Self = Self {
        up_to_hertz: 3400.0,
        distance_db: 2.0,
    };
    /// G.722, Opus.
    pub const WIDE: Self = Self {
        up_to_hertz: 6500.0,
        distance_db: 2.5,
    };

    /// What a person would notice, if anything: `gain` is what the path is meant to have.
    pub fn judge(self, what: &str, gain: f64, heard: &Option<Heard>) -> Result<(), String> {
        let Some(heard) = heard else {
            return Err(format!("{what}: nothing of what was said is heard"));
        };
        let wanted = 20.0 * gain.log10();
        let faults = [
            ((heard.gain_db - wanted).abs() > 1.0)
                .then(|| format!("{:+.1} dB, not {wanted:+.1}", heard.gain_db)),
            (heard.distance_db > self.distance_db).then(|| {
                format!(
                    "spectra differ by {:.1} dB, not {:.1}",
                    heard.distance_db, self.distance_db
                )
            }),
            (heard.missing_percent > 3.0).then(|| format!("{:.1} % are missing", heard.missing_percent)),
            (heard.wander_ms > 80.0).then(|| format!("the delay wanders by {:.0} ms", heard.wander_ms)),
        ];
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(format!("{what}: {}", faults.join(", ")))
        }
    }
}

/// A far end that speaks a file of ours and records what it hears.
pub trait Speaker {
    /// What is dialled, port included, of loopback.
    fn port(&self) -> u16;
    /// The user part that speaks and records.
    fn user(&self) -> &'static str {
        "far"
    }
    /// The call is up: it speaks, unless it did already.
    fn begin(&mut self) {}
    /// The call is over; where its recording of what it heard is.
    fn recording(&mut self) -> PathBuf;
    /// And where that of what it said is, from its first packet on, if it makes one.
    fn said(&mut self) -> Option<PathBuf> {
        None
    }
}

impl Speaker for Baresip {
    fn port(&self) -> u16 {
        self.port
    }

    fn recording(&mut self) -> PathBuf {
        let [_, heard] = self.recordings();
        heard
    }

    fn said(&mut self) -> Option<PathBuf> {
        let [said, _] = self.recordings();
        Some(said)
    }
}

/// Writes what the far end says at the rate that it reads.
type Write<'a> = &'a dyn Fn(&Path, u32);

pub fn with_baresip(codec: &str) -> Result<(), Skipped> {
    two_way("baresip", codec, (1.0, 1.0), |write| {
        Ok(Box::new(Baresip::speaking(codec, write)?))
    })
}

pub fn with_linphone(codec: &str) -> Result<(), Skipped> {
    // Its G.722 speaks at half the level and hears at twice, against baresip's, Asterisk's and ours.
    let gains = if codec == "g722" { (0.5, 2.0) } else { (1.0, 1.0) };
    two_way("linphone", codec, gains, |write| {
        Ok(Box::new(Linphone::speaking(codec, write)?))
    })
}

pub fn with_asterisk(codec: &str) -> Result<(), Skipped> {
    two_way("asterisk", codec, (1.0, 1.0), |write| {
        Ok(Box::new(Asterisk::speaking(write)?))
    })
}

fn two_way(
    name: &str,
    codec: &str,
    gains: (f64, f64),
    start: impl Fn(Write) -> Result<Box<dyn Speaker>, Skipped>,
) -> Result<(), Skipped> {
    let mut faults = Vec::new();
    for _ in 0..TRIES {
        match call(name, codec, gains, &start)? {
            Ok(()) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    panic!("{name} in {codec}: {faults:#?}");
}

/// One call, and what a person would notice of it.
fn call(
    name: &str,
    codec: &str,
    gains: (f64, f64),
    start: impl Fn(Write) -> Result<Box<dyn Speaker>, Skipped>,
) -> Result<Result<(), String>, Skipped> {
    let folder = TempDir::with_prefix("meetd-speech-").unwrap();
    let file = |name: &str| folder.path().join(name);
    let (room_said, far_said) = (speech::speak(1, SAID), speech::speak(2, SAID));
    speech::write(&file("room-said.wav"), &room_said, 48_000);
    let mut far_end = start(&|path, rate| speech::write(path, &far_said, rate))?;
    let tap = Tap::start(([127, 0, 0, 1], far_end.port()).into());
    let room = Room::open_with(&[
        ("media.codecs", &format!("[{codec:?}]")),
        ("media.input", &as_file(&file("room-said.wav"))),
        ("media.output", &as_file(&file("room-heard.wav"))),
        ("media.processing", "\"off\""),
        ("media.tones", "false"),
    ]);
    let join = directives::join(&format!("sip:{}@{};transport=udp", far_end.user(), tap.address));
    let event = room.bridge.ask(&join);
    assert_eq!(outcome(&event), "Response", "{event}");
    far_end.begin();
    let enough = (SECONDS * 50.0) as u64;
    tap.wait_for("six seconds of audio both ways", |wire| {
        (wire.from_daemon.packets >= enough && wire.to_daemon.packets >= enough).then_some(())
    });
    let status = room.home.status();
    assert_eq!(status["call"]["codec"], codec);
    assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
    room.bridge.wait_for_call_state("IDLE");
    room.meetd.stop();
    let far_heard = far_end.recording();
    let band = if codec.starts_with("pcm") {
        Band::NARROW
    } else {
        Band::WIDE
    };
    let heard = |said: &[f64], path: &Path| compare(said, &speech::read(path), band.up_to_hertz);
    // A far end may be late with its first words, or swallow some: what counts is what it gave to its encoder.
    let encoded = far_end.said().map(|path| speech::read(&path));
    let in_room = heard(encoded.as_ref().unwrap_or(&far_said), &file("room-heard.wav"));
    let far_away = heard(&room_said, &far_heard);
    // The recording of the room begins with its first packet, that of what was said 20 ms before the far end's.
    let to_the_ear = encoded
        .and(in_room)
        .map(|heard| heard.delay_ms + tap.wire.look(head_start) + PACKET);
    let shown = |heard: &Option<Heard>| {
        heard.map_or("nothing".to_owned(), |heard| {
            format!(
                "{:+.2} dB, spectra {:.2} dB apart",
                heard.gain_db, heard.distance_db
            )
        })
    };
    println!(
        "{name} in {codec}: the room hears it {}{}; it hears the room {}",
        to_the_ear.map_or_else(String::new, |delay| format!("after {delay:.0} ms, ")),
        shown(&in_room),
        shown(&far_away),
    );
    let delay = match to_the_ear {
        Some(delay) if !(PACKET..UNNOTICED).contains(&delay) => Err(format!("{delay} ms from mouth to ear")),
        _ => Ok(()),
    };
    let room = band.judge("the room heard", gains.0, &in_room);
    let far = band.judge("the far end heard", gains.1, &far_away);
    Ok(room.and(far).and(delay))
}

/// How much earlier the daemon's first packet passed than the far end's, in milliseconds.
pub fn head_start(wire: &Wire) -> f64 {
    let [ours, theirs] = [true, false].map(|from_daemon| wire.leg(from_daemon).first.expect("audio"));
    match theirs.checked_duration_since(ours) {
        Some(later) => -later.as_secs_f64() * 1000.0,
        None => (ours - theirs).as_secs_f64() * 1000.0,
    }
}

/// As the configuration names it.
pub fn as_file(path: &Path) -> String {
    format!("{:?}", format!("file:{}", path.display()))
}
