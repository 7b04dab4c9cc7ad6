//! meetd and its test peers with programs that others wrote: sipp, baresip, kamailio, tshark, Python's websockets.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this binary is its own test harness, on real time, and every story in it is a test"
)]

#[path = "../peers/mod.rs"]
mod peers;

mod asterisk;
mod baresip;
mod baresip_stories;
mod capture;
mod certificates;
mod condition_list;
mod conditions;
mod digit_stories;
mod early_media;
mod far_end_itself;
mod frames_by_schema;
mod front;
mod hearing_itself;
mod ipv6;
mod kamailio;
mod kamailio_stories;
mod linphone;
mod matrix;
mod name_server;
mod name_stories;
mod network_stories;
mod parser_budget;
mod python_bridge;
mod runner;
mod sipp;
mod sipp_stories;
mod sound_card;
mod speech_stories;
mod strangers;

use kamailio_stories::By;
use sipp::Over::{Tcp, Udp};

const STORIES: &[runner::Story] = &[
    ("baresip_speaks_listens_and_hears_the_pin_udp", || {
        baresip_stories::speaks_listens_and_hears_the_pin(Udp)
    }),
    ("baresip_speaks_listens_and_hears_the_pin_tcp", || {
        baresip_stories::speaks_listens_and_hears_the_pin(Tcp)
    }),
    ("baresip_speaks_listens_and_hears_the_pin_over_ipv6_udp", || {
        ipv6::baresip(Udp)
    }),
    ("baresip_speaks_listens_and_hears_the_pin_over_ipv6_tcp", || {
        ipv6::baresip(Tcp)
    }),
    (
        "baresip_speaks_listens_and_hears_the_pin_encrypted",
        baresip_stories::speaks_listens_and_hears_the_pin_encrypted,
    ),
    ("speech_goes_both_ways_with_baresip_in_pcmu", || {
        speech_stories::with_baresip("pcmu")
    }),
    ("speech_goes_both_ways_with_baresip_in_pcma", || {
        speech_stories::with_baresip("pcma")
    }),
    ("speech_goes_both_ways_with_baresip_in_g722", || {
        speech_stories::with_baresip("g722")
    }),
    #[cfg(feature = "opus")]
    ("speech_goes_both_ways_with_baresip_in_opus", || {
        speech_stories::with_baresip("opus")
    }),
    ("speech_goes_both_ways_with_linphone_in_pcmu", || {
        speech_stories::with_linphone("pcmu")
    }),
    ("speech_goes_both_ways_with_linphone_in_pcma", || {
        speech_stories::with_linphone("pcma")
    }),
    ("speech_goes_both_ways_with_linphone_in_g722", || {
        speech_stories::with_linphone("g722")
    }),
    #[cfg(feature = "opus")]
    ("speech_goes_both_ways_with_linphone_in_opus", || {
        speech_stories::with_linphone("opus")
    }),
    ("speech_goes_both_ways_with_asterisk_in_pcmu", || {
        speech_stories::with_asterisk("pcmu")
    }),
    ("speech_goes_both_ways_with_asterisk_in_pcma", || {
        speech_stories::with_asterisk("pcma")
    }),
    ("speech_goes_both_ways_with_asterisk_in_g722", || {
        speech_stories::with_asterisk("g722")
    }),
    (
        "a_network_that_loses_packets_is_survived",
        network_stories::random_loss,
    ),
    ("a_network_that_loses_bursts_is_survived", network_stories::bursts),
    ("a_network_that_jitters_is_survived", network_stories::jitter),
    (
        "a_network_that_changes_the_order_is_survived",
        network_stories::disorder,
    ),
    (
        "a_network_that_does_everything_at_once_is_survived",
        network_stories::everything,
    ),
    (
        "sixteen_digits_are_heard_by_baresip",
        digit_stories::heard_by_baresip,
    ),
    (
        "sixteen_digits_are_heard_by_sipp_in_info",
        digit_stories::heard_by_sipp_in_info,
    ),
    ("sixteen_digits_are_heard_by_asterisk_as_events", || {
        digit_stories::heard_by_asterisk("rfc4733")
    }),
    ("sixteen_digits_are_heard_by_asterisk_in_info", || {
        digit_stories::heard_by_asterisk("info")
    }),
    ("sixteen_digits_are_heard_by_asterisk_as_tones", || {
        digit_stories::heard_by_asterisk("inband")
    }),
    (
        "hearing_finds_the_delay_and_the_gain_of_a_good_path",
        hearing_itself::finds_the_delay_and_the_gain_of_a_good_path,
    ),
    (
        "hearing_notices_every_fifth_packet_missing",
        hearing_itself::notices_every_fifth_packet_missing,
    ),
    (
        "hearing_notices_ulaw_taken_for_alaw",
        hearing_itself::notices_ulaw_taken_for_alaw,
    ),
    (
        "hearing_notices_the_wrong_byte_order",
        hearing_itself::notices_the_wrong_byte_order,
    ),
    (
        "hearing_notices_packets_in_the_wrong_order",
        hearing_itself::notices_packets_in_the_wrong_order,
    ),
    (
        "hearing_notices_what_is_no_such_speech",
        hearing_itself::notices_what_is_no_such_speech,
    ),
    (
        "baresip_without_keys_gets_no_call",
        baresip_stories::without_keys_there_is_no_call,
    ),
    (
        "a_sound_card_is_heard_and_survives_being_unplugged",
        sound_card::is_heard_and_survives_being_unplugged,
    ),
    (
        "a_meeting_does_not_hear_itself_through_the_room",
        sound_card::gives_the_meeting_no_echo,
    ),
    (
        "a_sound_card_that_hangs_delays_no_bye_and_kills_nothing",
        sound_card::that_hangs_delays_no_bye_and_kills_nothing,
    ),
    ("kamailio_passes_a_call_on_after_md5_udp", || {
        kamailio_stories::a_call_through_the_proxy(By::Udp, "MD5")
    }),
    ("kamailio_passes_a_call_on_after_sha256_udp", || {
        kamailio_stories::a_call_through_the_proxy(By::Udp, "SHA-256")
    }),
    ("kamailio_passes_a_call_on_after_md5_tcp", || {
        kamailio_stories::a_call_through_the_proxy(By::Tcp, "MD5")
    }),
    ("kamailio_passes_a_call_on_after_sha256_tcp", || {
        kamailio_stories::a_call_through_the_proxy(By::Tcp, "SHA-256")
    }),
    ("kamailio_passes_a_call_on_after_md5_tls", || {
        kamailio_stories::a_call_through_the_proxy(By::Tls, "MD5")
    }),
    ("kamailio_passes_a_call_on_after_sha256_tls", || {
        kamailio_stories::a_call_through_the_proxy(By::Tls, "SHA-256")
    }),
    (
        "a_silent_server_is_left_and_its_late_answer_ended",
        name_stories::a_silent_server_is_left_and_its_late_answer_ended,
    ),
    (
        "sipp_out_of_service_is_passed_over_by_the_next_call",
        name_stories::a_server_out_of_service_is_passed_over,
    ),
    (
        "an_address_that_refuses_gives_way_to_the_next",
        name_stories::an_address_that_refuses_gives_way_to_the_next,
    ),
    ("kamailio_registers_the_room_udp", || {
        kamailio_stories::registers(By::Udp)
    }),
    ("kamailio_registers_the_room_tcp", || {
        kamailio_stories::registers(By::Tcp)
    }),
    ("kamailio_registers_the_room_tls", || {
        kamailio_stories::registers(By::Tls)
    }),
    ("kamailio_refuses_short_registrations_udp", || {
        kamailio_stories::refuses_short_registrations(By::Udp)
    }),
    ("kamailio_registers_and_calls_as_outbound_proxy_udp", || {
        kamailio_stories::registers_and_calls_through_the_outbound_proxy(By::Udp)
    }),
    ("kamailio_registers_and_calls_as_outbound_proxy_tcp", || {
        kamailio_stories::registers_and_calls_through_the_outbound_proxy(By::Tcp)
    }),
    ("kamailio_registers_and_calls_as_outbound_proxy_tls", || {
        kamailio_stories::registers_and_calls_through_the_outbound_proxy(By::Tls)
    }),
    (
        "a_registrar_that_is_down_is_said",
        kamailio_stories::a_registrar_that_is_down_is_said,
    ),
    (
        "sipp_behind_kamailio_is_asked_as_sip_after_416_tls",
        kamailio_stories::a_416_to_sips_is_tried_as_sip,
    ),
    (
        "sipp_gets_an_answer_anew_when_its_connection_broke_tcp",
        sipp_stories::answer_comes_anew,
    ),
    (
        "a_bad_certificate_ends_the_call_before_the_invite",
        kamailio_stories::bad_certificates_end_the_call,
    ),
    (
        "tshark_reads_a_whole_call_without_complaint",
        capture::tshark_reads_a_whole_call_without_complaint,
    ),
    (
        "our_tap_shows_tshark_a_call_of_baresip",
        capture::our_tap_shows_tshark_a_call_of_baresip,
    ),
    (
        "a_meeting_over_pythons_websockets",
        python_bridge::a_meeting_over_pythons_websockets,
    ),
    ("linphone_speaks_udp", || linphone::speaks(Udp)),
    ("linphone_speaks_tcp", || linphone::speaks(Tcp)),
    ("asterisk_lets_into_its_conference_by_the_pin_udp", || {
        asterisk::a_conference_with_a_pin(Udp)
    }),
    ("asterisk_lets_into_its_conference_by_the_pin_tcp", || {
        asterisk::a_conference_with_a_pin(Tcp)
    }),
    (
        "reading_a_message_stays_within_its_budget",
        parser_budget::reading_a_message_stays_within_its_budget,
    ),
    (
        "every_frame_fits_the_schema",
        frames_by_schema::every_frame_fits_the_schema,
    ),
    ("our_far_end_takes_a_call_from_sipp_udp", || {
        far_end_itself::sipp_calls(Udp)
    }),
    ("our_far_end_takes_a_call_from_sipp_tcp", || {
        far_end_itself::sipp_calls(Tcp)
    }),
    (
        "our_far_end_takes_a_call_from_baresip",
        baresip_stories::baresip_can_call_our_far_end,
    ),
];

/// What sipp tells over each transport, beside its [`conditions`].
const OVER_EACH: &[(&str, OverEach)] = &[
    ("as_it_is_built_answers", sipp_stories::built_in_callee),
    ("verifies_md5_after_401", sipp_stories::challenge_401_md5),
    ("takes_sha256_after_407", sipp_stories::challenge_407_sha256),
    ("is_busy_with_486", sipp_stories::busy_486),
    ("answers_after_183", sipp_stories::progress_183_then_200),
    ("hangs_up", sipp_stories::far_end_hangs_up),
    ("is_not_there", sipp_stories::nobody_is_there),
    ("sends_the_call_on_with_302", sipp_stories::moved_302),
    (
        "is_out_of_service_503",
        name_stories::a_503_leads_to_the_next_server,
    ),
    ("is_heard_before_it_answers", early_media::is_heard),
    ("is_called_over_ipv6", ipv6::sipp),
    ("registers_after_423", sipp_stories::registrar_423),
    ("is_not_hung_up_by_a_stranger", strangers::change_nothing),
];

type OverEach = fn(sipp::Over) -> Result<(), peers::programs::Skipped>;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [read, name, times] = &arguments[..]
        && read == parser_budget::READ
    {
        parser_budget::read(name, times);
        return std::process::ExitCode::SUCCESS;
    }
    let mut stories: Vec<runner::Told> = STORIES.iter().map(runner::Told::from).collect();
    let mut table = runner::Table::new();
    for (name, tell) in OVER_EACH {
        let told = sipp::Over::ALL.map(|over| runner::Told::over(name, over.name(), move || tell(over)));
        table.push(runner::row(name, &told));
        stories.extend(told);
    }
    for condition in conditions::CONDITIONS {
        let told = condition
            .transports
            .iter()
            .map(|over| runner::Told::over(condition.name, over.name(), move || condition.tell(*over)));
        let told: Vec<_> = told.collect();
        table.push(runner::row(condition.name, &told));
        stories.extend(told);
    }
    table.extend(matrix::table());
    for cell in matrix::cells() {
        let name = cell.name();
        let story = Box::new(move || cell.tell());
        stories.push(runner::Told { name, story });
    }
    let names = stories.iter().map(|told| told.name.clone()).collect();
    stories.push(runner::Told {
        name: "every_condition_has_its_tests".to_owned(),
        story: Box::new(move || condition_list::every_condition_has_its_tests(&names)),
    });
    runner::run(&stories, &table)
}
