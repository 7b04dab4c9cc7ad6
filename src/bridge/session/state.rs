//! The states of the session.

use crate::time::{Deadline, Moment};

/// How far we are. Its paths:
/// ```text
///   New ──Start──> Disabled                     (bridge.enabled = false)
///    └────Start──> Connecting ──Opened──> Open
///                   ^   │ ^               │
///                   │   │ └── redirect    │ lost, or a ping unanswered
///       due, a look │   │ failed          │
///      at the token │   │ or same token   │
///                  Waiting <──────────────┘
///   any ──Leave──> Left,  any but Left ──changed settings──> New ──> as by Start
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    New,
    Disabled,
    Waiting {
        until: Deadline,
        /// Not even a network change tries before this.
        not_before: Moment,
        /// The token was forbidden: when to see whether there is another one.
        look: Option<Deadline>,
    },
    Connecting {
        url: String,
        hops: u8,
        since: Moment,
        /// Our own limit, above all of the edge's.
        guard: Deadline,
        /// When to begin anew because the network changed meanwhile.
        renewal: Option<Deadline>,
        /// Only another token is tried with; without one it waits on, until then.
        look: Option<(Deadline, Moment)>,
    },
    Open {
        since: Moment,
        ping: Ping,
    },
    Left,
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Disabled => "disabled",
            Self::Waiting { .. } => "waiting",
            Self::Connecting { .. } => "connecting",
            Self::Open { .. } => "open",
            Self::Left => "left",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    /// The next one is due then.
    Due(Deadline),
    /// One has left and must be answered by then.
    Unanswered(Deadline),
}

impl Ping {
    pub(super) fn deadline(self) -> Deadline {
        match self {
            Self::Due(deadline) | Self::Unanswered(deadline) => deadline,
        }
    }

    pub(super) fn at_latest(self, limit: Deadline) -> Self {
        let sooner = |deadline: Deadline| if limit.at < deadline.at { limit } else { deadline };
        match self {
            Self::Due(deadline) => Self::Due(sooner(deadline)),
            Self::Unanswered(deadline) => Self::Unanswered(sooner(deadline)),
        }
    }
}
