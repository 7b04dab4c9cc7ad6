//! Cards that ALSA makes of nothing: one that is always silent, and one that writes what it plays.

use super::*;
use crate::media::quality::Level;

#[test]
fn a_card_that_is_not_there_is_named() {
    for opened in [
        Capture::open("plughw:CARD=Unplugged").err(),
        Playback::open("plughw:CARD=Unplugged").err(),
    ] {
        let fault = opened.unwrap();
        assert!(fault.is_worth_a_retry());
        let told = fault.to_string();
        assert!(told.contains("put alsa:plughw:CARD=Unplugged"), "{told}");
    }
}

#[test]
fn what_is_written_reaches_the_card_at_its_level_and_its_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heard.raw");
    let name = format!("tee:null,'{}',raw", path.display());
    let mut playback = Playback::open(&name).unwrap();
    let mut tone = super::super::tone::Tone::new(440);
    for _ in 0..100 {
        let mut frame = [0; FRAME];
        tone.read(&mut frame).unwrap();
        playback.write(&frame).unwrap();
    }
    let (channels, rate) = (playback.card.channels, playback.card.rate as usize);
    playback.finish().unwrap();
    drop(playback);
    let bytes = std::fs::read(&path).unwrap();
    let samples: Vec<i16> = bytes
        .chunks_exact(2 * channels)
        .map(|moment| i16::from_le_bytes([moment[0], moment[1]]))
        .collect();
    // Two seconds, stretched at most, and the silence that goes first.
    let seconds = samples.len() as f64 / rate as f64;
    assert!((1.98..2.06).contains(&seconds), "{seconds}");
    let middle = &samples[rate / 2..rate * 3 / 2];
    let mut level = Level::default();
    middle.chunks(rate / 50).for_each(|frame| level.hear(frame));
    assert!((level.dbfs() + 12.0).abs() < 0.2, "{}", level.dbfs());
    let rises = middle
        .windows(2)
        .filter(|pair| pair[0] < 0 && pair[1] >= 0)
        .count();
    assert!((436..=444).contains(&rises), "{rises}");
}

#[test]
fn the_card_that_is_always_silent_gives_frames() {
    let mut capture = Capture::open("null").unwrap();
    for _ in 0..10 {
        let mut frame = [1; FRAME];
        assert!(capture.read(&mut frame).unwrap());
        assert_eq!(frame, [0; FRAME]);
    }
}

#[test]
fn rates_are_changed_without_a_change_of_pitch_or_level() {
    for (from, to) in [
        (48_000, 44_100),
        (48_000, 48_000),
        (44_100, 48_000),
        (16_000, 48_000),
    ] {
        let mut stretcher = Stretcher::new(from, to).unwrap();
        let mut heard = VecDeque::new();
        let samples = (0..from).map(|at| {
            let turns = f64::from(at) * 1000.0 / f64::from(from);
            ((turns * std::f64::consts::TAU).sin() * 10_000.0) as i16
        });
        stretcher.pass(samples, 1.0, &mut heard).unwrap();
        let heard = heard.make_contiguous();
        assert!(heard.len().abs_diff(to as usize) <= to as usize / 50);
        let steady = &heard[heard.len() / 4..heard.len() * 3 / 4];
        let energy: f64 = steady.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let level = (energy / steady.len() as f64).sqrt() / (10_000.0 / 2.0_f64.sqrt());
        assert!((0.99..1.01).contains(&level), "{from} {to}: {level}");
        let rises = steady
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count();
        let expected = steady.len() * 1000 / to as usize;
        assert!(rises.abs_diff(expected) <= 1, "{from} {to}: {rises} {expected}");
    }
}
