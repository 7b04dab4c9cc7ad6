//! Servers that said 503 with Retry-After: for that long others are asked in their place (RFC 3261 21.5.4, RFC 3263
//! 4.3), by every call and by the registration.

use std::collections::BTreeMap;
use std::time::Duration;

use super::headers::RetryAfter;
use super::locate::{Candidate, Step, Target};
use super::wire::Response;
use crate::time::{Moment, Now};

/// How many are remembered; beyond it the one that is back first is forgotten.
const MOST: usize = 32;
/// The longest that is believed: a server that asks for a year shall not be lost for one.
const LONGEST: Duration = Duration::from_secs(3600);

/// Who is out of service, and until when.
#[derive(Debug, Default)]
pub struct OutOfService(BTreeMap<Target, Moment>);

impl OutOfService {
    /// Takes a response of a server: only a 503 with Retry-After counts.
    pub fn note(&mut self, now: Now, target: &Target, response: &Response) {
        let after = response.headers.get("Retry-After");
        let after = after.and_then(|value| RetryAfter::parse(value).ok());
        let Some(RetryAfter(seconds)) = after.filter(|_| response.status == 503) else {
            return;
        };
        let pause = Duration::from_secs(u64::from(seconds)).min(LONGEST);
        tracing::info!(remote = %target.address, seconds = pause.as_secs(), "a SIP server is out of service");
        self.0.retain(|_, until| now.moment < *until);
        if self.0.len() >= MOST && !self.0.contains_key(target) {
            let first = self.0.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(target, _)| target.clone()) {
                self.0.remove(&first);
            }
        }
        self.0.insert(target.clone(), now.moment + pause);
    }

    /// Leaves out who is out of service, as long as anybody else is there.
    pub fn pass_over(&self, now: Now, step: Step) -> Step {
        let Step::Found(found) = step else { return step };
        let is_there = |candidate: &&Candidate| {
            let until = self.0.get(&candidate.target);
            until.is_none_or(|until| *until <= now.moment)
        };
        let there: Vec<Candidate> = found.iter().filter(is_there).cloned().collect();
        Step::Found(if there.is_empty() { found } else { there })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialer::sip::wire::{Method, Request};
    use crate::network::Transport;

    #[test]
    fn a_server_is_passed_over_for_as_long_as_it_said() {
        let mut memory = OutOfService::default();
        memory.note(at(0), &target(1), &refusal(503, Some("120 (lunch);duration=60")));
        assert_eq!(found(&memory, at(119), &[1, 2, 3]), [2, 3]);
        assert_eq!(found(&memory, at(120), &[1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn without_anybody_else_it_is_tried_all_the_same() {
        let mut memory = OutOfService::default();
        for number in [1, 2] {
            memory.note(at(0), &target(number), &refusal(503, Some("60")));
        }
        assert_eq!(found(&memory, at(1), &[1, 2]), [1, 2]);
        let failed = Step::Failed(crate::network::ConnectFault::Name("a".to_owned()));
        assert_eq!(memory.pass_over(at(1), failed.clone()), failed);
    }

    #[test]
    fn nothing_but_503_with_retry_after_counts() {
        let mut memory = OutOfService::default();
        for (status, after) in [
            (503, None),
            (503, Some("soon")),
            (500, Some("60")),
            (486, Some("60")),
        ] {
            memory.note(at(0), &target(1), &refusal(status, after));
        }
        assert_eq!(found(&memory, at(0), &[1, 2]), [1, 2]);
    }

    #[test]
    fn a_server_that_asks_for_ever_gets_an_hour() {
        let mut memory = OutOfService::default();
        memory.note(at(0), &target(1), &refusal(503, Some("4294967295")));
        assert_eq!(found(&memory, at(3599), &[1, 2]), [2]);
        assert_eq!(found(&memory, at(3600), &[1, 2]), [1, 2]);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut memory = OutOfService::default();
        for number in 0..1000 {
            let after = (1000 - u64::from(number)).to_string();
            memory.note(at(0), &target(number), &refusal(503, Some(&after)));
        }
        assert_eq!(memory.0.len(), MOST);
        // The first one asked for the longest time.
        assert_eq!(found(&memory, at(1), &[0, 2000]), [2000]);
    }

    fn at(seconds: u64) -> Now {
        Now {
            moment: Moment::since_boot(Duration::from_secs(seconds)),
            wall: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn target(port: u16) -> Target {
        Target {
            transport: Transport::Udp,
            address: ([192, 0, 2, 1], port).into(),
            server_name: None,
        }
    }

    fn refusal(status: u16, after: Option<&str>) -> Response {
        let request = Request::new(Method::Invite, "sip:meet@192.0.2.20".parse().unwrap());
        let mut response = request.response(status, "");
        if let Some(after) = after {
            response.headers.push("Retry-After", after);
        }
        response
    }

    fn found(memory: &OutOfService, now: Now, ports: &[u16]) -> Vec<u16> {
        let candidates = ports.iter().map(|port| Candidate {
            target: target(*port),
            server: 0,
        });
        match memory.pass_over(now, Step::Found(candidates.collect())) {
            Step::Found(found) => found.iter().map(|found| found.target.address.port()).collect(),
            other => panic!("{other:?}"),
        }
    }
}
