//! Whole calls as transcripts: each is a promise of the dialer.

use super::transcript::{play, play_with_password};

#[test]
fn a_call_rings_is_answered_and_is_hung_up_here() {
    play(transcript!("normal_call"));
}

#[test]
fn the_far_end_hangs_up() {
    play(transcript!("hung_up_there"));
}

#[test]
fn challenges_are_answered_with_md5_for_invite_and_bye() {
    play_with_password(transcript!("challenged_md5"));
}

#[test]
fn a_proxy_and_the_far_end_behind_it_are_both_answered() {
    play_with_password(transcript!("challenged_by_proxy"));
}

#[test]
fn a_wrong_password_is_not_tried_for_ever() {
    play_with_password(transcript!("wrong_password"));
}

#[test]
fn without_a_password_a_challenge_ends_the_call() {
    play(transcript!("no_password"));
}

#[test]
fn a_stale_nonce_is_tried_again() {
    play_with_password(transcript!("stale_nonce"));
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    play(transcript!("hung_up_before_any_response"));
}

#[test]
fn a_late_answer_is_acknowledged_and_hung_up() {
    play(transcript!("hung_up_before_any_response_but_answered"));
}

#[test]
fn a_ringing_call_is_cancelled() {
    play(transcript!("hung_up_while_ringing"));
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up() {
    play(transcript!("cancel_crosses_answer"));
}

#[test]
fn a_cancelled_call_that_nobody_ends_is_given_up() {
    play(transcript!("cancel_unanswered"));
}

#[test]
fn an_unanswered_call_is_cancelled_after_its_ring_timeout() {
    play(transcript!("rang_too_long"));
}

#[test]
fn a_busy_far_end_ends_the_call_and_its_repeats_are_acknowledged() {
    play(transcript!("busy"));
}

#[test]
fn a_redirection_leads_to_its_contacts_by_preference() {
    play(transcript!("moved"));
}

#[test]
fn contacts_that_may_not_be_called_count_as_exhausted() {
    play(transcript!("moved_to_nobody"));
}

#[test]
fn a_circle_of_redirections_ends() {
    play(transcript!("moved_in_a_circle"));
}

#[test]
fn a_silent_contact_gives_way_to_the_next() {
    play(transcript!("moved_and_silent"));
}

#[test]
fn contacts_that_nobody_judges_are_not_called() {
    play(transcript!("moved_unjudged"));
}

#[test]
fn credentials_are_not_taken_to_a_contact() {
    play_with_password(transcript!("moved_authenticated"));
}

#[test]
fn an_answer_without_description_is_hung_up() {
    play(transcript!("answer_without_description"));
}

#[test]
fn an_answer_without_audio_is_hung_up() {
    play(transcript!("answer_refuses_audio"));
}

#[test]
fn the_description_of_a_provisional_response_stands_in_for_that_of_the_answer() {
    play(transcript!("early_description_counts"));
}

#[test]
fn the_description_of_another_dialog_does_not() {
    play(transcript!("early_description_of_another_fork"));
}

#[test]
fn silence_is_given_up_after_32_seconds_of_doubling_repeats() {
    play(transcript!("silence"));
}

#[test]
fn a_repeated_answer_gets_its_acknowledgement_again() {
    play(transcript!("lost_acknowledgement"));
}

#[test]
fn a_second_answer_is_hung_up() {
    play(transcript!("forked"));
}

#[test]
fn an_icmp_error_ends_a_try_at_once() {
    play(transcript!("icmp"));
}

#[test]
fn an_icmp_error_leads_to_the_next_address() {
    play(transcript!("icmp_next_address"));
}

#[test]
fn a_name_that_does_not_exist_ends_the_call() {
    play(transcript!("no_such_name"));
}

#[test]
fn silent_name_servers_end_the_call() {
    play(transcript!("no_answer_from_names"));
}

#[test]
fn a_refused_connection_ends_a_try_at_once() {
    play(transcript!("tcp_refused"));
}

#[test]
fn a_refused_connection_leads_to_the_next_address() {
    play(transcript!("tcp_refused_next_address"));
}

#[test]
fn a_bye_opens_a_new_connection_when_the_old_one_is_gone() {
    play(transcript!("tcp_reset_in_call"));
}

#[test]
fn a_call_whose_connection_broke_is_still_cancelled() {
    play(transcript!("tcp_reset_before_any_response"));
}

#[test]
fn a_bye_without_connection_is_tried_for_32_seconds() {
    play(transcript!("bye_unreachable_is_tried_again"));
}

#[test]
fn the_far_end_holds_and_resumes() {
    play(transcript!("hold_and_resume"));
}

#[test]
fn a_reinvite_without_offer_gets_ours() {
    play(transcript!("reinvite_without_offer"));
}

#[test]
fn a_reinvite_that_is_never_acknowledged_ends_the_call() {
    play(transcript!("reinvite_unacknowledged"));
}

#[test]
fn an_unusable_offer_is_refused_and_the_call_goes_on() {
    play(transcript!("unusable_offer_changes_nothing"));
}

#[test]
fn their_requests_get_the_right_status() {
    play(transcript!("their_requests"));
}

#[test]
fn digits_go_into_rtp_when_the_answer_has_telephone_event() {
    play(transcript!("digits_in_rtp"));
}

#[test]
fn digits_go_by_info_when_the_far_end_allows_it() {
    play_with_password(transcript!("digits_by_info"));
}

#[test]
fn digits_are_tones_when_the_far_end_takes_nothing_else() {
    play(transcript!("digits_as_tones"));
}

#[test]
fn requests_follow_the_recorded_route() {
    play(transcript!("record_route"));
}

#[test]
fn a_strict_router_becomes_the_request_uri() {
    play(transcript!("strict_route"));
}

#[test]
fn a_contact_with_a_name_is_looked_up() {
    play(transcript!("named_contact"));
}

#[test]
fn an_unanswered_bye_is_given_up_after_32_seconds() {
    play(transcript!("bye_unanswered"));
}

#[test]
fn silent_name_servers_do_not_keep_a_dialog_waiting() {
    play(transcript!("named_contact_unanswered"));
}

#[test]
fn a_session_is_refreshed_by_update_or_reinvite() {
    play(transcript!("session_refreshed_by_update"));
}

#[test]
fn a_refresh_refused_with_481_ends_the_call() {
    play(transcript!("session_refresh_refused"));
}

#[test]
fn a_refresh_asks_for_longer_after_422_and_408_ends_the_call() {
    play(transcript!("session_refresh_unanswered"));
}

#[test]
fn a_session_that_the_far_end_stops_refreshing_is_ended() {
    play(transcript!("session_refreshed_there"));
}

#[test]
fn a_422_is_tried_again_with_its_interval() {
    play(transcript!("session_too_brief"));
}

#[test]
fn a_422_that_asks_for_less_ends_the_call() {
    play(transcript!("session_too_brief_for_nothing"));
}

#[test]
fn reliable_progress_is_acknowledged_once_and_in_order() {
    play(transcript!("reliable_progress"));
}

#[test]
fn the_room_holds_and_resumes() {
    play(transcript!("hold_by_us"));
}

#[test]
fn a_muted_room_is_silent_from_the_first_packet_and_the_far_end_is_not_asked() {
    play(transcript!("mute"));
}

#[test]
fn a_room_on_hold_is_silent_even_if_the_far_end_refuses() {
    play(transcript!("hold_refused"));
}

#[test]
fn a_change_that_crosses_theirs_is_tried_again() {
    play(transcript!("glare"));
}

#[test]
fn the_reason_of_a_hang_up_is_read() {
    play(transcript!("hung_up_there_with_reason"));
}

#[test]
fn a_flood_of_progress_is_told_once() {
    play(transcript!("flood_of_progress"));
}

#[test]
fn video_is_refused_and_the_audio_goes_on() {
    play(transcript!("video_added"));
}

#[test]
fn a_stranger_hangs_nobody_up() {
    play(transcript!("stranger_hangs_up"));
}

#[test]
fn a_stranger_who_tells_the_truth_is_believed_by_the_far_ends_word() {
    play(transcript!("stranger_is_theirs"));
}

#[test]
fn on_a_strangers_word_no_call_ends() {
    play(transcript!("stranger_unanswered"));
}

#[test]
fn a_stranger_changes_nothing() {
    play(transcript!("stranger_changes_nothing"));
}

#[test]
fn all_servers_of_the_far_end_may_speak_for_it() {
    play(transcript!("peers_of_a_farm"));
}

#[test]
fn a_call_over_tls_hears_nobody_without() {
    play(transcript!("stranger_beside_tls"));
}

#[test]
fn an_answer_whose_connection_is_gone_takes_a_new_one() {
    play(transcript!("answer_on_a_new_connection"));
}

#[test]
fn an_answer_that_reaches_nobody_is_dropped() {
    play(transcript!("answer_without_a_connection"));
}

#[test]
fn under_tls_an_answer_takes_a_new_connection_only_as_verified() {
    play(transcript!("answer_on_a_new_connection_tls"));
    play(transcript!("answer_without_a_name_tls"));
}

#[test]
fn an_answer_by_datagram_is_repeated_after_an_icmp_error() {
    play(transcript!("icmp_before_acknowledgement"));
}
