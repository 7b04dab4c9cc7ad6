//! How long names, connections and servers are waited for, by calls, requests and the registration.

use std::time::Duration;

/// The edge gives up on names before this; nothing waits longer even if it does not.
pub const LOCATING: Duration = Duration::from_secs(10);
/// The same of connections.
pub const CONNECTING: Duration = Duration::from_secs(15);
/// How long a target may be silent while there is another one (contract, "Calls").
pub const SILENCE: Duration = Duration::from_secs(2);
