//! Notes every few seconds that this hub runs and hears its agents, for the figures of how long they were up.
//!
//! Of time in which no hub noted that, nobody knows what agents and cameras were. What counts as what is
//! [`hub_core::uptime`]'s.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::store::Store;

/// Well below the time after which an agent is silent, or a hub was away.
const EVERY: Duration = Duration::from_secs(10);

/// Runs until stopped. Among several hubs the one that leads does it, for it alone hears what agents are.
pub async fn run(store: Store, leads: watch::Receiver<bool>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        if *leads.borrow()
            && let Err(error) = store.tick_uptime(now_ms()).await
        {
            tracing::warn!(%error, "time not counted yet, trying again");
        }
        if stopped {
            return;
        }
    }
}
