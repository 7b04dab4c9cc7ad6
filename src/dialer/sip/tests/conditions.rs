//! The conditions that a caller meets, in virtual time; `tests/data/sip_conditions.tsv` lists all of them.

use super::transcript::{play, play_with_password};

/// A transcript by its name.
macro_rules! transcript {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/data/sip_calls/", $name, ".txt"))
    };
}

#[test]
fn a_challenge_of_sha256_alone_is_answered() {
    play_with_password(transcript!("challenged_sha256_only"));
}

#[test]
fn of_two_algorithms_the_stronger_is_taken() {
    play_with_password(transcript!("challenged_md5_and_sha256"));
}

#[test]
fn a_lost_invite_is_repeated() {
    play(transcript!("lost_invite"));
}

#[test]
fn a_lost_answer_comes_again() {
    play(transcript!("lost_answer"));
}

#[test]
fn an_answer_that_is_repeated_for_ever_changes_nothing() {
    play(transcript!("answer_repeated_for_ever"));
}

#[test]
fn compact_names_and_folded_values_are_read() {
    play(transcript!("compact_and_folded"));
}

#[test]
fn a_488_ends_the_call() {
    play(transcript!("unacceptable"));
}

#[test]
fn a_6xx_ends_the_call() {
    play(transcript!("declined"));
}

#[test]
fn a_contact_without_user_is_followed() {
    play(transcript!("contact_without_user"));
}

#[test]
fn display_names_in_any_bytes_are_passed_over() {
    play(transcript!("display_names"));
}

#[test]
fn an_icmp_error_in_mid_call_ends_nothing() {
    play(transcript!("icmp_in_call"));
}

#[test]
fn a_broken_connection_under_tls_is_opened_anew() {
    play(transcript!("tls_reset_in_call"));
}

#[test]
fn an_update_before_the_answer_is_taken_or_told_to_wait() {
    play(transcript!("update_in_early_dialog"));
}

#[test]
fn an_update_after_a_reliable_answer_changes_the_session() {
    play(transcript!("update_changes_an_early_session"));
}
