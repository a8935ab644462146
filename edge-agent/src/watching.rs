//! Everything that one configuration starts: cameras, analysis, alerts. It can be ended and started anew while
//! spool and uplink stay, and what was seen before its end still reaches the spool.
//!
//! Parts start in the order of the flow, from its end to its beginning, and stop in reverse.

mod prepared;
mod seat;
mod sink;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::Context;
use protocol::CameraId;

use crate::alerts::{Alerts, Event};
use crate::analysis::{Analysis, Mailbox};
use crate::board::Board;
use crate::config::Config;
use crate::drill::Drills;
use crate::figures::Figures;
use crate::live::Live;
use crate::service::{self, Part};
use crate::spool::SpoolHandle;
pub use prepared::Prepared;
use seat::{Key, Seat};
use sink::Sink;

/// Frames with findings that may wait for their still to be covered.
const ALERTS: usize = 2;

/// Cameras that the hub was told are lost: `lost` and `restored` come in pairs, over restarts of the cameras too.
pub type Lost = Arc<Mutex<BTreeSet<CameraId>>>;

/// What is counted, of which cameras, and whether it goes on.
pub struct Measured {
    pub ids: Vec<CameraId>,
    pub figures: Arc<Figures>,
    mailbox: Arc<Mailbox>,
    analysis_ended: Arc<AtomicBool>,
    alerts_ended: Arc<AtomicBool>,
}

impl Measured {
    /// The parts that must be alive, and whether they are.
    pub fn parts(&self) -> [Part; 2] {
        let ended = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        let analyses = !ended(&self.analysis_ended) && self.mailbox.at_work_for() < service::WORK_WITHIN;
        [("analysis", analyses), ("alerts", !ended(&self.alerts_ended))]
    }
}

/// The running parts.
pub struct Watching {
    seats: Vec<Seat>,
    mailbox: Arc<Mailbox>,
    analysis: Option<JoinHandle<()>>,
    /// Gone when it stops, so that the alerts thread ends.
    to_alerts: Option<SyncSender<Event>>,
    alerts: Option<JoinHandle<()>>,
    measured: Arc<Measured>,
}

impl Watching {
    /// `board` shows the cameras of `config` from now on. Those of `kept` that it has as they are go on without a
    /// break; the others end.
    pub fn start(
        config: &Config,
        parts: Prepared,
        mut kept: Vec<Seat>,
        spool: &SpoolHandle,
        board: &Board,
        lost: &Lost,
        (drills, live): (&Drills, &Live),
    ) -> anyhow::Result<Self> {
        let ids: Vec<CameraId> = config.cameras.iter().map(|c| c.id.clone()).collect();
        let mailbox = Arc::new(Mailbox::new(&parts.analyse_fps));
        let measured = Arc::new(Measured {
            ids: ids.clone(),
            figures: Arc::new(Figures::new(ids.len())),
            mailbox: mailbox.clone(),
            analysis_ended: Arc::default(),
            alerts_ended: Arc::default(),
        });
        let figures = &measured.figures;
        let board = board.show(config);
        live.configure(config.cameras.iter(), config.stills.cover_persons);

        let (to_alerts, alert_inbox) = mpsc::sync_channel(ALERTS);
        let alerts = Alerts::new(parts.redactor, config.stills.quality, spool.clone(), ids.clone());
        let ended = measured.alerts_ended.clone();
        let alerts = Some(spawn("alerts", ended, move || alerts.run(&alert_inbox))?);
        // From here on dropping it stops what has started.
        let mut watching = Self {
            seats: Vec::with_capacity(config.cameras.len()),
            mailbox: mailbox.clone(),
            analysis: None,
            to_alerts: Some(to_alerts.clone()),
            alerts,
            measured: measured.clone(),
        };
        let analysis = Analysis::new(parts.detectors, parts.watched, figures.clone(), to_alerts.clone())
            .serving(drills.clone(), live.clone(), ids);
        let ended = measured.analysis_ended.clone();
        watching.analysis = Some(spawn("analysis", ended, move || analysis.run(&mailbox))?);

        for (index, (camera, credentials)) in std::iter::zip(&config.cameras, parts.credentials).enumerate() {
            let sink = Sink {
                index,
                id: camera.id.clone(),
                mailbox: watching.mailbox.clone(),
                alerts: to_alerts.clone(),
                board: board.clone(),
                figures: figures.clone(),
                lost: lost.clone(),
                live: live.clone(),
                watched: false,
                latest: Default::default(),
            };
            let key = Key::of(camera, credentials, &parts.hardware);
            let seat = match kept.iter().position(|seat| *seat.key() == key) {
                Some(at) => {
                    let seat = kept.swap_remove(at);
                    seat.move_to(sink);
                    seat
                }
                None => Seat::start(key, camera, sink).with_context(|| format!("camera `{}`", camera.id))?,
            };
            watching.seats.push(seat);
        }
        tracing::info!(cameras = watching.seats.len(), "watching");
        Ok(watching)
    }

    /// Ends the sessions that this configuration has no longer or has otherwise, and hands over the rest, which
    /// deliver here until they are given to the next.
    pub fn release(&mut self, config: &Config, parts: &Prepared) -> Vec<Seat> {
        let wanted: Vec<Key> = std::iter::zip(&config.cameras, &parts.credentials)
            .map(|(camera, credentials)| Key::of(camera, credentials.clone(), &parts.hardware))
            .collect();
        self.seats.drain(..).filter(|seat| wanted.contains(seat.key())).collect()
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
        self.seats.clear();
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

/// A thread that says at its end, whatever ends it, that it has ended.
fn spawn(
    name: &str,
    ended: Arc<AtomicBool>,
    work: impl FnOnce() + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    struct Ending(Arc<AtomicBool>);
    impl Drop for Ending {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let ending = Ending(ended);
    let work = move || {
        let _ending = ending;
        work();
    };
    std::thread::Builder::new().name(name.into()).spawn(work).with_context(|| format!("thread {name}"))
}

fn join(thread: Option<JoinHandle<()>>, name: &str) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!(thread = name, "a thread ended by a panic");
    }
}
