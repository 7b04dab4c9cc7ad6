//! Somebody else on the network knows Call-ID and tags of a call with sipp, and tries to hold it and to hang it up.

use std::net::UdpSocket;

use crate::conditions::wait_for;
use crate::peers::HANG_GUARD;
use crate::peers::programs::{self, Skipped};
use crate::peers::sip_text::Message;
use crate::sipp::{Over, Sipp};
use crate::sipp_stories::{Called, Unusual};

/// Where the stranger is; sipp is at 127.0.0.1.
const ELSEWHERE: &str = "127.0.0.66:0";

/// He gets 403 to both, the far end is asked once, and the call goes on until it is ended here.
pub fn change_nothing(over: Over) -> Result<(), Skipped> {
    let port = programs::free_port();
    let listen = format!("[\"127.0.0.1:{port}\"]");
    let unusual = Unusual {
        keys: &[("sip.listen", listen.as_str())],
        pin: "",
    };
    let called =
        Called::without_answer(over, &["-sf", &Sipp::scenario("stranger.xml")], unusual)?.and_answer();
    called.is_answered();
    wait_for(&called, "CSeq: 1 ACK", 1);
    let stranger = UdpSocket::bind(ELSEWHERE).unwrap();
    stranger.set_read_timeout(Some(HANG_GUARD)).unwrap();
    stranger.connect(("127.0.0.1", port)).unwrap();
    for (number, method) in [(2_000_000_001, "INVITE"), (2_000_000_002, "BYE")] {
        let request = forged(&called, number, method, &stranger);
        stranger.send(&request.write()).unwrap();
        let mut buffer = [0; 65_535];
        let length = stranger.recv(&mut buffer).unwrap();
        let answer = Message::read(&buffer[..length]).unwrap();
        assert!(answer.answers(method, 403), "{answer:?}");
    }
    wait_for(&called, "CSeq: 2 UPDATE", 2);
    let status = called.room.home.status();
    assert_eq!(status["call"]["state"], "ACTIVE", "{status:#}");
    called.end();
    Ok(())
}

/// A request as the far end would send it next.
fn forged(called: &Called, number: u32, method: &str, stranger: &UdpSocket) -> Message {
    let written = called.sipp.read_messages();
    let answer = written.iter().find(|message| message.answers("INVITE", 200));
    let answer = answer.expect("sipp answered");
    let invite = written.iter().find(|message| message.is("INVITE"));
    let contact = invite.and_then(|invite| invite.uri_of("Contact")).expect("ours");
    let here = stranger.local_addr().unwrap();
    let header = |name: &str| answer.header(name).expect(name).to_owned();
    let description = match method {
        "INVITE" => answer.body.clone() + "a=sendonly\r\n",
        _ => String::new(),
    };
    let headers = [
        (
            "Via",
            format!("SIP/2.0/UDP {here};branch=z9hG4bKstranger{number}"),
        ),
        ("Max-Forwards", "70".to_owned()),
        ("From", header("To")),
        ("To", header("From")),
        ("Call-ID", answer.call_id().to_owned()),
        ("CSeq", format!("{number} {method}")),
        ("Contact", format!("<sip:stranger@{here}>")),
        ("Content-Type", "application/sdp".to_owned()),
    ];
    Message {
        start: format!("{method} {contact} SIP/2.0"),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        body: description,
    }
}
