//! From a hop to its addresses, step by step (RFC 3263 4): which transports its domain has (NAPTR), which servers
//! they have (SRV), which addresses those have. It asks one question after the other and knows no clock.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::{Candidate, Choice, Hop};
use crate::chance::Chance;
use crate::network::{ConnectFault, NamesAnswer, Naptr, Question, Srv, Transport};

/// RFC 3263 sets no limit; more than this is no help to anybody who waits.
const TARGETS: usize = 8;

/// What stands between a hop and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The name servers must be asked.
    Ask(Question),
    /// These are the addresses, in the order to try them; never empty.
    Found(Vec<Candidate>),
    /// There are none.
    Failed(ConnectFault),
}

/// The servers of one transport: the name to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    transport: Transport,
    name: String,
}

/// ```text
/// (transport not stated) Services ──→ Servers ──(no server for any transport)──→ Addresses ──→ Found
///      (transport stated) ───────────────┘  └──→ Found                                ↑
///         (port written out) ─────────────────────────────────────────────────────────┘
/// ```
#[derive(Clone, Debug)]
enum State {
    Services,
    Servers {
        asked: Service,
        others: VecDeque<Service>,
    },
    Addresses,
}

/// A hop on the way to its addresses.
#[derive(Clone, Debug)]
pub struct Locating {
    hop: Hop,
    /// For the weights of servers, where there may be any.
    chance: Option<Chance>,
    state: State,
}

impl Locating {
    /// Begins; an address that is written out needs no question, and no chance.
    pub fn start(hop: Hop, chance: &mut Chance) -> (Self, Step) {
        let mut this = Self {
            chance: hop.host.address().is_none().then(|| chance.fork()),
            hop,
            state: State::Addresses,
        };
        let step = match (this.hop.host.address(), this.hop.port) {
            (Some(address), _) => this.found([address]),
            // RFC 3263 4.2: a port that is written out leaves nothing to the servers' records.
            (None, Some(_)) => this.ask_addresses(),
            (None, None) => match this.hop.choice {
                Choice::Transport | Choice::Secure => {
                    this.state = State::Services;
                    Step::Ask(Question::Naptr(this.domain()))
                }
                Choice::Server => this.ask_usual_servers(),
            },
        };
        (this, step)
    }

    /// Goes on with an answer.
    pub fn handle_answer(&mut self, answer: NamesAnswer) -> Step {
        match (self.state.clone(), answer) {
            (State::Services, NamesAnswer::Naptr(records)) => {
                let services = services(&records, self.hop.choice);
                if services.is_empty() {
                    return self.ask_usual_servers();
                }
                self.ask_servers(services)
            }
            (State::Services, _) => self.ask_usual_servers(),
            (State::Servers { asked, others }, NamesAnswer::Srv(records)) => {
                let servers = in_order(records, self.chance.as_mut());
                let found = servers.iter().enumerate().flat_map(|(number, server)| {
                    let at = move |address| (number, SocketAddr::new(address, server.port));
                    server.addresses.iter().copied().map(at)
                });
                let found: Vec<Candidate> = found
                    .take(TARGETS)
                    .map(|(server, address)| Candidate {
                        target: self.hop.over(asked.transport, address),
                        server,
                    })
                    .collect();
                if found.is_empty() {
                    self.ask_servers(others)
                } else {
                    Step::Found(found)
                }
            }
            // Servers that are silent on this question would be silent on the next of its kind.
            (State::Servers { .. }, NamesAnswer::Slow) => self.ask_addresses(),
            (State::Servers { others, .. }, _) => self.ask_servers(others),
            (State::Addresses, NamesAnswer::Addresses(addresses)) if !addresses.is_empty() => {
                self.found(addresses)
            }
            (State::Addresses, NamesAnswer::Slow) => Step::Failed(self.out_of_time()),
            (State::Addresses, _) => Step::Failed(ConnectFault::Name(self.domain())),
        }
    }

    /// What it means that the answers took too long altogether.
    pub fn out_of_time(&self) -> ConnectFault {
        ConnectFault::NameSlow(self.domain())
    }

    /// The addresses of one server.
    fn found(&self, addresses: impl IntoIterator<Item = IpAddr>) -> Step {
        let found = addresses.into_iter().take(TARGETS).map(|address| Candidate {
            target: self.hop.at(address),
            server: 0,
        });
        Step::Found(found.collect())
    }

    /// RFC 3263 4.1: without NAPTR each transport's servers are asked for, the wanted one's first.
    fn ask_usual_servers(&mut self) -> Step {
        let mut transports = match self.hop.choice {
            Choice::Transport => vec![Transport::Udp, Transport::Tcp, Transport::Tls],
            Choice::Server | Choice::Secure => vec![self.hop.transport],
        };
        transports.sort_by_key(|transport| *transport != self.hop.transport);
        let services = transports.into_iter().map(|transport| self.usual(transport));
        let services = services.collect();
        self.ask_servers(services)
    }

    fn ask_servers(&mut self, mut services: VecDeque<Service>) -> Step {
        let Some(asked) = services.pop_front() else {
            return self.ask_addresses();
        };
        let question = Question::Srv(asked.name.clone());
        self.state = State::Servers {
            asked,
            others: services,
        };
        Step::Ask(question)
    }

    fn ask_addresses(&mut self) -> Step {
        self.state = State::Addresses;
        Step::Ask(Question::Addresses(self.domain()))
    }

    fn usual(&self, transport: Transport) -> Service {
        let prefix = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
        };
        Service {
            transport,
            name: format!("{prefix}.{}", self.domain()),
        }
    }

    fn domain(&self) -> String {
        self.hop.host.to_string()
    }
}

/// The services that we know, best first. Those of a higher order are not looked at (RFC 3403 4.1).
fn services(records: &[Naptr], choice: Choice) -> VecDeque<Service> {
    let mut known: Vec<(u16, u16, Service)> = records
        .iter()
        .filter(|record| record.flags.eq_ignore_ascii_case("s"))
        .filter_map(|record| {
            let transport = match record.service.to_ascii_uppercase().as_str() {
                "SIP+D2U" if choice == Choice::Transport => Transport::Udp,
                "SIP+D2T" if choice == Choice::Transport => Transport::Tcp,
                "SIPS+D2T" => Transport::Tls,
                _ => return None,
            };
            let name = record.replacement.clone();
            Some((record.order, record.preference, Service { transport, name }))
        })
        .collect();
    known.sort_by_key(|(order, preference, _)| (*order, *preference));
    let first = known.first().map(|(order, _, _)| *order);
    known
        .into_iter()
        .filter(|(order, _, _)| Some(*order) == first)
        .map(|(_, _, service)| service)
        .take(3)
        .collect()
}

/// RFC 2782: by priority, and within one at random, as their weights say.
fn in_order(mut servers: Vec<Srv>, mut chance: Option<&mut Chance>) -> Vec<Srv> {
    servers.sort_by_key(|server| (server.priority, server.weight));
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some(priority) = servers.first().map(|server| server.priority) {
        let group = servers.iter().take_while(|server| server.priority == priority);
        let weights: Vec<u64> = group.map(|server| u64::from(server.weight)).collect();
        let limit = weights.iter().sum::<u64>() + 1;
        let drawn = chance.as_mut().map_or(0, |chance| chance.below(limit));
        let mut running = 0;
        let chosen = weights.iter().position(|weight| {
            running += weight;
            running >= drawn
        });
        ordered.push(servers.remove(chosen.unwrap_or_default()));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialer::sip::uri::Uri;

    #[test]
    fn a_domain_is_asked_for_services_then_servers_then_addresses() {
        let (mut locating, step) = start("sip:meet@example.com");
        assert_eq!(step, naptr("example.com"));
        let mut step = locating.handle_answer(NamesAnswer::NotFound);
        for name in ["_sip._udp", "_sip._tcp", "_sips._tcp"] {
            assert_eq!(step, srv(&format!("{name}.example.com")));
            step = locating.handle_answer(NamesAnswer::NotFound);
        }
        assert_eq!(step, Step::Ask(Question::Addresses("example.com".to_owned())));
        let answer = NamesAnswer::Addresses(vec![ip("192.0.2.7"), ip("2001:db8::7")]);
        assert_eq!(
            shown(locating.handle_answer(answer)),
            ["Udp 192.0.2.7:5060", "Udp [2001:db8::7]:5060"]
        );
        let missing = ConnectFault::Name("example.com".to_owned());
        assert_eq!(
            locating.handle_answer(NamesAnswer::NotFound),
            Step::Failed(missing)
        );
        let slow = ConnectFault::NameSlow("example.com".to_owned());
        assert_eq!(locating.handle_answer(NamesAnswer::Slow), Step::Failed(slow));
    }

    #[test]
    fn a_stated_transport_asks_for_its_servers_and_a_port_for_addresses() {
        assert_eq!(
            start("sip:a@example.com;transport=tcp").1,
            srv("_sip._tcp.example.com")
        );
        assert_eq!(
            start("sip:a@example.com;transport=tls").1,
            srv("_sips._tcp.example.com")
        );
        assert_eq!(
            start("sips:a@example.com;transport=tcp").1,
            srv("_sips._tcp.example.com")
        );
        let addresses = Step::Ask(Question::Addresses("example.com".to_owned()));
        assert_eq!(start("sip:a@example.com:5070").1, addresses);
    }

    #[test]
    fn naptr_chooses_the_transport_by_order_and_preference() {
        let (mut locating, _) = start("sip:meet@example.com");
        let record = |order, preference, service: &str, replacement: &str| Naptr {
            order,
            preference,
            flags: "S".to_owned(),
            service: service.to_owned(),
            replacement: replacement.to_owned(),
        };
        let step = locating.handle_answer(NamesAnswer::Naptr(vec![
            record(90, 1, "SIP+D2S", "sctp.example.com"),
            record(200, 1, "SIP+D2U", "udp.example.com"),
            record(100, 20, "SIP+D2T", "tcp.example.com"),
            record(100, 10, "sips+d2t", "tls.example.com"),
            Naptr {
                flags: "u".to_owned(),
                ..record(1, 1, "SIP+D2U", "regular.example.com")
            },
        ]));
        assert_eq!(step, srv("tls.example.com"));
        assert_eq!(
            locating.handle_answer(NamesAnswer::NotFound),
            srv("tcp.example.com")
        );
        let found = NamesAnswer::Srv(vec![server(1, 1, 5070, &["192.0.2.7"])]);
        assert_eq!(shown(locating.handle_answer(found)), ["Tcp 192.0.2.7:5070"]);
    }

    #[test]
    fn sips_takes_no_service_but_those_of_tls() {
        let (mut locating, step) = start("sips:meet@example.com");
        assert_eq!(step, naptr("example.com"));
        let record = |preference, service: &str, replacement: &str| Naptr {
            order: 1,
            preference,
            flags: "s".to_owned(),
            service: service.to_owned(),
            replacement: replacement.to_owned(),
        };
        let plain = record(1, "SIP+D2T", "tcp.example.com");
        let secure = record(2, "SIPS+D2T", "tls.example.com");
        let step = locating.handle_answer(NamesAnswer::Naptr(vec![plain.clone(), secure]));
        assert_eq!(step, srv("tls.example.com"));
        let (mut locating, _) = start("sips:meet@example.com");
        let step = locating.handle_answer(NamesAnswer::Naptr(vec![plain]));
        assert_eq!(step, srv("_sips._tcp.example.com"));
        let addresses = Step::Ask(Question::Addresses("example.com".to_owned()));
        assert_eq!(locating.handle_answer(NamesAnswer::NotFound), addresses);
        let found = locating.handle_answer(NamesAnswer::Addresses(vec![ip("192.0.2.7")]));
        assert_eq!(shown(found), ["Tls 192.0.2.7:5061"]);
    }

    #[test]
    fn each_address_says_whose_it_is() {
        let (mut locating, _) = start("sip:meet@example.com;transport=tcp");
        let first = server(1, 1, 5070, &["2001:db8::7", "192.0.2.7"]);
        let found = NamesAnswer::Srv(vec![server(2, 1, 5070, &["192.0.2.8"]), first]);
        let Step::Found(found) = locating.handle_answer(found) else {
            panic!()
        };
        let servers: Vec<usize> = found.iter().map(|found| found.server).collect();
        assert_eq!(servers, [0, 0, 1]);
    }

    #[test]
    fn servers_under_tls_are_verified_as_the_domain_that_was_dialled() {
        let (mut locating, _) = start("sip:meet@example.com;transport=tls");
        let found = NamesAnswer::Srv(vec![server(1, 1, 5063, &["192.0.2.7"])]);
        let Step::Found(targets) = locating.handle_answer(found) else {
            panic!()
        };
        assert_eq!(targets[0].target.server_name.as_deref(), Some("example.com"));
        assert_eq!(targets[0].target.address, "192.0.2.7:5063".parse().unwrap());
    }

    #[test]
    fn servers_go_by_priority_and_share_by_weight() {
        let mut first = [0_u32; 3];
        for seed in 0..200 {
            let records = vec![
                server(20, 0, 5069, &["192.0.2.9"]),
                server(10, 75, 5061, &["192.0.2.1"]),
                server(10, 25, 5062, &["192.0.2.2"]),
                server(10, 0, 5063, &["192.0.2.3"]),
            ];
            let ordered = in_order(records, Some(&mut Chance::from_seed([seed; 32])));
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3].port, 5069, "a lower priority goes last");
            first[usize::from(ordered[0].port) - 5061] += 1;
        }
        assert!((120..=175).contains(&first[0]), "{first:?}");
        assert!((25..=75).contains(&first[1]), "{first:?}");
        assert!(first[2] < 15, "{first:?}");
    }

    #[test]
    fn a_silent_name_server_is_not_asked_for_every_transport() {
        let (mut locating, _) = start("sip:meet@example.com");
        assert_eq!(
            locating.handle_answer(NamesAnswer::Slow),
            srv("_sip._udp.example.com")
        );
        let addresses = Step::Ask(Question::Addresses("example.com".to_owned()));
        assert_eq!(locating.handle_answer(NamesAnswer::Slow), addresses);
    }

    #[test]
    fn records_that_lead_nowhere_and_floods_of_them_are_survived() {
        let (mut locating, _) = start("sip:meet@example.com;transport=udp");
        let nothing = NamesAnswer::Srv(vec![server(1, 1, 0, &[])]);
        let addresses = Step::Ask(Question::Addresses("example.com".to_owned()));
        assert_eq!(locating.handle_answer(nothing), addresses);
        let (mut locating, _) = start("sip:meet@example.com;transport=udp");
        let flood = (0..1000).map(|_| server(1, u16::MAX, 5060, &["192.0.2.1", "192.0.2.2"]));
        let step = locating.handle_answer(NamesAnswer::Srv(flood.collect()));
        assert_eq!(shown(step).len(), TARGETS);
    }

    fn start(uri: &str) -> (Locating, Step) {
        let hop = Hop::of(&Uri::parse(uri).unwrap(), None).unwrap();
        Locating::start(hop, &mut Chance::from_seed([1; 32]))
    }

    fn naptr(name: &str) -> Step {
        Step::Ask(Question::Naptr(name.to_owned()))
    }

    fn srv(name: &str) -> Step {
        Step::Ask(Question::Srv(name.to_owned()))
    }

    fn ip(address: &str) -> std::net::IpAddr {
        address.parse().unwrap()
    }

    fn server(priority: u16, weight: u16, port: u16, addresses: &[&str]) -> Srv {
        Srv {
            priority,
            weight,
            port,
            addresses: addresses.iter().map(|address| ip(address)).collect(),
        }
    }

    fn shown(step: Step) -> Vec<String> {
        let Step::Found(targets) = step else {
            panic!("{step:?}")
        };
        let show = |found: &Candidate| format!("{:?} {}", found.target.transport, found.target.address);
        targets.iter().map(show).collect()
    }
}
