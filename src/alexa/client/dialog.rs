//! In which dialogs the assistants are. A mirror: every state may follow every other, in whatever order they come.

use std::collections::{BTreeMap, BTreeSet};

use crate::alexa::messages::dialog_state::{AssistantId, Dialog, DialogState};

/// More assistants than this on one device are a fault of whoever names them.
const MOST_ASSISTANTS: usize = 16;

/// The dialogs of all assistants that were ever heard of; Alexa's is always there.
#[derive(Clone, Debug)]
pub struct Dialogs {
    states: BTreeMap<AssistantId, DialogState>,
    /// Those that have listened in the dialog they are in.
    have_listened: BTreeSet<AssistantId>,
}

impl Dialogs {
    /// Alexa is IDLE, nobody else is known.
    pub fn new() -> Self {
        Self {
            states: BTreeMap::from([(AssistantId::ALEXA, DialogState::Idle)]),
            have_listened: BTreeSet::new(),
        }
    }

    /// Takes what has become true; gives it back when it is a change. An assistant too many is not taken in.
    pub fn change(&mut self, next: Dialog) -> Option<Dialog> {
        let current = self.states.get(&next.assistant).copied();
        if current == Some(next.state) {
            return None;
        }
        if current.is_none() && self.states.len() >= MOST_ASSISTANTS {
            tracing::debug!("assistant {} is one too many", next.assistant.0);
            return None;
        }
        let name = current.map_or("unknown", DialogState::name);
        tracing::debug!("dialog of {}: {name} -> {}", next.assistant.0, next.state.name());
        self.states.insert(next.assistant, next.state);
        match next.state {
            DialogState::Listening | DialogState::Expecting => self.have_listened.insert(next.assistant),
            DialogState::Idle => self.have_listened.remove(&next.assistant),
            DialogState::Thinking | DialogState::Speaking | DialogState::Finished => false,
        };
        Some(next)
    }

    /// Whether what is said in the room is said to an assistant: from its LISTENING until it is IDLE.
    pub fn is_room_talking(&self) -> bool {
        !self.have_listened.is_empty()
    }

    /// All of them, by assistant.
    pub fn all(&self) -> impl Iterator<Item = Dialog> + '_ {
        self.states
            .iter()
            .map(|(&assistant, &state)| Dialog { assistant, state })
    }
}

impl Default for Dialogs {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alexa_is_known_and_idle_from_the_start() {
        let alexa = dialog(2, DialogState::Idle);
        assert_eq!(Dialogs::new().all().collect::<Vec<_>>(), [alexa]);
        assert_eq!(Dialogs::new().change(alexa), None);
    }

    #[test]
    fn every_state_may_follow_every_other() {
        for &before in DialogState::ALL {
            for &after in DialogState::ALL {
                let mut dialogs = Dialogs::new();
                dialogs.change(dialog(3, before));
                let expected = (before != after).then_some(dialog(3, after));
                assert_eq!(dialogs.change(dialog(3, after)), expected, "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn the_room_talks_to_an_assistant_from_its_listening_until_it_is_idle() {
        use DialogState::{Expecting, Finished, Idle, Listening, Speaking, Thinking};
        let mut dialogs = Dialogs::new();
        for (assistant, state, talks) in [
            (2, Thinking, false),
            (2, Speaking, false),
            (2, Listening, true),
            (2, Thinking, true),
            (3, Listening, true),
            (2, Speaking, true),
            (2, Expecting, true),
            (2, Idle, true),
            (3, Finished, true),
            (3, Idle, false),
            (3, Finished, false),
            (3, Expecting, true),
            (3, Idle, false),
        ] {
            dialogs.change(dialog(assistant, state));
            assert_eq!(dialogs.is_room_talking(), talks, "{assistant} {state:?}");
        }
    }

    #[test]
    fn assistants_without_end_are_not_taken_in() {
        let mut dialogs = Dialogs::new();
        for assistant in 0..1000 {
            dialogs.change(dialog(assistant, DialogState::Listening));
        }
        assert_eq!(dialogs.all().count(), MOST_ASSISTANTS);
        assert!(
            dialogs.change(dialog(2, DialogState::Thinking)).is_some(),
            "Alexa still counts"
        );
    }

    fn dialog(assistant: u32, state: DialogState) -> Dialog {
        Dialog {
            assistant: AssistantId(assistant),
            state,
        }
    }
}
