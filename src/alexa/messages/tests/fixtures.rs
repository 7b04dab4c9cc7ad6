//! What goes out is as the fixtures show it.

use super::*;

#[test]
fn messages_are_printed_as_the_fixtures_show() {
    let call = CallId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002));
    let state = |state, call, caller_id: &str| {
        let caller_id = caller_id.to_owned();
        Message::Call(Report::CallState(CallState {
            state,
            call,
            caller_id,
        }))
    };
    for (message, fixture) in [
        (
            Message::ConnectionStatus(ConnectionStatus {
                status: Status::Pending,
                reason: Reason::DnsTimedout,
            }),
            include_str!("../../../../tests/data/events/connection_status_changed.json"),
        ),
        (
            Message::AuthState(AuthStatus {
                state: AuthState::Expired,
                error: AuthError::AuthorizationExpired,
            }),
            include_str!("../../../../tests/data/events/auth_state_changed.json"),
        ),
        (
            Message::DialogState(dialog()),
            include_str!("../../../../tests/data/events/dialog_state_changed.json"),
        ),
        (Message::StopForegroundActivity, STOP),
        (
            state(
                CallStateName::OutboundRinging,
                Some(call),
                "123456789.***@zoomcrc.com",
            ),
            include_str!("../../../../tests/data/events/call_state_changed.json"),
        ),
        (
            state(CallStateName::Idle, None, ""),
            include_str!("../../../../tests/data/events/call_state_changed_without_a_call.json"),
        ),
        (
            Message::Call(Report::CallFailed {
                call,
                code: CallFailedCode::NoAnswer,
                message: "nobody answered".to_owned(),
            }),
            include_str!("../../../../tests/data/events/call_failed.json"),
        ),
        (
            Message::Call(Report::DigitsSent {
                call: call.to_string(),
            }),
            include_str!("../../../../tests/data/events/send_dtmf_succeeded.json"),
        ),
        (
            Message::Call(Report::DigitsFailed {
                call: call.to_string(),
                code: DigitsFailedCode::CallNotInProgress,
                message: "there is no such call in progress".to_owned(),
            }),
            include_str!("../../../../tests/data/events/send_dtmf_failed.json"),
        ),
    ] {
        let printed: Value = serde_json::from_str(&message.print(id())).unwrap();
        assert_eq!(printed, serde_json::from_str::<Value>(fixture).unwrap());
    }
}

#[test]
fn events_are_printed_as_the_fixtures_show() {
    let refused = |kind, message: &str| Outcome::Refused(Refusal::new(kind, message));
    for (outcome, token, fixture) in [
        (
            Outcome::Done,
            Some(TOKEN),
            include_str!("../../../../tests/data/events/response.json"),
        ),
        (
            Outcome::Done,
            None,
            include_str!("../../../../tests/data/events/response_without_token.json"),
        ),
        (
            Outcome::Changed(vec![Property::Power(true)]),
            Some(TOKEN),
            include_str!("../../../../tests/data/events/response_with_power.json"),
        ),
        (
            Outcome::State(vec![
                Property::Power(false),
                Property::Volume(40),
                Property::Muted(true),
            ]),
            Some(TOKEN),
            include_str!("../../../../tests/data/events/state_report.json"),
        ),
        (
            Outcome::Discovered(Box::new(Discovery {
                endpoint_id: "room-15-104".to_owned(),
                friendly_name: "Room 15.104".to_owned(),
                manufacturer: "Example".to_owned(),
                description: "Conferencing equipment in meeting room 15.104".to_owned(),
            })),
            None,
            include_str!("../../../../tests/data/events/discover_response.json"),
        ),
        (
            refused(ErrorType::EndpointBusy, "the far end is busy"),
            Some(TOKEN),
            include_str!("../../../../tests/data/events/error_response.json"),
        ),
        (
            refused(
                ErrorType::NotSupportedInCurrentMode(DeviceMode::Other),
                "no common codec",
            ),
            Some(TOKEN),
            include_str!("../../../../tests/data/events/error_response_other_mode.json"),
        ),
        (
            refused(
                ErrorType::NotSupportedInCurrentMode(DeviceMode::Asleep),
                "the room is off",
            ),
            Some(TOKEN),
            include_str!("../../../../tests/data/events/error_response_asleep.json"),
        ),
        (
            refused(ErrorType::ValueOutOfRange, "101 is too loud"),
            Some(TOKEN),
            include_str!("../../../../tests/data/events/error_response_out_of_range.json"),
        ),
    ] {
        assert_eq!(
            printed(&outcome, token),
            serde_json::from_str::<Value>(fixture).unwrap()
        );
    }
}
