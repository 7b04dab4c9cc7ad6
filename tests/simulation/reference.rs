//! A small model of the room: what anybody would expect of it while nothing is broken. Where something is, it
//! expects nothing until the room has been quiet again.

use std::time::Duration;

use crate::far_end::Manners;

/// The room, as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    Free,
    In {
        meeting: String,
    },
    /// Too much happens at once to say.
    Unknown,
}

/// What a directive will be answered with, and what the room is afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `Response`, or the type of the ErrorResponse.
    pub answer: &'static str,
    pub room: Room,
    /// How many calls are placed.
    pub calls: usize,
}

impl Room {
    /// A join of this meeting; whether the name servers tell where it is.
    pub fn join(&self, meeting: &str, is_found: bool, manners: &Manners) -> Option<Expected> {
        let expected = |answer, room, calls| Some(Expected { answer, room, calls });
        match self {
            Self::Unknown => None,
            Self::In { meeting: other } if other == meeting => expected("Response", self.clone(), 0),
            Self::In { .. } => expected("ENDPOINT_BUSY", self.clone(), 0),
            Self::Free if !is_found || manners.is_silent => expected("ENDPOINT_UNREACHABLE", Self::Free, 0),
            Self::Free if manners.refuses_with.is_some() => expected("ENDPOINT_BUSY", Self::Free, 1),
            Self::Free if !manners.is_there_soon() || manners.hangs_up_after.is_some() => {
                expected("Response", Self::Unknown, 1)
            }
            Self::Free => expected(
                "Response",
                Self::In {
                    meeting: meeting.to_owned(),
                },
                1,
            ),
        }
    }

    /// The end of whatever there is.
    pub fn end(&self) -> Option<Expected> {
        (*self != Self::Unknown).then_some(Expected {
            answer: "Response",
            room: Self::Free,
            calls: 0,
        })
    }
}

impl Manners {
    fn is_there_soon(&self) -> bool {
        self.answers_after
            .is_some_and(|after| after < Duration::from_secs(5))
    }
}
