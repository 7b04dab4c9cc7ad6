//! The control socket: commands connect here and ask in JSON, one object a line each way.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::agent::Wake;
use crate::bridge::link::{Frame, LinkEvent, LinkFault, LinkId};

use super::links::{LinkEnd, Links, Order};
use super::wakes::Wakes;

/// The longest request, in bytes, its line feed not counted.
const LONGEST_LINE: u64 = 64 * 1024;
/// How many commands may be connected at once.
const CLIENTS: usize = 32;
/// How long a client may be connected without a request.
const IDLE: Duration = Duration::from_secs(60);
/// How long a client may leave an answer untaken.
const STUCK: Duration = Duration::from_secs(10);
/// The pause after a failed accept: without descriptors each attempt would fail at once again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why there is no control socket.
#[derive(Debug, Error)]
pub enum ControlFault {
    /// A daemon answers there.
    #[error("another meetd answers at {0}; stop it first, or give this one another RUNTIME_DIRECTORY")]
    InUse(PathBuf),
    /// The socket could not be made.
    #[error("the socket {path} could not be made: {error}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// `control.sock` in `$RUNTIME_DIRECTORY` or `/run/meetd`.
pub fn path() -> PathBuf {
    super::directory_from("RUNTIME_DIRECTORY", "/run/meetd").join("control.sock")
}

/// The listening socket; its file goes away with it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket; it is removed with this.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl ControlSocket {
    /// Listens at `path`, in place of what a daemon left there that is gone. Must be called inside the runtime.
    pub fn bind(path: &Path) -> Result<Self, ControlFault> {
        let fault = |error| ControlFault::Socket {
            path: path.to_owned(),
            error,
        };
        if let Some(directory) = path.parent() {
            // It may exist; if it cannot be made, binding says so.
            let _ = std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(directory);
        }
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(ControlFault::InUse(path.to_owned()));
                }
                std::fs::remove_file(path).map_err(fault)?;
                UnixListener::bind(path).map_err(fault)?
            }
            bound => bound.map_err(fault)?,
        };
        let file = SocketFile(path.to_owned());
        std::fs::set_permissions(path, Permissions::from_mode(0o660)).map_err(fault)?;
        hand_to_group(path);
        Ok(Self { listener, file })
    }

    /// The listener, and the file that goes away with its second part.
    pub(super) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }

    /// Takes clients until it is dropped with the runtime: each request becomes a wake.
    pub async fn serve(self, links: Links, wakes: Wakes) {
        let Self {
            listener,
            file: _file,
        } = self;
        let room = Arc::new(Semaphore::new(CLIENTS));
        let mut number = 0;
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(error = %error, "a command could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                tracing::warn!(
                    limit = CLIENTS,
                    "too many commands are connected; one is sent away"
                );
                continue;
            };
            number += 1;
            let link = LinkId::Control(number);
            let end = links.add(link);
            tokio::spawn(serve_client(stream, link, end, wakes.clone(), permit));
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Members of the group `meetd` may use it, where there is such a group and we may say so.
fn hand_to_group(path: &Path) {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let Some(group) = group_number(&groups, "meetd") else {
        return;
    };
    if let Err(error) = std::os::unix::fs::chown(path, None, Some(group)) {
        tracing::debug!(error = %error, "the socket was not given to the group meetd");
    }
}

/// group(5).
fn group_number(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

async fn serve_client(
    stream: UnixStream,
    link: LinkId,
    mut end: LinkEnd,
    wakes: Wakes,
    _permit: OwnedSemaphorePermit,
) {
    let (reader, writer) = stream.into_split();
    wakes
        .send(Wake::Link {
            link,
            event: LinkEvent::Opened,
        })
        .await;
    let given_up = Arc::clone(&end.given_up);
    let why = tokio::select! {
        why = read_requests(reader, link, &wakes) => why,
        why = write_answers(writer, &mut end) => why,
        () = given_up.notified() => "too many answers wait for it",
    };
    let event = LinkEvent::Lost(LinkFault::Ended(why.to_owned()));
    wakes.send(Wake::Link { link, event }).await;
}

async fn read_requests(reader: OwnedReadHalf, link: LinkId, wakes: &Wakes) -> &'static str {
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(LONGEST_LINE + 1);
        match tokio::time::timeout(IDLE, limited.read_until(b'\n', &mut line)).await {
            Err(_) => return "no request came for a minute",
            Ok(Err(_)) => return "it cannot be read",
            Ok(Ok(0)) => return "the client is gone",
            Ok(Ok(_)) => {}
        }
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() as u64 > LONGEST_LINE {
            return "a request is longer than 64 KiB";
        }
        let Ok(text) = String::from_utf8(line) else {
            return "a request is not UTF-8";
        };
        if !text.trim().is_empty() && !wakes.send(Wake::Frame { link, text }).await {
            return "the daemon leaves";
        }
    }
}

async fn write_answers(mut writer: OwnedWriteHalf, end: &mut LinkEnd) -> &'static str {
    while let Some(order) = end.orders.recv().await {
        let mut text = match order {
            Order::Send(Frame::Text(text)) => text,
            Order::Send(Frame::Ping) => continue,
            Order::Close(_) => return "closed",
        };
        text.push('\n');
        match tokio::time::timeout(STUCK, writer.write_all(text.as_bytes())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return "the client is gone",
            Err(_) => return "the client does not take its answer",
        }
    }
    "given up"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::testing::in_runtime;
    use tokio::sync::mpsc::Receiver;

    #[test]
    fn a_request_comes_in_and_its_answer_goes_back() {
        in_runtime(async {
            let mut world = World::new();
            let mut client = world.connect().await;
            client.write_all(b"{\"ask\":\"status\"}\n").await.unwrap();
            let link = world.opened().await;
            let Some(Wake::Frame { link: from, text }) = world.wakes.recv().await else {
                panic!()
            };
            assert_eq!((from, text.as_str()), (link, "{\"ask\":\"status\"}"));
            world.links.send(link, Frame::Text("{\"call\":null}".to_owned()));
            world.links.close(link, 1000);
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "{\"call\":null}\n");
        });
    }

    #[test]
    fn a_client_that_goes_away_is_lost() {
        in_runtime(async {
            let mut world = World::new();
            drop(world.connect().await);
            let link = world.opened().await;
            assert_eq!(world.lost().await, (link, "the client is gone".to_owned()));
        });
    }

    #[test]
    fn requests_without_end_or_of_broken_text_end_the_client() {
        in_runtime(async {
            let mut world = World::new();
            let full = [vec![b'x'; LONGEST_LINE as usize], b"\n".to_vec()].concat();
            for (bytes, why) in [
                (
                    vec![b'x'; LONGEST_LINE as usize + 1],
                    "a request is longer than 64 KiB",
                ),
                (b"\xff\xfe\n".to_vec(), "a request is not UTF-8"),
                ([full, b"\xff\n".to_vec()].concat(), "a request is not UTF-8"),
            ] {
                let mut client = world.connect().await;
                client.write_all(&bytes).await.unwrap();
                world.opened().await;
                let mut last = world.wakes.recv().await;
                while let Some(Wake::Frame { text, .. }) = &last {
                    assert_eq!(text.len() as u64, LONGEST_LINE);
                    last = world.wakes.recv().await;
                }
                let Some(Wake::Link {
                    event: LinkEvent::Lost(LinkFault::Ended(said)),
                    ..
                }) = last
                else {
                    panic!()
                };
                assert_eq!(said, why);
            }
        });
    }

    #[test]
    fn more_clients_than_there_is_room_for_are_sent_away() {
        in_runtime(async {
            let mut world = World::new();
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                clients.push(world.connect().await);
                world.opened().await;
            }
            let mut one_more = world.connect().await;
            assert_eq!(one_more.read(&mut [0; 1]).await.unwrap(), 0);
            clients.pop();
            world.lost().await;
            let _fits = world.connect().await;
            world.opened().await;
        });
    }

    #[test]
    fn what_a_dead_daemon_left_is_replaced_and_a_living_one_is_not() {
        in_runtime(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("run/control.sock");
            std::fs::create_dir(directory.path().join("run")).unwrap();
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            assert!(path.exists());
            let first = ControlSocket::bind(&path).unwrap();
            assert!(matches!(ControlSocket::bind(&path), Err(ControlFault::InUse(_))));
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o660);
            drop(first);
            assert!(!path.exists());
        });
    }

    #[test]
    fn groups_are_read_as_the_system_writes_them() {
        let groups = "root:x:0:\nmeetdown:x:5:\nmeetd:x:990:anna,ben\n";
        assert_eq!(group_number(groups, "meetd"), Some(990));
        assert_eq!(group_number(groups, "audio"), None);
        assert_eq!(group_number("meetd:x\nmeetd", "meetd"), None);
    }

    struct World {
        links: Links,
        wakes: Receiver<Wake>,
        path: PathBuf,
        _directory: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("control.sock");
            let (sender, wakes) = Wakes::channel();
            let links = Links::default();
            tokio::spawn(ControlSocket::bind(&path).unwrap().serve(links.clone(), sender));
            Self {
                links,
                wakes,
                path,
                _directory: directory,
            }
        }

        async fn connect(&self) -> UnixStream {
            UnixStream::connect(&self.path).await.unwrap()
        }

        async fn opened(&mut self) -> LinkId {
            match self.wakes.recv().await {
                Some(Wake::Link {
                    link,
                    event: LinkEvent::Opened,
                }) => link,
                other => panic!("{other:?}"),
            }
        }

        async fn lost(&mut self) -> (LinkId, String) {
            match self.wakes.recv().await {
                Some(Wake::Link {
                    link,
                    event: LinkEvent::Lost(LinkFault::Ended(why)),
                }) => (link, why),
                other => panic!("{other:?}"),
            }
        }
    }
}
