//! HTTP on the way to the websocket: CONNECT at a proxy, then the upgrade (RFC 6455 4.1).

use std::error::Error as _;
use std::io;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::bridge::link::LinkFault;
use crate::network::ConnectFault;
use crate::secret::Secret;

use super::connect::Stream;
use super::proxy::Proxy;
use super::target::Target;

/// The version of the frames' language that we speak.
const SUBPROTOCOL: &str = "meetd.v1";
const USER_AGENT: &str = concat!("meetd/", env!("CARGO_PKG_VERSION"));
/// The longest response head, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// Asks the proxy for a tunnel to the target.
pub(super) async fn through_proxy(
    stream: impl Stream + 'static,
    proxy: &Proxy,
    target: &Target,
) -> Result<Box<dyn Stream>, LinkFault> {
    let authority = target.host_and_port();
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = authority
        .parse()
        .map_err(|_| proxy.fault(&"the target has no usable name"))?;
    request
        .headers_mut()
        .insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    insert_text(request.headers_mut(), header::HOST, &authority)?;
    if let Some(secret) = &proxy.authorization {
        let value = sensitive(secret.expose()).ok_or_else(|| proxy.fault(&"its user cannot be sent"))?;
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, value);
    }
    let answer = ask(stream, request).await.map_err(|fault| match fault {
        LinkFault::Connect(fault) => fault,
        other => proxy.fault(&other),
    })?;
    if !answer.response.status().is_success() {
        return Err(proxy
            .fault(&format!("HTTP {}", answer.response.status().as_u16()))
            .into());
    }
    answer.into_stream().await
}

/// Asks the server to speak websocket; checks that it does, and on our terms.
pub(super) async fn to_websocket(
    stream: Box<dyn Stream>,
    target: &Target,
    token: Option<&Secret>,
) -> Result<Box<dyn Stream>, LinkFault> {
    let key = generate_key();
    let answer = ask(stream, request(target, token, &key)?).await?;
    let (status, headers) = (answer.response.status(), answer.response.headers());
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let text = |name| {
            headers
                .get(name)
                .map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        return Err(LinkFault::Http {
            status: status.as_u16(),
            retry_after: text(header::RETRY_AFTER),
            location: text(header::LOCATION),
        });
    }
    check(headers, &key).map_err(|why| LinkFault::Protocol(why.to_owned()))?;
    answer.into_stream().await
}

fn request(target: &Target, token: Option<&Secret>, key: &str) -> Result<Request<Empty<Bytes>>, LinkFault> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = target
        .path
        .parse()
        .map_err(|_| LinkFault::Protocol("the bridge's URL has no usable path".to_owned()))?;
    let headers = request.headers_mut();
    insert_text(headers, header::HOST, &target.authority)?;
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    insert_text(headers, header::SEC_WEBSOCKET_KEY, key)?;
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    if let Some(token) = token {
        let value = sensitive(&format!("Bearer {}", token.expose())).ok_or_else(|| {
            LinkFault::NoToken("it holds line ends or other characters that no header can carry".to_owned())
        })?;
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// RFC 6455 4.1, the client's checks of the answer.
fn check(headers: &HeaderMap, key: &str) -> Result<(), &'static str> {
    let has_word = |name: HeaderName, word: &str| {
        let values = headers
            .get_all(name)
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    if !has_word(header::UPGRADE, "websocket") || !has_word(header::CONNECTION, "upgrade") {
        return Err("101 without the upgrade to websocket");
    }
    if headers
        .get(header::SEC_WEBSOCKET_ACCEPT)
        .map(HeaderValue::as_bytes)
        != Some(derive_accept_key(key.as_bytes()).as_bytes())
    {
        return Err("Sec-WebSocket-Accept does not belong to our key");
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("an extension that was not offered");
    }
    // One that chooses none is accepted: many brokers never do.
    let chosen = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    if chosen
        .into_iter()
        .any(|chosen| chosen.as_bytes() != SUBPROTOCOL.as_bytes())
    {
        return Err("a subprotocol that was not offered");
    }
    Ok(())
}

/// An answer, and the task that reads the connection behind it.
struct Answer {
    response: Response<Incoming>,
    connection: Connection,
}

struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Answer {
    /// The connection itself, with what came behind the answer.
    async fn into_stream(self) -> Result<Box<dyn Stream>, LinkFault> {
        let Self { response, connection } = self;
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(|error| fault_of(&error))?;
        drop(connection);
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

async fn ask(stream: impl Stream + 'static, request: Request<Empty<Bytes>>) -> Result<Answer, LinkFault> {
    let mut http = http1::Builder::new();
    // Old servers look for the names as RFC 6455 writes them.
    http.title_case_headers(true).max_buf_size(LONGEST_HEAD);
    let (mut sender, connection) = http
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| fault_of(&error))?;
    let task = tokio::spawn(async move {
        // What ends it is told to whoever waits for the answer.
        let _ = connection.with_upgrades().await;
    });
    let connection = Connection(task.abort_handle());
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| fault_of(&error))?;
    Ok(Answer { response, connection })
}

fn fault_of(error: &hyper::Error) -> LinkFault {
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        Some(io) => LinkFault::Ended(io.to_string()),
        None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
            LinkFault::Ended("before the handshake was answered".to_owned())
        }
        None => LinkFault::Protocol(format!("the answer is no HTTP: {error}")),
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: &str) -> Result<(), ConnectFault> {
    let value = HeaderValue::from_str(text).map_err(|_| ConnectFault::Name(text.to_owned()))?;
    headers.insert(name, value);
    Ok(())
}
