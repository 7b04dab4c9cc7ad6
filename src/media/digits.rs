//! Digits by the clock: which tick belongs to the voice, which to a digit, one script after the other.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::Duration;

use thiserror::Error;

use super::{FRAME, RATE, TICK};
use crate::call::{DigitScript, DigitStep};

/// 100 ms on.
pub const TICKS_ON: u32 = 5;
/// 100 ms off.
const TICKS_OFF: u32 = 5;
/// Scripts that may wait; a person types one at a time, a dial string has an id and a PIN.
const MOST_SCRIPTS: usize = 16;
/// Steps of one script; the longest id has 64 characters and the longest PIN 32.
const MOST_STEPS: usize = 256;

/// Whom a tick belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The room's voice.
    Voice,
    /// A digit is being pressed, for this many ticks with this one.
    Pressed {
        /// Which.
        digit: char,
        /// 1 to [`TICKS_ON`].
        ticks: u32,
    },
    /// A digit was let go, this many ticks ago with this one.
    Released {
        /// Which.
        digit: char,
        /// From 1.
        ticks: u32,
    },
}

/// Why a script was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DigitsRefused {
    /// Too many wait already.
    #[error("{MOST_SCRIPTS} rows of digits are waiting to be sent; wait for them")]
    Busy,
    /// It is too long.
    #[error("more than {MOST_STEPS} digits and pauses in a row; send fewer")]
    TooLong,
}

/// ```text
/// Idle ─step─> Pausing ─over─> Idle
///   └──step─> Pressed ─100 ms─> Released ─100 ms─> Idle
/// ```
enum State {
    Idle,
    Pausing { left: u32 },
    Pressed { digit: char, ticks: u32 },
    Released { digit: char, ticks: u32 },
}

impl State {
    /// Without the digit, which may be one of a PIN.
    fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Pausing { .. } => "pausing",
            Self::Pressed { .. } => "pressed",
            Self::Released { .. } => "released",
        }
    }
}

/// Plays scripts, tick by tick.
pub struct Digits {
    state: State,
    waiting: VecDeque<VecDeque<DigitStep>>,
    finished: usize,
}

impl Default for Digits {
    fn default() -> Self {
        Self {
            state: State::Idle,
            waiting: VecDeque::new(),
            finished: 0,
        }
    }
}

impl Digits {
    /// Queues a script after those that wait.
    pub fn add(&mut self, script: DigitScript) -> Result<(), DigitsRefused> {
        if self.waiting.len() >= MOST_SCRIPTS {
            return Err(DigitsRefused::Busy);
        }
        if script.0.len() > MOST_STEPS {
            return Err(DigitsRefused::TooLong);
        }
        self.waiting.push_back(script.0.into());
        Ok(())
    }

    /// Goes on by a tick and says whose it is.
    pub fn tick(&mut self) -> Turn {
        loop {
            match &mut self.state {
                State::Pausing { left } if *left > 0 => {
                    *left -= 1;
                    return Turn::Voice;
                }
                State::Pressed { digit, ticks } if *ticks < TICKS_ON => {
                    *ticks += 1;
                    return Turn::Pressed {
                        digit: *digit,
                        ticks: *ticks,
                    };
                }
                State::Pressed { digit, .. } => {
                    let digit = *digit;
                    self.enter(State::Released { digit, ticks: 0 });
                }
                State::Released { digit, ticks } if *ticks < TICKS_OFF => {
                    *ticks += 1;
                    return Turn::Released {
                        digit: *digit,
                        ticks: *ticks,
                    };
                }
                State::Pausing { .. } | State::Released { .. } => self.enter(State::Idle),
                State::Idle => match self.next_step() {
                    Some(DigitStep::Pause(pause)) => self.enter(State::Pausing {
                        left: ticks_in(pause),
                    }),
                    Some(DigitStep::Digit(digit)) => self.enter(State::Pressed { digit, ticks: 0 }),
                    None => return Turn::Voice,
                },
            }
        }
    }

    /// We may not send for a while: a pressed digit counts as let go, its end will never be sent.
    pub fn let_go(&mut self) {
        match &mut self.state {
            State::Pressed { digit, .. } => {
                let digit = *digit;
                self.enter(State::Released {
                    digit,
                    ticks: TICKS_OFF,
                });
            }
            State::Released { ticks, .. } => *ticks = TICKS_OFF,
            State::Idle | State::Pausing { .. } => {}
        }
    }

    /// Whether another script is done; each is told once.
    pub fn take_finished(&mut self) -> bool {
        let finished = self.finished > 0;
        self.finished = self.finished.saturating_sub(1);
        finished
    }

    /// Scripts that were taken and not told as finished.
    pub fn unfinished(&self) -> usize {
        self.waiting.len() + self.finished
    }

    fn next_step(&mut self) -> Option<DigitStep> {
        while let Some(script) = self.waiting.front_mut() {
            if let Some(step) = script.pop_front() {
                return Some(step);
            }
            self.waiting.pop_front();
            self.finished += 1;
        }
        None
    }

    fn enter(&mut self, state: State) {
        tracing::trace!("digits {} -> {}", self.state.name(), state.name());
        self.state = state;
    }
}

fn ticks_in(pause: Duration) -> u32 {
    u32::try_from(pause.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u32::MAX)
}

/// The event code of a digit (RFC 4733 3.2, table 7); `None` for anything that is not one.
pub fn event_code(digit: char) -> Option<u8> {
    "0123456789*#ABCD"
        .find(digit)
        .and_then(|code| u8::try_from(code).ok())
}

/// The two tones of a digit (ITU-T Q.23), from tick `ticks` (1 is the first) of its being pressed; silence for
/// anything that is not a digit.
pub fn tones(digit: char, ticks: u32, frame: &mut [i16; FRAME]) {
    frame.fill(0);
    let Some(key) = "123A456B789C*0#D".find(digit) else {
        return;
    };
    let low = [697.0, 770.0, 852.0, 941.0][key / 4];
    let high = [1209.0, 1336.0, 1477.0, 1633.0][key % 4];
    let first = ticks.saturating_sub(1) as usize * FRAME;
    for (at, sample) in frame.iter_mut().enumerate() {
        let angle = TAU * (first + at) as f64 / f64::from(RATE);
        *sample = (TONE_PEAK * ((low * angle).sin() + (high * angle).sin())) as i16;
    }
}

/// Each tone at −12 dBFS: well above speech, and the two together do not clip.
const TONE_PEAK: f64 = 8192.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_pressed_and_let_go_with_its_pauses() {
        let mut digits = Digits::default();
        digits.add(script("1w2")).unwrap();
        let turns = turns(&mut digits, 10 + 25 + 10 + 5);
        assert_eq!(turns, format!("11111.....{}22222.....-----", "-".repeat(25)));
        assert!(digits.take_finished());
        assert!(!digits.take_finished());
    }

    #[test]
    fn scripts_follow_one_another_and_each_is_told_once() {
        let mut digits = Digits::default();
        for text in ["5", "", "#"] {
            digits.add(script(text)).unwrap();
        }
        assert_eq!(turns(&mut digits, 21), "55555.....#####.....-");
        let told = std::iter::from_fn(|| digits.take_finished().then_some(())).count();
        assert_eq!(told, 3);
    }

    #[test]
    fn no_more_digits_wait_than_a_person_would_want() {
        let mut digits = Digits::default();
        for _ in 0..MOST_SCRIPTS {
            digits.add(script("1")).unwrap();
        }
        assert_eq!(digits.add(script("1")), Err(DigitsRefused::Busy));
        let mut digits = Digits::default();
        let long = "1".repeat(MOST_STEPS + 1);
        assert_eq!(digits.add(script(&long)), Err(DigitsRefused::TooLong));
    }

    #[test]
    fn a_digit_cut_off_by_hold_is_not_pressed_twice() {
        let mut digits = Digits::default();
        digits.add(script("12")).unwrap();
        assert_eq!(turns(&mut digits, 2), "11");
        digits.let_go();
        assert_eq!(turns(&mut digits, 6), "22222.");
    }

    #[test]
    fn only_digits_have_codes() {
        let codes: Vec<_> = "0123456789*#ABCD".chars().map(event_code).collect();
        assert_eq!(codes, (0..16).map(Some).collect::<Vec<_>>());
        assert_eq!(event_code('E'), None);
    }

    #[test]
    fn tones_go_on_where_the_tick_before_ended() {
        let mut whole = Vec::new();
        for ticks in 1..=TICKS_ON {
            let mut frame = [0; FRAME];
            tones('5', ticks, &mut frame);
            whole.extend(frame);
        }
        let strength = |hertz: f64| {
            let sum = |phase: f64| -> f64 {
                let wave = |at: usize| (TAU * hertz * at as f64 / f64::from(RATE) + phase).sin();
                whole
                    .iter()
                    .enumerate()
                    .map(|(at, sample)| f64::from(*sample) * wave(at))
                    .sum()
            };
            sum(0.0).hypot(sum(TAU / 4.0)) / whole.len() as f64 * 2.0
        };
        for (hertz, expected) in [
            (770.0, TONE_PEAK),
            (1336.0, TONE_PEAK),
            (941.0, 0.0),
            (1477.0, 0.0),
        ] {
            assert!(
                (strength(hertz) - expected).abs() < 150.0,
                "{hertz} Hz: {}",
                strength(hertz)
            );
        }
        let mut frame = [1; FRAME];
        tones('x', 1, &mut frame);
        assert_eq!(frame, [0; FRAME]);
    }

    fn script(text: &str) -> DigitScript {
        DigitScript::read(text).unwrap()
    }

    fn turns(digits: &mut Digits, count: usize) -> String {
        (0..count)
            .map(|_| match digits.tick() {
                Turn::Voice => '-',
                Turn::Pressed { digit, .. } => digit,
                Turn::Released { .. } => '.',
            })
            .collect()
    }
}
