//! What the hub does each minute it runs: counts it, ends sessions that are over, publishes the audit's heads.
//!
//! Several hubs on one database count a minute once: whoever finds it counted already leaves it.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::audit::Publisher;
use crate::store::Store;
use crate::store::sessions::Limits;

const MINUTE: Duration = Duration::from_secs(60);

/// Runs until `stop`, and publishes once more then.
pub async fn run(store: Store, limits: Limits, mut publisher: Publisher, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(MINUTE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once, and no minute has passed yet.
    ticks.tick().await;
    publisher.publish(&store).await;
    let mut seen = store.minute().await.unwrap_or_default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        match store.count_minute(seen, limits).await {
            Ok(minute) => seen = minute,
            Err(error) => tracing::warn!(%error, "minute not counted, sessions live a minute longer"),
        }
        publisher.publish(&store).await;
    }
    publisher.publish(&store).await;
}
