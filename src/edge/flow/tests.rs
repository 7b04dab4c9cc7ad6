//! Flows on loopback: datagrams that share a port, ICMP errors, streams that end in each way.

use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::edge::testing::in_runtime;

mod tls;

const LISTENER: FlowId = FlowId(1);
const CONNECTED: FlowId = FlowId(2);

#[test]
fn a_connected_flow_shares_the_listeners_port_and_gets_its_answers() {
    in_runtime(async {
        let mut world = World::new();
        let port = world.listen_udp().port();
        let far = UdpSocket::bind(here(0)).await.unwrap();
        let remote = far.local_addr().unwrap();
        let opened = world.open(
            CONNECTED,
            FlowRequest::ConnectUdp {
                local_port: port,
                remote,
            },
        );
        // The source address of the route, not 0.0.0.0.
        assert_eq!(
            opened,
            FlowEvent::Opened {
                local: here(port),
                remote
            }
        );

        assert!(
            world
                .flows
                .transmit(CONNECTED, None, b"INVITE".to_vec())
                .is_none()
        );
        let mut buffer = [0; 100];
        let (length, from) = far.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (b"INVITE".as_slice(), here(port)));

        far.send_to(b"100 Trying", here(port)).await.unwrap();
        assert_eq!(world.next().await, (CONNECTED, received(remote, b"100 Trying")));

        let stranger = UdpSocket::bind(here(0)).await.unwrap();
        stranger.send_to(b"OPTIONS", here(port)).await.unwrap();
        assert_eq!(
            world.next().await,
            (LISTENER, received(stranger.local_addr().unwrap(), b"OPTIONS"))
        );
        assert!(
            world
                .flows
                .transmit(LISTENER, Some(stranger.local_addr().unwrap()), b"200".to_vec())
                .is_none()
        );
        let (length, from) = stranger.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (b"200".as_slice(), here(port)));
    });
}

#[test]
fn a_refused_datagram_is_told_and_its_flow_lives_on() {
    in_runtime(async {
        let mut world = World::new();
        let far = UdpSocket::bind(here(0)).await.unwrap();
        let remote = far.local_addr().unwrap();
        drop(far);
        world.open(
            CONNECTED,
            FlowRequest::ConnectUdp {
                local_port: 0,
                remote,
            },
        );
        world.flows.transmit(CONNECTED, None, b"INVITE".to_vec());
        let refused = FlowEvent::Failed(ConnectFault::Refused(remote));
        assert_eq!(world.next().await, (CONNECTED, refused));
        let far = UdpSocket::bind(remote).await.unwrap();
        assert!(world.flows.transmit(CONNECTED, None, b"again".to_vec()).is_none());
        assert_eq!(far.recv(&mut [0; 100]).await.unwrap(), 5);
    });
}

#[test]
fn an_icmp_error_met_while_sending_is_told_too() {
    in_runtime(async {
        let world = World::new();
        let remote = free_address().await;
        world.open(
            CONNECTED,
            FlowRequest::ConnectUdp {
                local_port: 0,
                remote,
            },
        );
        // The reader has no turn between these two.
        assert!(
            world
                .flows
                .transmit(CONNECTED, None, b"INVITE".to_vec())
                .is_none()
        );
        let Some(Wake::Flow { event, .. }) = world.flows.transmit(CONNECTED, None, b"INVITE".to_vec()) else {
            panic!()
        };
        assert_eq!(event, FlowEvent::Failed(ConnectFault::Refused(remote)));
        assert!(world.flows.hears(CONNECTED, &event), "it lives on");
    });
}

#[test]
fn a_port_in_use_and_a_foreign_address_fail_with_the_address() {
    in_runtime(async {
        let world = World::new();
        let udp = UdpSocket::bind(here(0)).await.unwrap().into_std().unwrap();
        let tcp = TcpListener::bind(here(0)).await.unwrap();
        let foreign: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        for (request, address) in [
            (
                FlowRequest::ListenUdp {
                    bind: udp.local_addr().unwrap(),
                },
                udp.local_addr().unwrap(),
            ),
            (
                FlowRequest::ListenTcp {
                    bind: tcp.local_addr().unwrap(),
                },
                tcp.local_addr().unwrap(),
            ),
            (FlowRequest::ListenUdp { bind: foreign }, foreign),
        ] {
            let FlowEvent::Failed(ConnectFault::Socket(why)) = world.open(CONNECTED, request) else {
                panic!()
            };
            assert!(why.contains(&address.to_string()), "{why}");
        }
    });
}

#[test]
fn two_daemons_do_not_listen_on_the_same_port() {
    in_runtime(async {
        let world = World::new();
        let bind = world.listen_udp();
        let second = world.open(CONNECTED, FlowRequest::ListenUdp { bind });
        assert!(
            matches!(second, FlowEvent::Failed(ConnectFault::Socket(_))),
            "{second:?}"
        );
    });
}

#[test]
fn both_families_listen_on_one_port() {
    in_runtime(async {
        let world = World::new();
        let port = world.listen_udp().port();
        let bind = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        match world.open(CONNECTED, FlowRequest::ListenUdp { bind }) {
            FlowEvent::Opened { local, .. } => assert_eq!(local, bind),
            // A machine without IPv6 says so.
            FlowEvent::Failed(ConnectFault::Socket(why)) => assert!(why.contains("[::]"), "{why}"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn what_could_not_be_opened_is_heard_once() {
    in_runtime(async {
        let world = World::new();
        let holder = TcpListener::bind(here(0)).await.unwrap();
        let bind = holder.local_addr().unwrap();
        let event = world.open(LISTENER, FlowRequest::ListenTcp { bind });
        assert!(matches!(event, FlowEvent::Failed(_)), "{event:?}");
        assert!(world.flows.hears(LISTENER, &event));
        assert!(!world.flows.hears(LISTENER, &event));
    });
}

#[test]
fn a_stream_carries_both_ways_in_order_and_ends_with_the_far_end() {
    in_runtime(async {
        let mut world = World::new();
        let (mut far, remote) = world.connect_tcp().await;
        for piece in [b"INV".as_slice(), b"ITE"] {
            world.flows.transmit(CONNECTED, None, piece.to_vec());
        }
        let mut buffer = [0; 6];
        far.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"INVITE");
        far.write_all(b"100 Trying").await.unwrap();
        assert_eq!(world.next().await, (CONNECTED, received(remote, b"100 Trying")));
        drop(far);
        assert_eq!(world.next().await, (CONNECTED, FlowEvent::Closed));
        assert!(world.flows.transmit(CONNECTED, None, b"late".to_vec()).is_none());
    });
}

#[test]
fn what_was_sent_before_a_stream_is_open_or_closed_still_leaves() {
    in_runtime(async {
        let world = World::new();
        let listener = TcpListener::bind(here(0)).await.unwrap();
        let remote = listener.local_addr().unwrap();
        assert!(
            world
                .flows
                .open(CONNECTED, FlowRequest::ConnectTcp { remote })
                .is_none()
        );
        world.flows.transmit(CONNECTED, None, b"BYE".to_vec());
        let (mut far, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 3];
        far.read_exact(&mut buffer).await.unwrap();
        world.flows.transmit(CONNECTED, None, b"ACK".to_vec());
        world.flows.close(CONNECTED);
        let mut rest = String::new();
        far.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&buffer, rest.as_str()), (b"BYE", "ACK"));
    });
}

#[test]
fn leaving_waits_for_what_streams_have_to_write() {
    in_runtime(async {
        let mut world = World::new();
        let (mut far, _) = world.connect_tcp().await;
        world.flows.transmit(CONNECTED, None, b"BYE".to_vec());
        world.flows.finish(Duration::from_secs(20)).await;
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "BYE");
    });
}

#[test]
fn a_refused_stream_fails() {
    in_runtime(async {
        let mut world = World::new();
        let listener = TcpListener::bind(here(0)).await.unwrap();
        let remote = listener.local_addr().unwrap();
        drop(listener);
        assert!(
            world
                .flows
                .open(CONNECTED, FlowRequest::ConnectTcp { remote })
                .is_none()
        );
        assert_eq!(
            world.next().await,
            (CONNECTED, FlowEvent::Failed(ConnectFault::Refused(remote)))
        );
    });
}

#[test]
fn a_far_end_that_takes_nothing_is_cut_off_at_the_bound() {
    in_runtime(async {
        let mut world = World::new();
        let (_far, _) = world.connect_tcp().await;
        let piece = vec![b'x'; stream::QUEUE_BYTES / 4];
        // No task has a turn in between, so nothing leaves the queue.
        let lost: Vec<_> = (0..5)
            .filter_map(|_| world.flows.transmit(CONNECTED, None, piece.clone()))
            .collect();
        assert!(
            matches!(
                &lost[..],
                [Wake::Flow {
                    flow: CONNECTED,
                    event: FlowEvent::Closed
                }]
            ),
            "{lost:?}"
        );
    });
}

#[test]
fn accepted_connections_are_flows_of_their_own() {
    in_runtime(async {
        let mut world = World::new();
        let FlowEvent::Opened { local, .. } = world.open(LISTENER, FlowRequest::ListenTcp { bind: here(0) })
        else {
            panic!()
        };
        let mut far = TcpStream::connect(local).await.unwrap();
        far.write_all(b"OPTIONS").await.unwrap();
        let (LISTENER, FlowEvent::Accepted { flow, remote, .. }) = world.next().await else {
            panic!()
        };
        assert!(flow.0 >= FlowId::ACCEPTED);
        assert_eq!(remote, far.local_addr().unwrap());
        assert_eq!(world.next().await, (flow, received(remote, b"OPTIONS")));
        world.flows.transmit(flow, None, b"200".to_vec());
        world.flows.close(flow);
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "200");
    });
}

#[test]
fn connections_beyond_the_limit_are_closed_and_room_comes_back() {
    in_runtime(async {
        let mut world = World::new();
        let FlowEvent::Opened { local, .. } = world.open(LISTENER, FlowRequest::ListenTcp { bind: here(0) })
        else {
            panic!()
        };
        let mut held = Vec::new();
        for _ in 0..listener::ACCEPTED_AT_ONCE {
            held.push(TcpStream::connect(local).await.unwrap());
            assert!(matches!(
                world.next().await,
                (LISTENER, FlowEvent::Accepted { .. })
            ));
        }
        let mut one_more = TcpStream::connect(local).await.unwrap();
        assert_eq!(one_more.read(&mut [0; 1]).await.unwrap_or(0), 0);
        held.pop();
        assert!(matches!(world.next().await, (_, FlowEvent::Closed)));
        // Its place is free once its task is gone, which is right after its last word.
        tokio::task::yield_now().await;
        held.push(TcpStream::connect(local).await.unwrap());
        assert!(matches!(
            world.next().await,
            (LISTENER, FlowEvent::Accepted { .. })
        ));
    });
}

#[test]
fn nothing_is_heard_of_a_closed_flow() {
    in_runtime(async {
        let world = World::new();
        world.listen_udp();
        let event = FlowEvent::Received {
            from: here(1),
            bytes: Vec::new(),
        };
        assert!(world.flows.hears(LISTENER, &event));
        world.flows.close(LISTENER);
        assert!(!world.flows.hears(LISTENER, &event));
        assert!(!world.flows.hears(LISTENER, &FlowEvent::Closed));
    });
}

#[test]
fn the_largest_datagram_arrives_whole() {
    in_runtime(async {
        let mut world = World::new();
        let port = world.listen_udp().port();
        let far = UdpSocket::bind(here(0)).await.unwrap();
        let bytes = vec![7; 65_507];
        far.send_to(&bytes, here(port)).await.unwrap();
        assert_eq!(
            world.next().await,
            (LISTENER, received(far.local_addr().unwrap(), &bytes))
        );
    });
}

fn here(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn free_address() -> SocketAddr {
    UdpSocket::bind(here(0)).await.unwrap().local_addr().unwrap()
}

fn received(from: SocketAddr, bytes: &[u8]) -> FlowEvent {
    FlowEvent::Received {
        from,
        bytes: bytes.to_vec(),
    }
}

struct World {
    flows: Flows,
    wakes: Receiver<Wake>,
}

impl World {
    fn new() -> Self {
        Self::trusting(Trust::new(None, &[]))
    }

    fn trusting(trust: Trust) -> Self {
        let (sender, wakes) = Wakes::channel();
        Self {
            flows: Flows::new(trust, sender),
            wakes,
        }
    }

    fn open(&self, flow: FlowId, request: FlowRequest) -> FlowEvent {
        match self.flows.open(flow, request) {
            Some(Wake::Flow { event, .. }) => event,
            other => panic!("{other:?}"),
        }
    }

    fn listen_udp(&self) -> SocketAddr {
        let bind = (Ipv4Addr::UNSPECIFIED, 0).into();
        match self.open(LISTENER, FlowRequest::ListenUdp { bind }) {
            FlowEvent::Opened { local, .. } => local,
            other => panic!("{other:?}"),
        }
    }

    async fn connect_tcp(&mut self) -> (TcpStream, SocketAddr) {
        let listener = TcpListener::bind(here(0)).await.unwrap();
        let remote = listener.local_addr().unwrap();
        assert!(
            self.flows
                .open(CONNECTED, FlowRequest::ConnectTcp { remote })
                .is_none()
        );
        let (far, from) = listener.accept().await.unwrap();
        assert_eq!(
            self.next().await,
            (CONNECTED, FlowEvent::Opened { local: from, remote })
        );
        (far, remote)
    }

    /// The next event of a flow that the loop still hears of.
    async fn next(&mut self) -> (FlowId, FlowEvent) {
        loop {
            match self.wakes.recv().await {
                Some(Wake::Flow { flow, event }) if self.flows.hears(flow, &event) => return (flow, event),
                Some(Wake::Flow { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
