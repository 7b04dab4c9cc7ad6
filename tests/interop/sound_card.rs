//! meetd on a sound card: ALSA's own plugin to PulseAudio, whose null sink keeps time as a card does and whose monitor
//! is a microphone before the loudspeaker. Ending PulseAudio pulls the plug, stopping it is a driver that hangs.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::peers::HANG_GUARD;
use crate::peers::bridge::Bridge;
use crate::peers::daemon::{Home, Meetd};
use crate::peers::directives::{self, outcome};
use crate::peers::far_end::{FarEnd, Manner, Phase, Seen, Voice};
use crate::peers::programs::{self, Program, Skipped};
use crate::peers::sound::CHATTER;

/// The pitch of the far end's voice.
const VOICE: u32 = 600;

pub fn is_heard_and_survives_being_unplugged() -> Result<(), Skipped> {
    let card = Card::find()?;
    let plugged = card.plug_in();
    let (bridge, home, meetd) = room(&card, "off");
    let far_end = FarEnd::start(Manner::Answer {
        after: std::time::Duration::ZERO,
    });
    let doctor = home.run(&[
        "doctor",
        "--config",
        &home.path().join("meetd.toml").to_string_lossy(),
    ]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        doctor.contains("ok audio: alsa:room_microphone, alsa:room_loudspeaker"),
        "{doctor}"
    );
    let event = bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&event), "Response", "{event}");
    // From the far end through the loudspeaker, the air, the microphone, and back.
    hears_itself(&far_end);
    assert!(home.run(&["volume", "0"]).status.success());
    hears_nothing(&far_end);
    assert!(home.run(&["volume", "100"]).status.success());
    hears_itself(&far_end);

    drop(plugged);
    meetd.wait_for_line("audio-device-lost");
    hears_nothing(&far_end);
    let plugged = card.plug_in();
    meetd.wait_for_line("event=audio-device-back");
    hears_itself(&far_end);

    assert_eq!(outcome(&bridge.ask(&directives::end())), "Response");
    far_end.wait_for_phase(Phase::TheyLeft);
    let ended = meetd.wait_for_line("event=call-ended");
    assert!(ended.contains("device_slips="), "{ended}");
    meetd.stop();
    drop(plugged);
    Ok(())
}

pub fn gives_the_meeting_no_echo() -> Result<(), Skipped> {
    let card = Card::find()?;
    if !cfg!(feature = "processing") {
        return Err(Skipped(
            "this build leaves echo as it is (cargo test --features alsa,processing)".to_owned(),
        ));
    }
    let plugged = card.plug_in();
    for processing in ["off", "full"] {
        let (bridge, home, meetd) = room(&card, processing);
        let manner = Manner::Answer {
            after: std::time::Duration::ZERO,
        };
        let voice = Voice {
            tone: CHATTER,
            prompt: None,
        };
        let far_end = FarEnd::start_with(manner, voice);
        bridge.ask(&directives::join(&far_end.endpoint()));
        if processing == "off" {
            far_end.wait_for("its echo", |seen| {
                (seen.calls.last()?.ear.level_dbfs() > -30.0).then_some(())
            });
        }
        if processing == "full" {
            hears_nothing_but_its_microphone_does(&far_end, &home);
        }
        bridge.ask(&directives::end());
        far_end.wait_for_phase(Phase::TheyLeft);
        meetd.stop();
    }
    drop(plugged);
    Ok(())
}

/// The microphone goes on to hear the loudspeaker, and the meeting does not, once the echo is known.
fn hears_nothing_but_its_microphone_does(far_end: &FarEnd, home: &Home) {
    let until = std::time::Instant::now() + HANG_GUARD;
    loop {
        hears_nothing(far_end);
        if microphone_dbfs(home) > -30.0 {
            return;
        }
        assert!(std::time::Instant::now() < until, "the microphone is silent");
    }
}

fn microphone_dbfs(home: &Home) -> f64 {
    let told = home.run(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_slice(&told).unwrap();
    // There are no figures in the first second.
    status["call"]["media"]["microphoneDbfs"]
        .as_f64()
        .unwrap_or(-127.0)
}

pub fn that_hangs_delays_no_bye_and_kills_nothing() -> Result<(), Skipped> {
    let card = Card::find()?;
    let plugged = card.plug_in();
    let (bridge, _home, meetd) = room(&card, "off");
    let far_end = FarEnd::start(Manner::Answer {
        after: std::time::Duration::ZERO,
    });
    bridge.ask(&directives::join(&far_end.endpoint()));
    hears_itself(&far_end);
    signal("STOP", &plugged);
    let heard = |seen: &Seen| seen.calls.last().map(|call| call.ear.packets);
    let before = far_end.wait_for("audio", heard);
    meetd.wait_for_line("audio-device-lost");
    // The pacer does not care.
    far_end.wait_for("audio in spite of it", |seen| {
        (heard(seen)? >= before + 100).then_some(())
    });
    let told = bridge.ask(&directives::end());
    assert_eq!(outcome(&told), "Response", "{told}");
    far_end.wait_for_phase(Phase::TheyLeft);
    assert!(
        !meetd.log().contains("its thread is left behind"),
        "BYE came after the device had been waited for"
    );
    // Another call goes as well, and the daemon leaves in good order while the driver still hangs.
    let event = bridge.ask(&directives::join(&far_end.endpoint()));
    assert_eq!(outcome(&event), "Response", "{event}");
    far_end.wait_for_phase(Phase::Confirmed);
    far_end.wait_for("audio of the second call", |seen| {
        (seen.calls.len() == 2 && heard(seen)? >= 25).then_some(())
    });
    let log = meetd.stop();
    far_end.wait_for_phase(Phase::TheyLeft);
    assert!(log.contains("audio-device-lost"), "{log}");
    signal("CONT", &plugged);
    Ok(())
}

/// What is needed to play a sound card.
struct Card {
    pulseaudio: PathBuf,
    folder: TempDir,
}

impl Card {
    fn find() -> Result<Self, Skipped> {
        if !cfg!(feature = "alsa") {
            return Err(Skipped(
                "this build has no sound cards (cargo test --features alsa; it needs libasound2-dev)"
                    .to_owned(),
            ));
        }
        let pulseaudio = programs::find("pulseaudio", "pulseaudio")?;
        let plugin = ["x86_64", "aarch64"]
            .map(|machine| format!("/usr/lib/{machine}-linux-gnu/alsa-lib/libasound_module_pcm_pulse.so"));
        programs::find_one_of(&plugin, "libasound2-plugins")?;
        let folder = TempDir::with_prefix("meetd-card-").unwrap();
        let socket = folder.path().join("pulse");
        let pcm = |name: &str, device: &str| {
            let server = socket.display();
            format!("pcm.{name} {{ type pulse server \"unix:{server}\" device \"{device}\" }}\n")
        };
        let cards = [
            pcm("room_loudspeaker", "room"),
            pcm("room_microphone", "room.monitor"),
        ]
        .concat();
        std::fs::write(folder.path().join("asoundrc"), cards).unwrap();
        Ok(Self { pulseaudio, folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Until what is returned is dropped.
    fn plug_in(&self) -> Program {
        let socket = self.path().join("pulse");
        // A card that was pulled out leaves its name.
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new(&self.pulseaudio);
        command
            .args([
                "-n",
                "--daemonize=no",
                "--use-pid-file=no",
                "--exit-idle-time=-1",
                "--disable-shm=yes",
            ])
            .args(["--log-target=stderr", "--realtime=no", "--high-priority=no"])
            .args(["-L", "module-null-sink sink_name=room rate=48000 channels=1"])
            .arg("-L")
            .arg(format!(
                "module-native-protocol-unix auth-anonymous=1 socket={}",
                socket.display()
            ))
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        for variable in [
            "HOME",
            "XDG_RUNTIME_DIR",
            "PULSE_RUNTIME_PATH",
            "PULSE_STATE_PATH",
        ] {
            command.env(variable, self.path());
        }
        let program = programs::start(&mut command);
        let until = std::time::Instant::now() + HANG_GUARD;
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            let over = program.said.look(|said| said.is_over());
            assert!(
                !over && std::time::Instant::now() < until,
                "pulseaudio does not listen"
            );
            std::thread::yield_now();
        }
        program
    }
}

/// A room before that card; its daemon runs.
fn room(card: &Card, processing: &str) -> (Bridge, Home, Meetd) {
    let bridge = Bridge::start();
    let mut home = Home::new(&bridge);
    home.set("media.input", "\"alsa:room_microphone\"")
        .set("media.output", "\"alsa:room_loudspeaker\"")
        .set("media.processing", &format!("{processing:?}"))
        .set("media.tones", "false")
        .variable("ALSA_CONFIG_PATH", &card.path().join("asoundrc"))
        .variable("HOME", card.path());
    let meetd = home.start();
    bridge.wait_for_snapshot(1);
    (bridge, home, meetd)
}

#[track_caller]
fn hears_itself(far_end: &FarEnd) {
    far_end.wait_for("the far end's own voice", |seen| {
        seen.calls.last()?.ear.hears(VOICE).then_some(())
    });
}

#[track_caller]
fn hears_nothing(far_end: &FarEnd) {
    far_end.wait_for("silence", |seen| {
        (seen.calls.last()?.ear.level_dbfs() < -60.0).then_some(())
    });
}

fn signal(signal: &str, program: &Program) {
    let kill = format!("kill -{signal} {}", program.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}
