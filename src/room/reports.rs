//! What the room tells of itself: status messages, the snapshot, and `meetd status`.

use std::time::Duration;

use crate::alexa::messages::report::{CallFailedCode, CallState, CallStateName, Report};
use crate::call::{Agreed, CallId, EndReason, Protocol};
use crate::media::Figures;
use crate::time::Now;

use super::microphone::Microphone;
use super::room::{Output, Room};
use super::state::{Call, Talk};
use super::{answered, journal};

/// The room's part of `meetd status`.
#[derive(Clone, Debug, PartialEq)]
pub struct CallStatus {
    /// The call there is.
    pub call: Option<CurrentCall>,
    /// The one before.
    pub last_call: Option<LastCall>,
}

/// The call there is.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentCall {
    /// Its name.
    pub call: CallId,
    /// As CallStateChanged told it last.
    pub state: CallStateName,
    /// The dial string, the PIN as `***`.
    pub remote: String,
    /// As the directive wanted it.
    pub protocol: Protocol,
    /// The provider's normalized name.
    pub provider: String,
    /// When it was placed; once it is answered, when that was.
    pub since: jiff::Timestamp,
    /// What both sides agreed on, once it is answered.
    pub agreed: Option<Agreed>,
    /// What the meeting hears of the room.
    pub microphone: Microphone,
    /// The latest figures of its audio.
    pub figures: Option<Figures>,
}

/// The call before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCall {
    /// Its name.
    pub call: CallId,
    /// As in CallFailed; `None` for an orderly end.
    pub code: Option<CallFailedCode>,
    /// How it ended, in one sentence without PIN.
    pub message: String,
    /// The SIP status that ended it.
    pub sip_status: Option<u16>,
    /// From its answer to its end; zero when it was not answered.
    pub duration: Duration,
}

impl Room {
    /// For `meetd status`.
    pub fn status(&self) -> CallStatus {
        let current = |call: &Call| {
            let talk = self.state.talk();
            CurrentCall {
                call: call.id,
                state: self.state.told(),
                remote: call.planned.target.shown.clone(),
                protocol: call.planned.target.protocol,
                provider: call.planned.provider.clone(),
                since: talk.map_or(call.placed.wall, |talk| talk.since.wall),
                agreed: talk.map(|talk| talk.agreed.clone()),
                microphone: self.microphone(call),
                figures: talk.and_then(|talk| talk.watch.figures()),
            }
        };
        CallStatus {
            call: self.state.call().map(current),
            last_call: self.last_call.clone(),
        }
    }

    pub(super) fn report_state(&mut self, call: &Call, state: CallStateName) {
        let report = Report::CallState(state_of(call, state));
        self.outputs.push_back(Output::Report(report));
    }

    /// CallFailed when it failed, IDLE, the line in the journal, and the last call.
    pub(super) fn report_end(&mut self, now: Now, call: &Call, talk: Option<&Talk>, reason: &EndReason) {
        let last = LastCall {
            call: call.id,
            code: answered::failure(reason),
            message: answered::sentence(reason, &call.planned.mask),
            sip_status: answered::sip_status(reason),
            duration: talk.map_or(Duration::ZERO, |talk| now.moment - talk.since.moment),
        };
        if let Some(code) = last.code {
            self.outputs.push_back(Output::Report(Report::CallFailed {
                call: call.id,
                code,
                message: last.message.clone(),
            }));
        }
        self.report_state(call, CallStateName::Idle);
        journal::over(call, talk, answered::name(reason), &last);
        self.last_call = Some(last);
    }
}

fn state_of(call: &Call, state: CallStateName) -> CallState {
    CallState {
        state,
        call: Some(call.id),
        caller_id: call.planned.target.shown.clone(),
    }
}
