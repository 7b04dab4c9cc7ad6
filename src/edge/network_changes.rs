//! Tells the loop when the machine's addresses or routes change: a cable, another network, a new lease.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::unix::AsyncFd;

use crate::agent::{Signal, Wake};

use super::wakes::Wakes;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`, `RTMGRP_IPV6_ROUTE`:
/// linux/rtnetlink.h.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// A new network is a burst of messages; what it came to is looked at when they have stopped for this long.
const SETTLED: Duration = Duration::from_millis(500);

/// An interface that flaps all the time is looked at this often.
const LONGEST_BURST: Duration = Duration::from_secs(5);

/// Addresses and routes as the kernel lists them. Messages alone will not do: each router advertisement sends some,
/// though it changes nothing but lifetimes, which these do not show.
const LISTS: [&str; 3] = [
    "/proc/self/net/fib_trie",
    "/proc/self/net/route",
    "/proc/self/net/if_inet6",
];

/// Watches in a task. Must be called inside the runtime.
pub fn watch(wakes: Wakes) -> io::Result<()> {
    let messages = Messages::subscribe()?;
    tokio::spawn(async move {
        let mut former = lists();
        while messages.settled().await.is_ok() {
            let present = lists();
            if present != former && !wakes.send(Wake::Signal(Signal::NetworkChanged)).await {
                return;
            }
            former = present;
        }
        tracing::warn!("changes of the network are not seen any more");
    });
    Ok(())
}

fn lists() -> [String; 3] {
    LISTS.map(|path| std::fs::read_to_string(path).unwrap_or_default())
}

struct Messages(AsyncFd<OwnedFd>);

impl Messages {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, since a type may lie about its descriptor; an OwnedFd keeps one open for life"
    )]
    fn subscribe() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // Protocol 0 is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(AsyncFd::new(socket)?))
    }

    /// Waits for a message, and then until none has come for a while.
    async fn settled(&self) -> io::Result<()> {
        self.next().await?;
        let burst = async {
            while let Ok(next) = tokio::time::timeout(SETTLED, self.next()).await {
                next?;
            }
            Ok(())
        };
        tokio::time::timeout(LONGEST_BURST, burst).await.unwrap_or(Ok(()))
    }

    /// Waits for a message. What it says does not matter; that some were lost does not either.
    async fn next(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let mut unread = [0; 8192];
            match recv(self.0.get_ref(), &mut unread[..], RecvFlags::empty()) {
                Ok(_) | Err(rustix::io::Errno::NOBUFS) => return Ok(()),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::testing::in_runtime;

    #[test]
    fn the_kernel_lets_us_listen_and_lists_stay_as_they_are_on_a_quiet_machine() {
        in_runtime(async {
            let (wakes, mut heard) = Wakes::channel();
            watch(wakes).unwrap();
            assert_eq!(lists(), lists());
            assert!(tokio::time::timeout(SETTLED, heard.recv()).await.is_err());
        });
    }
}
