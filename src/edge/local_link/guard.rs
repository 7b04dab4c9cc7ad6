//! Who may open a websocket here: no web page that is not listed, and over TCP only who shows the token.

use sha2::{Digest, Sha256};
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};

use crate::secret::Secret;

/// The version of the frames' language that we speak.
const SUBPROTOCOL: &str = "meetd.v1";

/// Looks at one request.
#[derive(Debug)]
pub(super) struct Guard<'a> {
    origins: &'a [String],
    /// The token that must be shown, if one must; or why nobody can show it.
    token: Result<Option<Secret>, String>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(origins: &'a [String], token: Result<Option<Secret>, String>) -> Self {
        Self { origins, token }
    }

    /// The status that refuses this request, and why.
    fn fault(&self, request: &Request) -> Option<(StatusCode, String)> {
        let headers = request.headers();
        // A page of any site could otherwise drive the room from a browser on this machine.
        if let Some(origin) = headers.get(header::ORIGIN) {
            let is_listed = self
                .origins
                .iter()
                .any(|listed| listed.as_bytes() == origin.as_bytes());
            if !is_listed {
                let why = "its Origin is not in local.origins".to_owned();
                return Some((StatusCode::FORBIDDEN, why));
            }
        }
        let wanted = match &self.token {
            Ok(None) => return None,
            Ok(Some(wanted)) => wanted,
            Err(why) => return Some((StatusCode::SERVICE_UNAVAILABLE, why.clone())),
        };
        let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let expected = format!("Bearer {}", wanted.expose());
        // Hashes take the same time to compare, whatever was guessed.
        let is_right =
            shown.is_some_and(|shown| Sha256::digest(shown) == Sha256::digest(expected.as_bytes()));
        (!is_right).then(|| (StatusCode::UNAUTHORIZED, "it does not show the token".to_owned()))
    }
}

impl Callback for Guard<'_> {
    #[expect(clippy::result_large_err, reason = "tungstenite's callback is typed so")]
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        if let Some((status, why)) = self.fault(request) {
            let mut refusal = ErrorResponse::new(Some(why));
            *refusal.status_mut() = status;
            return Err(refusal);
        }
        let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let is_offered = offered
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|protocol| protocol.trim() == SUBPROTOCOL);
        if is_offered {
            let chosen = HeaderValue::from_static(SUBPROTOCOL);
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
        }
        Ok(response)
    }
}
