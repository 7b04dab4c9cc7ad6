//! Nothing that was dialled is in a log, at any level.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::harness::World;
use super::settings;
use super::transcript::description;
use crate::call::{CallCommand, CallId, DialTarget, DigitScript, EndedHere, Protocol};
use crate::dialer::Input;
use crate::dialer::sip::Settings;
use crate::record::Restored;
use crate::secret::Secret;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_whole_call_at_trace_shows_no_pin_and_no_password() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // With only one subscriber in the process, another test's thread decides by its own, which is none, whether a
    // place in the code is ever heard; with two, both are asked. The first call makes every place known, the second
    // is heard everywhere.
    let second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    // Beside one dispatcher alone, a callsite that another thread meets first would never be heard.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(subscriber, || {
        whole_call();
        tracing::callsite::rebuild_interest_cache();
        whole_call();
    });
    drop(second);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("Inviting") && text.contains("***"),
        "the log must tell something: {text}"
    );
    for secret in ["0815", "hunter2", "4242"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

fn whole_call() {
    let settings = Settings {
        password: Some(Secret::new("hunter2")),
        ..settings()
    };
    let mut world = World::with(settings.clone(), Restored::default());
    let call = CallId(uuid::Uuid::from_u128(7));
    let target = DialTarget {
        protocol: Protocol::Sip,
        address: Secret::new("sip:77*0815@192.0.2.20"),
        shown: "sip:77****@192.0.2.20".to_owned(),
    };
    let ring_timeout = Duration::from_secs(60);
    world.input(Input::Command(CallCommand::Dial {
        call,
        target,
        ring_timeout,
    }));
    let (flow, invite) = world.next_request();
    let mut challenge = invite.response(401, "0815");
    challenge
        .headers
        .push("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n\"");
    world.receive(flow, challenge.to_bytes());
    world.next_request();
    let (_, invite) = world.next_request();
    let mut answer = invite.response(200, "OK");
    answer
        .headers
        .set("To", invite.to().unwrap().with_tag("a").to_string());
    answer.headers.push("Contact", "<sip:77*0815@192.0.2.20>");
    answer.headers.push("Content-Type", "application/sdp");
    answer.body = description("plain");
    world.receive(flow, answer.to_bytes());
    let orphaned = world.restored();
    let script = DigitScript::read("4242").unwrap();
    world.input(Input::Command(CallCommand::SendDigits { call, script }));
    world.receive(
        flow,
        b"INVITE sip:77*0815@192.0.2.10 SIP/2.0\r\nVia: 0815\r\n\r\n".to_vec(),
    );
    world.input(Input::Command(CallCommand::HangUp {
        call,
        why: EndedHere::Asked,
    }));
    world.pass(Duration::from_secs(100));
    let mut world = World::with(settings, orphaned);
    world.pass(Duration::from_secs(100));
    assert_eq!(world.recovered, [1]);
}
