//! The bridge: what the daemon says of it, or what one try of our own came to.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, bad, doubtful, good};
use crate::bridge::failure::Failure;
use crate::bridge::link::LinkFault;
use crate::control::{StatusReport, Utc};

/// A certificate with less than this left should have been renewed by itself: most are, a third before their end.
const RENEWAL: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What is known of the bridge.
#[derive(Clone, Debug)]
pub enum BridgeFact<'a> {
    /// The configuration does not say where it is.
    Unknown,
    /// `bridge.enabled = false`.
    Disabled,
    /// The running daemon was asked.
    Told {
        /// What it said.
        report: &'a StatusReport,
        /// When, on the wall clock.
        now: Timestamp,
    },
    /// No daemon runs: we connected once.
    Tried(Result<(), LinkFault>),
}

/// Whether directives reach this room. `url` is the configured one, for people.
pub fn bridge(fact: &BridgeFact<'_>, url: &str) -> Finding {
    const NAME: &str = "bridge";
    match fact {
        BridgeFact::Unknown => doubtful(NAME, "not tried: the configuration has to be right first"),
        BridgeFact::Disabled => doubtful(NAME, "bridge.enabled is false: no directive reaches this room"),
        BridgeFact::Tried(Ok(())) => doubtful(
            NAME,
            format!("{url} let us in, but the daemon is not running: systemctl enable --now meetd"),
        ),
        BridgeFact::Tried(Err(fault)) => {
            let consequence = Failure::Link(fault.clone()).consequence();
            let reason = consequence.connection.reason.name();
            bad(NAME, format!("{url}: {fault}; {}", remedy(reason)))
        }
        BridgeFact::Told { report, now } if report.connection.status == "CONNECTED" => {
            match report.connection.certificate_expires {
                Some(Utc(expires)) if expires.duration_since(*now) < RENEWAL => doubtful(
                    NAME,
                    format!(
                        "the daemon is connected to {url}, whose certificate expires on {}; tell its operator to renew it",
                        expires.strftime("%Y-%m-%d")
                    ),
                ),
                Some(_) | None => good(NAME, format!("the daemon is connected to {url}")),
            }
        }
        BridgeFact::Told { report, .. } => {
            let reason = report.connection.reason.as_str();
            let why = report
                .last_error
                .as_ref()
                .map(|error| format!(", last: {}", error.message))
                .unwrap_or_default();
            bad(NAME, format!("{url}: {reason}{why}; {}", remedy(reason)))
        }
    }
}

/// What to do about a reason of the AlexaClient.
fn remedy(reason: &str) -> &'static str {
    match reason {
        "NONE" | "ACL_CLIENT_REQUEST" => "wait a moment and ask again",
        "ACL_DISABLED" => "set bridge.enabled = true",
        "DNS_TIMEDOUT" => "look for a slip in bridge.url, then at the name servers: resolvectl status",
        "CONNECTION_TIMEDOUT" => {
            "nobody answers there: look at host and port of bridge.url, at the firewall, and at bridge.proxy"
        }
        "INVALID_AUTH" => {
            "put this room's token into the file that bridge.token_file names (/etc/meetd/bridge-token, mode 0600), \
             then: systemctl restart meetd"
        }
        "CONNECTION_THROTTLED" => "the bridge is busy; meetd tries again by itself",
        "SERVER_INTERNAL_ERROR" | "SERVER_SIDE_DISCONNECT" => {
            "the fault is the bridge's; meetd tries again by itself, tell its operator if it lasts"
        }
        "READ_TIMEDOUT" | "PING_TIMEDOUT" | "WRITE_TIMEDOUT" => {
            "something answers, but no bridge: look at host and port of bridge.url, and at what stands between"
        }
        "SERVER_ENDPOINT_CHANGED" => {
            "the bridge has moved: put its new address into bridge.url, or its host into \
                                      bridge.redirect_allow"
        }
        "UNRECOVERABLE_ERROR" => "the bridge does not know this room any more: ask its operator",
        "FAILURE_PROTOCOL_ERROR" => {
            "if it is the certificate: put a private issuer into bridge.ca_file, and see that host and clock are right; \
             else bridge.url leads to something that is no bridge"
        }
        _ => "journalctl -x -u meetd tells more",
    }
}
