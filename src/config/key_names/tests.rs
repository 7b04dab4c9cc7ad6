//! Names right and wrong.

use super::*;

#[test]
fn the_nearest_key_is_the_one_that_was_meant() {
    for (wrong, right) in [
        ("bridge.urll", "bridge.url"),
        ("brige.url", "bridge.url"),
        ("url", "bridge.url"),
        ("sip.password", "sip.password_file"),
        ("calls.rtp_timeout", "media.rtp_timeout"),
        ("room.endpointid", "room.endpoint_id"),
        ("dialers.h323", "calls.dialers.h323"),
        ("providers.zoom.spi", "providers.zoom.sip"),
    ] {
        assert_eq!(nearest(wrong).as_deref(), Some(right), "{wrong}");
    }
    assert_eq!(nearest("coffee.strength"), None);
}

#[test]
fn a_provider_may_have_any_name() {
    assert!(find("providers.8x8.sip").is_some());
    assert!(find("providers.8x8.url").is_none());
    assert!(find("providers..sip").is_none());
    assert!(find("providers.sip").is_none());
}
