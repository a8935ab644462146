//! Sends figures to the hub every now and then, and a sign of life to the service manager.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::Health;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::figures::Reading;
use crate::spool::SpoolHandle;
use crate::uplink::LinkState;
use crate::watching::Measured;
use crate::{alerts, service, usage};

/// How often figures are sent.
const HEALTH_EVERY: Duration = Duration::from_secs(10);
/// How long cameras may take to start anew, models included.
const START_WITHIN: Duration = Duration::from_secs(300);

pub(super) struct Reporter {
    /// Others when cameras were started anew.
    pub measured: watch::Receiver<Option<Arc<Measured>>>,
    pub spool: SpoolHandle,
    pub health: mpsc::Sender<Health>,
    /// The same, for whoever asks at the box.
    pub latest: watch::Sender<Option<Health>>,
    pub link: watch::Receiver<LinkState>,
    /// The uplink's task.
    pub uplink_ended: CancellationToken,
}

/// The counters at one moment.
struct Moment {
    of: Arc<Measured>,
    readings: Vec<Reading>,
    used: usage::Usage,
    at: Instant,
}

impl Moment {
    fn now(of: Arc<Measured>) -> Self {
        let readings = (0..of.ids.len()).map(|i| of.figures.read(i)).collect();
        Self { of, readings, used: usage::now(), at: Instant::now() }
    }
}

impl Reporter {
    pub async fn until(mut self, stop: CancellationToken) {
        let mut every = tokio::time::interval(HEALTH_EVERY);
        every.tick().await;
        let (mut before, mut measured_at) = (None, Instant::now());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            let measured = self.measured.borrow_and_update().clone();
            self.sign(measured.as_deref(), measured_at);
            let Some(measured) = measured else { continue };
            measured_at = Instant::now();
            let now = Moment::now(measured);
            // Counters of other cameras say nothing about these.
            let same = before.take().filter(|b: &Moment| Arc::ptr_eq(&b.of, &now.of));
            if let Some(before) = same
                && !self.send(&before, &now).await
            {
                return;
            }
            before = Some(now);
        }
    }

    /// That this task runs says that the runtime that carries the uplink does.
    fn sign(&self, measured: Option<&Measured>, measured_at: Instant) {
        let uplink = ("uplink", !self.uplink_ended.is_cancelled());
        let hub = if self.link.borrow().connected { "connected" } else { "away" };
        match measured {
            Some(measured) => {
                let [analysis, alerts] = measured.parts();
                let text = format!("cameras {}, hub {hub}", measured.ids.len());
                service::sign_of_life(&[analysis, alerts, uplink], &text);
            }
            None => {
                let starting = ("cameras", measured_at.elapsed() < START_WITHIN);
                service::sign_of_life(&[starting, uplink], &format!("cameras start anew, hub {hub}"));
            }
        }
    }

    async fn send(&self, before: &Moment, now: &Moment) -> bool {
        let elapsed = now.at - before.at;
        let cameras = std::iter::zip(&now.readings, &before.readings)
            .zip(&now.of.ids)
            .map(|((now, before), id)| now.since(before, elapsed, id.clone()))
            .collect();
        let spool = self.spool.clone();
        let Ok(Ok(spool)) = tokio::task::spawn_blocking(move || spool.figures()).await else { return false };
        let health = Health {
            v: protocol::VERSION,
            at: alerts::now(),
            cpu_cores: (now.used.own_cpu - before.used.own_cpu).as_secs_f64() / elapsed.as_secs_f64(),
            memory_bytes: usage::memory_bytes(),
            spool_bytes: spool.bytes,
            spool_open_records: spool.open_records,
            stills_waiting: spool.stills_waiting,
            cameras,
        };
        self.latest.send_replace(Some(health.clone()));
        // QoS 0 all the way: where the uplink is busy, figures are the first to go.
        let _ = self.health.try_send(health);
        true
    }
}
