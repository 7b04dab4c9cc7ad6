//! The matrix: each transport, with and without encrypted audio, with each kind of password check. kamailio takes the
//! transport and asks for the password, baresip behind it answers, speaks and listens.

use crate::baresip::Baresip;
use crate::kamailio::{Kamailio, Manner, PASSWORD};
use crate::kamailio_stories::{By, room};
use crate::peers::directives::{self, outcome};
use crate::peers::programs::Skipped;
use crate::runner::Table;

/// Half a second of audio.
const ENOUGH: u64 = 25;

/// One kind of call.
#[derive(Clone, Copy)]
pub struct Cell {
    by: By,
    is_encrypted: bool,
    check: Check,
}

/// What is asked for before the call is let through.
#[derive(Clone, Copy)]
enum Check {
    Nothing,
    Md5,
    Sha256,
}

const PAIRS: [(bool, Check); 6] = [
    (false, Check::Nothing),
    (false, Check::Md5),
    (false, Check::Sha256),
    (true, Check::Nothing),
    (true, Check::Md5),
    (true, Check::Sha256),
];

/// All of them.
pub fn cells() -> impl Iterator<Item = Cell> {
    let of_pair = |(is_encrypted, check)| {
        By::ALL.map(|by| Cell {
            by,
            is_encrypted,
            check,
        })
    };
    PAIRS.into_iter().flat_map(of_pair)
}

/// A row for each pair of audio and check, a column for each transport.
pub fn table() -> Table {
    let rows = PAIRS.map(|(is_encrypted, check)| {
        let of_row =
            cells().filter(|cell| cell.is_encrypted == is_encrypted && cell.check.name() == check.name());
        let names = of_row.map(|cell| cell.name());
        (row_name(is_encrypted, check), names.collect())
    });
    rows.into()
}

fn row_name(is_encrypted: bool, check: Check) -> String {
    let audio = if is_encrypted { "srtp" } else { "rtp" };
    format!("matrix_{audio}_{}", check.name())
}

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no_auth",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        }
    }

    fn algorithm(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Md5 => Some("MD5"),
            Self::Sha256 => Some("SHA-256"),
        }
    }
}

impl Cell {
    /// Its story's name.
    pub fn name(&self) -> String {
        format!("{}_{}", row_name(self.is_encrypted, self.check), self.by.name())
    }

    /// Tells it.
    pub fn tell(&self) -> Result<(), Skipped> {
        let mut baresip = Baresip::start_with(if self.is_encrypted {
            ";mediaenc=srtp-mand"
        } else {
            ""
        })?;
        let kamailio = Kamailio::start(&Manner {
            callee: baresip.port,
            algorithm: self.check.algorithm().unwrap_or("MD5"),
            challenges_calls: self.check.algorithm().is_some(),
            ..Manner::default()
        })?;
        let srtp = if self.is_encrypted {
            "\"require\""
        } else {
            "\"off\""
        };
        let room = room(&kamailio, &[("media.srtp", srtp)]);
        let endpoint = self.by.endpoint(&kamailio).replace("meet@", "far@");
        let event = room.bridge.ask(&directives::join(&endpoint));
        assert_eq!(outcome(&event), "Response", "{event}");
        room.bridge.wait_for_call_state("ACTIVE");
        baresip.wait_for_packets(ENOUGH);
        let call = room.wait_for_status("audio both ways", |status| {
            let media = &status["call"]["media"];
            let enough = |name: &str| media[name].as_u64().is_some_and(|packets| packets >= ENOUGH);
            (enough("rxPackets") && enough("txPackets")).then(|| status["call"].clone())
        });
        assert_eq!(call["srtp"], self.is_encrypted);
        let over = call["transport"].as_str().unwrap_or_default().to_owned();
        assert!(
            over == self.by.name() || over == "tcp" && self.may_be_too_long(),
            "{over}"
        );
        assert_eq!(outcome(&room.bridge.ask(&directives::end())), "Response");
        room.bridge.wait_for_call_state("IDLE");
        baresip.control.wait_for("the end of the call", |heard| {
            let closed = heard.iter().any(|(_, value)| value["type"] == "CALL_CLOSED");
            closed.then_some(())
        });
        kamailio.program.wait_for_line(&format!("got BYE over {over}"));
        let log = room.meetd.stop();
        assert!(!log.contains(PASSWORD), "the SIP password is in the log");
        let invites = kamailio.program.log().matches("got INVITE over").count();
        assert_eq!(
            invites,
            1 + usize::from(self.check.algorithm().is_some()),
            "challenges"
        );
        Ok(())
    }

    /// An INVITE with keys and credentials is too long for a datagram (RFC 3261 18.1.1): it goes over a stream.
    fn may_be_too_long(&self) -> bool {
        self.by == By::Udp && self.is_encrypted && self.check.algorithm().is_some()
    }
}
