//! What a websocket-to-INVITE program costs when it decides nothing: reads a frame, sends an INVITE made by
//! formatting, acknowledges the 200, sends BYE for the next frame. No checks, no state, no audio.

use std::net::SocketAddr;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::net::{TcpStream, UdpSocket};
use tokio_tungstenite::tungstenite::Message;

/// Serves the bridge at this URL until it goes away.
pub fn run(url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(url));
}

async fn serve(url: &str) {
    let host = url.trim_start_matches("ws://").split('/').next().unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut bridge, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let local = socket.local_addr().unwrap();
    let audio = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut call = Call {
        audio: audio.local_addr().unwrap().port(),
        ..Call::default()
    };
    let mut bytes = vec![0; 2048];
    loop {
        tokio::select! {
            frame = bridge.next() => {
                let Some(Ok(Message::Text(text))) = frame else { return };
                let frame: Value = serde_json::from_str(&text).unwrap();
                let request = match frame["directive"]["payload"]["meeting"]["endpoint"].as_str() {
                    Some(endpoint) => {
                        call.number += 1;
                        call.to = endpoint.to_owned();
                        call.tag.clear();
                        call.request("INVITE", local)
                    }
                    None => call.request("BYE", local),
                };
                let to: SocketAddr = call.to.parse().unwrap();
                socket.send_to(request.as_bytes(), to).await.unwrap();
            }
            received = socket.recv_from(&mut bytes) => {
                let Ok((count, from)) = received else { continue };
                // Others on this machine may send sound to a port that was theirs.
                let Ok(text) = std::str::from_utf8(&bytes[..count]) else { continue };
                if text.starts_with("SIP/2.0 200") && text.contains("INVITE\r\n") {
                    let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
                    call.tag = to.split_once(";tag=").unwrap().1.to_owned();
                    socket.send_to(call.request("ACK", local).as_bytes(), from).await.unwrap();
                }
            }
        }
    }
}

#[derive(Default)]
struct Call {
    number: u32,
    to: String,
    tag: String,
    audio: u16,
}

impl Call {
    fn request(&self, method: &str, local: SocketAddr) -> String {
        let (number, to) = (self.number, &self.to);
        let (tag, sequence) = match method {
            "INVITE" => (String::new(), 1),
            "ACK" => (format!(";tag={}", self.tag), 1),
            _ => (format!(";tag={}", self.tag), 2),
        };
        let body = match method {
            "INVITE" => format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=audio {} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
                self.audio
            ),
            _ => String::new(),
        };
        format!(
            "{method} sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{number}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bare@{local}>;tag={number}\r\nTo: <sip:{to}>{tag}\r\n\
             Call-ID: bare{number}@127.0.0.1\r\nCSeq: {sequence} {method}\r\nContact: <sip:bare@{local}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}
