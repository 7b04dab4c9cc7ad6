//! Our registration, against registrars that are scripted.

use super::settings;
use super::transcript::play_with;
use crate::dialer::sip::Settings;
use crate::secret::Secret;

#[test]
fn a_registration_is_refreshed_and_only_said_while_an_answer_proves_it() {
    play_with(registered_at("192.0.2.20"), transcript!("registration"));
}

#[test]
fn a_423_is_followed_to_its_interval() {
    play_with(registered_at("192.0.2.20"), transcript!("registration_too_brief"));
}

#[test]
fn a_wrong_password_does_not_knock_again_and_again() {
    play_with(registered_at("192.0.2.20"), transcript!("registration_refused"));
}

#[test]
fn a_registrar_that_fails_gives_way_to_the_next() {
    let settings = registered_at("registrar.example");
    play_with(settings, transcript!("registration_next_server"));
}

#[test]
fn a_registration_follows_its_connection_and_is_given_back() {
    let settings = registered_at("sip:192.0.2.20;transport=tcp");
    play_with(settings, transcript!("registration_by_stream"));
}

#[test]
fn a_dead_registrar_does_not_keep_the_daemon_from_leaving() {
    let settings = registered_at("192.0.2.20");
    play_with(settings, transcript!("registration_given_back_unheard"));
}

#[test]
fn a_registration_goes_through_the_outbound_proxy() {
    let settings = Settings {
        outbound_proxy: "192.0.2.30:5070".to_owned(),
        ..registered_at("registrar.example")
    };
    play_with(settings, transcript!("registration_through_proxy"));
}

#[test]
fn a_call_at_a_registrar_that_is_down_says_so() {
    play_with(registered_at("192.0.2.20"), transcript!("call_at_dead_registrar"));
}

fn registered_at(registrar: &str) -> Settings {
    Settings {
        registrar: registrar.to_owned(),
        password: Some(Secret::new("secret")),
        ..settings()
    }
}
