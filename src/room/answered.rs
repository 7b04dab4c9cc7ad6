//! What the end of a call means: the answer to a join that waits for it, and whether it failed. One function for
//! each column of the contract's tables.

use crate::alexa::messages::outcome::{DeviceMode, ErrorType, Refusal};
use crate::alexa::messages::report::CallFailedCode;
use crate::call::{EndReason, EndedHere};
use crate::network::ConnectFault;

use super::dial_plan::Mask;

/// The answer to a join whose call ended before it was answered. The mask hides the PIN in the far end's words.
pub fn refusal(reason: &EndReason, mask: &Mask) -> Refusal {
    Refusal::new(error_type(reason), sentence(reason, mask))
}

/// The type of the ErrorResponse to a join whose call ended before it was answered.
pub fn error_type(reason: &EndReason) -> ErrorType {
    match reason {
        EndReason::Refused { status, .. } => match status {
            486 | 600 | 603 => ErrorType::EndpointBusy,
            401 | 403 | 407 => ErrorType::InsufficientPermissions,
            415 | 488 | 606 => ErrorType::NotSupportedInCurrentMode(DeviceMode::Other),
            _ => ErrorType::EndpointUnreachable,
        },
        EndReason::NotAuthorized { .. } => ErrorType::InsufficientPermissions,
        EndReason::NoUsableAudio(_) => ErrorType::NotSupportedInCurrentMode(DeviceMode::Other),
        EndReason::BadTarget(_) => ErrorType::InvalidValue,
        EndReason::Unreachable(fault) => match fault {
            ConnectFault::Proxy(_) => ErrorType::BridgeUnreachable,
            ConnectFault::Socket(_) => ErrorType::InternalError,
            ConnectFault::Name(_)
            | ConnectFault::NameSlow(_)
            | ConnectFault::Refused(_)
            | ConnectFault::Unreachable(_)
            | ConnectFault::TcpSlow(_)
            | ConnectFault::Tls { .. } => ErrorType::EndpointUnreachable,
        },
        EndReason::ProxyUnreachable(_) => ErrorType::BridgeUnreachable,
        EndReason::HungUp | EndReason::Silent(_) | EndReason::Broken(_) => ErrorType::EndpointUnreachable,
        EndReason::OurFault(_) => ErrorType::InternalError,
        EndReason::EndedHere(why) => match why {
            EndedHere::NoResponse | EndedHere::RangTooLong => ErrorType::EndpointUnreachable,
            EndedHere::Asked
            | EndedHere::Replaced
            | EndedHere::PoweredOff
            | EndedHere::Stopped
            | EndedHere::LastedTooLong
            | EndedHere::NoAudio => ErrorType::NotInOperation,
        },
    }
}

/// The code of CallFailed; `None` for an orderly end, which is IDLE only.
pub fn failure(reason: &EndReason) -> Option<CallFailedCode> {
    match reason {
        EndReason::Refused { status, .. } => Some(match status {
            486 | 600 | 603 => CallFailedCode::Busy,
            408 | 480 => CallFailedCode::NoAnswer,
            503 => CallFailedCode::NoCarrier,
            _ => CallFailedCode::Other,
        }),
        // RFC 3261 8.1.3.1: a transaction that timed out is a 408.
        EndReason::Silent(_) => Some(CallFailedCode::NoAnswer),
        EndReason::Unreachable(_) | EndReason::ProxyUnreachable(_) => Some(CallFailedCode::NoCarrier),
        EndReason::NotAuthorized { .. }
        | EndReason::NoUsableAudio(_)
        | EndReason::BadTarget(_)
        | EndReason::Broken(_)
        | EndReason::OurFault(_) => Some(CallFailedCode::Other),
        EndReason::EndedHere(EndedHere::NoResponse | EndedHere::RangTooLong) => {
            Some(CallFailedCode::NoAnswer)
        }
        EndReason::EndedHere(
            EndedHere::Asked
            | EndedHere::Replaced
            | EndedHere::PoweredOff
            | EndedHere::Stopped
            | EndedHere::LastedTooLong
            | EndedHere::NoAudio,
        )
        | EndReason::HungUp => None,
    }
}

/// The SIP status in it.
pub fn sip_status(reason: &EndReason) -> Option<u16> {
    match reason {
        EndReason::Refused { status, .. } | EndReason::NotAuthorized { status, .. } => Some(*status),
        EndReason::HungUp
        | EndReason::EndedHere(_)
        | EndReason::Unreachable(_)
        | EndReason::ProxyUnreachable(_)
        | EndReason::Silent(_)
        | EndReason::NoUsableAudio(_)
        | EndReason::BadTarget(_)
        | EndReason::Broken(_)
        | EndReason::OurFault(_) => None,
    }
}

/// One word for the journal's `end_reason`.
pub fn name(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::HungUp => "hung-up",
        EndReason::EndedHere(EndedHere::Asked) => "asked",
        EndReason::EndedHere(EndedHere::Replaced) => "replaced",
        EndReason::EndedHere(EndedHere::PoweredOff) => "powered-off",
        EndReason::EndedHere(EndedHere::Stopped) => "stopped",
        EndReason::EndedHere(EndedHere::NoResponse) => "no-response",
        EndReason::EndedHere(EndedHere::RangTooLong) => "rang-too-long",
        EndReason::EndedHere(EndedHere::LastedTooLong) => "lasted-too-long",
        EndReason::EndedHere(EndedHere::NoAudio) => "no-audio",
        EndReason::Refused { .. } => "refused",
        EndReason::NotAuthorized { .. } => "not-authorized",
        EndReason::Unreachable(_) => "unreachable",
        EndReason::ProxyUnreachable(_) => "proxy-unreachable",
        EndReason::Silent(_) => "silent",
        EndReason::NoUsableAudio(_) => "no-usable-audio",
        EndReason::BadTarget(_) => "bad-target",
        EndReason::Broken(_) => "broken",
        EndReason::OurFault(_) => "our-fault",
    }
}

/// What happened, in one plain sentence without PIN.
pub fn sentence(reason: &EndReason, mask: &Mask) -> String {
    match reason {
        EndReason::Refused { status, phrase } => {
            let what = match error_type(reason) {
                ErrorType::EndpointBusy => "the far end is busy",
                ErrorType::InsufficientPermissions => "the far end does not let us in",
                ErrorType::NotSupportedInCurrentMode(_) => {
                    "the far end and this room have no audio in common"
                }
                _ => "the far end refused the call",
            };
            let phrase = mask.hide(phrase.trim());
            let space = if phrase.is_empty() { "" } else { " " };
            format!("{what} ({status}{space}{phrase})")
        }
        EndReason::EndedHere(why) => match why {
            EndedHere::Asked => "the call was ended here",
            EndedHere::Replaced => "the call was ended here because another meeting was joined",
            EndedHere::PoweredOff => "the call was ended because the room was turned off",
            EndedHere::Stopped => "the call was ended because meetd stops",
            EndedHere::NoResponse => "the far end did not respond in time",
            EndedHere::RangTooLong => "nobody answered in time",
            EndedHere::LastedTooLong => "the call had lasted for calls.max_duration",
            EndedHere::NoAudio => "no audio came from the far end for media.rtp_timeout",
        }
        .to_owned(),
        EndReason::HungUp
        | EndReason::NotAuthorized { .. }
        | EndReason::Unreachable(_)
        | EndReason::ProxyUnreachable(_)
        | EndReason::Silent(_)
        | EndReason::NoUsableAudio(_)
        | EndReason::BadTarget(_)
        | EndReason::Broken(_)
        | EndReason::OurFault(_) => mask.hide(&reason.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CallFailedCode::{Busy, NoAnswer, NoCarrier, Other};

    const MODE: ErrorType = ErrorType::NotSupportedInCurrentMode(DeviceMode::Other);

    #[test]
    fn every_status_means_what_the_contract_says() {
        let mut table = vec![
            (401, ErrorType::InsufficientPermissions, Other),
            (403, ErrorType::InsufficientPermissions, Other),
            (407, ErrorType::InsufficientPermissions, Other),
            (408, ErrorType::EndpointUnreachable, NoAnswer),
            (415, MODE, Other),
            (480, ErrorType::EndpointUnreachable, NoAnswer),
            (486, ErrorType::EndpointBusy, Busy),
            (488, MODE, Other),
            (503, ErrorType::EndpointUnreachable, NoCarrier),
            (600, ErrorType::EndpointBusy, Busy),
            (603, ErrorType::EndpointBusy, Busy),
            (604, ErrorType::EndpointUnreachable, Other),
            (606, MODE, Other),
        ];
        let listed: Vec<u16> = table.iter().map(|(status, ..)| *status).collect();
        let rest = (300..700).filter(|status| !listed.contains(status));
        table.extend(rest.map(|status| (status, ErrorType::EndpointUnreachable, Other)));
        for (status, kind, code) in table {
            let phrase = "So It Is".to_owned();
            let reason = EndReason::Refused { status, phrase };
            let refusal = refusal(&reason, &Mask::default());
            assert_eq!((refusal.kind, failure(&reason)), (kind, Some(code)), "{status}");
            assert!(
                refusal.message.contains(&format!("({status} So It Is)")),
                "{}",
                refusal.message
            );
            assert_eq!(sip_status(&reason), Some(status));
        }
    }

    #[test]
    fn every_other_end_means_what_the_contract_says() {
        let text = || "x".to_owned();
        let socket = "192.0.2.1:5060".parse().unwrap();
        let here = EndReason::EndedHere;
        let not_authorized = |status| EndReason::NotAuthorized { status, why: text() };
        let tls = ConnectFault::Tls {
            server_name: text(),
            fault: crate::network::CertFault::Expired,
        };
        let unreachable = ErrorType::EndpointUnreachable;
        let ended = ErrorType::NotInOperation;
        for (reason, kind, code) in [
            (EndReason::HungUp, unreachable, None),
            (here(EndedHere::Asked), ended, None),
            (here(EndedHere::Replaced), ended, None),
            (here(EndedHere::PoweredOff), ended, None),
            (here(EndedHere::Stopped), ended, None),
            (here(EndedHere::LastedTooLong), ended, None),
            (here(EndedHere::NoAudio), ended, None),
            (here(EndedHere::NoResponse), unreachable, Some(NoAnswer)),
            (here(EndedHere::RangTooLong), unreachable, Some(NoAnswer)),
            (
                not_authorized(401),
                ErrorType::InsufficientPermissions,
                Some(Other),
            ),
            (
                not_authorized(407),
                ErrorType::InsufficientPermissions,
                Some(Other),
            ),
            (
                EndReason::Unreachable(ConnectFault::Name(text())),
                unreachable,
                Some(NoCarrier),
            ),
            (
                EndReason::Unreachable(ConnectFault::NameSlow(text())),
                unreachable,
                Some(NoCarrier),
            ),
            (
                EndReason::Unreachable(ConnectFault::Refused(socket)),
                unreachable,
                Some(NoCarrier),
            ),
            (
                EndReason::Unreachable(ConnectFault::Unreachable(socket)),
                unreachable,
                Some(NoCarrier),
            ),
            (
                EndReason::Unreachable(ConnectFault::TcpSlow(socket)),
                unreachable,
                Some(NoCarrier),
            ),
            (EndReason::Unreachable(tls), unreachable, Some(NoCarrier)),
            (
                EndReason::Unreachable(ConnectFault::Proxy(text())),
                ErrorType::BridgeUnreachable,
                Some(NoCarrier),
            ),
            (
                EndReason::Unreachable(ConnectFault::Socket(text())),
                ErrorType::InternalError,
                Some(NoCarrier),
            ),
            (
                EndReason::ProxyUnreachable(ConnectFault::Refused(socket)),
                ErrorType::BridgeUnreachable,
                Some(NoCarrier),
            ),
            (EndReason::Silent(text()), unreachable, Some(NoAnswer)),
            (EndReason::NoUsableAudio(text()), MODE, Some(Other)),
            (EndReason::BadTarget(text()), ErrorType::InvalidValue, Some(Other)),
            (EndReason::Broken(text()), unreachable, Some(Other)),
            (EndReason::OurFault(text()), ErrorType::InternalError, Some(Other)),
        ] {
            let refusal = refusal(&reason, &Mask::default());
            assert_eq!((refusal.kind, failure(&reason)), (kind, code), "{reason:?}");
            assert!(
                !refusal.message.is_empty() && !refusal.message.ends_with('.'),
                "{reason:?}"
            );
        }
    }

    #[test]
    fn the_far_ends_words_cannot_bring_the_pin_back() {
        let mask = Mask::of(["0012345"]);
        let phrase = "No Conference 77.0012345\u{1b}[2J".to_owned();
        let said = sentence(&EndReason::Refused { status: 404, phrase }, &mask);
        assert_eq!(
            said,
            "the far end refused the call (404 No Conference 77.***\u{fffd}[2J)"
        );
        let said = sentence(&EndReason::Broken("BYE 0012345".to_owned()), &mask);
        assert_eq!(said, "BYE ***");
    }
}
