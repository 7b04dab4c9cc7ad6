//! What the edge's tests share: a runtime with a guard against hanging.

use std::time::Duration;

/// Runs a test on real sockets; nothing in it may take a minute.
pub fn in_runtime<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let guarded = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(guarded).expect("the test hangs")
}
