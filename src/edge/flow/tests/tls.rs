//! Flows under TLS, against good and bad certificates.

use tokio_rustls::TlsAcceptor;

use super::*;
use crate::edge::tls::tests::{Authority, Leaf, only, pin, time_from_now};
use crate::network::CertFault;

const NAME: &str = "sip.example.com";

fn leaf() -> Leaf {
    Leaf {
        name: NAME,
        ..Leaf::default()
    }
}

#[test]
fn bytes_go_both_ways_and_the_end_is_told() {
    let authority = Authority::new();
    let file = authority.file();
    in_runtime(async {
        let mut world = World::trusting(only(Some(file.path().to_owned()), &[]));
        let (listener, remote) = world.dial_tls(NAME).await;
        // Sent before the connection is there.
        world.flows.transmit(CONNECTED, None, b"INVITE".to_vec());
        let (tcp, from) = listener.accept().await.unwrap();
        let mut far = leaf().server(&authority).accept(tcp).await.unwrap();
        assert_eq!(
            world.next().await,
            (CONNECTED, FlowEvent::Opened { local: from, remote })
        );
        let mut buffer = [0; 6];
        far.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"INVITE");
        far.write_all(b"100 Trying").await.unwrap();
        assert_eq!(world.next().await, (CONNECTED, received(remote, b"100 Trying")));
        // Longer than the socket takes at once: all of it arrives.
        let long = vec![7; 200 * 1024];
        world.flows.transmit(CONNECTED, None, long.clone());
        let mut arrived = vec![0; long.len()];
        far.read_exact(&mut arrived).await.unwrap();
        assert_eq!(arrived, long);
        far.shutdown().await.unwrap();
        assert_eq!(world.next().await, (CONNECTED, FlowEvent::Closed));
    });
}

#[test]
fn what_is_sent_last_still_leaves() {
    let authority = Authority::new();
    let file = authority.file();
    in_runtime(async {
        let mut world = World::trusting(only(Some(file.path().to_owned()), &[]));
        let (listener, _) = world.dial_tls(NAME).await;
        let (tcp, _) = listener.accept().await.unwrap();
        let mut far = leaf().server(&authority).accept(tcp).await.unwrap();
        world.next().await;
        world.flows.transmit(CONNECTED, None, b"BYE".to_vec());
        world.flows.close(CONNECTED);
        let mut last = Vec::new();
        far.read_to_end(&mut last).await.unwrap();
        assert_eq!(last, b"BYE");
    });
}

#[test]
fn a_bad_certificate_ends_the_connection_with_its_fault() {
    let authority = Authority::new();
    let expired = Leaf {
        valid: (time_from_now(-20), time_from_now(-10)),
        ..leaf()
    };
    let wrong_name = Leaf {
        name: "other.example.com",
        ..leaf()
    };
    let stranger = Leaf {
        issuer: Some(Authority::new()),
        ..leaf()
    };
    let other_pin = pin(&leaf().key);
    for (leaf, pins, fault) in [
        (expired, Vec::new(), CertFault::Expired),
        (wrong_name, Vec::new(), CertFault::WrongName),
        (stranger, Vec::new(), CertFault::UnknownIssuer),
        (leaf(), vec![other_pin], CertFault::NotPinned),
    ] {
        let server = leaf.server(&authority);
        assert_eq!(refused_by(&authority, server, &pins), fault);
    }
}

#[test]
fn a_server_that_wants_our_certificate_gets_it() {
    let authority = Authority::new();
    let file = authority.file();
    let ours = Leaf {
        name: "room-15-104.example.com",
        ..Leaf::default()
    };
    let (_folder, files) = ours.files(&authority);
    in_runtime(async {
        let trust = only(Some(file.path().to_owned()), &[]).with_identity(Some(files));
        let mut world = World::trusting(trust);
        let (listener, _) = world.dial_tls(NAME).await;
        let (tcp, _) = listener.accept().await.unwrap();
        let far = leaf().server_for_members(&authority).accept(tcp).await.unwrap();
        let (_, session) = far.get_ref();
        assert_eq!(session.peer_certificates().map(<[_]>::len), Some(1));
        assert!(matches!(world.next().await, (_, FlowEvent::Opened { .. })));
    });
}

#[test]
fn our_own_broken_certificate_is_named_with_its_file() {
    let authority = Authority::new();
    let file = authority.file();
    let (_folder, mut files) = leaf().files(&authority);
    files.key = "/nonexistent/room-key.pem".into();
    let trust = only(Some(file.path().to_owned()), &[]).with_identity(Some(files));
    let fault = in_runtime(async {
        let mut world = World::trusting(trust);
        let _listener = world.dial_tls(NAME).await;
        world.next().await
    });
    assert!(
        format!("{fault:?}").contains("/nonexistent/room-key.pem"),
        "{fault:?}"
    );
}

/// Why a connection to this server is not made.
fn refused_by(authority: &Authority, server: TlsAcceptor, pins: &[String]) -> CertFault {
    let file = authority.file();
    in_runtime(async {
        let mut world = World::trusting(only(Some(file.path().to_owned()), pins));
        let (listener, _) = world.dial_tls(NAME).await;
        let (tcp, _) = listener.accept().await.unwrap();
        tokio::spawn(async move { server.accept(tcp).await.map(drop) });
        match world.next().await {
            (CONNECTED, FlowEvent::Failed(ConnectFault::Tls { server_name, fault })) => {
                assert_eq!(server_name, NAME);
                fault
            }
            other => panic!("{other:?}"),
        }
    })
}

impl World {
    /// Asks for a connection to a listener of this name.
    async fn dial_tls(&mut self, name: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(here(0)).await.unwrap();
        let remote = listener.local_addr().unwrap();
        let request = FlowRequest::ConnectTls {
            remote,
            server_name: name.to_owned(),
        };
        assert!(self.flows.open(CONNECTED, request).is_none());
        (listener, remote)
    }
}
