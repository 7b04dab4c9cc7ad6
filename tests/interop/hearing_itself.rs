//! The comparison of speech itself, with paths of which is known what they do to it: good ones pass, and each broken
//! one shows.

use crate::peers::hearing::{Heard, compare};
use crate::peers::programs::Skipped;
use crate::peers::sound::{from_alaw, from_ulaw, to_ulaw};
use crate::peers::speech::{Dice, RATE, speak};
use crate::speech_stories::Band;

const SECONDS: f64 = 5.0;
/// Samples of a packet of 20 ms.
const PACKET: usize = RATE as usize / 50;

/// Delay and gain are found as they were made, and µ-law alone is a good path.
pub fn finds_the_delay_and_the_gain_of_a_good_path() -> Result<(), Skipped> {
    for (delay_ms, gain) in [(0.0, 1.0), (37.0, 0.5), (1530.0, 1.4)] {
        let heard = heard_by(|said| {
            let late = vec![0.0; (delay_ms / 1000.0 * f64::from(RATE)) as usize];
            let louder = said.iter().map(|sample| through_ulaw(sample * gain, from_ulaw));
            late.into_iter().chain(louder).collect()
        });
        let heard = heard.expect("speech");
        assert!((heard.delay_ms - delay_ms).abs() < 0.5, "{heard:?}");
        assert!((heard.gain_db - 20.0 * gain.log10()).abs() < 0.2, "{heard:?}");
        assert_eq!((heard.wander_ms, heard.missing_percent), (0.0, 0.0), "{heard:?}");
        Band::NARROW.judge("a good path", gain, &Some(heard)).unwrap();
    }
    Ok(())
}

/// Every fifth packet is lost, and silence takes its place.
pub fn notices_every_fifth_packet_missing() -> Result<(), Skipped> {
    let heard = heard_by(|said| {
        let one = |(at, sample): (usize, &f64)| if at / PACKET % 5 == 4 { 0.0 } else { *sample };
        said.iter().enumerate().map(one).collect()
    });
    let broken = Band::NARROW.judge("every fifth packet is lost", 1.0, &heard);
    assert!(broken.is_err(), "{heard:?}");
    let missing = heard.expect("speech").missing_percent;
    assert!((10.0..25.0).contains(&missing), "{missing} % are missing");
    Ok(())
}

/// A-law's decoder on µ-law.
pub fn notices_ulaw_taken_for_alaw() -> Result<(), Skipped> {
    is_noticed("µ-law taken for A-law", |said| {
        said.iter()
            .map(|sample| through_ulaw(*sample, from_alaw))
            .collect()
    })
}

/// The bytes of each sample change places.
pub fn notices_the_wrong_byte_order() -> Result<(), Skipped> {
    is_noticed("the wrong byte order", |said| {
        let swapped = |sample: &f64| f64::from(((sample * 32767.0) as i16).swap_bytes()) / 32768.0;
        said.iter().map(swapped).collect()
    })
}

/// Packets change places in pairs.
pub fn notices_packets_in_the_wrong_order() -> Result<(), Skipped> {
    is_noticed("packets in the wrong order", |said| {
        let pairs = said.chunks_exact(2 * PACKET);
        pairs
            .flat_map(|pair| [&pair[PACKET..], &pair[..PACKET]].concat())
            .collect()
    })
}

/// 8 kHz taken for 16 kHz, somebody else's words, a telephone's band where a wide one was agreed, hiss, and nothing.
pub fn notices_what_is_no_such_speech() -> Result<(), Skipped> {
    is_noticed("twice as fast", |said| said.iter().copied().step_by(2).collect())?;
    is_noticed("somebody else's words", |_| speak(77, SECONDS))?;
    is_noticed("half as loud", |said| {
        said.iter().map(|sample| sample / 2.0).collect()
    })?;
    is_noticed("hiss beside it", |said| {
        let mut dice = Dice(3);
        said.iter()
            .map(|sample| sample + 0.2 * (dice.fraction() - 0.5))
            .collect()
    })?;
    is_noticed("silence", |said| vec![0.0; said.len()])?;
    let narrow = heard_by_in(Band::WIDE, |said| {
        let of_four = said.windows(4).map(|near| near.iter().sum::<f64>() / 4.0);
        of_four.collect()
    });
    let broken = Band::WIDE.judge("without its highest tones", 1.0, &narrow);
    assert!(broken.is_err(), "{narrow:?}");
    Ok(())
}

fn is_noticed(what: &str, path: impl Fn(&[f64]) -> Vec<f64>) -> Result<(), Skipped> {
    let heard = heard_by(path);
    let broken = Band::NARROW.judge(what, 1.0, &heard);
    assert!(broken.is_err(), "{what}: {heard:?}");
    Ok(())
}

fn heard_by(path: impl Fn(&[f64]) -> Vec<f64>) -> Option<Heard> {
    heard_by_in(Band::NARROW, path)
}

fn heard_by_in(band: Band, path: impl Fn(&[f64]) -> Vec<f64>) -> Option<Heard> {
    let said = speak(1, SECONDS);
    compare(&said, &path(&said), band.up_to_hertz)
}

fn through_ulaw(sample: f64, decode: fn(u8) -> i16) -> f64 {
    f64::from(decode(to_ulaw((sample * 32767.0) as i16))) / 32768.0
}
