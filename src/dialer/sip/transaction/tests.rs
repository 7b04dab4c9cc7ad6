//! The timers of RFC 3261 17 and the matching of messages, in virtual time.

use std::time::Duration;

use super::table::{Arrival, ClientKey, Owner, TableOutput, Transactions};
use super::{Failure, PATIENCE, Path};
use crate::dialer::sip::compose;
use crate::dialer::sip::wire::{Message, Method, Request, Response, read_datagram};
use crate::network::{ConnectFault, FlowId};
use crate::time::{Moment, Now};

const OWNER: Owner = Owner(1);

struct Table {
    table: Transactions,
    now: Now,
}

fn path(is_reliable: bool) -> Path {
    Path {
        flow: FlowId(3),
        to: None,
        is_reliable,
    }
}

fn request(method: &str, via: &str) -> Request {
    let text = format!(
        "{method} sip:b@192.0.2.20 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:a@192.0.2.10>;tag=1\r\n\
         To: <sip:b@192.0.2.20>\r\nCall-ID: c\r\nCSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
    );
    match read_datagram(text.as_bytes()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

const VIA: &str = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa";

impl Table {
    fn new() -> Self {
        let now = Now {
            moment: Moment::default(),
            wall: jiff::Timestamp::UNIX_EPOCH,
        };
        Self {
            table: Transactions::default(),
            now,
        }
    }

    fn start(&mut self, method: &str, is_reliable: bool) -> Request {
        let request = request(method, VIA);
        self.table
            .start(self.now, OWNER, path(is_reliable), request.clone());
        request
    }

    /// When bytes left within this time, in milliseconds, and how it ended.
    fn sent_within(&mut self, time: Duration) -> (Vec<u128>, Option<Failure>) {
        let (mut times, mut failure) = (Vec::new(), None);
        let end = self.now.moment + time;
        loop {
            while let Some(output) = self.table.poll_output() {
                match output {
                    TableOutput::Transmit(..) | TableOutput::TransmitAnew(..) => {
                        times.push(self.now.moment.elapsed_since_boot().as_millis());
                    }
                    TableOutput::Failed(owner, _, found) => {
                        assert_eq!(owner, OWNER);
                        failure = Some(found);
                    }
                    TableOutput::Answered(..) => {}
                }
            }
            match self.table.next_deadline().filter(|deadline| deadline.at <= end) {
                Some(deadline) => self.now.moment = deadline.at,
                None => break,
            }
            self.table.handle_deadline(self.now);
        }
        self.now.moment = end;
        (times, failure)
    }

    fn answer(&mut self, request: &Request, status: u16) -> Option<Response> {
        self.table
            .handle_response(self.now, request.response(status, "x"))
    }

    fn arrives(&mut self, request: &Request, is_reliable: bool) -> Arrival {
        self.table
            .handle_request(self.now, path(is_reliable), None, request, false)
    }

    fn respond(&mut self, key: &super::table::ServerKey, request: &Request, status: u16) {
        self.table
            .respond(self.now, key, &compose::answer(request, status, "t"));
    }
}

fn key(arrival: Arrival) -> super::table::ServerKey {
    match arrival {
        Arrival::New(key) => key,
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_secs(200);

#[test]
fn timer_a_doubles_and_timer_b_ends_it() {
    let mut table = Table::new();
    table.start("INVITE", false);
    let (times, failure) = table.sent_within(LONG);
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(failure, Some(Failure::TimedOut));
    assert!(!table.table.uses(FlowId(3)));
}

#[test]
fn timer_e_doubles_up_to_t2_and_timer_f_ends_it() {
    let mut table = Table::new();
    table.start("BYE", false);
    let (times, failure) = table.sent_within(LONG);
    assert_eq!(
        times,
        [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
    );
    assert_eq!(failure, Some(Failure::TimedOut));
}

#[test]
fn a_provisional_response_slows_timer_e_to_t2() {
    let mut table = Table::new();
    let bye = table.start("BYE", false);
    assert!(table.answer(&bye, 100).is_none());
    let (times, failure) = table.sent_within(Duration::from_secs(10));
    assert_eq!((times, failure), (vec![0, 500, 4500, 8500], None));
}

#[test]
fn nothing_is_repeated_on_a_stream() {
    for method in ["INVITE", "BYE"] {
        let mut table = Table::new();
        table.start(method, true);
        let (times, failure) = table.sent_within(LONG);
        assert_eq!((times.len(), failure), (1, Some(Failure::TimedOut)), "{method}");
        assert_eq!(table.table.next_deadline(), None);
    }
}

#[test]
fn a_refusal_is_acknowledged_for_timer_d_and_then_forgotten() {
    let mut table = Table::new();
    let invite = table.start("INVITE", false);
    for status in [486, 486, 200, 180] {
        assert!(table.answer(&invite, status).is_none());
    }
    let (times, failure) = table.sent_within(PATIENCE);
    assert_eq!((times.len(), failure), (3, None), "the INVITE and two ACKs");
    assert!(table.answer(&invite, 486).is_some());
    let mut table = Table::new();
    let invite = table.start("INVITE", true);
    assert!(table.answer(&invite, 486).is_none());
    table.sent_within(Duration::ZERO);
    assert!(!table.table.uses(FlowId(3)), "timer D is zero on a stream");
}

#[test]
fn each_2xx_is_told_for_timer_m() {
    let mut table = Table::new();
    let invite = table.start("INVITE", false);
    for _ in 0..3 {
        assert!(table.answer(&invite, 200).is_none());
    }
    let mut told = 0;
    while let Some(output) = table.table.poll_output() {
        told += usize::from(matches!(output, TableOutput::Answered(..)));
    }
    assert_eq!(told, 3);
    table.sent_within(PATIENCE);
    assert!(table.answer(&invite, 200).is_some());
}

#[test]
fn a_fault_counts_only_while_nothing_was_heard() {
    let fault = ConnectFault::Refused("192.0.2.20:5060".parse().unwrap());
    let mut table = Table::new();
    table.start("INVITE", false);
    table.table.handle_fault(FlowId(4), &fault);
    assert_eq!(table.sent_within(Duration::ZERO).1, None, "another flow");
    table.table.handle_fault(FlowId(3), &fault);
    assert_eq!(
        table.sent_within(Duration::ZERO).1,
        Some(Failure::Flow(fault.clone()))
    );
    let mut table = Table::new();
    let invite = table.start("INVITE", false);
    table.answer(&invite, 180);
    table.table.handle_fault(FlowId(3), &fault);
    assert_eq!(table.sent_within(LONG).1, None);
    assert!(table.answer(&invite, 200).is_none());
}

#[test]
fn a_cancel_and_its_invite_are_told_apart() {
    let mut table = Table::new();
    let invite = table.start("INVITE", true);
    let cancel = compose::cancel(&invite);
    table.table.start(table.now, OWNER, path(true), cancel.clone());
    assert_ne!(ClientKey::of_request(&invite), ClientKey::of_request(&cancel));
    assert!(table.answer(&cancel, 200).is_none());
    assert!(table.answer(&invite, 487).is_none());
}

#[test]
fn our_refusal_is_repeated_until_its_acknowledgement() {
    let mut table = Table::new();
    let invite = request("INVITE", VIA);
    let server = key(table.arrives(&invite, false));
    table.respond(&server, &invite, 480);
    assert_eq!(table.sent_within(Duration::from_secs(4)).0, [0, 500, 1500, 3500]);
    assert_eq!(table.arrives(&invite, false), Arrival::Absorbed);
    assert_eq!(
        table.sent_within(Duration::ZERO).0.len(),
        1,
        "the same INVITE gets the same answer"
    );
    assert_eq!(table.arrives(&request("ACK", VIA), false), Arrival::Absorbed);
    assert_eq!(table.arrives(&invite, false), Arrival::Absorbed);
    assert!(table.sent_within(LONG).0.is_empty());
    assert!(!table.table.knows(&server));
}

#[test]
fn an_unacknowledged_refusal_is_given_up_after_timer_h() {
    let mut table = Table::new();
    let invite = request("INVITE", VIA);
    let server = key(table.arrives(&invite, false));
    table.respond(&server, &invite, 480);
    let (times, _) = table.sent_within(LONG);
    assert_eq!(times.last(), Some(&31500));
    assert!(!table.table.knows(&server));
}

#[test]
fn a_request_that_is_repeated_gets_the_same_answer_for_timer_j() {
    let mut table = Table::new();
    let options = request("OPTIONS", VIA);
    let server = key(table.arrives(&options, false));
    assert_eq!(table.arrives(&options, false), Arrival::Absorbed);
    assert!(
        table.sent_within(Duration::ZERO).0.is_empty(),
        "nothing to repeat yet"
    );
    table.respond(&server, &options, 200);
    table.respond(&server, &options, 500);
    assert_eq!(table.arrives(&options, false), Arrival::Absorbed);
    assert_eq!(table.sent_within(Duration::from_millis(31_999)).0.len(), 2);
    assert_eq!(table.arrives(&options, false), Arrival::Absorbed);
    table.sent_within(Duration::from_millis(1));
    assert_eq!(table.arrives(&options, false), Arrival::New(server));
}

#[test]
fn senders_and_methods_are_told_apart() {
    let mut table = Table::new();
    let options = request("OPTIONS", VIA);
    key(table.arrives(&options, false));
    key(table.arrives(&request("INFO", VIA), false));
    key(table.arrives(&request("OPTIONS", &VIA.replace(":5060", ":5061")), false));
    assert_eq!(
        table.arrives(&request("ACK", VIA), false),
        Arrival::Acknowledgement
    );
}

#[test]
fn senders_of_rfc_2543_are_matched_without_a_branch() {
    let mut table = Table::new();
    let old = "SIP/2.0/UDP 192.0.2.10:5060";
    let invite = request("INVITE", old);
    let server = key(table.arrives(&invite, false));
    table.respond(&server, &invite, 480);
    assert_eq!(table.arrives(&invite, false), Arrival::Absorbed);
    assert_eq!(table.arrives(&request("ACK", old), false), Arrival::Absorbed);
    assert_eq!(table.sent_within(LONG).0.len(), 2);
}

#[test]
fn a_flood_of_requests_is_bounded() {
    let mut table = Table::new();
    let mut taken = 0;
    for number in 0..1000 {
        let options = request("OPTIONS", &format!("{VIA}{number}"));
        assert_eq!(options.method, Method::Options);
        taken += usize::from(matches!(table.arrives(&options, false), Arrival::New(_)));
    }
    assert_eq!(taken, 256);
    let bye = request("BYE", VIA);
    assert!(matches!(
        table
            .table
            .handle_request(table.now, path(false), None, &bye, true),
        Arrival::New(_)
    ));
}
