//! sipp speaks before it answers: the room hears it.

use std::path::Path;

use tempfile::TempDir;

use crate::peers::programs::Skipped;
use crate::sipp::{Over, Sipp};
use crate::sipp_stories::{Called, Unusual};

/// What sipp says: half a period of a square wave of 500 Hz after the other, a second of μ-law.
const SPEECH: f64 = 500.0;

/// What comes before the 200 stands in the recording of the room; our voice leaves after it.
pub fn is_heard(over: Over) -> Result<(), Skipped> {
    let folder = TempDir::with_prefix("meetd-early-").unwrap();
    let recording = format!("\"file:{}\"", folder.path().join("heard.wav").display());
    let scenario = scenario(folder.path());
    let unusual = Unusual {
        keys: &[("media.output", recording.as_str())],
        pin: "",
    };
    let called = Called::without_answer(over, &["-sf", scenario.as_str()], unusual)?;
    let called = called.and_answer();
    called.is_answered();
    called.room.wait_for_status("audio both ways", |status| {
        let media = &status["call"]["media"];
        let enough = |name: &str, wanted| media[name].as_u64().is_some_and(|packets| packets >= wanted);
        (enough("rxPackets", 75) && enough("txPackets", 25)).then_some(())
    });
    called.end();
    let heard = read(&folder.path().join("heard.wav"));
    // Of two seconds that it spoke unanswered, one from the middle.
    let (level, of_speech) = tone_in(&heard[24_000..72_000], SPEECH);
    assert!(level > 1_000.0, "{level}");
    assert!(of_speech / level > 0.85, "{of_speech} of {level} is what it says");
    Ok(())
}

/// The scenario with what it says.
fn scenario(folder: &Path) -> String {
    let speech = folder.join("speech.ulaw");
    // ±5,000 or so.
    let samples = (0..8_000).map(|at| if at % 16 < 8 { 0x9a } else { 0x1a });
    std::fs::write(&speech, samples.collect::<Vec<u8>>()).unwrap();
    let text = std::fs::read_to_string(Sipp::scenario("early_media.xml")).unwrap();
    let scenario = folder.join("early_media.xml");
    std::fs::write(&scenario, text.replace("@SPEECH@", &speech.display().to_string())).unwrap();
    scenario.display().to_string()
}

/// A recording of the room, in 48 kHz.
fn read(recording: &Path) -> Vec<f64> {
    let mut reader = hound::WavReader::open(recording).unwrap();
    assert_eq!(reader.spec().sample_rate, 48_000);
    let samples = reader.samples::<i16>();
    samples.map(|sample| f64::from(sample.unwrap())).collect()
}

/// The level of a piece of it, and that of a tone of so many hertz in it.
fn tone_in(piece: &[f64], hertz: f64) -> (f64, f64) {
    let count = piece.len() as f64;
    let level = (piece.iter().map(|sample| sample * sample).sum::<f64>() / count).sqrt();
    let part = |phase: f64| -> f64 {
        let wave = |at: usize| (std::f64::consts::TAU * hertz * at as f64 / 48_000.0 + phase).sin();
        piece
            .iter()
            .enumerate()
            .map(|(at, sample)| sample * wave(at))
            .sum()
    };
    let of_tone = part(0.0).hypot(part(std::f64::consts::FRAC_PI_2)) * 2.0 / count / 2.0_f64.sqrt();
    (level, of_tone)
}
