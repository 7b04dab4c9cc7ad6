//! Streams that talk to each other in virtual time, and what each does with what it should not get.

use super::*;
use crate::media::plan::tests::plan;
use crate::media::srtp::{Key, Keys, Suite};
use crate::media::{CodecName, Control, Direction, TICK};

mod bad_input;

#[test]
fn two_streams_hear_each_other() {
    let mut pair = Pair::new();
    pair.run(100);
    let (one, other) = (pair.one.figures(pair.now), pair.other.figures(pair.now));
    assert_eq!((one.sent, one.received), (100, 100));
    assert_eq!((other.loss_percent, other.jitter_ms), (0.0, 0.0));
    assert!((one.far_level_dbfs - one.near_level_dbfs).abs() < 1.0, "{one:?}");
    assert_eq!(
        pair.told
            .iter()
            .filter(|event| **event == Event::FarAudio)
            .count(),
        1
    );
    let figures = |event: &&Event| matches!(event, Event::Figures(_));
    assert_eq!(
        pair.told.iter().filter(figures).count(),
        1,
        "one a second, the second one is due at tick 100"
    );
}

#[test]
fn on_hold_nothing_leaves_and_silence_is_counted_only_afterwards() {
    let mut pair = Pair::new();
    pair.run(10);
    for direction in [Direction::Inactive, Direction::ReceiveOnly] {
        let sent = pair.one.figures(pair.now).sent;
        pair.one.apply(
            pair.now,
            Plan {
                direction,
                // Else its reports would be a sign of life.
                control: None,
                ..pair.one.plan().clone()
            },
        );
        pair.run(10);
        assert_eq!(pair.one.figures(pair.now).sent, sent, "{direction:?}");
    }
    pair.other.apply(
        pair.now,
        Plan {
            direction: Direction::SendOnly,
            ..pair.other.plan().clone()
        },
    );
    pair.run(500);
    assert_eq!(pair.other.figures(pair.now).silent_for, Duration::ZERO);
    pair.other.apply(
        pair.now,
        Plan {
            direction: Direction::SendReceive,
            ..pair.other.plan().clone()
        },
    );
    assert_eq!(pair.other.figures(pair.now).silent_for, Duration::ZERO);
    let nine_seconds = Duration::from_secs(9);
    assert_eq!(
        pair.other.figures(pair.now + nine_seconds).silent_for,
        nine_seconds
    );
}

#[test]
fn before_the_answer_the_far_end_is_heard_and_hears_nothing() {
    let mut pair = Pair::new();
    let agreed = pair.one.plan().clone();
    pair.one.apply(pair.now, agreed.clone().early().unwrap());
    pair.run(100);
    let (one, other) = (pair.one.figures(pair.now), pair.other.figures(pair.now));
    assert_eq!((one.sent, one.received, other.received), (0, 100, 0));
    assert!(pair.one.has_heard());
    // The announcement is over long before somebody answers: that silence counts for nothing.
    let minute = pair.now + Duration::from_secs(60);
    pair.one.apply(minute, agreed);
    assert_eq!(pair.one.figures(minute).silent_for, Duration::ZERO);
    assert!(!pair.one.has_heard(), "the voices of the call are still to come");
}

#[test]
fn while_muted_silence_is_sent_and_no_packet_is_left_out() {
    let mut pair = Pair::new();
    pair.one.mute(true);
    pair.run(100);
    let (one, other) = (pair.one.figures(pair.now), pair.other.figures(pair.now));
    assert_eq!((one.sent, other.received), (100, 100));
    assert_eq!((one.near_level_dbfs, other.far_level_dbfs), (-127.0, -127.0));
    assert!(!one.is_sending, "a muted microphone is not called broken");
    pair.one.send_digits(DigitScript::read("5").unwrap());
    pair.one.mute(false);
    pair.run(100);
    let other = pair.other.figures(pair.now);
    assert!(other.far_level_dbfs > -40.0, "{other:?}");
}

#[test]
fn a_codec_changes_in_mid_call() {
    let mut pair = Pair::new();
    pair.run(10);
    for stream in [&mut pair.one, &mut pair.other] {
        let alaw = Plan {
            codec: CodecName::Pcma,
            send_payload_type: 8,
            receive_payload_type: 8,
            ..stream.plan().clone()
        };
        stream.apply(pair.now, alaw);
    }
    pair.run(90);
    let figures = pair.other.figures(pair.now);
    assert_eq!((figures.received, figures.loss_percent), (100, 0.0));
    assert!(
        (figures.far_level_dbfs - figures.near_level_dbfs).abs() < 1.0,
        "{figures:?}"
    );
}

#[test]
fn encrypted_streams_hear_each_other_and_nobody_else() {
    for suite in Suite::ALL {
        let mut pair = Pair::new();
        pair.encrypt(suite, 1);
        pair.run(50);
        let mut forger = Sender::new(&mut Chance::from_seed([1; 32]));
        forger.tick(&plan(), &mut Digits::default(), &mut [2000; FRAME]);
        let forged = forger.poll_packet().unwrap();
        let before = pair.other.figures(pair.now).received;
        pair.other.received(pair.now, plan().local, &forged);
        let figures = pair.other.figures(pair.now);
        assert_eq!((before, figures.received), (50, 50), "{suite:?}");
        assert!(
            (figures.far_level_dbfs - figures.near_level_dbfs).abs() < 1.0,
            "{figures:?}"
        );
    }
}

#[test]
fn without_the_agreed_key_nothing_is_heard_and_no_source_locked() {
    let mut pair = Pair::new();
    pair.encrypt(Suite::AesCm128HmacSha1_80, 1);
    let deaf = pair.one.plan().clone();
    pair.run(10);
    pair.one.apply(
        pair.now,
        Plan {
            keys: None,
            ..deaf.clone()
        },
    );
    pair.run(100);
    assert_eq!(
        pair.other.figures(pair.now).received,
        10,
        "plain packets do not count"
    );
    pair.one.apply(pair.now, deaf);
    pair.run(10);
    assert_eq!(pair.other.figures(pair.now).received, 20);
}

#[test]
fn a_re_invite_goes_on_in_the_round_of_the_sequence_and_a_new_key_is_followed() {
    let mut pair = Pair::new();
    pair.encrypt(Suite::AesCm128HmacSha1_80, 1);
    pair.run(10);
    let same = pair.one.plan().clone();
    for round in 2..=4 {
        // After each leap the first packet is doubtful. Three times nearly half of the sequence numbers: the second round begins on the way.
        pair.one.sender.leap(30_000);
        pair.one.apply(pair.now, same.clone());
        pair.run(10);
        assert_eq!(
            pair.other.figures(pair.now).received,
            round * 9 + 1,
            "the same key"
        );
    }
    pair.encrypt(Suite::AeadAes256Gcm, 2);
    pair.run(100);
    assert_eq!(pair.other.figures(pair.now).received, 137, "another key");
}

#[test]
fn the_voice_goes_to_one_host_only() {
    for remote in [
        "0.0.0.0:4000",
        "224.0.0.1:4000",
        "255.255.255.255:4000",
        "192.0.2.2:0",
        "[::]:1",
        "[ff02::1]:1",
        "192.0.2.1:16384",
    ] {
        let plan = Plan {
            remote: remote.parse().unwrap(),
            ..plan()
        };
        let mut stream = Stream::new(Duration::ZERO, plan, &mut Chance::from_seed([3; 32]));
        stream.tick(Duration::ZERO, &[1; FRAME]);
        assert_eq!(stream.poll_packet(), None, "{remote}");
    }
}

#[test]
fn digits_are_told_when_they_have_left_and_wait_while_on_hold() {
    let mut pair = Pair::new();
    pair.one.send_digits(DigitScript::read("12").unwrap());
    pair.run(5);
    pair.one.apply(
        pair.now,
        Plan {
            direction: Direction::Inactive,
            ..pair.one.plan().clone()
        },
    );
    pair.run(100);
    assert!(!pair.told.contains(&Event::DigitsSent));
    pair.one.apply(
        pair.now,
        Plan {
            direction: Direction::SendReceive,
            ..pair.one.plan().clone()
        },
    );
    pair.run(11);
    assert_eq!(
        pair.told
            .iter()
            .filter(|event| **event == Event::DigitsSent)
            .count(),
        1
    );
}

#[test]
fn too_many_digits_are_refused_aloud() {
    let mut stream = Stream::new(Duration::ZERO, plan(), &mut Chance::from_seed([3; 32]));
    for _ in 0..100 {
        stream.send_digits(DigitScript::read("1").unwrap());
    }
    let refused = std::iter::from_fn(|| stream.poll_output())
        .filter(|event| matches!(event, Event::DigitsFailed { .. }))
        .count();
    assert_eq!(refused, 84);
}

#[test]
fn loss_and_reordering_on_the_way_are_counted_and_hidden() {
    let mut pair = Pair::new();
    pair.lose_every = 20;
    pair.swap_every = 7;
    pair.run(2000);
    let figures = pair.other.figures(pair.now);
    assert!((figures.loss_percent - 5.0).abs() < 0.2, "{figures:?}");
    assert!(
        pair.quietest_heard > 100,
        "gaps are hidden: {}",
        pair.quietest_heard
    );
    assert!((figures.concealed_percent - 5.0).abs() < 0.5, "{figures:?}");
    assert!(figures.playout_delay < Duration::from_millis(120), "{figures:?}");
    assert!((3.6..4.1).contains(&figures.mos.unwrap()), "{figures:?}");
    let clean = pair.one.figures(pair.now);
    assert_eq!(clean.concealed_percent, 0.0);
    assert!(clean.mos.unwrap() > 4.3, "{clean:?}");
}

#[test]
fn both_sides_measure_the_way_there_and_back_encrypted_or_not_on_one_port_or_two() {
    for (is_encrypted, is_multiplexed) in [(false, false), (true, false), (true, true)] {
        let mut pair = Pair::new();
        if is_encrypted {
            pair.encrypt(Suite::AeadAes128Gcm, 1);
        }
        for stream in [&mut pair.one, &mut pair.other] {
            let control = Some(Control {
                remote: stream.plan().remote,
                is_multiplexed,
            });
            stream.apply(
                pair.now,
                Plan {
                    control,
                    ..stream.plan().clone()
                },
            );
        }
        pair.run(1500);
        for stream in [&pair.one, &pair.other] {
            let way = stream.figures(pair.now).round_trip;
            assert_eq!(
                way.map(|way| way.as_millis()),
                Some(0),
                "{is_encrypted} {is_multiplexed}"
            );
            assert_eq!(stream.figures(pair.now).received, 1500);
        }
    }
}

#[test]
fn who_reports_lives_and_a_stranger_does_not() {
    let mut pair = Pair::new();
    pair.run(500);
    pair.one.leave(pair.now);
    let bye = pair.one.poll_packet().unwrap();
    let mut other = Pair::new();
    other.one.tick(Duration::from_secs(9), &[0; FRAME]);
    let report = std::iter::from_fn(|| other.one.poll_packet()).find(|leaving| leaving.is_report);
    let report = report.unwrap().bytes;
    let now = pair.now + Duration::from_secs(20);
    let silent = |pair: &Pair| pair.other.figures(now).silent_for;
    pair.other
        .received_report(now, "192.0.2.66:4001".parse().unwrap(), &report);
    assert!(silent(&pair) > Duration::from_secs(19));
    pair.other.received_report(now, plan().local, &bye.bytes);
    assert!(
        silent(&pair) > Duration::from_secs(19),
        "goodbye is no sign of life"
    );
    pair.other.received_report(now, plan().local, &report);
    assert_eq!(silent(&pair), Duration::ZERO);
}

/// Two streams and the way between them, in virtual time.
struct Pair {
    now: Duration,
    one: Stream,
    other: Stream,
    told: Vec<Event>,
    lose_every: u64,
    swap_every: u64,
    ticks: u64,
    held_back: Option<Vec<u8>>,
    quietest_heard: i16,
}

impl Pair {
    fn new() -> Self {
        let mut chance = Chance::from_seed([9; 32]);
        let there = Plan {
            local: plan().remote,
            remote: plan().local,
            ..plan()
        };
        Self {
            now: Duration::ZERO,
            one: Stream::new(Duration::ZERO, plan(), &mut chance),
            other: Stream::new(Duration::ZERO, there, &mut chance),
            told: Vec::new(),
            lose_every: u64::MAX,
            swap_every: u64::MAX,
            ticks: 0,
            held_back: None,
            quietest_heard: i16::MAX,
        }
    }

    fn encrypt(&mut self, suite: Suite, seed: u8) {
        let mut chance = Chance::from_seed([seed; 32]);
        let (send, receive) = (Key::fresh(suite, &mut chance), Key::fresh(suite, &mut chance));
        let here = Keys {
            send: send.clone(),
            receive: receive.clone(),
        };
        let there = Keys {
            send: receive,
            receive: send,
        };
        for (stream, keys) in [(&mut self.one, here), (&mut self.other, there)] {
            let plan = Plan {
                keys: Some(keys),
                ..stream.plan().clone()
            };
            stream.apply(self.now, plan);
        }
    }

    fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.ticks += 1;
            self.one_to_other();
            self.other.tick(self.now, &[2000; FRAME]);
            while let Some(leaving) = self.other.poll_packet() {
                match leaving.is_report {
                    true => self.one.received_report(self.now, plan().remote, &leaving.bytes),
                    false => self.one.received(self.now, plan().remote, &leaving.bytes),
                }
            }
            let mut heard = [0; FRAME];
            self.one.play(self.now, &mut heard);
            self.other.play(self.now, &mut heard);
            if self.ticks > 10 {
                self.quietest_heard = heard.into_iter().chain([self.quietest_heard]).min().unwrap_or(0);
            }
            self.now += TICK;
            self.told.extend(std::iter::from_fn(|| self.one.poll_output()));
        }
    }

    fn one_to_other(&mut self) {
        self.one.tick(self.now, &[2000; FRAME]);
        while let Some(leaving) = self.one.poll_packet() {
            match leaving.is_report {
                true => self.other.received_report(self.now, plan().local, &leaving.bytes),
                false => self.arrives(leaving.bytes),
            }
        }
    }

    fn arrives(&mut self, packet: Vec<u8>) {
        if self.ticks.is_multiple_of(self.lose_every) {
            return;
        }
        if self.ticks.is_multiple_of(self.swap_every) && self.held_back.is_none() {
            self.held_back = Some(packet);
            return;
        }
        self.other.received(self.now, plan().local, &packet);
        if let Some(late) = self.held_back.take() {
            self.other.received(self.now, plan().local, &late);
        }
    }
}
