//! Everything that one configuration starts: cameras, analysis, alerts. It can be ended and started anew while
//! spool and uplink stay, and what was seen before its end still reaches the spool.
//!
//! Parts start in the order of the flow, from its end to its beginning, and stop in reverse.

mod prepared;
mod sink;

use std::collections::BTreeSet;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::Context;
use protocol::CameraId;

use crate::alerts::{Alerts, Event};
use crate::analysis::{Analysis, Mailbox};
use crate::board::Board;
use crate::camera::Camera;
use crate::config::Config;
use crate::figures::Figures;
use crate::spool::SpoolHandle;
pub use prepared::Prepared;
use sink::Sink;

/// Frames with findings that may wait for their still to be covered.
const ALERTS: usize = 2;

/// Cameras that the hub was told are lost: `lost` and `restored` come in pairs, over restarts of the cameras too.
pub type Lost = Arc<Mutex<BTreeSet<CameraId>>>;

/// What is counted, and of which cameras.
#[derive(Debug)]
pub struct Measured {
    pub ids: Vec<CameraId>,
    pub figures: Arc<Figures>,
}

/// The running parts.
pub struct Watching {
    cameras: Vec<Camera>,
    mailbox: Arc<Mailbox>,
    analysis: Option<JoinHandle<()>>,
    /// Gone when it stops, so that the alerts thread ends.
    to_alerts: Option<SyncSender<Event>>,
    alerts: Option<JoinHandle<()>>,
    measured: Arc<Measured>,
}

impl Watching {
    /// `board` shows the cameras of `config` from now on.
    pub fn start(
        config: &Config,
        parts: Prepared,
        spool: &SpoolHandle,
        board: &Board,
        lost: &Lost,
    ) -> anyhow::Result<Self> {
        let ids: Vec<CameraId> = config.cameras.iter().map(|c| c.id.clone()).collect();
        let measured = Arc::new(Measured { ids: ids.clone(), figures: Arc::new(Figures::new(ids.len())) });
        let figures = &measured.figures;
        let board = board.show(config);

        let (to_alerts, alert_inbox) = mpsc::sync_channel(ALERTS);
        let alerts = Alerts::new(parts.redactor, config.stills.quality, spool.clone(), ids);
        let alerts = Some(spawn("alerts", move || alerts.run(&alert_inbox))?);
        let mailbox = Arc::new(Mailbox::new(&parts.analyse_fps));
        // From here on dropping it stops what has started.
        let mut watching = Self {
            cameras: Vec::with_capacity(config.cameras.len()),
            mailbox: mailbox.clone(),
            analysis: None,
            to_alerts: Some(to_alerts.clone()),
            alerts,
            measured: measured.clone(),
        };
        let analysis = Analysis::new(parts.detectors, parts.watched, figures.clone(), to_alerts.clone());
        watching.analysis = Some(spawn("analysis", move || analysis.run(&mailbox))?);

        for (index, (camera, credentials)) in std::iter::zip(&config.cameras, parts.credentials).enumerate() {
            let sink = Sink {
                index,
                id: camera.id.clone(),
                mailbox: watching.mailbox.clone(),
                alerts: to_alerts.clone(),
                board: board.clone(),
                figures: figures.clone(),
                lost: lost.clone(),
            };
            let started = Camera::start(camera.clone(), credentials, &parts.hardware, sink.into_fn())
                .with_context(|| format!("camera `{}`", camera.id))?;
            watching.cameras.push(started);
        }
        tracing::info!(cameras = watching.cameras.len(), "watching");
        Ok(watching)
    }

    /// Where agent events become records.
    pub fn events(&self) -> Option<&SyncSender<Event>> {
        self.to_alerts.as_ref()
    }

    pub fn measured(&self) -> Arc<Measured> {
        self.measured.clone()
    }

    /// Stops in the order of the flow: what was seen is analysed, what was found is written.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for camera in self.cameras.drain(..) {
            camera.stop();
        }
        self.mailbox.close();
        join(self.analysis.take(), "analysis");
        if let Some(to_alerts) = self.to_alerts.take() {
            // Said aloud: a camera's thread that was left behind may hold a sender for long.
            let _ = to_alerts.send(Event::Stop);
        }
        join(self.alerts.take(), "alerts");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work).with_context(|| format!("thread {name}"))
}

fn join(thread: Option<JoinHandle<()>>, name: &str) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!(thread = name, "a thread ended by a panic");
    }
}
