//! The loop with a pretended agent that follows a script, in the real world.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UdpSocket, UnixStream};

use super::*;
use crate::agent::Readiness;
use crate::bridge::link::{Frame, LinkEvent, LinkId};
use crate::call::CallId;
use crate::edge::testing::{bridge_settings, in_runtime, media_settings};
use crate::media;
use crate::network::{FlowEvent, FlowId, FlowRequest, NamesAnswer, QueryId, Question};
use crate::record::Slot;

const FLOW: FlowId = FlowId(1);
const CONFIGURATION: &str = "[room]\nendpoint_id = \"room\"\n[bridge]\nurl = \"wss://bridge.example.com/\"\n";

#[test]
fn the_longest_way_out_stays_below_the_two_seconds_that_are_promised() {
    let longest = crate::agent::LEAVE_LIMIT + crate::edge::world::FINISH_LIMIT + JOURNAL_FLUSH;
    assert!(longest <= Duration::from_millis(1800), "{longest:?}");
}

#[test]
fn what_is_answered_at_once_is_fed_before_anything_else() {
    let seen = run(|wake, effects| match wake {
        Wake::Start => effects.extend([
            listen(),
            Effect::Media {
                call: call(),
                command: media::Command::Reserve {
                    source: Ipv4Addr::LOCALHOST.into(),
                },
            },
            Effect::LookUp {
                query: QueryId(4),
                question: Question::Addresses("127.0.0.1".to_owned()),
            },
        ]),
        Wake::Names {
            query: QueryId(4),
            answer: NamesAnswer::Addresses(_),
        } => effects.push(Effect::Exit(7)),
        _ => {}
    });
    assert!(
        matches!(
            &seen.wakes[..],
            [
                Wake::Start,
                Wake::Flow {
                    event: FlowEvent::Opened { .. },
                    ..
                },
                Wake::Media {
                    event: media::Event::Reserved { .. } | media::Event::ReserveFailed { .. },
                    ..
                },
                Wake::Names { .. }
            ]
        ),
        "{:?}",
        seen.wakes
    );
    assert_eq!(seen.code, 7);
}

#[test]
fn datagrams_leave_in_the_turn_that_sends_them_even_the_last() {
    let far = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let remote = far.local_addr().unwrap();
    run(|wake, effects| {
        if let Wake::Start = wake {
            effects.extend([
                Effect::OpenFlow {
                    flow: FLOW,
                    request: FlowRequest::ConnectUdp {
                        local_port: 0,
                        remote,
                    },
                },
                Effect::Transmit {
                    flow: FLOW,
                    to: None,
                    bytes: b"BYE".to_vec(),
                },
                Effect::Exit(0),
            ]);
        }
    });
    let mut buffer = [0; 10];
    assert_eq!(far.recv(&mut buffer).unwrap(), 3);
}

#[test]
fn datagrams_from_outside_wake_the_agent() {
    let seen = run(|wake, effects| match wake {
        Wake::Start => effects.push(listen()),
        Wake::Flow {
            event: FlowEvent::Opened { local, .. },
            ..
        } => {
            let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, local.port()));
            effects.extend([
                Effect::OpenFlow {
                    flow: FlowId(2),
                    request: FlowRequest::ConnectUdp {
                        local_port: 0,
                        remote,
                    },
                },
                Effect::Transmit {
                    flow: FlowId(2),
                    to: None,
                    bytes: b"OPTIONS".to_vec(),
                },
            ]);
        }
        Wake::Flow {
            flow: FLOW,
            event: FlowEvent::Received { bytes, .. },
        } if bytes == b"OPTIONS" => {
            effects.push(Effect::Exit(0));
        }
        _ => {}
    });
    assert_eq!(seen.code, 0);
}

#[test]
fn deadlines_wake_the_agent_in_time() {
    let mut script = Script::new(|wake, effects| {
        if let Wake::Deadline = wake {
            effects.push(Effect::Exit(0));
        }
    });
    script.deadline = Some(Deadline::after(Clock.now(), Duration::from_millis(30), "test"));
    let deadline = script.deadline.unwrap();
    let seen = run_script(script, |_| {});
    assert!(deadline.is_due(Clock.now()));
    assert!(matches!(&seen.wakes[..], [Wake::Start, Wake::Deadline]));
}

#[test]
fn an_agent_that_does_not_leave_is_left() {
    let seen = run_script(Script::new(|_, _| {}), |running| {
        running.patience = Duration::from_millis(30);
        running.answers.clear();
        running.take(Wake::Signal(Signal::Terminate));
    });
    assert_eq!(seen.code, FAILED);
    assert!(matches!(&seen.wakes[..], [Wake::Signal(Signal::Terminate)]));
}

#[test]
fn records_are_synced_and_the_answer_comes() {
    let seen = run(|wake, effects| match wake {
        Wake::Start => effects.extend([
            Effect::Record {
                slot: Slot::Room,
                content: b"on".to_vec(),
            },
            Effect::Sync,
            Effect::Notify(Readiness::Ready),
        ]),
        Wake::Stored(Ok(())) => effects.push(Effect::Exit(0)),
        _ => {}
    });
    assert_eq!(seen.code, 0);
}

#[test]
fn nothing_is_heard_of_what_was_closed_in_the_same_turn() {
    let seen = run(|wake, effects| match wake {
        Wake::Start => effects.extend([
            listen(),
            Effect::CloseFlow { flow: FLOW },
            Effect::Media {
                call: call(),
                command: media::Command::Reserve {
                    source: Ipv4Addr::LOCALHOST.into(),
                },
            },
            Effect::Media {
                call: call(),
                command: media::Command::Stop,
            },
            Effect::LookUp {
                query: QueryId(1),
                question: Question::Addresses("::1".to_owned()),
            },
        ]),
        Wake::Names { .. } => effects.push(Effect::Exit(0)),
        _ => {}
    });
    assert!(
        matches!(&seen.wakes[..], [Wake::Start, Wake::Names { .. }]),
        "{:?}",
        seen.wakes
    );
}

#[test]
fn a_command_is_answered_even_when_it_is_the_last_thing_done() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let answered = in_runtime(async {
        let (running, _state) = running(Script::new(|wake, effects| match wake {
            Wake::Frame { link, text } => effects.extend([
                Effect::SendFrame {
                    link: *link,
                    frame: Frame::Text(format!("heard {text}")),
                },
                Effect::Exit(0),
            ]),
            Wake::Link {
                link: LinkId::Control(1),
                event: LinkEvent::Opened,
            } => {}
            _ => {}
        }));
        running.world.open_control_socket(&path).unwrap();
        let asking = async {
            let (reader, mut writer) = UnixStream::connect(&path).await.unwrap().into_split();
            writer.write_all(b"status\n").await.unwrap();
            let mut answer = String::new();
            BufReader::new(reader).read_line(&mut answer).await.unwrap();
            answer
        };
        let (_, answer) = tokio::join!(running.run(), asking);
        answer
    });
    assert_eq!(answered, "heard status\n");
}

#[test]
fn a_flood_of_datagrams_holds_up_no_deadline() {
    let mut script = Script::new(|wake, effects| match wake {
        Wake::Start => effects.push(listen()),
        Wake::Deadline => effects.push(Effect::Exit(0)),
        Wake::Flow {
            flow: FLOW,
            event: FlowEvent::Opened { local, .. },
        } => {
            let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, local.port()));
            tokio::spawn(async move {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                while socket.send_to(b"x", remote).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            });
        }
        _ => {}
    });
    script.deadline = Some(Deadline::after(Clock.now(), Duration::from_millis(100), "test"));
    assert_eq!(run_script(script, |_| {}).code, 0);
}

#[test]
fn a_changed_file_is_taken_and_a_wrong_one_is_refused() {
    let good = CONFIGURATION.replace("bridge.example", "other.example");
    let wrong = CONFIGURATION.replace("wss://", "ftp://");
    for (text, is_right) in [(&good, true), (&wrong, false)] {
        let seen = run_script(
            Script::new(|wake, effects| {
                if let Wake::Reload(_) = wake {
                    effects.push(Effect::Exit(0));
                }
            }),
            |running| {
                let file = running.reloading.files().main_file.clone();
                std::fs::write(file, text).unwrap();
                running.reloading.ask();
            },
        );
        match &seen.wakes[..] {
            [Wake::Start, Wake::Reload(Reload::Config { config, .. })] if is_right => {
                assert_eq!(config.bridge.url, "wss://other.example.com/");
            }
            [Wake::Start, Wake::Reload(Reload::Refused { why })] if !is_right => {
                assert!(why.contains(":4: bridge.url: "), "{why}");
            }
            wakes => panic!("{text}: {wakes:?}"),
        }
    }
}

#[test]
fn who_asks_while_the_files_are_read_gets_what_they_hold_then() {
    let seen = run_script(
        Script::new(|wake, effects| {
            if let Wake::Reload(_) = wake {
                effects.push(Effect::Exit(0));
            }
        }),
        |running| {
            let file = running.reloading.files().main_file.clone();
            std::fs::write(&file, "nonsense").unwrap();
            running.reloading.ask();
            std::fs::write(&file, CONFIGURATION.replace("bridge.example", "other.example")).unwrap();
            running.reloading.ask();
        },
    );
    let [Wake::Start, Wake::Reload(Reload::Config { config, .. })] = &seen.wakes[..] else {
        panic!("{:?}", seen.wakes);
    };
    assert_eq!(config.bridge.url, "wss://other.example.com/");
}

fn listen() -> Effect {
    let bind = (Ipv4Addr::LOCALHOST, 0).into();
    Effect::OpenFlow {
        flow: FLOW,
        request: FlowRequest::ListenUdp { bind },
    }
}

fn call() -> CallId {
    CallId(uuid::Uuid::nil())
}

type Lines<'a> = Box<dyn FnMut(&Wake, &mut Vec<Effect>) + 'a>;

/// An agent that does what a closure says.
struct Script<'a> {
    lines: Lines<'a>,
    effects: VecDeque<Effect>,
    deadline: Option<Deadline>,
    seen: std::rc::Rc<std::cell::RefCell<Vec<Wake>>>,
}

impl<'a> Script<'a> {
    fn new(lines: impl FnMut(&Wake, &mut Vec<Effect>) + 'a) -> Self {
        Self {
            lines: Box::new(lines),
            effects: VecDeque::new(),
            deadline: None,
            seen: std::rc::Rc::default(),
        }
    }
}

impl Machine for Script<'_> {
    fn handle_input(&mut self, now: Now, wake: Wake) {
        let mut effects = Vec::new();
        (self.lines)(&wake, &mut effects);
        self.effects.extend(effects);
        if let Wake::Deadline = wake {
            self.deadline = self.deadline.filter(|deadline| !deadline.is_due(now));
        }
        self.seen.borrow_mut().push(wake);
    }

    fn poll_output(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn next_deadline(&self) -> Option<Deadline> {
        self.deadline
    }
}

struct Seen {
    wakes: Vec<Wake>,
    code: u8,
}

fn run(lines: impl FnMut(&Wake, &mut Vec<Effect>)) -> Seen {
    run_script(Script::new(lines), |_| {})
}

fn run_script<'a>(script: Script<'a>, prepare: impl FnOnce(&mut Loop<Script<'a>>)) -> Seen {
    let seen = std::rc::Rc::clone(&script.seen);
    let code = in_runtime(async {
        let (mut running, _state) = running(script);
        prepare(&mut running);
        running.run().await
    });
    let wakes = seen.borrow().clone();
    Seen { wakes, code }
}

fn running(script: Script<'_>) -> (Loop<Script<'_>>, tempfile::TempDir) {
    let state = tempfile::tempdir().unwrap();
    let (wakes, heard) = Wakes::channel();
    let (store, _) = Store::open(state.path(), &wakes).unwrap();
    let secrets = SecretFiles::new(None, state.path().to_owned());
    let world = World::new(
        world::Settings {
            bridge: bridge_settings(),
            media: media_settings(),
            sip: Default::default(),
            metrics: None,
        },
        secrets,
        store,
        wakes,
        Chance::from_seed([1; 32]),
    );
    let files = ConfigFiles {
        main_file: state.path().join("meetd.toml"),
        flags: Vec::new(),
    };
    std::fs::write(&files.main_file, CONFIGURATION).unwrap();
    let reloading = Reloading::new(files.clone(), &files.check(), Journal::unread());
    let running = Loop::new(script, world, heard, files.secrets(), reloading).unwrap();
    (running, state)
}
