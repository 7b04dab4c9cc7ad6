//! The schema itself: each kind of frame in it is said by a room in which everything happens once, and none of them
//! passes with a field that nobody knows. What all other tests hear is held against it by [`crate::peers::frames`].

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::bridge::Bridge;
use crate::peers::daemon::Home;
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner};
use crate::peers::frames::{Verdict, judge, schema};
use crate::peers::local_client::LocalClient;
use crate::peers::programs::Skipped;

pub fn every_frame_fits_the_schema() -> Result<(), Skipped> {
    let frames = said_by_a_room();
    let mut kinds = BTreeSet::new();
    for (frame, verdict) in frames.iter().zip(judge(&frames)?) {
        match verdict {
            Verdict::Fits(kind) => kinds.insert(kind),
            Verdict::Breaks(why) => panic!("{why}: {frame:#}"),
        };
    }
    let broken: Vec<Value> = frames.iter().map(broken).collect();
    for (frame, verdict) in broken.iter().zip(judge(&broken)?) {
        assert!(
            matches!(verdict, Verdict::Breaks(_)),
            "the schema lets this pass: {frame:#}"
        );
    }
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema()).unwrap()).unwrap();
    let wanted: BTreeSet<String> = schema["$defs"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(kinds, wanted, "what is in the schema, and what was said");
    Ok(())
}

/// All frames of a room in which everything happens once.
fn said_by_a_room() -> Vec<Value> {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let refusing = FarEnd::start(Manner::Refuse(486, "Busy Here"));
    let bridge = Bridge::start();
    let mut home = Home::new(&bridge);
    let socket = home.path().join("meetd.sock");
    home.set("local.listen", &format!("{socket:?}"));
    let meetd = home.start();
    bridge.wait_for_snapshot(1);
    let engine = LocalClient::unix(&socket, &[]);
    engine.wait_for_snapshot();
    for directive in [
        directives::join(&refusing.endpoint()),
        directives::join("elsewhere.invalid"),
        directives::directive("Nothing", json!({})),
        directives::to_the_room("Alexa", "ReportState", json!({})),
        directives::to_the_room("Alexa.Discovery", "Discover", json!({"scope": {}})),
        directives::power("TurnOff"),
        directives::power("TurnOn"),
        directives::speaker("SetVolume", json!({"volume": 101})),
        directives::speaker("AdjustVolume", json!({"volume": -1})),
        directives::speaker("SetMute", json!({"mute": true})),
    ] {
        bridge.ask(&directive);
    }
    bridge.send(&send_dtmf("no such call"));
    bridge.wait_for_message("SendDTMFFailed", |_| true);
    assert_eq!(
        outcome(&bridge.ask(&directives::join(&far_end.endpoint()))),
        "Response"
    );
    let call = bridge.wait_for_call_state("ACTIVE")["callId"].clone();
    bridge.send(&send_dtmf(call.as_str().unwrap()));
    bridge.wait_for_message("SendDTMFSucceeded", |_| true);
    engine.dialog(2, "LISTENING");
    bridge.wait_for_message("DialogStateChanged", |dialog| dialog["state"] == "LISTENING");
    bridge.send(&directives::stop_foreground_activity());
    engine.wait_for("StopForegroundActivity", |_| true);
    engine.dialog(2, "FINISHED");
    engine.alexa_client(
        "AuthStateChanged",
        json!({"state": "EXPIRED", "error": "SLOW_DOWN"}),
    );
    bridge.wait_for_message("AuthStateChanged", |auth| auth["error"] == "SLOW_DOWN");
    assert_eq!(outcome(&engine.ask(&directives::end())), "Response");
    far_end.wait_until_all_is_over();
    meetd.stop();
    let mut frames = bridge.frames();
    frames.extend(engine.heard.look(|heard| heard.frames.clone()));
    frames
}

/// The same frame with a field that nobody knows, where a reader looks first.
fn broken(frame: &Value) -> Value {
    let mut broken = frame.clone();
    let inside = if frame.get("event").is_some() {
        "event"
    } else {
        "header"
    };
    broken[inside]["unheardOf"] = json!(1);
    broken
}

fn send_dtmf(call: &str) -> Value {
    directives::phone_call("SendDTMF", json!({"callId": call, "signal": "1"}))
}
