//! What is watched: how long a join waits for its answer, how long a meeting lasts, and whether the far end is
//! still heard.

use std::time::Duration;

use crate::call::{EndReason, EndedHere};
use crate::media::Figures;
use crate::time::{Deadline, Moment, Now};

use super::room::Room;
use super::state::{Answer, Progress, State, Then};
use super::{Settings, journal};

/// Without RTP for this long the journal warns (contract, "Audio").
const SILENCE_WORTH_A_WARNING: Duration = Duration::from_secs(10);

/// The audio side tells its figures once a second: a shorter silence cannot be told from the time between two.
const SHORTEST_SILENCE: Duration = Duration::from_millis(1500);

/// A microphone in the quietest room is louder: the last of 16 bits is at −90 dBFS.
const NO_MICROPHONE: f32 = -85.0;

impl Room {
    /// Does what is due. The input that came with the deadline counts first: an answer in the last moment is one.
    pub(super) fn keep_deadlines(&mut self, now: Now) {
        match &mut self.state {
            State::Idle | State::Closed => {}
            State::Placing(placing) => {
                let is_owed = matches!(&placing.answer, Answer::Owed { by, .. } if by.is_due(now));
                if is_owed && placing.progress == Progress::Silent {
                    self.hang_up(now, EndedHere::NoResponse, None, Then::Idle);
                } else if placing.overdue.is_due(now) {
                    journal::overdue(&placing.call);
                    self.hang_up(now, EndedHere::RangTooLong, None, Then::Idle);
                } else if is_owed {
                    let waiting = self.take_waiting();
                    let outcome = self.joined();
                    self.answer_all(waiting, &outcome);
                }
            }
            State::InMeeting(meeting) => match meeting.talk.watch.check(now) {
                None => {}
                Some(Finding::NoFarAudio) => journal::no_far_audio(&meeting.call),
                Some(Finding::MicrophoneSilent) => journal::microphone_silent(&meeting.call),
                Some(Finding::NoAudio) => self.hang_up(now, EndedHere::NoAudio, None, Then::Idle),
                Some(Finding::LastedTooLong) => self.hang_up(now, EndedHere::LastedTooLong, None, Then::Idle),
            },
            State::Ending(ending) => {
                if ending.by.is_due(now) {
                    journal::never_ended(&ending.call);
                    let why = EndReason::EndedHere(ending.why);
                    self.finish(now, why);
                }
            }
        }
    }
}

/// The watch over one answered call.
#[derive(Clone, Debug)]
pub struct Supervision {
    longest: Option<Deadline>,
    rtp_timeout: Option<Duration>,
    has_microphone: bool,
    figures: Option<Figures>,
    far_end: FarEnd,
    near_end: NearEnd,
}

/// Whether packets come. Unknown → Heard ⇄ Silent.
///
/// `Unknown` until the audio side has spoken: a dialer may keep its audio to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FarEnd {
    Unknown,
    /// The last packet came at this moment.
    Heard {
        last: Moment,
    },
    /// The same, and it was remarked that none came since.
    Silent {
        last: Moment,
    },
}

/// Whether the room is heard. Audible ⇄ Quiet → Remarked → Audible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NearEnd {
    /// It should not be heard, or something came from the microphone.
    Audible,
    /// Nothing came from it since this moment.
    Quiet { since: Moment },
    /// The same, and it was remarked.
    Remarked,
}

/// What the watch found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// `calls.max_duration` is over.
    LastedTooLong,
    /// No packet for `media.rtp_timeout`.
    NoAudio,
    /// No packet for 10 s; found once in each silence.
    NoFarAudio,
    /// Nothing from the microphone for 10 s; found once in each silence.
    MicrophoneSilent,
}

impl Supervision {
    /// The watch over a call that was answered now.
    pub fn new(now: Now, settings: &Settings) -> Self {
        Self {
            longest: settings
                .max_duration
                .map(|longest| Deadline::after(now, longest, "the longest call")),
            rtp_timeout: settings.rtp_timeout.map(|limit| limit.max(SHORTEST_SILENCE)),
            has_microphone: settings.has_microphone,
            figures: None,
            far_end: FarEnd::Unknown,
            near_end: NearEnd::Audible,
        }
    }

    /// Takes what the audio side counted.
    pub fn take_figures(&mut self, now: Now, figures: Figures) {
        let since_boot = now.moment.elapsed_since_boot();
        let last = Moment::since_boot(since_boot.saturating_sub(figures.silent_for));
        self.far_end = match self.far_end {
            FarEnd::Silent { .. } if figures.silent_for >= SILENCE_WORTH_A_WARNING => FarEnd::Silent { last },
            FarEnd::Unknown | FarEnd::Heard { .. } | FarEnd::Silent { .. } => FarEnd::Heard { last },
        };
        self.near_end = match self.near_end {
            _ if !self.has_microphone
                || !figures.is_sending
                || figures.microphone_level_dbfs > NO_MICROPHONE =>
            {
                NearEnd::Audible
            }
            NearEnd::Audible => NearEnd::Quiet { since: now.moment },
            NearEnd::Quiet { .. } | NearEnd::Remarked => self.near_end,
        };
        self.figures = Some(figures);
    }

    /// The latest figures.
    pub fn figures(&self) -> Option<Figures> {
        self.figures
    }

    /// What is due, the weightiest first; `None` when nothing is.
    pub fn check(&mut self, now: Now) -> Option<Finding> {
        if self.longest.is_some_and(|longest| longest.is_due(now)) {
            return Some(Finding::LastedTooLong);
        }
        if self
            .silence_ends_call()
            .is_some_and(|deadline| deadline.is_due(now))
        {
            return Some(Finding::NoAudio);
        }
        if let FarEnd::Heard { last } = self.far_end
            && self
                .silence_is_remarked()
                .is_some_and(|deadline| deadline.is_due(now))
        {
            self.far_end = FarEnd::Silent { last };
            return Some(Finding::NoFarAudio);
        }
        self.microphone_is_remarked()
            .filter(|deadline| deadline.is_due(now))?;
        self.near_end = NearEnd::Remarked;
        Some(Finding::MicrophoneSilent)
    }

    /// When [`Supervision::check`] will find something.
    pub fn next_deadline(&self) -> Option<Deadline> {
        Deadline::earliest([
            self.longest,
            self.silence_ends_call(),
            self.silence_is_remarked(),
            self.microphone_is_remarked(),
        ])
    }

    fn microphone_is_remarked(&self) -> Option<Deadline> {
        match self.near_end {
            NearEnd::Audible | NearEnd::Remarked => None,
            NearEnd::Quiet { since } => Some(Deadline {
                at: since + SILENCE_WORTH_A_WARNING,
                why: "a silent microphone is remarked",
            }),
        }
    }

    fn silence_ends_call(&self) -> Option<Deadline> {
        let last = match self.far_end {
            FarEnd::Unknown => return None,
            FarEnd::Heard { last } | FarEnd::Silent { last } => last,
        };
        let at = last + self.rtp_timeout?;
        let why = "no audio from the far end";
        Some(Deadline { at, why })
    }

    fn silence_is_remarked(&self) -> Option<Deadline> {
        match self.far_end {
            FarEnd::Unknown | FarEnd::Silent { .. } => None,
            FarEnd::Heard { last } => Some(Deadline {
                at: last + SILENCE_WORTH_A_WARNING,
                why: "a silent far end is remarked",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::settings_for_tests;

    #[test]
    fn silence_is_remarked_at_ten_seconds_and_ends_the_call_at_thirty() {
        let mut watch = Supervision::new(at(0), &settings_for_tests());
        watch.take_figures(at(1_000), silent_for(0));
        assert_eq!(
            watch.next_deadline().map(|deadline| deadline.at),
            Some(at(11_000).moment)
        );
        assert_eq!(watch.check(at(10_999)), None);
        assert_eq!(watch.check(at(11_000)), Some(Finding::NoFarAudio));
        assert_eq!(watch.check(at(11_000)), None);
        watch.take_figures(at(12_000), silent_for(11_000));
        assert_eq!(watch.check(at(30_999)), None);
        assert_eq!(
            watch.next_deadline().map(|deadline| deadline.at),
            Some(at(31_000).moment)
        );
        assert_eq!(watch.check(at(31_000)), Some(Finding::NoAudio));
    }

    #[test]
    fn each_silence_is_remarked_once() {
        let mut watch = Supervision::new(at(0), &settings_for_tests());
        for second in 1..=60 {
            let silent = if second % 20 == 19 {
                0
            } else {
                (second % 20) * 1_000
            };
            watch.take_figures(at(second * 1_000), silent_for(silent));
            let expected = (second % 20 == 10).then_some(Finding::NoFarAudio);
            assert_eq!(watch.check(at(second * 1_000)), expected, "second {second}");
        }
    }

    #[test]
    fn a_microphone_without_a_sound_is_remarked_once_and_again_after_it_was_heard() {
        let mut watch = Supervision::new(at(0), &settings_for_tests());
        let level = |microphone_level_dbfs, is_sending| Figures {
            microphone_level_dbfs,
            is_sending,
            ..Figures::default()
        };
        let mut remarked = Vec::new();
        for second in 1..=60 {
            let figures = match second {
                1..=20 | 31..=45 => level(-127.0, true),
                21..=30 => level(-60.0, true),
                // On hold silence is what was asked for.
                _ => level(-127.0, false),
            };
            watch.take_figures(at(second * 1_000), figures);
            if watch.check(at(second * 1_000)) == Some(Finding::MicrophoneSilent) {
                remarked.push(second);
            }
        }
        assert_eq!(remarked, [11, 41]);
    }

    #[test]
    fn silence_that_was_configured_is_no_fault() {
        for (has_microphone, expected) in [(true, Some(Finding::MicrophoneSilent)), (false, None)] {
            let mut settings = settings_for_tests();
            settings.has_microphone = has_microphone;
            let mut watch = Supervision::new(at(0), &settings);
            for second in 1..=11 {
                let figures = Figures {
                    microphone_level_dbfs: -127.0,
                    is_sending: true,
                    ..Figures::default()
                };
                watch.take_figures(at(second * 1_000), figures);
            }
            assert_eq!(watch.check(at(11_000)), expected);
        }
    }

    #[test]
    fn without_a_timeout_silence_never_ends_the_call() {
        let mut settings = settings_for_tests();
        settings.rtp_timeout = None;
        let mut watch = Supervision::new(at(0), &settings);
        watch.take_figures(at(0), silent_for(0));
        assert_eq!(watch.check(at(3_600_000)), Some(Finding::NoFarAudio));
        assert_eq!(watch.check(at(3_600_000)), None);
    }

    #[test]
    fn the_shortest_timeout_ends_no_call_in_which_audio_flows() {
        let mut settings = settings_for_tests();
        settings.rtp_timeout = Some(Duration::from_secs(1));
        let mut watch = Supervision::new(at(0), &settings);
        for second in 1..=60 {
            let late = second * 1_000 + second % 7;
            assert_eq!(watch.check(at(late)), None, "second {second}");
            watch.take_figures(at(late), silent_for(15));
        }
        assert_eq!(watch.check(at(63_000)), Some(Finding::NoAudio));
    }

    #[test]
    fn the_longest_call_ends_to_the_millisecond() {
        let settings = settings_for_tests();
        let longest = settings.max_duration.unwrap().as_millis() as u64;
        let mut watch = Supervision::new(at(5), &settings);
        assert_eq!(watch.check(at(longest + 4)), None);
        assert_eq!(watch.check(at(longest + 5)), Some(Finding::LastedTooLong));
    }

    #[test]
    fn a_call_whose_audio_never_speaks_is_not_called_silent() {
        let mut watch = Supervision::new(at(0), &settings_for_tests());
        assert_eq!(watch.check(at(60_000)), None);
    }

    fn at(millis: u64) -> Now {
        Now {
            moment: Moment::since_boot(Duration::from_secs(1_000) + Duration::from_millis(millis)),
            wall: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn silent_for(millis: u64) -> Figures {
        Figures {
            silent_for: Duration::from_millis(millis),
            ..Figures::default()
        }
    }
}
