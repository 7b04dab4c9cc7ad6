//! How long to wait before the next try: full jitter over a growing back-off, and what the server asked for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Settings;
use super::failure::Patience;
use crate::chance::Chance;

/// A connection that lasted this long counts as stable.
pub const STABLE: Duration = Duration::from_secs(60);
/// After the drop of a stable one, rooms come back within this time.
const AFTER_STABLE: Duration = Duration::from_secs(2);
/// A server that said 410 is asked again so often.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// `Retry-After` counts up to this.
const LONGEST_RETRY_AFTER: Duration = HOUR;

/// The back-off: how often it went wrong since the last stable connection.
#[derive(Clone, Debug, Default)]
pub struct BackOff {
    failures: u32,
}

impl BackOff {
    /// Forgets all failures.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether anything went wrong since the last stable connection.
    pub fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// Takes one more failure and says how long to wait. `lasted` is how long the connection had been open.
    pub fn wait(
        &mut self,
        settings: &Settings,
        chance: &mut Chance,
        patience: Patience,
        lasted: Option<Duration>,
    ) -> Duration {
        let was_stable = lasted.is_some_and(|lasted| lasted >= STABLE);
        let limit = match was_stable {
            true => AFTER_STABLE,
            false => limit(settings, self.failures),
        };
        self.failures = if was_stable {
            0
        } else {
            self.failures.saturating_add(1)
        };
        match patience {
            Patience::BackOff => chance.up_to(limit),
            Patience::Spread => chance.up_to(settings.reconnect_max),
            Patience::Longest => settings.reconnect_max,
            Patience::Hour => HOUR,
        }
    }
}

/// min(`reconnect_min`·2ⁿ, `reconnect_max`).
fn limit(settings: &Settings, failures: u32) -> Duration {
    2_u32
        .checked_pow(failures)
        .and_then(|factor| settings.reconnect_min.checked_mul(factor))
        .map_or(settings.reconnect_max, |limit| limit.min(settings.reconnect_max))
}

/// How long `Retry-After` asks us to wait, at most an hour; nothing when it cannot be read (RFC 9110 10.2.3).
pub fn retry_after(text: &str, wall: Timestamp) -> Duration {
    let text = text.trim();
    let asked = match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are more than an hour.
        true => Duration::from_secs(text.parse().unwrap_or(u64::MAX)),
        false => until(text, wall).unwrap_or_default(),
    };
    asked.min(LONGEST_RETRY_AFTER)
}

/// The time until an HTTP date; `None` when it is past or none.
fn until(date: &str, wall: Timestamp) -> Option<Duration> {
    let date = Timestamp::try_from(httpdate::parse_http_date(date).ok()?).ok()?;
    let ahead: SignedDuration = date.duration_since(wall);
    Duration::try_from(ahead).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::tests::settings;

    #[test]
    fn the_limit_doubles_up_to_the_maximum() {
        let limits: Vec<u64> = (0..9)
            .map(|failures| limit(&settings(), failures).as_secs())
            .collect();
        assert_eq!(limits, [1, 2, 4, 8, 16, 32, 64, 120, 120]);
        assert_eq!(limit(&settings(), u32::MAX), Duration::from_secs(120));
    }

    #[test]
    fn jitter_fills_the_back_off_and_never_leaves_it() {
        for failures in 0..12 {
            let limit = limit(&settings(), failures);
            let waits: Vec<Duration> = (0..200)
                .map(|seed| {
                    let mut back_off = BackOff { failures };
                    back_off.wait(
                        &settings(),
                        &mut Chance::from_seed([seed; 32]),
                        Patience::BackOff,
                        None,
                    )
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= limit), "{failures}");
            assert!(waits.iter().any(|wait| *wait < limit / 10), "{failures}");
            assert!(waits.iter().any(|wait| *wait > limit * 9 / 10), "{failures}");
        }
    }

    #[test]
    fn a_stable_connection_is_sought_again_within_two_seconds_and_forgives() {
        let mut longest = Duration::ZERO;
        for seed in 0..200 {
            let mut back_off = BackOff { failures: 9 };
            let mut chance = Chance::from_seed([seed; 32]);
            let wait = back_off.wait(&settings(), &mut chance, Patience::BackOff, Some(STABLE));
            longest = longest.max(wait);
            assert!(back_off.is_fresh());
        }
        assert!(
            longest <= AFTER_STABLE && longest > AFTER_STABLE * 9 / 10,
            "{longest:?}"
        );
    }

    #[test]
    fn a_short_connection_does_not_forgive() {
        let mut back_off = BackOff { failures: 3 };
        let almost = Some(STABLE - Duration::from_millis(1));
        back_off.wait(
            &settings(),
            &mut Chance::from_seed([0; 32]),
            Patience::BackOff,
            almost,
        );
        assert_eq!(back_off.failures, 4);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let wall: Timestamp = "2026-11-21T08:49:37Z".parse().unwrap();
        for (text, seconds) in [
            ("0", 0),
            (" 120 ", 120),
            ("3600", 3600),
            ("3601", 3600),
            ("99999999999999999999999999", 3600),
            ("Sat, 21 Nov 2026 08:51:37 GMT", 120),
            ("Sat, 21 Nov 2026 08:49:36 GMT", 0),
            ("Sun, 21 Nov 2027 08:49:37 GMT", 3600),
            ("Saturday, 21-Nov-26 08:50:37 GMT", 60),
            ("", 0),
            ("-5", 0),
            ("+5", 0),
            ("1.5", 0),
            ("soon", 0),
            ("１２", 0),
        ] {
            assert_eq!(retry_after(text, wall), Duration::from_secs(seconds), "{text:?}");
        }
    }
}
