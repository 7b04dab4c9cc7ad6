//! baresip's ctrl_tcp: JSON in netstrings, commands one way, answers and events the other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::Watched;

/// A connection to a running baresip.
pub struct Control {
    stream: TcpStream,
    heard: Arc<Watched<Vec<(Instant, Value)>>>,
}

impl Control {
    /// Connects to one that listens.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let heard = Arc::new(Watched::new(Vec::new()));
        let (mut reading, shared) = (stream.try_clone().unwrap(), Arc::clone(&heard));
        thread::spawn(move || {
            let (mut buffer, mut piece) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = reading.read(&mut piece) {
                let at = Instant::now();
                buffer.extend_from_slice(&piece[..count]);
                while let Some(value) = take_from(&mut buffer) {
                    shared.change(|heard: &mut Vec<_>| heard.push((at, value)));
                }
            }
        });
        Self { stream, heard }
    }

    /// Sends a command and says when it left.
    pub fn command(&mut self, command: &str, parameters: &str) -> Instant {
        let text = json!({"command": command, "params": parameters, "token": command}).to_string();
        let at = Instant::now();
        self.stream
            .write_all(format!("{}:{text},", text.len()).as_bytes())
            .unwrap();
        at
    }

    /// Waits for what baresip says.
    #[track_caller]
    pub fn wait_for<R>(&self, what: &str, question: impl FnMut(&Vec<(Instant, Value)>) -> Option<R>) -> R {
        self.heard.wait_for(what, question)
    }

    /// The events of this type so far.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        self.heard.look(|heard| {
            let events = heard.iter().map(|(_, value)| value);
            events.filter(|value| value["type"] == kind).cloned().collect()
        })
    }
}

fn take_from(buffer: &mut Vec<u8>) -> Option<Value> {
    let colon = buffer.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&buffer[..colon]).ok()?.parse().ok()?;
    let end = colon + 1 + length;
    if buffer.len() <= end {
        return None;
    }
    let value = serde_json::from_slice(&buffer[colon + 1..end]).unwrap_or(Value::Null);
    buffer.drain(..=end);
    Some(value)
}
