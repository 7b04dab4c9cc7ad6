//! Whole calls over loopback, in real time: conditions with a hang guard, no measured durations.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rtp_types::RtpPacket;
use tokio::sync::mpsc;

use super::*;
use crate::call::DigitScript;
use crate::media::{
    CodecName, Control, DigitsBy, Direction, FRAME, Figures, InputDevice, OutputDevice, Processing,
    TelephoneEvent,
};

#[cfg(feature = "processing")]
mod echo;

/// A test that waits longer than this hangs.
const HANG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn two_rooms_talk_and_one_records_what_the_other_says() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("far.wav");
    let output = OutputDevice::File(recording.to_str().unwrap().to_owned());
    let mut one = Room::new(InputDevice::Tone(440), OutputDevice::Discard);
    let mut other = Room::new(InputDevice::Silence, output);
    let (here, there) = (one.reserve(), other.reserve());
    one.start(plan(here, there));
    other.start(plan(there, here));
    let near = one
        .figures_until(|figures| figures.received >= 50 && figures.near_level_dbfs > -14.0)
        .await;
    let far = other
        .figures_until(|figures| figures.received >= 50 && figures.far_level_dbfs > -14.0)
        .await;
    assert!(near.near_level_dbfs < -11.0 && near.sent >= 40, "{near:?}");
    // A-law has no zero: its silence is ±8.
    assert!(near.far_level_dbfs < -70.0, "{near:?}");
    assert_eq!(far.loss_percent, 0.0, "{far:?}");
    one.audio.command(one.call, Command::Stop);
    other.audio.command(other.call, Command::Stop);
    let samples = eventually(|| {
        let mut reader = hound::WavReader::open(&recording).ok()?;
        let whole = reader.samples::<i16>().collect::<Result<Vec<_>, _>>().ok()?;
        (whole.len() > 40 * FRAME).then_some(whole)
    })
    .await;
    let peak = samples.iter().max().copied().unwrap_or_default();
    assert!((11_000..12_200).contains(&peak), "{peak}");
    let silent = OutputDevice::Discard;
    assert!(Room::new(InputDevice::Silence, silent).audio.calls.is_empty());
}

#[tokio::test]
async fn the_first_packet_leaves_at_once_and_stop_ends_the_stream() {
    let far = far_end();
    let mut room = Room::new(InputDevice::Silence, OutputDevice::Discard);
    let local = room.reserve();
    room.start(plan(local, far.local_addr().unwrap()));
    let mut bytes = [0; 2048];
    let (length, from) = far.recv_from(&mut bytes).unwrap();
    assert_eq!((length, from), (172, local));
    assert!(RtpPacket::parse(&bytes[..length]).unwrap().marker_bit());
    room.audio.command(room.call, Command::Stop);
    // The port is free again when the thread has let go of its socket.
    eventually(|| UdpSocket::bind(local).ok()).await;
}

#[tokio::test]
async fn every_digit_reaches_the_far_end_once_and_in_order() {
    const ALL: &str = "0123456789ABCD*#";
    let far = far_end();
    let mut room = Room::new(InputDevice::Tone(300), OutputDevice::Discard);
    let local = room.reserve();
    room.start(plan(local, far.local_addr().unwrap()));
    let script = DigitScript::read(ALL).unwrap();
    assert_eq!(room.audio.command(room.call, Command::SendDigits(script)), None);
    let decoded = tokio::task::spawn_blocking(move || decode_digits(&far, ALL.len()))
        .await
        .unwrap();
    assert_eq!(decoded, ALL);
    room.event(|event| (*event == Event::DigitsSent).then_some(()))
        .await;
}

#[tokio::test]
async fn a_panic_of_the_pacer_costs_a_moment_and_the_digits_that_waited() {
    let far = far_end();
    let mut room = Room::new(InputDevice::Silence, OutputDevice::Discard);
    let local = room.reserve();
    room.start(plan(local, far.local_addr().unwrap()));
    let script = DigitScript::read("wwww1").unwrap();
    room.audio.command(room.call, Command::SendDigits(script));
    room.audio.order(room.call, Order::Panic);
    for expected in ["starts anew", "a fault in the audio thread"] {
        let why = room.event(|event| match event {
            Event::DeviceLost { why } | Event::DigitsFailed { why } => Some(why.clone()),
            _ => None,
        });
        let why = why.await;
        assert!(why.contains(expected), "{why}");
    }
    room.figures_until(|figures| figures.sent > 0).await;
    for _ in 0..3 {
        room.audio.order(room.call, Order::Panic);
        room.event(|event| matches!(event, Event::DeviceLost { .. }).then_some(()))
            .await;
    }
    let gone = || {
        let script = DigitScript::read("1").unwrap();
        room.audio.command(room.call, Command::SendDigits(script))
    };
    eventually(gone).await;
}

#[tokio::test]
async fn hold_stops_the_voice_and_resumption_brings_it_back() {
    let mut one = Room::new(InputDevice::Tone(440), OutputDevice::Discard);
    let mut other = Room::new(InputDevice::Silence, OutputDevice::Discard);
    let (here, there) = (one.reserve(), other.reserve());
    one.start(plan(here, there));
    other.start(plan(there, here));
    other.figures_until(|figures| figures.received > 0).await;
    let on_hold = Plan {
        direction: Direction::Inactive,
        ..plan(here, there)
    };
    one.start(on_hold);
    other
        .figures_until(|figures| figures.silent_for > Duration::from_millis(500))
        .await;
    one.start(plan(here, there));
    other
        .figures_until(|figures| figures.silent_for < Duration::from_millis(100))
        .await;
}

#[tokio::test]
async fn muted_before_the_start_no_packet_carries_the_voice_and_a_panic_changes_nothing() {
    let far = far_end();
    let mut room = Room::new(InputDevice::Tone(440), OutputDevice::Discard);
    let local = room.reserve();
    assert_eq!(room.audio.command(room.call, Command::Mute(true)), None);
    room.start(plan(local, far.local_addr().unwrap()));
    let figures = room.figures_until(|figures| figures.sent > 0).await;
    assert!(
        !figures.is_sending && figures.near_level_dbfs < -120.0,
        "{figures:?}"
    );
    room.audio.order(room.call, Order::Panic);
    room.event(|event| matches!(event, Event::DeviceLost { .. }).then_some(()))
        .await;
    let figures = room.figures_until(|figures| figures.sent > 0).await;
    assert!(
        !figures.is_sending && figures.near_level_dbfs < -120.0,
        "{figures:?}"
    );
    assert_eq!(room.audio.command(room.call, Command::Mute(false)), None);
    room.figures_until(|figures| figures.is_sending && figures.near_level_dbfs > -40.0)
        .await;
    let mut packet = [0; 2048];
    let (length, _) = far.recv_from(&mut packet).unwrap();
    let first = &packet[12..length];
    assert!(
        first.iter().all(|sample| *sample == first[0]),
        "the first packet is silent: {first:?}"
    );
}

#[tokio::test]
async fn alsa_is_told_once_and_silence_goes_on() {
    let far = far_end();
    let mut room = Room::new(
        InputDevice::Alsa("default".into()),
        OutputDevice::Alsa("default".into()),
    );
    let local = room.reserve();
    room.start(plan(local, far.local_addr().unwrap()));
    let mut lost = Vec::new();
    let sent = room
        .event(|event| match event {
            Event::DeviceLost { why } => {
                lost.push(why.clone());
                None
            }
            Event::Figures(figures) => Some(figures.sent),
            _ => None,
        })
        .await;
    lost.sort();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost[0].contains("input alsa:default"), "{lost:?}");
    assert!(lost[1].contains("output alsa:default"), "{lost:?}");
    assert!(sent > 10, "{sent}");
}

#[tokio::test]
async fn volume_and_mute_change_what_is_heard_in_this_call_and_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("far.wav");
    let output = || OutputDevice::File(recording.to_str().unwrap().to_owned());
    let mut one = Room::new(InputDevice::Tone(440), OutputDevice::Discard);
    let mut other = Room::new(InputDevice::Silence, output());
    other.audio.set_loudspeaker(loudspeaker(50, false));
    let (here, there) = (one.reserve(), other.reserve());
    one.start(plan(here, there));
    other.start(plan(there, here));
    other.figures_until(|figures| figures.received >= 25).await;
    other.audio.set_loudspeaker(loudspeaker(50, true));
    let muted_at = other.figures_until(|_| true).await.received;
    other
        .figures_until(|figures| figures.received >= muted_at + 25)
        .await;
    other.audio.set_loudspeaker(loudspeaker(100, false));
    let loud_at = other.figures_until(|_| true).await.received;
    let figures = other
        .figures_until(|figures| figures.received >= loud_at + 25)
        .await;
    // The figures are of what came, not of what is heard.
    assert!(figures.far_level_dbfs > -14.0, "{figures:?}");
    other.audio.command(other.call, Command::Stop);
    let whole = eventually(|| finished(&recording, 60)).await;
    let peaks: Vec<i16> = whole
        .chunks(FRAME)
        .map(|frame| frame.iter().max().copied().unwrap_or_default())
        .collect();
    // 12 dB less than the tone's 11,626; nothing; all of it.
    let mut heard = peaks.iter();
    let in_turn = heard.any(|peak| (2600..3100).contains(peak))
        && heard.any(|peak| *peak == 0)
        && heard.any(|peak| (11_000..12_200).contains(peak));
    assert!(in_turn, "{peaks:?}");
}

#[tokio::test]
async fn ring_back_voices_and_the_tone_of_the_end_are_one_recording() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("call.wav");
    let far = far_end();
    let mut room = Room::new(
        InputDevice::Tone(440),
        OutputDevice::File(recording.to_str().unwrap().to_owned()),
    );
    let local = room.reserve();
    room.play(Some(CallTone::RingBack));
    eventually(|| finished(&recording, 0)).await;
    room.start(plan(local, far.local_addr().unwrap()));
    let mut bytes = [0; 2048];
    far.recv_from(&mut bytes).unwrap();
    room.play(None);
    room.audio.command(room.call, Command::Stop);
    room.play(Some(CallTone::Ended));
    // Two bursts of 200 ms, 200 ms between them, and the file is closed by itself.
    let burst = [true; 10];
    let ending = [burst.as_slice(), &[false; 10], &burst, &[false]].concat();
    let loud = eventually(|| {
        let loud: Vec<bool> = finished(&recording, 31)?
            .chunks(FRAME)
            .map(|frame| frame.iter().any(|sample| sample.abs() > 3000))
            .collect();
        loud.ends_with(&ending).then_some(loud)
    })
    .await;
    // A machine that is busy may lose a frame of it.
    assert!(loud[..50].iter().filter(|loud| **loud).count() > 40, "{loud:?}");
}

#[tokio::test]
async fn a_call_that_never_was_sounds_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("failed.wav");
    let mut room = Room::new(
        InputDevice::Silence,
        OutputDevice::File(recording.to_str().unwrap().to_owned()),
    );
    room.play(Some(CallTone::Failed));
    let whole = eventually(|| finished(&recording, 50)).await;
    assert!(whole.iter().any(|sample| *sample > 3000));
    // Nobody is there any more.
    let (_, orders) = room.audio.sounding.as_ref().unwrap();
    eventually(|| orders.try_send(Order::Play(None)).err()).await;
}

#[tokio::test]
async fn without_tones_nothing_is_opened_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("none.wav");
    let output = OutputDevice::File(recording.to_str().unwrap().to_owned());
    let mut room = Room::new(InputDevice::Silence, output);
    room.audio.settings.tones = false;
    room.play(Some(CallTone::RingBack));
    room.play(Some(CallTone::Failed));
    assert!(room.audio.sounding.is_none());
    assert!(!recording.exists());
}

#[test]
fn commands_out_of_order_are_answered_and_harmless() {
    let mut room = Room::new(InputDevice::Silence, OutputDevice::Discard);
    let script = DigitScript::read("1").unwrap();
    let digits = room.audio.command(room.call, Command::SendDigits(script));
    assert!(matches!(digits, Some(Event::DigitsFailed { .. })), "{digits:?}");
    let nowhere = plan(address(1), address(2));
    let started = room.audio.command(room.call, Command::Start(Box::new(nowhere)));
    assert!(matches!(started, Some(Event::DeviceLost { .. })), "{started:?}");
    assert_eq!(room.audio.command(room.call, Command::Stop), None);
    let first = room.reserve();
    let second = room.reserve();
    assert_ne!(first, second);
    UdpSocket::bind(first).expect("the first reservation is given up for the second");
    room.start(plan(second, address(9)));
    let again = room.audio.command(room.call, reserve());
    assert!(matches!(again, Some(Event::ReserveFailed { .. })), "{again:?}");
}

#[tokio::test]
async fn strangers_and_rubbish_do_not_disturb_a_call() {
    let mut one = Room::new(InputDevice::Tone(440), OutputDevice::Discard);
    let mut other = Room::new(InputDevice::Silence, OutputDevice::Discard);
    let (here, there) = (one.reserve(), other.reserve());
    one.start(plan(here, there));
    other.start(plan(there, here));
    other
        .event(|event| (*event == Event::FarAudio).then_some(()))
        .await;
    let stranger = far_end();
    let mut chance = Chance::from_seed([8; 32]);
    for _ in 0..5_000 {
        let mut rubbish: Vec<u8> = (0..chance.below(200)).map(|_| chance.u32() as u8).collect();
        if let [first, second, ..] = rubbish.as_mut_slice() {
            (*first, *second) = (0x80, 0);
        }
        let _ = stranger.send_to(&rubbish, there);
    }
    let figures = other.figures_until(|figures| figures.received >= 50).await;
    assert!(
        figures.loss_percent < 50.0 && figures.received < 1000,
        "{figures:?}"
    );
}

struct Room {
    audio: Audio,
    wakes: mpsc::Receiver<Wake>,
    call: CallId,
}

impl Room {
    fn new(input: InputDevice, output: OutputDevice) -> Self {
        let (sender, wakes) = mpsc::channel(64);
        let settings = Settings {
            input,
            output,
            codecs: CodecName::BUILT_IN.to_vec(),
            dtmf: DigitsBy::Auto,
            rtp_ports: 0..=0,
            rtp_timeout: None,
            processing: Processing::Full,
            tones: true,
        };
        let mut chance = Chance::from_seed([2; 32]);
        Self {
            call: CallId(chance.uuid()),
            audio: Audio::new(settings, sender, chance),
            wakes,
        }
    }

    /// Gives the call a pacer with these devices, which [`Room::start`] will find.
    #[cfg(feature = "processing")]
    fn spawn_with(&mut self, devices: impl devices::Devices + Send + 'static, processing: Processing) {
        let outbox = Outbox::new(self.call, self.audio.wakes.clone());
        let chance = self.audio.chance.fork();
        let spawned = Pacer::spawn(
            devices,
            processing,
            self.audio.loudspeaker,
            outbox,
            Pulse::default(),
            chance,
        );
        self.audio.sounding = Some((self.call, spawned.unwrap()));
    }

    fn play(&mut self, tone: Option<CallTone>) {
        assert_eq!(self.audio.command(self.call, Command::Play(tone)), None);
    }

    fn reserve(&mut self) -> SocketAddr {
        match self.audio.command(self.call, reserve()) {
            Some(Event::Reserved { local }) => local,
            other => panic!("not reserved: {other:?}"),
        }
    }

    fn start(&mut self, plan: Plan) {
        assert_eq!(
            self.audio.command(self.call, Command::Start(Box::new(plan))),
            None
        );
    }

    /// The first event of which `wanted` says something.
    async fn event<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        guarded(async {
            loop {
                let Some(Wake::Media { call, event }) = self.wakes.recv().await else {
                    panic!("the audio only speaks of calls");
                };
                assert_eq!(call, self.call);
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        })
        .await
    }

    async fn figures_until(&mut self, reached: impl Fn(&Figures) -> bool) -> Figures {
        self.event(|event| match event {
            Event::Figures(figures) if reached(figures) => Some(*figures),
            _ => None,
        })
        .await
    }
}

fn loudspeaker(volume: u8, is_muted: bool) -> Loudspeaker {
    Loudspeaker { volume, is_muted }
}

/// The samples of a recording that has this many frames at least, and whose header tells all of them.
fn finished(recording: &std::path::Path, frames: usize) -> Option<Vec<i16>> {
    let bytes = std::fs::metadata(recording).ok()?.len();
    let reader = hound::WavReader::open(recording).ok()?;
    let is_whole = u64::from(reader.len()) * 2 + 44 == bytes;
    let samples = reader.into_samples().collect::<Result<Vec<i16>, _>>().ok()?;
    (is_whole && samples.len() >= frames * FRAME).then_some(samples)
}

fn reserve() -> Command {
    Command::Reserve {
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

fn plan(local: SocketAddr, remote: SocketAddr) -> Plan {
    Plan {
        codec: CodecName::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        telephone_event: Some(TelephoneEvent::USUAL),
        local,
        remote,
        control: Control::beside(remote),
        packet_time: Duration::from_millis(20),
        direction: Direction::SendReceive,
        keys: None,
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn far_end() -> UdpSocket {
    let socket = UdpSocket::bind(address(0)).unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    socket
}

/// Reads RTP until so many digits have ended, by RFC 4733 alone.
fn decode_digits(socket: &UdpSocket, count: usize) -> String {
    let mut heard = String::new();
    let mut last_ended = None;
    while heard.len() < count {
        let mut bytes = [0; 2048];
        let (length, _) = socket.recv_from(&mut bytes).unwrap();
        let packet = RtpPacket::parse(&bytes[..length]).unwrap();
        if packet.payload_type() != 101 {
            continue;
        }
        let [event, flags, high, low] = *packet.payload() else {
            panic!("no telephone event: {:?}", packet.payload());
        };
        if flags & 0x80 != 0 && last_ended != Some(packet.timestamp()) {
            last_ended = Some(packet.timestamp());
            assert_eq!(u16::from_be_bytes([high, low]), 800);
            heard.push("0123456789*#ABCD".as_bytes()[usize::from(event)].into());
        }
    }
    heard
}

async fn eventually<T>(mut found: impl FnMut() -> Option<T>) -> T {
    guarded(async {
        loop {
            match found() {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    })
    .await
}

async fn guarded<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, waiting)
        .await
        .expect("waited too long")
}
