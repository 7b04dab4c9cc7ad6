//! A whole call with everything logged: token, PIN and password are in no output and in no file but the dialog's.

use crate::peers::bridge::Bridge;
use crate::peers::daemon::Home;
use crate::peers::directives::{self, SCOPE_TOKEN, outcome};
use crate::peers::far_end::{FarEnd, Manner};

const TOKEN: &str = "bridge-token-canary-0b5e";
const PIN: &str = "8305517";
const PASSWORD: &str = "sip-password-canary-44f2";

#[test]
fn no_secret_is_in_any_output_at_trace_level() {
    let far_end = FarEnd::asking_for(PIN);
    let bridge = Bridge::start_with(crate::peers::bridge::Welcome::Accept, Some(TOKEN));
    let mut home = Home::new(&bridge);
    home.set("bridge.token_file", "\"bridge-token\"")
        .set("sip.password_file", "\"sip-password\"");
    // In the user part, so that the dial string itself holds the PIN.
    home.set("providers.custom.sip", "\"{id}[.{pin}]@{endpoint}\"")
        .set("providers.custom.dtmf", "\"{pin}#\"");
    home.write("bridge-token", &format!("{TOKEN}\n"));
    home.write("sip-password", &format!("{PASSWORD}\n"));
    let meetd = home.start();
    bridge.wait_for_snapshot(1);

    let mut said = Vec::new();
    assert_eq!(
        outcome(&bridge.ask(&directives::join_with(&far_end.endpoint(), "standup", PIN))),
        "Response"
    );
    far_end.wait_for("the PIN", |seen| seen.calls.last()?.pin_at);
    far_end.seen.look(|seen| {
        assert!(
            seen.calls[0].invite.start.contains(PIN),
            "the PIN is not in the dial string"
        )
    });
    said.push(home.status().to_string());
    said.push(String::from_utf8(home.run(&["status"]).stdout).unwrap());
    let file = home.path().join("meetd.toml");
    said.push(String::from_utf8(home.run(&["config", "--config", file.to_str().unwrap()]).stdout).unwrap());
    assert_eq!(outcome(&bridge.ask(&directives::end())), "Response");
    far_end.behave(Manner::Refuse(404, "Not Found"));
    assert_eq!(
        outcome(&bridge.ask(&directives::join_with(&far_end.endpoint(), "standup", PIN))),
        "ENDPOINT_UNREACHABLE"
    );
    far_end.wait_until_all_is_over();
    said.push(meetd.stop());
    said.extend(bridge.frames().iter().map(ToString::to_string));

    assert!(
        said.iter().any(|text| text.contains("***")),
        "the PIN is shown as ***"
    );
    for text in &said {
        for secret in [TOKEN, PIN, PASSWORD, SCOPE_TOKEN] {
            assert!(!text.contains(secret), "{secret} is in: {text}");
        }
    }
    for entry in std::fs::read_dir(home.path().join("state")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in [TOKEN, PIN, PASSWORD, SCOPE_TOKEN] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is still in {}", path.display());
        }
    }
}
