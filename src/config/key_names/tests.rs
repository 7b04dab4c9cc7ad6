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
fn providers_are_known_by_normalized_names() {
    assert_eq!(normalized_provider("Amazon Chime"), "amazon_chime");
    assert_eq!(normalized_provider("8x8"), "8x8");
    assert_eq!(normalized_provider("BÜRO"), "b_ro");
    assert!(find("providers.8x8.sip").is_some());
    assert!(find("providers.8x8.url").is_none());
    assert!(find("providers..sip").is_none());
    assert!(find("providers.sip").is_none());
}
