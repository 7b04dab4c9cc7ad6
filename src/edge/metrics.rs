//! `log.metrics`: figures over HTTP, for a Prometheus on this machine. Each request is a question to the loop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::agent::Wake;
use crate::bridge::link::{Frame, LinkId};
use crate::control::{Reply, Request as Question};

use super::links::{Links, Order};
use super::wakes::Wakes;

/// How many may ask at once: one Prometheus, and somebody who looks.
const CLIENTS: usize = 4;
/// How long one connection may take, all in all.
const LIMIT: Duration = Duration::from_secs(10);
/// The largest request head, in bytes. hyper takes no less.
const LARGEST_HEAD: usize = 8192;
/// The pause after a failed accept: without descriptors each attempt would fail at once again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// These links are numbered from here, above those of the control socket.
const FIRST_LINK: u64 = 1 << 32;
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The listening port. It closes with this.
#[derive(Debug)]
pub struct Metrics {
    /// Where it is.
    pub address: SocketAddr,
    accepting: AbortHandle,
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Metrics {
    /// Listens there. Must be called inside the runtime.
    pub fn open(address: SocketAddr, links: Links, wakes: Wakes) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        tracing::info!(event = "metrics", %address, "figures are served at http://{address}/metrics");
        let asker = Asker {
            links,
            wakes,
            next: Arc::new(AtomicU64::new(FIRST_LINK)),
        };
        let accepting = tokio::spawn(accept_all(listener, asker)).abort_handle();
        Ok(Self { address, accepting })
    }
}

async fn accept_all(listener: TcpListener, asker: Asker) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let asker = asker.clone();
        tokio::spawn(async move {
            // Whoever is slow, or gone, loses its answer and nothing else.
            let _ = tokio::time::timeout(LIMIT, serve(stream, asker)).await;
            drop(permit);
        });
    }
}

async fn serve(stream: TcpStream, asker: Asker) -> Result<(), hyper::Error> {
    let answer = service_fn(|request: Request<Incoming>| {
        let asker = asker.clone();
        async move { Ok::<_, Infallible>(answer(&request, &asker).await) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}

async fn answer(request: &Request<Incoming>, asker: &Asker) -> Response<Full<Bytes>> {
    let say = |status: StatusCode, words: &'static str| {
        let mut response = Response::new(Full::from(words));
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return say(StatusCode::NOT_FOUND, "the figures are at /metrics\n");
    }
    if request.method() != Method::GET {
        let mut response = say(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        response
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET"));
        return response;
    }
    match asker.ask().await {
        Some(text) => {
            let mut response = Response::new(Full::from(text));
            let format = hyper::header::HeaderValue::from_static(FORMAT);
            response.headers_mut().insert(CONTENT_TYPE, format);
            response
        }
        None => say(StatusCode::SERVICE_UNAVAILABLE, "the daemon leaves\n"),
    }
}

/// Who asks the loop.
#[derive(Clone, Debug)]
struct Asker {
    links: Links,
    wakes: Wakes,
    next: Arc<AtomicU64>,
}

impl Asker {
    async fn ask(&self) -> Option<String> {
        let link = LinkId::Control(self.next.fetch_add(1, Ordering::Relaxed));
        let mut end = self.links.add(link);
        // Also when whoever asked goes away meanwhile.
        let _closed = ClosedAfterwards(&self.links, link);
        let text = Question::Metrics.to_line().expose().to_owned();
        if !self.wakes.send(Wake::Frame { link, text }).await {
            return None;
        }
        match end.orders.recv().await? {
            Order::Send(Frame::Text(line)) => match Reply::read(&line) {
                Ok(Reply::Metrics { text }) => Some(text),
                Ok(_) | Err(_) => None,
            },
            Order::Send(Frame::Ping) | Order::Close(_) => None,
        }
    }
}

struct ClosedAfterwards<'a>(&'a Links, LinkId);

impl Drop for ClosedAfterwards<'_> {
    fn drop(&mut self) {
        // 1000: RFC 6455 7.4.1, normal closure.
        self.0.close(self.1, 1000);
    }
}
