//! The dial plan as data: every row of `tests/data/dial_plan/*.tsv` is one join.

use std::time::Duration;

use super::*;
use crate::call::DigitStep;
use crate::room::settings_for_tests;

const DIALLED: &str = include_str!("../../../tests/data/dial_plan/dialled.tsv");
const ALLOWED: &str = include_str!("../../../tests/data/dial_plan/allowed.tsv");
const REFUSED: &str = include_str!("../../../tests/data/dial_plan/refused.tsv");

#[test]
fn every_row_is_dialled_or_refused_as_it_says() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in [DIALLED, ALLOWED, REFUSED].into_iter().flat_map(rows_of) {
        rows += 1;
        let found = match plan(&row.join, &row.settings) {
            Ok(planned) => format!(
                "dials {} | {} | {}",
                planned.target.address.expose(),
                planned.target.shown,
                planned.digits.as_ref().map_or("-".to_owned(), in_words)
            ),
            Err(refusal) => format!("refuses {} | {}", refusal.kind.name(), refusal.message),
        };
        let is_right = match row.expected.split_once(" | ") {
            Some((kind, piece)) if kind.starts_with("refuses") => {
                found.starts_with(kind) && found.contains(piece)
            }
            _ => found == row.expected,
        };
        if !is_right {
            wrong.push(format!(
                "{}\n  expected {}\n  found    {found}",
                row.line, row.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(rows >= 110, "{rows} rows");
}

#[test]
fn no_row_shows_its_pin_anywhere() {
    for row in [DIALLED, ALLOWED, REFUSED].into_iter().flat_map(rows_of) {
        let Some(pin) = row.join.pin.clone().filter(|pin| pin.expose().len() >= 4) else {
            continue;
        };
        let seen = match plan(&row.join, &row.settings) {
            Ok(planned) => format!("{planned:?} {planned}"),
            Err(refusal) => format!("{refusal:?}"),
        };
        assert!(!seen.contains(pin.expose()), "{}: {seen}", row.line);
    }
}

#[test]
fn the_meeting_is_the_same_without_its_pin_and_in_every_disguise_of_its_host() {
    let settings = open_settings();
    let key = |endpoint: &str, provider: &str, protocol: &str, id, pin| {
        let join = join(endpoint, protocol, provider, id, pin);
        plan(&join, &settings).unwrap().meeting
    };
    let meeting = key("zoom.example", "zoom", "sip", Some("123"), Some("0012345"));
    assert_eq!(meeting, key("ZOOM.example.", "Zoom", "SIP", Some("1-23"), None));
    assert_eq!(
        meeting,
        key("zoom.example", "zoom", "sip", Some("123"), Some("999"))
    );
    assert_ne!(
        meeting,
        key("zoom.example", "zoom", "sips", Some("123"), Some("0012345"))
    );
    assert_ne!(
        meeting,
        key("zoom.example", "zoom", "sip", Some("124"), Some("0012345"))
    );
    assert_ne!(
        meeting,
        key("zoom.example:5070", "zoom", "sip", Some("123"), None)
    );
    // Where the id is entered as digits, the dial string alone does not say which meeting it is.
    let gateway = |id| key("gateway.example", "skype_for_business", "sip", Some(id), None);
    assert_eq!(gateway("77"), gateway("77"));
    assert_ne!(gateway("77"), gateway("78"));
}

#[test]
fn an_address_is_never_allowed_by_a_name_nor_a_name_by_a_network() {
    let mut settings = open_settings();
    for (allow, endpoint) in [
        ("*.example", "192.0.2.1"),
        ("192.0.2.0/24", "host.example"),
        ("0.0.0.0/0", "[2001:db8::1]"),
        ("::/0", "[::ffff:192.0.2.1]"),
    ] {
        settings.allow = vec![allow.parse().unwrap()];
        assert!(
            plan(&join(endpoint, "sip", "custom", Some("1"), None), &settings).is_err(),
            "{allow} {endpoint}"
        );
    }
}

#[test]
fn random_joins_are_planned_or_refused_without_panic_and_dial_only_what_is_allowed() {
    let settings = settings_for_tests();
    let mut chance = crate::chance::Chance::from_seed([5; 32]);
    let alphabet: Vec<&str> = "allowed.example|.|@|:|;|%|#|##|sip:|sips:|tel:+|[|]|1|22|é|\n|?|=|transport|maddr|*|/|evil.example|\0|-"
        .split('|')
        .collect();
    let mut dialled = 0;
    for _ in 0..20_000 {
        let mut text = |most| -> String {
            let length = chance.below(most);
            (0..length)
                .map(|_| alphabet[chance.below(alphabet.len() as u64) as usize])
                .collect()
        };
        let (endpoint, id, pin) = (text(5), text(2), text(2));
        let id = Some(id.as_str()).filter(|id| !id.is_empty());
        let pin = Some(pin.as_str()).filter(|pin| !pin.is_empty());
        let Ok(planned) = plan(&join(&endpoint, "sip", "zoom", id, pin), &settings) else {
            continue;
        };
        let address = planned.target.address.expose();
        let there = address
            .rsplit('@')
            .next()
            .unwrap_or_default()
            .trim_start_matches("sips:")
            .trim_start_matches("sip:");
        let host = there.split([':', ';']).next();
        assert_eq!(host, Some("allowed.example"), "{endpoint:?} → {address}");
        assert!(
            address.len() <= LONGEST && address.matches('@').count() <= 1,
            "{endpoint:?} → {address}"
        );
        dialled += 1;
    }
    assert!(dialled > 50, "{dialled}");
}

struct Row {
    line: &'static str,
    settings: Settings,
    join: JoinMeeting,
    expected: &'static str,
}

/// `ALLOW  OWN HOSTS  PROTOCOL  PROVIDER  ENDPOINT  ID  PIN  EXPECTED`, tabs between, `-` for none, lists at commas.
fn rows_of(table: &'static str) -> impl Iterator<Item = Row> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [allow, own, protocol, provider, endpoint, id, pin, expected] = columns[..] else {
                panic!("eight columns: {line}");
            };
            let optional = |text: &str| Some(unescaped(text)).filter(|text| text != "-");
            let list = |text: &'static str| text.split(',').filter(|text| *text != "-");
            let mut settings = settings_for_tests();
            settings.allow = list(allow).map(|entry| entry.parse().unwrap()).collect();
            settings.own_hosts = list(own).map(str::to_owned).collect();
            settings.telephone_gateway = list(own).next().map(str::to_owned);
            settings.dtmf_delay = Duration::from_secs(2);
            let template = |text: &str| Some(text.to_owned());
            let mut add = |name: &str, sip: Option<String>, dtmf: Option<String>| {
                settings.providers.insert(
                    name.to_owned(),
                    Provider {
                        sip,
                        h323: None,
                        dtmf,
                    },
                );
            };
            add("teams", template("99{id}@{endpoint}"), None);
            add("pinned", template("{id}.{pin}@{endpoint}"), None);
            add("pinhost", template("{id}@{pin}.{endpoint}"), None);
            add("secure", template("sips:{id}@{endpoint}"), None);
            add("spoken", template("{endpoint}"), template("w{id}#[{pin}*]"));
            add("broken", template("{id}@{host}"), None);
            add("badtones", template("{endpoint}"), template("x{id}#"));
            settings.dialers.remove(&Protocol::H323);
            if provider != "nodialer" {
                settings.dialers.insert(Protocol::H323, "h323".to_owned());
            }
            Row {
                line,
                settings,
                join: JoinMeeting {
                    endpoint: unescaped(endpoint),
                    protocol: protocol.to_owned(),
                    provider: provider.to_owned(),
                    id: optional(id),
                    pin: optional(pin).map(Secret::new),
                },
                expected,
            }
        })
}

/// As the data files spell a script.
pub(super) fn in_words(script: &DigitScript) -> String {
    let mut words = String::new();
    for step in &script.0 {
        match step {
            DigitStep::Pause(pause) => {
                let space = if words.is_empty() || words.ends_with(' ') {
                    ""
                } else {
                    " "
                };
                words += &format!("{space}{}s ", pause.as_secs_f64());
            }
            DigitStep::Digit(digit) => words.push(*digit),
        }
    }
    words.trim_end().to_owned()
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
        .replace("\\r", "\r")
        .replace("\\0", "\0")
        .replace("\\u202e", "\u{202e}")
        .replace("\\x300", &"x".repeat(300))
        .replace("\\x60", &"x".repeat(60))
}

fn open_settings() -> Settings {
    let mut settings = settings_for_tests();
    settings.allow = ["*.example".parse().unwrap()].to_vec();
    settings
}

fn join(endpoint: &str, protocol: &str, provider: &str, id: Option<&str>, pin: Option<&str>) -> JoinMeeting {
    JoinMeeting {
        endpoint: endpoint.to_owned(),
        protocol: protocol.to_owned(),
        provider: provider.to_owned(),
        id: id.map(str::to_owned),
        pin: pin.map(Secret::new),
    }
}
