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
mod far_end_itself;
mod kamailio;
mod kamailio_stories;
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
    runner::run(STORIES)
}
