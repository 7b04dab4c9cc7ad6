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

mod baresip;
mod baresip_stories;
mod capture;
mod conditions;
mod far_end_itself;
mod frames_by_schema;
mod kamailio;
mod kamailio_stories;
mod name_server;
mod name_stories;
mod python_bridge;
mod runner;
mod sipp;
mod sipp_stories;

use kamailio_stories::By;
use sipp::Over::{Tcp, Udp};

const STORIES: &[runner::Story] = &[
    ("baresip_speaks_listens_and_hears_the_pin_udp", || {
        baresip_stories::speaks_listens_and_hears_the_pin(Udp)
    }),
    ("baresip_speaks_listens_and_hears_the_pin_tcp", || {
        baresip_stories::speaks_listens_and_hears_the_pin(Tcp)
    }),
    (
        "baresip_speaks_listens_and_hears_the_pin_encrypted",
        baresip_stories::speaks_listens_and_hears_the_pin_encrypted,
    ),
    (
        "baresip_without_keys_gets_no_call",
        baresip_stories::without_keys_there_is_no_call,
    ),
    ("sipp_as_it_is_built_answers_udp", || {
        sipp_stories::built_in_callee(Udp)
    }),
    ("sipp_as_it_is_built_answers_tcp", || {
        sipp_stories::built_in_callee(Tcp)
    }),
    ("sipp_verifies_md5_after_401_udp", || {
        sipp_stories::challenge_401_md5(Udp)
    }),
    ("sipp_verifies_md5_after_401_tcp", || {
        sipp_stories::challenge_401_md5(Tcp)
    }),
    ("sipp_takes_sha256_after_407_udp", || {
        sipp_stories::challenge_407_sha256(Udp)
    }),
    ("sipp_takes_sha256_after_407_tcp", || {
        sipp_stories::challenge_407_sha256(Tcp)
    }),
    ("sipp_is_busy_with_486_udp", || sipp_stories::busy_486(Udp)),
    ("sipp_is_busy_with_486_tcp", || sipp_stories::busy_486(Tcp)),
    ("sipp_sends_the_call_on_with_302_udp", || {
        sipp_stories::moved_302(Udp)
    }),
    ("sipp_sends_the_call_on_with_302_tcp", || {
        sipp_stories::moved_302(Tcp)
    }),
    ("sipp_answers_after_183_udp", || {
        sipp_stories::progress_183_then_200(Udp)
    }),
    ("sipp_answers_after_183_tcp", || {
        sipp_stories::progress_183_then_200(Tcp)
    }),
    ("sipp_is_cancelled_while_it_rings_udp", || {
        sipp_stories::cancel_while_it_rings(Udp)
    }),
    ("sipp_is_cancelled_while_it_rings_tcp", || {
        sipp_stories::cancel_while_it_rings(Tcp)
    }),
    ("sipp_hangs_up_udp", || sipp_stories::far_end_hangs_up(Udp)),
    ("sipp_hangs_up_tcp", || sipp_stories::far_end_hangs_up(Tcp)),
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
    ("names_lead_to_the_next_server_after_503_udp", || {
        name_stories::a_503_leads_to_the_next_server(Udp)
    }),
    ("names_lead_to_the_next_server_after_503_tcp", || {
        name_stories::a_503_leads_to_the_next_server(Tcp)
    }),
    (
        "a_silent_server_is_left_and_its_late_answer_ended",
        name_stories::a_silent_server_is_left_and_its_late_answer_ended,
    ),
    (
        "an_address_that_refuses_gives_way_to_the_next",
        name_stories::an_address_that_refuses_gives_way_to_the_next,
    ),
    (
        "kamailio_refuses_sips_with_416_and_is_asked_as_sip",
        kamailio_stories::a_416_to_sips_is_tried_as_sip,
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

fn main() -> std::process::ExitCode {
    let mut stories: Vec<runner::Told> = STORIES.iter().map(runner::Told::from).collect();
    let mut table = table_of_pairs();
    for condition in conditions::CONDITIONS {
        let mut names = Vec::new();
        for (over, transport) in [(Udp, "udp"), (Tcp, "tcp")] {
            let name = format!("sipp_{}_{transport}", condition.name);
            names.push(name.clone());
            let story = Box::new(move || condition.tell(over));
            stories.push(runner::Told { name, story });
        }
        table.push((condition.name.to_owned(), names));
    }
    runner::run(&stories, &table)
}

/// The stories of sipp that are told over UDP and over TCP.
fn table_of_pairs() -> runner::Table {
    let pairs = STORIES.iter().filter_map(|(name, _)| {
        let condition = name.strip_prefix("sipp_")?.strip_suffix("_udp")?;
        let names = ["udp", "tcp"].map(|transport| format!("sipp_{condition}_{transport}"));
        Some((condition.to_owned(), names.to_vec()))
    });
    pairs.collect()
}
