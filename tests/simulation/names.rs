//! The name servers, and what is wrong with them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use meetd::network::{NamesAnswer, Question, Srv};

/// The conference's name.
pub const CONFERENCE: &str = "conference.example.com";
/// Where the name servers say that it is.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 20));
/// Where nobody is.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));
/// How long an answer takes.
const QUICK: Duration = Duration::from_millis(2);
/// How long the edge asks before it says that nobody answers.
const SLOW: Duration = Duration::from_secs(5);

/// What is wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamesFault {
    #[default]
    None,
    /// They know no such name.
    NotFound,
    /// They do not answer in time.
    Slow,
    /// Not even the edge says that they do not.
    Lost,
    /// The first server that they name is gone.
    GoneServer,
}

impl NamesFault {
    /// Whether the conference is found in time for a join.
    pub fn finds(self) -> bool {
        matches!(self, Self::None | Self::GoneServer)
    }

    /// What is answered, and after how long; `None`: never.
    pub fn answer(self, question: &Question) -> Option<(Duration, NamesAnswer)> {
        match self {
            Self::None => Some((QUICK, found(question, &[ADDRESS]))),
            Self::GoneServer => Some((QUICK, found(question, &[NOWHERE, ADDRESS]))),
            Self::NotFound => Some((QUICK, NamesAnswer::NotFound)),
            Self::Slow => Some((SLOW, NamesAnswer::Slow)),
            Self::Lost => None,
        }
    }
}

fn found(question: &Question, servers: &[IpAddr]) -> NamesAnswer {
    match question {
        Question::Srv(name) if *name == format!("_sip._udp.{CONFERENCE}") => {
            let server = |(priority, address): (u16, &IpAddr)| Srv {
                priority,
                weight: 1,
                port: 5060,
                addresses: vec![*address],
            };
            NamesAnswer::Srv((1..).zip(servers).map(server).collect())
        }
        Question::Addresses(name) if name == CONFERENCE => NamesAnswer::Addresses(servers.to_vec()),
        Question::Srv(_) | Question::Addresses(_) | Question::Naptr(_) => NamesAnswer::NotFound,
    }
}
