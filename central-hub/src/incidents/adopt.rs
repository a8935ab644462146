//! In the background of a running hub: alerts from before incidents get theirs.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::Store;

const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Runs until all have theirs, or until stopped.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut placed = 0;
    while !stop.is_cancelled() {
        match store.adopt_alerts().await {
            Ok(0) => break,
            Ok(count) => placed += count,
            Err(error) => {
                tracing::warn!(%error, "alerts from before got no incidents, trying again");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(AFTER_FAILURE) => {}
                }
            }
        }
        // Whoever else wants to write comes first.
        tokio::task::yield_now().await;
    }
    if placed > 0 {
        tracing::info!(alerts = placed, "alerts from before have their incidents");
    }
}
