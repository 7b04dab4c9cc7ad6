//! Far ends that break the rules: always a clear answer, never a panic, never a call left behind.

use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::room::Room;

/// Joins a far end of this manner, over this transport, and wants this answer.
#[track_caller]
fn joining(manner: Manner, transport: &str, expected: &str) -> FarEnd {
    let far_end = FarEnd::start(manner);
    let room = Room::open_with(&[("calls.response_deadline", "\"1s\"")]);
    let uri = format!("sip:far@{};transport={transport}", far_end.endpoint());
    let event = room.bridge.ask(&directives::join(&uri));
    assert_eq!(outcome(&event), expected, "{transport}: {event}");
    assert!(
        event["payload"]["message"]
            .as_str()
            .is_some_and(|message| message.len() > 10),
        "{event}"
    );
    room.bridge.wait_for_message("CallFailed", |_| true);
    room.bridge.wait_for_call_state("IDLE");
    assert_eq!(
        outcome(&room.bridge.ask(&directives::end())),
        "Response",
        "it still takes directives"
    );
    room.meetd.stop();
    far_end
}

#[test]
fn half_a_response_is_no_answer() {
    for transport in ["udp", "tcp"] {
        joining(Manner::HalfMessage, transport, "ENDPOINT_UNREACHABLE");
    }
}

#[test]
fn garbage_is_no_answer() {
    for transport in ["udp", "tcp"] {
        joining(Manner::Garbage, transport, "ENDPOINT_UNREACHABLE");
    }
}

#[test]
fn silence_over_tcp_is_no_answer() {
    joining(Manner::Silent, "tcp", "ENDPOINT_UNREACHABLE");
}

#[test]
fn a_200_without_sdp_is_acknowledged_and_ended() {
    for transport in ["udp", "tcp"] {
        let far_end = joining(Manner::WithoutSdp, transport, "NOT_SUPPORTED_IN_CURRENT_MODE");
        acknowledged_and_ended(&far_end);
    }
}

#[test]
fn a_200_that_refuses_the_audio_is_acknowledged_and_ended() {
    for transport in ["udp", "tcp"] {
        let far_end = joining(Manner::PortZero, transport, "NOT_SUPPORTED_IN_CURRENT_MODE");
        acknowledged_and_ended(&far_end);
    }
}

#[track_caller]
fn acknowledged_and_ended(far_end: &FarEnd) {
    far_end.wait_for_phase(Phase::TheyLeft);
    far_end
        .seen
        .look(|seen| assert!(seen.count("ACK") >= 1, "BYE without ACK"));
    far_end.wait_until_all_is_over();
}
