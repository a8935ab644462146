//! The uplink: carries records, status and health to the hub over MQTT 5, and acknowledgements back.
//!
//! Owns the link and nothing that could be lost: the spool holds every record until the hub's
//! acknowledgement, so each connection is a fresh client and any error drops it whole. A PUBACK
//! only opens the window. Stills are `outbox`'s.

mod backoff;
mod link;
#[cfg(test)]
mod tests;

use std::time::Duration;

use protocol::{AgentId, DesiredConfig, Health, SiteId, Status};
use settings::Secret;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::outbox::{self, OutboxConfig};
use crate::spool::SpoolHandle;

#[derive(Clone)]
pub struct UplinkConfig {
    pub site: SiteId,
    pub agent: AgentId,
    /// The hub's broker.
    pub mqtt_host: String,
    pub mqtt_port: u16,
    /// `http://host:port` of the hub, for stills.
    pub http: String,
    pub key: Secret,
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
    desired: watch::Receiver<Option<DesiredConfig>>,
    ended: CancellationToken,
}

/// What the link tells the rest of the agent.
struct Told {
    state: watch::Sender<LinkState>,
    /// The newest wish of the hub, of any generation.
    desired: watch::Sender<Option<DesiredConfig>>,
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
        let stills =
            OutboxConfig { agent: config.agent.clone(), http: config.http.clone(), key: config.key.clone() };
        let outbox = outbox::start(stills, spool.clone(), cancel.clone())
            .inspect_err(|error| tracing::error!(%error, "no thread for stills"))
            .ok();
        let (state_sender, state) = watch::channel(LinkState::default());
        let (desired_sender, desired) = watch::channel(None);
        let told = Told { state: state_sender, desired: desired_sender };
        let ended = CancellationToken::new();
        let ending = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _ending = ending;
            run(config, spool, status, health, cancel, told).await;
        });
        UplinkTask { task, outbox, state, desired, ended }
    }
}

impl UplinkTask {
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// What the hub wishes the configuration to be; nothing of it is checked.
    pub fn desired(&self) -> watch::Receiver<Option<DesiredConfig>> {
        self.desired.clone()
    }

    /// Cancelled once the task is over, which it is only after its end was asked for, or after a defect.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
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
    told: Told,
) {
    let mut backoff = backoff::Backoff::default();
    while !cancel.is_cancelled() {
        let mut course = link::Course::default();
        let end = link::hold(&config, &spool, status.clone(), &mut health, &cancel, &told, &mut course).await;
        tell_link(&spool, false).await;
        let reason = end.err().map(|e| e.to_string());
        if let Some(reason) = &reason {
            tracing::warn!(reason, "no link to the hub; trying again");
        }
        told.state.send_modify(|s| (s.connected, s.reason) = (false, reason));
        let stood = course.connected.map_or(Duration::ZERO, |at| at.elapsed());
        // Without a random number a fleet may come back in step; that is all.
        let random = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(backoff.next(stood, course.settled, random)) => {}
        }
    }
}

async fn tell_link(spool: &SpoolHandle, connected: bool) {
    let spool = spool.clone();
    let _ = tokio::task::spawn_blocking(move || spool.link(connected)).await;
}
