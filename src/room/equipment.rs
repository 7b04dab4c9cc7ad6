//! What the room is set to: power, and the loudspeaker's volume and mute. It survives a restart.

use crate::alexa::messages::directive::AskId;
use crate::alexa::messages::incoming::Identity;
use crate::alexa::messages::outcome::{DeviceMode, ErrorType, Outcome, Refusal};
use crate::alexa::messages::property::Property;
use crate::call::EndedHere;
use crate::media::Loudspeaker;
use crate::time::Now;

use super::journal;
use super::room::{Output, Room};
use super::state::{Then, Waiting};

/// The loudest.
const FULL_VOLUME: u8 = 100;
/// The form of the record; another one is not read.
const FORM: u8 = 1;

/// What the room is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Equipment {
    /// Whether it is on.
    pub is_on: bool,
    /// The loudspeaker's volume, 0 to 100.
    pub volume: u8,
    /// Whether the loudspeaker is muted.
    pub is_muted: bool,
}

impl Default for Equipment {
    /// As long as nobody has set anything: on, and loud.
    fn default() -> Self {
        Self {
            is_on: true,
            volume: FULL_VOLUME,
            is_muted: false,
        }
    }
}

impl Equipment {
    /// Reads what [`Equipment::to_record`] wrote; `None` for anything else.
    pub fn from_record(record: &[u8]) -> Option<(Self, Option<Identity>)> {
        let (set, by) = record.split_first_chunk::<4>()?;
        let equipment = match *set {
            [
                FORM,
                is_on @ (0 | 1),
                volume @ 0..=FULL_VOLUME,
                is_muted @ (0 | 1),
            ] => Self {
                is_on: is_on == 1,
                volume,
                is_muted: is_muted == 1,
            },
            _ => return None,
        };
        match by {
            [] => Some((equipment, None)),
            by => Some((equipment, Some(Identity::from_bytes(by)?))),
        }
    }

    /// What the store keeps. A directive that must not be done twice is named in the same record: a process that
    /// dies before it wrote the directive's answer is known to have done it.
    pub fn to_record(self, by: Option<Identity>) -> Vec<u8> {
        let mut record = vec![FORM, self.is_on.into(), self.volume, self.is_muted.into()];
        record.extend(by.into_iter().flat_map(Identity::to_bytes));
        record
    }

    /// What `AdjustVolume` is answered with that led here.
    pub fn adjusted(self) -> Outcome {
        Outcome::Changed(vec![Property::Volume(self.volume)])
    }

    /// What the loudspeaker shall do.
    pub fn loudspeaker(self) -> Loudspeaker {
        Loudspeaker {
            volume: self.volume,
            is_muted: self.is_muted,
        }
    }

    /// All of it, for `StateReport`.
    pub fn properties(self) -> Vec<Property> {
        vec![
            Property::Power(self.is_on),
            Property::Volume(self.volume),
            Property::Muted(self.is_muted),
        ]
    }
}

impl Room {
    pub(super) fn turn_on(&mut self, ask: AskId) {
        self.set_power(true);
        self.answer(ask, Outcome::Changed(vec![Property::Power(true)]));
    }

    /// Off ends the call, and is answered when that is on its way.
    pub(super) fn turn_off(&mut self, now: Now, ask: AskId) {
        self.set_power(false);
        let waiting = Waiting {
            ask,
            outcome: Outcome::Changed(vec![Property::Power(false)]),
        };
        self.end(now, EndedHere::PoweredOff, Some(waiting), Then::Idle);
    }

    /// Whether a join finds the room awake or may wake it; the ask is answered when not.
    pub(super) fn may_be_woken(&mut self, ask: AskId) -> bool {
        let may = self.equipment.is_on || self.settings.join_wakes;
        if !may {
            self.refuse(ask, asleep());
        }
        may
    }

    /// A join takes place: the room is on from here on.
    pub(super) fn wake(&mut self) {
        let was_off = !self.equipment.is_on;
        self.set_power(true);
        self.was_woken = was_off;
    }

    /// What a join is answered with that succeeds: the power, when it changed that.
    pub(super) fn joined(&mut self) -> Outcome {
        match std::mem::take(&mut self.was_woken) {
            true => Outcome::Changed(vec![Property::Power(true)]),
            false => Outcome::Done,
        }
    }

    pub(super) fn set_volume(&mut self, ask: AskId, volume: i64) {
        match u8::try_from(volume).ok().filter(|volume| *volume <= FULL_VOLUME) {
            Some(volume) => self.turn_to(ask, volume, None),
            None => self.refuse(ask, out_of_range(volume)),
        }
    }

    /// Stops at either end.
    pub(super) fn adjust_volume(&mut self, ask: AskId, by: i64) {
        let volume = i64::from(self.equipment.volume).saturating_add(by);
        let volume = u8::try_from(volume.clamp(0, FULL_VOLUME.into())).unwrap_or(FULL_VOLUME);
        self.turn_to(ask, volume, Some(ask));
    }

    pub(super) fn set_mute(&mut self, ask: AskId, is_muted: bool) {
        let next = Equipment {
            is_muted,
            ..self.equipment
        };
        self.set(next, None);
        self.answer(ask, Outcome::Changed(vec![Property::Muted(is_muted)]));
    }

    /// `once` is the directive that would turn it further if it was done twice.
    fn turn_to(&mut self, ask: AskId, volume: u8, once: Option<AskId>) {
        let next = Equipment {
            volume,
            ..self.equipment
        };
        self.set(next, once);
        self.answer(ask, next.adjusted());
    }

    fn set_power(&mut self, is_on: bool) {
        self.was_woken = false;
        let next = Equipment {
            is_on,
            ..self.equipment
        };
        self.set(next, None);
    }

    /// Sets the equipment, and has it written down when that is a change.
    fn set(&mut self, next: Equipment, once: Option<AskId>) {
        if self.equipment == next {
            return;
        }
        journal::set(self.equipment, next);
        if self.equipment.loudspeaker() != next.loudspeaker() {
            self.outputs.push_back(Output::SetLoudspeaker(next.loudspeaker()));
        }
        self.equipment = next;
        self.outputs.push_back(Output::Keep {
            equipment: next,
            once,
        });
    }
}

fn asleep() -> Refusal {
    Refusal::new(
        ErrorType::NotSupportedInCurrentMode(DeviceMode::Asleep),
        "the room is turned off, and a join does not turn it on (power.join_wakes is false)",
    )
}

fn out_of_range(volume: i64) -> Refusal {
    Refusal::new(
        ErrorType::ValueOutOfRange,
        format!("the volume {volume} is not between 0 and {FULL_VOLUME}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_down_is_read_again_and_nothing_else() {
        for is_on in [true, false] {
            for volume in [0, 1, 55, 100] {
                for is_muted in [true, false] {
                    let equipment = Equipment {
                        is_on,
                        volume,
                        is_muted,
                    };
                    for by in [None, Some(Identity::of("m", "Alexa", "Name", "room", "{}"))] {
                        let record = equipment.to_record(by);
                        assert_eq!(Equipment::from_record(&record), Some((equipment, by)));
                    }
                }
            }
        }
        for record in [
            &[][..],
            &[1, 1, 101, 0],
            &[1, 2, 5, 0],
            &[2, 1, 5, 0],
            &[1, 1, 5],
            &[1; 8192],
        ] {
            assert_eq!(Equipment::from_record(record), None, "{record:?}");
        }
    }
}
