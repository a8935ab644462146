//! Who is connected and should no longer be: compared with the list again and again.
//!
//! The list may be changed by other processes (the commands beside a running hub), so it is read, not
//! followed. A box whose certificate only expires is never cut; neither is one that is held, whose first
//! connection an operator shall still see.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::peers::{Peer, Peers};
use crate::store::{Store, StoreError};

/// A box that was revoked or has renewed is cut after this time at most.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The connected boxes whose certificate is not valid any more.
pub async fn outdated(peers: &Peers, store: &Store) -> Result<Vec<Peer>, StoreError> {
    let connected = peers.all();
    if connected.is_empty() {
        return Ok(connected);
    }
    let valid: HashMap<String, _> =
        store.valid_certificates().await?.into_iter().map(|c| (c.serial, c.identity)).collect();
    Ok(connected.into_iter().filter(|peer| valid.get(&peer.serial) != Some(&peer.identity)).collect())
}

/// Cuts them, until stopped.
pub async fn run(peers: Peers, store: Store, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match outdated(&peers, &store).await {
            Ok(gone) => {
                for peer in gone {
                    tracing::info!(agent = %peer.identity.agent, serial = peer.serial, from = %peer.from,
                        "agent cut: its certificate is no longer valid");
                    peer.cut.cancel();
                }
            }
            Err(error) => tracing::warn!(%error, "certificates not compared"),
        }
    }
}
