//! The uplink: carries records, status and health to the hub over MQTT 5, and acknowledgements back.
//!
//! Owns the link and nothing that could be lost: the spool holds every record until the hub's
//! acknowledgement, so each connection is a fresh client and any error drops it whole. A PUBACK
//! only opens the window. Stills are `outbox`'s.

mod backoff;
mod link;
pub mod orders;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use protocol::{DesiredConfig, Health, Status};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::identity::{HubClock, Nudge, Pass};
use crate::outbox::{self, OutboxConfig};
use crate::spool::SpoolHandle;
pub use link::{LinkError, probe};
pub use orders::Asked;

/// What the uplink works with, and where it hands out what is not its own.
#[derive(Clone)]
pub struct UplinkConfig {
    /// What is shown at the hub's doors; a new generation means a new connection.
    pub pass: watch::Receiver<Arc<Pass>>,
    /// Asks the keeper of the certificate for a look.
    pub nudge: mpsc::Sender<Nudge>,
    /// What time it is at the hub.
    pub clock: Arc<HubClock>,
    /// Orders that other parts carry out. With the other end dropped, they are answered as unknown.
    pub orders: mpsc::Sender<Asked>,
    /// The newest desired configuration that came, as it came.
    pub desired: watch::Sender<Option<DesiredConfig>>,
}

/// Whether the broker holds a connection now, and the last reason why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    pub connected: bool,
    pub reason: Option<String>,
    /// Messages from the hub since the start that this agent does not know.
    pub ignored: u64,
}

pub struct Uplink;

/// Cancel the token given to [`Uplink::start`], then [`UplinkTask::join`].
pub struct UplinkTask {
    task: JoinHandle<()>,
    outbox: Option<std::thread::JoinHandle<()>>,
    state: watch::Receiver<LinkState>,
}

impl Uplink {
    /// Must be called within a tokio runtime.
    pub fn start(
        config: UplinkConfig,
        spool: SpoolHandle,
        status: watch::Receiver<Status>,
        health: mpsc::Receiver<Health>,
        cancel: CancellationToken,
    ) -> UplinkTask {
        let stills = OutboxConfig { pass: config.pass.clone(), runtime: tokio::runtime::Handle::current() };
        let outbox = outbox::start(stills, spool.clone(), cancel.clone())
            .inspect_err(|error| tracing::error!(%error, "no thread for stills"))
            .ok();
        let (seen, state) = watch::channel(LinkState::default());
        let task = tokio::spawn(run(config, spool, status, health, cancel, seen));
        UplinkTask { task, outbox, state }
    }
}

impl UplinkTask {
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Waits for the orderly end: offline status published, disconnected, outbox thread over.
    pub async fn join(self) {
        let _ = self.task.await;
        if let Some(outbox) = self.outbox {
            let _ = tokio::task::spawn_blocking(move || outbox.join()).await;
        }
    }
}

async fn run(
    config: UplinkConfig,
    spool: SpoolHandle,
    status: watch::Receiver<Status>,
    mut health: mpsc::Receiver<Health>,
    cancel: CancellationToken,
    seen: watch::Sender<LinkState>,
) {
    let mut backoff = backoff::Backoff::default();
    let mut pass = config.pass.clone();
    while !cancel.is_cancelled() {
        let mut course = link::Course::default();
        pass.mark_unchanged();
        let end = link::hold(&config, &spool, status.clone(), &mut health, &cancel, &seen, &mut course).await;
        tell_link(&spool, false).await;
        if matches!(end, Ok(link::End::NewPass)) {
            tracing::info!("connecting anew with the new certificate");
            continue;
        }
        let reason = end.err().map(|e| e.to_string());
        if let Some(reason) = &reason {
            tracing::warn!(reason, "no link to the hub; trying again");
            // The broker's door closes without a word; HTTPS says why.
            let _ = config.nudge.try_send(Nudge::LinkFailed);
        }
        seen.send_modify(|s| (s.connected, s.reason) = (false, reason));
        let stood = course.connected.map_or(Duration::ZERO, |at| at.elapsed());
        // Without a random number a fleet may come back in step; that is all.
        let random = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(backoff.next(stood, course.settled, random)) => {}
            Ok(()) = pass.changed() => {}
        }
    }
}

async fn tell_link(spool: &SpoolHandle, connected: bool) {
    let spool = spool.clone();
    let _ = tokio::task::spawn_blocking(move || spool.link(connected)).await;
}
