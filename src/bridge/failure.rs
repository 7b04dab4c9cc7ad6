//! How a try to connect, or a connection, can fail, and what follows from it: for the AlexaClient and for the
//! next try.

use thiserror::Error;

use super::link::LinkFault;
use super::redirect::RedirectFault;
use crate::alexa::messages::auth_state::{AuthError, AuthState, AuthStatus};
use crate::alexa::messages::connection_status::{ConnectionStatus, Reason, Status};
use crate::network::ConnectFault;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The edge says so.
    #[error("{0}")]
    Link(#[from] LinkFault),
    /// A redirect that is not followed.
    #[error("{0}")]
    Redirect(RedirectFault),
    /// A ping was not answered in time.
    #[error("the bridge did not answer a ping in time")]
    PingUnanswered,
    /// The edge never said what became of a try.
    #[error("the try to connect never came to an end")]
    Stuck,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// What is published of the connection.
    pub connection: ConnectionStatus,
    /// What is published of the authorisation, when the failure tells something of it.
    pub auth: Option<AuthStatus>,
    /// How long to wait before the next try.
    pub patience: Patience,
}

/// How long to wait before the next try; `Retry-After` may make it longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Full jitter over the back-off; little after the drop of a stable connection.
    BackOff,
    /// Full jitter over `bridge.reconnect_max`: the server shall not see all its rooms at once.
    Spread,
    /// `bridge.reconnect_max`: only another token would help.
    Longest,
    /// An hour: the server said that this is over for good.
    Hour,
}

impl Failure {
    /// What follows from it: the mapping of the contract, paragraphs "Connection" and "Auth".
    pub fn consequence(&self) -> Consequence {
        match self {
            Self::Link(fault) => of_link(fault),
            Self::Redirect(_) => pending(Reason::ServerEndpointChanged),
            Self::PingUnanswered => pending(Reason::PingTimedout),
            Self::Stuck => fault_of_ours(),
        }
    }

    /// What the failure's `Retry-After` says, as it came.
    pub fn retry_after(&self) -> Option<&str> {
        match self {
            Self::Link(LinkFault::Http { retry_after, .. }) => retry_after.as_deref(),
            Self::Link(_) | Self::Redirect(_) | Self::PingUnanswered | Self::Stuck => None,
        }
    }
}

fn of_link(fault: &LinkFault) -> Consequence {
    match fault {
        LinkFault::NoToken(_) => Consequence {
            connection: disconnected(Reason::InvalidAuth),
            auth: auth(AuthState::Uninitialized, AuthError::InvalidRequest),
            patience: Patience::BackOff,
        },
        LinkFault::SameToken => Consequence {
            patience: Patience::Longest,
            ..pending(Reason::InvalidAuth)
        },
        LinkFault::Connect(fault) => match fault {
            ConnectFault::Name(_) | ConnectFault::NameSlow(_) => pending(Reason::DnsTimedout),
            ConnectFault::Refused(_)
            | ConnectFault::Unreachable(_)
            | ConnectFault::TcpSlow(_)
            | ConnectFault::Proxy(_) => pending(Reason::ConnectionTimedout),
            ConnectFault::Tls { .. } => pending(Reason::FailureProtocolError),
            ConnectFault::Socket(_) => fault_of_ours(),
        },
        LinkFault::HandshakeSlow => pending(Reason::ReadTimedout),
        LinkFault::Http { status, .. } => of_http(*status),
        LinkFault::Protocol(_) | LinkFault::Binary | LinkFault::TooLarge(_) => {
            pending(Reason::FailureProtocolError)
        }
        LinkFault::WriteStuck => pending(Reason::WriteTimedout),
        LinkFault::Closed { code, .. } => match code {
            1008 | 4401 => token_refused(),
            1013 => Consequence {
                patience: Patience::Spread,
                ..pending(Reason::ConnectionThrottled)
            },
            _ => pending(Reason::ServerSideDisconnect),
        },
        LinkFault::Ended(_) => pending(Reason::ServerSideDisconnect),
    }
}

fn of_http(status: u16) -> Consequence {
    match status {
        401 => token_refused(),
        403 => Consequence {
            auth: auth(AuthState::UnrecoverableError, AuthError::UnauthorizedClient),
            patience: Patience::Longest,
            ..pending(Reason::InvalidAuth)
        },
        410 => Consequence {
            connection: disconnected(Reason::UnrecoverableError),
            auth: None,
            patience: Patience::Hour,
        },
        429 | 503 => pending(Reason::ConnectionThrottled),
        500..=599 => pending(Reason::ServerInternalError),
        301 | 302 | 307 | 308 => pending(Reason::ServerEndpointChanged),
        _ => pending(Reason::FailureProtocolError),
    }
}

fn token_refused() -> Consequence {
    Consequence {
        auth: auth(AuthState::Expired, AuthError::AuthorizationExpired),
        ..pending(Reason::InvalidAuth)
    }
}

/// What we cannot even try is no try: the connection is not pending.
fn fault_of_ours() -> Consequence {
    Consequence {
        connection: disconnected(Reason::InternalError),
        ..pending(Reason::InternalError)
    }
}

fn pending(reason: Reason) -> Consequence {
    Consequence {
        connection: ConnectionStatus {
            status: Status::Pending,
            reason,
        },
        auth: None,
        patience: Patience::BackOff,
    }
}

fn disconnected(reason: Reason) -> ConnectionStatus {
    ConnectionStatus {
        status: Status::Disconnected,
        reason,
    }
}

fn auth(state: AuthState, error: AuthError) -> Option<AuthStatus> {
    Some(AuthStatus { state, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::CertFault;

    #[test]
    fn each_failure_has_the_reason_of_the_contract() {
        for (failure, reason) in failures() {
            let connection = failure.consequence().connection;
            assert_eq!(connection.reason, reason, "{failure}");
            let waits = matches!(
                failure,
                Failure::Stuck
                    | Failure::Link(
                        LinkFault::NoToken(_)
                            | LinkFault::Http { status: 410, .. }
                            | LinkFault::Connect(ConnectFault::Socket(_))
                    )
            );
            let status = if waits {
                Status::Disconnected
            } else {
                Status::Pending
            };
            assert_eq!(connection.status, status, "{failure}");
        }
    }

    #[test]
    fn failures_bring_all_reasons_but_those_of_our_own_doing() {
        let brought = |reason| failures().iter().any(|(_, brought)| *brought == reason);
        let ours = [
            Reason::None,
            Reason::Success,
            Reason::AclClientRequest,
            Reason::AclDisabled,
        ];
        for &reason in Reason::ALL {
            assert_eq!(brought(reason), !ours.contains(&reason), "{}", reason.name());
        }
    }

    #[test]
    fn only_refused_and_missing_tokens_tell_of_the_authorisation() {
        let expired = auth(AuthState::Expired, AuthError::AuthorizationExpired);
        for (failure, _) in failures() {
            let expected = match &failure {
                Failure::Link(LinkFault::Http { status: 401, .. }) => expired,
                Failure::Link(LinkFault::Closed {
                    code: 1008 | 4401, ..
                }) => expired,
                Failure::Link(LinkFault::Http { status: 403, .. }) => {
                    auth(AuthState::UnrecoverableError, AuthError::UnauthorizedClient)
                }
                Failure::Link(LinkFault::NoToken(_)) => {
                    auth(AuthState::Uninitialized, AuthError::InvalidRequest)
                }
                _ => None,
            };
            assert_eq!(failure.consequence().auth, expected, "{failure}");
        }
    }

    fn failures() -> Vec<(Failure, Reason)> {
        let address = "192.0.2.1:443".parse().unwrap();
        let mut failures = vec![
            (Failure::PingUnanswered, Reason::PingTimedout),
            (Failure::Stuck, Reason::InternalError),
            (
                Failure::Redirect(RedirectFault::NoLocation),
                Reason::ServerEndpointChanged,
            ),
            (LinkFault::NoToken("gone".into()).into(), Reason::InvalidAuth),
            (LinkFault::HandshakeSlow.into(), Reason::ReadTimedout),
            (
                LinkFault::Protocol("x".into()).into(),
                Reason::FailureProtocolError,
            ),
            (LinkFault::Binary.into(), Reason::FailureProtocolError),
            (
                LinkFault::TooLarge("x".into()).into(),
                Reason::FailureProtocolError,
            ),
            (LinkFault::WriteStuck.into(), Reason::WriteTimedout),
            (
                LinkFault::Ended("reset".into()).into(),
                Reason::ServerSideDisconnect,
            ),
        ];
        let connecting = [
            (ConnectFault::Name("b".into()), Reason::DnsTimedout),
            (ConnectFault::NameSlow("b".into()), Reason::DnsTimedout),
            (ConnectFault::Refused(address), Reason::ConnectionTimedout),
            (ConnectFault::Unreachable(address), Reason::ConnectionTimedout),
            (ConnectFault::TcpSlow(address), Reason::ConnectionTimedout),
            (ConnectFault::Proxy("p".into()), Reason::ConnectionTimedout),
            (ConnectFault::Socket("s".into()), Reason::InternalError),
            (
                ConnectFault::Tls {
                    server_name: "b".into(),
                    fault: CertFault::Expired,
                },
                Reason::FailureProtocolError,
            ),
        ];
        failures.extend(connecting.map(|(fault, reason)| (LinkFault::from(fault).into(), reason)));
        let answers = [
            (200, Reason::FailureProtocolError),
            (301, Reason::ServerEndpointChanged),
            (302, Reason::ServerEndpointChanged),
            (303, Reason::FailureProtocolError),
            (307, Reason::ServerEndpointChanged),
            (308, Reason::ServerEndpointChanged),
            (400, Reason::FailureProtocolError),
            (401, Reason::InvalidAuth),
            (403, Reason::InvalidAuth),
            (404, Reason::FailureProtocolError),
            (410, Reason::UnrecoverableError),
            (429, Reason::ConnectionThrottled),
            (500, Reason::ServerInternalError),
            (502, Reason::ServerInternalError),
            (503, Reason::ConnectionThrottled),
            (504, Reason::ServerInternalError),
        ];
        failures.extend(answers.map(|(status, reason)| (http(status).into(), reason)));
        let closes = [
            (1000, Reason::ServerSideDisconnect),
            (1001, Reason::ServerSideDisconnect),
            (1005, Reason::ServerSideDisconnect),
            (1008, Reason::InvalidAuth),
            (1009, Reason::ServerSideDisconnect),
            (1012, Reason::ServerSideDisconnect),
            (1013, Reason::ConnectionThrottled),
            (4401, Reason::InvalidAuth),
            (4999, Reason::ServerSideDisconnect),
        ];
        failures.extend(closes.map(|(code, reason)| (closed(code).into(), reason)));
        failures
    }

    fn http(status: u16) -> LinkFault {
        LinkFault::Http {
            status,
            retry_after: None,
            location: None,
        }
    }

    fn closed(code: u16) -> LinkFault {
        LinkFault::Closed {
            code,
            reason: String::new(),
        }
    }
}
