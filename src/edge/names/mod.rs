//! From names to addresses: literals and the hosts file at once, then the name servers of `resolv.conf`, which is
//! read again when it changes.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::{join_all, select};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;

use crate::agent::Wake;
use crate::edge::wakes::Wakes;
use crate::network::{NamesAnswer, QueryId, Question};

mod hosts;
mod order;
mod services;

/// The longest a question may take, all servers and repetitions together.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The same for services and servers, which most domains have none of: a caller waits meanwhile.
const SERVICES_LIMIT: Duration = Duration::from_secs(2);

/// How many records of a kind are looked at.
const RECORDS: usize = 8;

/// How long the addresses of one family wait for those of the other. A server that drops AAAA questions is not
/// rare; RFC 8305 3 suggests 50 ms, which is short for a slow uplink.
const SECOND_FAMILY: Duration = Duration::from_millis(500);

/// Asks the name servers, remembers their answers for as long as they allow. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Names(Arc<Sources>);

#[derive(Debug)]
struct Sources {
    hosts: PathBuf,
    servers: Servers,
    resolver: Mutex<Option<Built>>,
}

/// A resolver, and of which `resolv.conf` it was made.
#[derive(Clone, Debug)]
struct Built {
    modified: Option<SystemTime>,
    resolver: Option<Arc<TokioResolver>>,
}

/// Where questions go.
#[derive(Clone, Debug)]
enum Servers {
    /// As `resolv.conf` says.
    System { resolv_conf: PathBuf, port: u16 },
    /// To this one.
    One(SocketAddr),
}

impl Default for Names {
    fn default() -> Self {
        Self::from_files("/etc/hosts".into(), "/etc/resolv.conf".into(), 53)
    }
}

impl Names {
    /// Asks this server and no other.
    pub fn of_server(server: SocketAddr) -> Self {
        Self::new("/etc/hosts".into(), Servers::One(server))
    }

    /// `port` is where name servers listen: 53 but in tests.
    fn from_files(hosts: PathBuf, resolv_conf: PathBuf, port: u16) -> Self {
        Self::new(hosts, Servers::System { resolv_conf, port })
    }

    fn new(hosts: PathBuf, servers: Servers) -> Self {
        Self(Arc::new(Sources {
            hosts,
            servers,
            resolver: Mutex::new(None),
        }))
    }

    /// With another hosts file.
    #[cfg(test)]
    pub fn with_hosts(hosts: PathBuf) -> Self {
        Self::from_files(hosts, "/etc/resolv.conf".into(), 53)
    }

    /// Answers a question: at once with the wake, or later through `wakes`.
    pub fn look_up(&self, query: QueryId, question: Question, wakes: &Wakes) -> Option<Wake> {
        if let Some(answer) = self.known_to(&question) {
            return Some(Wake::Names { query, answer });
        }
        let (names, wakes) = (self.clone(), wakes.clone());
        tokio::spawn(async move {
            let answer = match &question {
                Question::Addresses(name) => names.ask(name).await,
                Question::Naptr(name) => names.services(name).await,
                Question::Srv(name) => names.servers(name).await,
            };
            wakes.send(Wake::Names { query, answer }).await;
        });
        None
    }

    /// The addresses of a name, in the order to try them. Takes 5 s at most.
    pub async fn addresses(&self, name: &str) -> NamesAnswer {
        match self.known(name) {
            Some(answer) => answer,
            None => self.ask(name).await,
        }
    }

    fn known_to(&self, question: &Question) -> Option<NamesAnswer> {
        match question {
            Question::Addresses(name) => self.known(name),
            // What this machine knows by itself has no services.
            Question::Naptr(name) | Question::Srv(name) => {
                let labels = name.split('.').skip_while(|label| label.starts_with('_'));
                let domain = labels.collect::<Vec<_>>().join(".");
                self.known(&domain).map(|_| NamesAnswer::NotFound)
            }
        }
    }

    /// What needs no server: literals (IPv6 with or without brackets), the hosts file, localhost (RFC 6761 6.3).
    fn known(&self, name: &str) -> Option<NamesAnswer> {
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        if let Ok(literal) = bare.unwrap_or(name).parse::<IpAddr>() {
            return Some(NamesAnswer::Addresses(vec![literal]));
        }
        let in_file = hosts::read(&self.0.hosts, name);
        if !in_file.is_empty() {
            return Some(NamesAnswer::Addresses(order::to_try(in_file)));
        }
        hosts::is_localhost(name).then(|| NamesAnswer::Addresses(hosts::LOCALHOST.to_vec()))
    }

    async fn ask(&self, name: &str) -> NamesAnswer {
        let Some(resolver) = self.resolver() else {
            return NamesAnswer::Slow;
        };
        let answer = tokio::time::timeout(TIME_LIMIT, both_families(&resolver, name)).await;
        let answer = answer.unwrap_or(NamesAnswer::Slow);
        tracing::debug!(name, answer = ?answer, "name looked up");
        answer
    }

    async fn services(&self, name: &str) -> NamesAnswer {
        let answer = self.records(name, RecordType::NAPTR).await.map(|records| {
            let read = records.iter().filter_map(|record| match record {
                RData::NAPTR(record) => Some(services::naptr(record)),
                _ => None,
            });
            read.take(RECORDS).collect::<Vec<_>>()
        });
        match answer {
            Ok(records) if records.is_empty() => NamesAnswer::NotFound,
            Ok(records) => NamesAnswer::Naptr(records),
            Err(absence) => absence.into(),
        }
    }

    /// The servers, and at the same time the addresses of all of them.
    async fn servers(&self, name: &str) -> NamesAnswer {
        let records = match self.records(name, RecordType::SRV).await {
            Ok(records) => records,
            Err(absence) => return absence.into(),
        };
        let read = records.iter().filter_map(|record| match record {
            // RFC 2782: the root says that there is decidedly no such service.
            RData::SRV(record) if !record.target.is_root() => Some(record),
            _ => None,
        });
        let located = read.take(RECORDS).map(|record| async move {
            let addresses = self.addresses(&record.target.to_ascii()).await;
            services::srv(record, addresses)
        });
        let servers = join_all(located).await;
        if servers.is_empty() {
            return NamesAnswer::NotFound;
        }
        NamesAnswer::Srv(servers)
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, Absence> {
        let resolver = self.resolver().ok_or(Absence::Slow)?;
        // As it is written: services are not looked for in the search list.
        let name = format!("{}.", name.trim_end_matches('.'));
        let answer = tokio::time::timeout(SERVICES_LIMIT, resolver.lookup(name.as_str(), kind)).await;
        tracing::debug!(name, kind = %kind, answer = ?answer, "records looked up");
        match answer.map_err(|_| Absence::Slow)? {
            Ok(lookup) => Ok(lookup
                .answers()
                .iter()
                .map(|record| record.data.clone())
                .collect()),
            Err(error) => Err(absence(&error)),
        }
    }

    /// `None` without a readable `resolv.conf` that names a server.
    fn resolver(&self) -> Option<Arc<TokioResolver>> {
        let modified = match &self.0.servers {
            Servers::System { resolv_conf, .. } => std::fs::metadata(resolv_conf)
                .and_then(|status| status.modified())
                .ok(),
            Servers::One(_) => None,
        };
        let mut built = self.0.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        if built.as_ref().is_none_or(|built| built.modified != modified) {
            *built = Some(Built {
                modified,
                resolver: self.build(),
            });
        }
        built.as_ref().and_then(|built| built.resolver.clone())
    }

    fn build(&self) -> Option<Arc<TokioResolver>> {
        let built = match &self.0.servers {
            Servers::System { resolv_conf, port } => system_resolver(resolv_conf, *port),
            Servers::One(server) => {
                let servers = vec![NameServerConfig::udp_and_tcp(server.ip())];
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                resolver_of(config, ResolverOpts::default(), server.port())
            }
        };
        match built {
            Ok(resolver) => Some(Arc::new(resolver)),
            Err(error) => {
                tracing::warn!(servers = ?self.0.servers, error = %error, "no name server can be asked");
                None
            }
        }
    }
}

fn system_resolver(resolv_conf: &Path, port: u16) -> Result<TokioResolver, NetError> {
    let (config, options) = parse_resolv_conf(std::fs::read(resolv_conf)?)?;
    resolver_of(config, options, port)
}

fn resolver_of(config: ResolverConfig, options: ResolverOpts, port: u16) -> Result<TokioResolver, NetError> {
    let (domain, search, mut servers) = config.into_parts();
    for connection in servers.iter_mut().flat_map(|server| &mut server.connections) {
        connection.port = port;
    }
    let config = ResolverConfig::from_parts(domain, search, servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(within_limits(options))
        .build()
}

/// Two servers, or one asked twice, have their say within the time limit.
fn within_limits(mut options: ResolverOpts) -> ResolverOpts {
    options.timeout = options.timeout.min(Duration::from_secs(2));
    options.attempts = options.attempts.min(2);
    options.use_hosts_file = ResolveHosts::Never;
    options
}

async fn both_families(resolver: &TokioResolver, name: &str) -> NamesAnswer {
    let v4 = pin!(one_family(resolver, name, RecordType::A));
    let v6 = pin!(one_family(resolver, name, RecordType::AAAA));
    let (first, other) = select(v4, v6).await.factor_first();
    let patience = if first.is_ok() { SECOND_FAMILY } else { TIME_LIMIT };
    let second = tokio::time::timeout(patience, other)
        .await
        .unwrap_or(Err(Absence::Slow));
    match (first, second) {
        (Ok(first), Ok(second)) => NamesAnswer::Addresses(order::to_try([first, second].concat())),
        (Ok(addresses), Err(_)) | (Err(_), Ok(addresses)) => NamesAnswer::Addresses(order::to_try(addresses)),
        (Err(Absence::None), Err(Absence::None)) => NamesAnswer::NotFound,
        (Err(Absence::Slow), Err(_)) | (Err(Absence::None), Err(Absence::Slow)) => NamesAnswer::Slow,
    }
}

/// Why there are no addresses of a family, or no records of a kind.
#[derive(Clone, Copy, Debug)]
enum Absence {
    /// The servers say so, or it is no name.
    None,
    /// They say nothing, or fail.
    Slow,
}

async fn one_family(
    resolver: &TokioResolver,
    name: &str,
    family: RecordType,
) -> Result<Vec<IpAddr>, Absence> {
    match resolver.lookup(name, family).await {
        Ok(lookup) => {
            let records = lookup.answers().iter();
            let addresses: Vec<IpAddr> = records.filter_map(|record| record.data.ip_addr()).collect();
            if addresses.is_empty() {
                Err(Absence::None)
            } else {
                Ok(addresses)
            }
        }
        Err(error) => {
            tracing::debug!(name, family = %family, error = %error, "no addresses");
            Err(absence(&error))
        }
    }
}

fn absence(error: &NetError) -> Absence {
    if error.is_no_records_found() || matches!(error, NetError::Proto(_)) {
        Absence::None
    } else {
        Absence::Slow
    }
}

impl From<Absence> for NamesAnswer {
    fn from(absence: Absence) -> Self {
        match absence {
            Absence::None => Self::NotFound,
            Absence::Slow => Self::Slow,
        }
    }
}

#[cfg(test)]
mod tests;
