//! Names against name servers that answer, deny, are silent, or know one family only.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;

use super::*;
use crate::edge::testing::in_runtime;

#[test]
fn literals_and_localhost_are_answered_at_once_without_a_network() {
    in_runtime(async {
        let offline = Names::from_files("/nonexistent".into(), "/nonexistent".into(), 53);
        let (wakes, _) = Wakes::channel();
        for (name, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("localhost", "127.0.0.1"),
        ] {
            let question = Question::Addresses(name.to_owned());
            let Some(Wake::Names {
                query: QueryId(7),
                answer: NamesAnswer::Addresses(found),
            }) = offline.look_up(QueryId(7), question, &wakes)
            else {
                panic!("{name} was not answered at once");
            };
            assert_eq!(found[0], address.parse::<IpAddr>().unwrap());
        }
        assert_eq!(offline.addresses("bridge.example.com").await, NamesAnswer::Slow);
    });
}

#[test]
fn the_hosts_file_goes_before_the_name_servers_and_is_read_anew() {
    in_runtime(async {
        let files = Files::new(53);
        std::fs::write(&files.hosts, "192.0.2.1 pbx\n").unwrap();
        assert_eq!(files.names.addresses("pbx").await, v4("192.0.2.1"));
        std::fs::write(&files.hosts, "192.0.2.2 pbx\n").unwrap();
        assert_eq!(files.names.addresses("PBX.").await, v4("192.0.2.2"));
    });
}

#[test]
fn a_server_that_knows_the_name_is_believed_and_its_answer_comes_as_a_wake() {
    in_runtime(async {
        let files = Files::new(serve(Behaviour::Answers("192.0.2.9")).await);
        let (wakes, mut heard) = Wakes::channel();
        let question = Question::Addresses("bridge.example.com".to_owned());
        assert!(files.names.look_up(QueryId(3), question, &wakes).is_none());
        let Some(Wake::Names { query, answer }) = heard.recv().await else {
            panic!()
        };
        assert_eq!((query, answer), (QueryId(3), v4("192.0.2.9")));
    });
}

#[test]
fn a_name_that_does_not_exist_is_not_found() {
    in_runtime(async {
        let files = Files::new(serve(Behaviour::Denies).await);
        assert_eq!(
            files.names.addresses("nowhere.example.com").await,
            NamesAnswer::NotFound
        );
        assert_eq!(files.names.addresses("a..b").await, NamesAnswer::NotFound);
        assert_eq!(
            files.names.addresses(&"x".repeat(300)).await,
            NamesAnswer::NotFound
        );
    });
}

#[test]
fn a_server_that_is_silent_on_one_family_does_not_hold_the_other() {
    in_runtime(async {
        let files = Files::new(serve(Behaviour::SilentOnV6("192.0.2.9")).await);
        let before = tokio::time::Instant::now();
        assert_eq!(files.names.addresses("bridge.example.com").await, v4("192.0.2.9"));
        assert!(before.elapsed() < Duration::from_secs(4));
    });
}

#[test]
fn a_changed_resolv_conf_is_followed() {
    in_runtime(async {
        let files = Files::new(serve(Behaviour::Answers("192.0.2.9")).await);
        std::fs::write(&files.resolv_conf, "# nothing\n").unwrap();
        assert_eq!(
            files.names.addresses("bridge.example.com").await,
            NamesAnswer::Slow
        );
        std::fs::write(&files.resolv_conf, "nameserver 127.0.0.1\n").unwrap();
        let later = std::fs::File::options()
            .write(true)
            .open(&files.resolv_conf)
            .unwrap();
        later
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000))
            .unwrap();
        assert_eq!(files.names.addresses("bridge.example.com").await, v4("192.0.2.9"));
    });
}

#[test]
fn silent_servers_make_the_answer_slow_within_the_limit() {
    in_runtime(async {
        let files = Files::new(serve(Behaviour::Silent).await);
        let limit = TIME_LIMIT + Duration::from_secs(5);
        let answer = tokio::time::timeout(limit, files.names.addresses("bridge.example.com")).await;
        assert_eq!(answer.unwrap(), NamesAnswer::Slow);
    });
}

#[test]
fn services_and_servers_come_from_the_server_that_is_set_with_their_addresses() {
    in_runtime(async {
        let port = serve(Behaviour::Answers("192.0.2.9")).await;
        let names = Names::of_server(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let (wakes, mut heard) = Wakes::channel();
        let question = Question::Naptr("example.com".to_owned());
        assert!(names.look_up(QueryId(1), question, &wakes).is_none());
        let Some(Wake::Names {
            answer: NamesAnswer::Naptr(services),
            ..
        }) = heard.recv().await
        else {
            panic!()
        };
        assert_eq!(services[0].service, "SIP+D2U");
        assert_eq!(services[0].replacement, "_sip._udp.example.com");
        let question = Question::Srv("_sip._udp.example.com".to_owned());
        names.look_up(QueryId(2), question, &wakes);
        let Some(Wake::Names {
            answer: NamesAnswer::Srv(servers),
            ..
        }) = heard.recv().await
        else {
            panic!()
        };
        assert_eq!(
            (servers[0].priority, servers[0].weight, servers[0].port),
            (1, 2, 5070)
        );
        assert_eq!(servers[0].addresses, ["192.0.2.9".parse::<IpAddr>().unwrap()]);
        // What the hosts file and RFC 6761 know has no services, and nobody is asked.
        let local = names.look_up(
            QueryId(3),
            Question::Srv("_sip._udp.localhost".to_owned()),
            &wakes,
        );
        assert!(matches!(
            local,
            Some(Wake::Names {
                answer: NamesAnswer::NotFound,
                ..
            })
        ));
    });
}

fn v4(address: &str) -> NamesAnswer {
    NamesAnswer::Addresses(vec![address.parse().unwrap()])
}

struct Files {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    names: Names,
    _directory: tempfile::TempDir,
}

impl Files {
    fn new(port: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (hosts, resolv_conf) = (
            directory.path().join("hosts"),
            directory.path().join("resolv.conf"),
        );
        std::fs::write(&resolv_conf, "nameserver 127.0.0.1\n").unwrap();
        let names = Names::from_files(hosts.clone(), resolv_conf.clone(), port);
        Self {
            hosts,
            resolv_conf,
            names,
            _directory: directory,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Answers(&'static str),
    SilentOnV6(&'static str),
    Denies,
    Silent,
}

/// A name server on loopback, UDP only; its port.
async fn serve(behaviour: Behaviour) -> u16 {
    let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            if let Some(answer) = answer(&question, behaviour) {
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    port
}

fn answer(question: &Message, behaviour: Behaviour) -> Option<Message> {
    let query = question.queries[0].clone();
    let is_v4 = query.query_type() == RecordType::A;
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_query(query.clone());
    let record = |data| Record::from_rdata(query.name().clone(), 60, data);
    let name = |text: &str| Name::from_ascii(text).unwrap();
    match behaviour {
        Behaviour::Answers(_) if query.query_type() == RecordType::NAPTR => {
            let bytes = |text: &str| text.as_bytes().into();
            let replacement = name("_sip._udp.example.com.");
            let data = NAPTR::new(1, 1, bytes("s"), bytes("SIP+D2U"), bytes(""), replacement);
            answer.add_answer(record(RData::NAPTR(data)));
        }
        Behaviour::Answers(_) if query.query_type() == RecordType::SRV => {
            let data = SRV::new(1, 2, 5070, name("pbx.example.com."));
            answer.add_answer(record(RData::SRV(data)));
        }
        Behaviour::Answers(address) | Behaviour::SilentOnV6(address) if is_v4 => {
            let address: Ipv4Addr = address.parse().unwrap();
            answer.add_answer(Record::from_rdata(
                query.name().clone(),
                60,
                RData::A(address.into()),
            ));
        }
        Behaviour::Answers(_) => {}
        Behaviour::Denies => answer.metadata.response_code = ResponseCode::NXDomain,
        Behaviour::SilentOnV6(_) | Behaviour::Silent => return None,
    }
    Some(answer)
}
