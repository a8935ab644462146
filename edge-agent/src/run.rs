//! `edge-agent run`: starts the parts in the order of the flow, from its end to its beginning, and stops
//! them in reverse, so that what a camera saw last still reaches the spool.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use protocol::{AgentEvent, CameraId, CameraState, Health};
use settings::Secret;
use tokio::sync::mpsc as async_mpsc;
use tokio_util::sync::CancellationToken;

use crate::alerts::{self, Alerts, Event};
use crate::analysis::{Analysis, Mailbox, View, Watched};
use crate::board::Board;
use crate::camera::{Camera, CameraOutput};
use crate::config::Config;
use crate::detect::ObjectDetector;
use crate::figures::Figures;
use crate::hardware::Profile;
use crate::model::{Engine, EngineConfig, Store};
use crate::pipeline::Pipeline;
use crate::redact::{RedactConfig, Redactor};
use crate::spool::{Spool, SpoolConfig, SpoolHandle};
use crate::uplink::{Uplink, UplinkConfig};
use crate::usage;

/// Frames with findings that may wait for their still to be covered.
const ALERTS: usize = 2;
/// How often figures are sent.
const HEALTH_EVERY: Duration = Duration::from_secs(10);

/// Runs until `stop` is cancelled.
pub fn run(config: &Config, stop: &CancellationToken) -> anyhow::Result<()> {
    let data = &config.agent.data;
    std::fs::create_dir_all(data)
        .with_context(|| format!("agent.data: cannot make the folder {}: choose another", data.display()))?;
    let parts = Prepared::load(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let board = Board::new(config);
    let figures = Arc::new(Figures::new(config.cameras.len()));

    let (spool, report) = Spool::open(spool_config(config)).context("spool")?;
    tracing::info!(?report, "spool opened");
    if !report.durable {
        tracing::error!(
            data = %config.agent.data.display(),
            "alerts are kept in memory only and a power cut loses them: make the folder writable and free space"
        );
    }
    let (health, health_inbox) = async_mpsc::channel(4);
    let uplink_stop = CancellationToken::new();
    let uplink = Uplink::start(
        uplink_config(config)?,
        spool.clone(),
        board.subscribe(),
        health_inbox,
        uplink_stop.clone(),
    );
    tracing::info!(hub = config.hub.mqtt, "uplink started");

    let (alert_sender, alert_inbox) = mpsc::sync_channel(ALERTS);
    let ids: Vec<CameraId> = config.cameras.iter().map(|c| c.id.clone()).collect();
    let alerts = Alerts::new(parts.redactor, config.stills.quality, spool.clone(), ids.clone());
    let alerts = spawn("alerts", move || alerts.run(&alert_inbox))?;
    let _ = alert_sender.send(Event::Agent(started()));

    let mailbox = Arc::new(Mailbox::new(&parts.analyse_fps));
    let analysis = Analysis::new(parts.detectors, parts.watched, figures.clone(), alert_sender.clone());
    let inbox = mailbox.clone();
    let analysis = spawn("analysis", move || analysis.run(&inbox))?;

    let cameras = start_cameras(config, &parts.hardware, &mailbox, &alert_sender, &board, &figures)?;
    tracing::info!(cameras = cameras.len(), "watching");

    let reporter = Reporter { ids, figures, spool: spool.clone(), health };
    runtime.block_on(reporter.until(stop));

    tracing::info!("stopping");
    for camera in cameras {
        camera.stop();
    }
    mailbox.close();
    join(analysis, "analysis");
    drop(alert_sender);
    join(alerts, "alerts");
    uplink_stop.cancel();
    runtime.block_on(uplink.join());
    spool.close();
    tracing::info!("stopped");
    Ok(())
}

/// What must load before anything starts: pipelines, models, hardware profile.
struct Prepared {
    hardware: Profile,
    detectors: Vec<ObjectDetector>,
    watched: Vec<Watched>,
    analyse_fps: Vec<f32>,
    redactor: Redactor,
}

impl Prepared {
    fn load(config: &Config) -> anyhow::Result<Self> {
        let hardware = match &config.agent.hardware {
            Some(path) => Profile::load(path)?,
            None => Profile::builtin()?,
        };
        let store = Store::locate(config.models.folder.clone(), None);
        let engine = Engine::start(EngineConfig::new(&store, hardware.inference.threads as usize))?;
        let mut pipelines: Vec<(&Path, Pipeline, usize)> = Vec::new();
        let mut detectors = Vec::new();
        let mut watched = Vec::new();
        let mut analyse_fps = Vec::new();
        for camera in &config.cameras {
            let path = config.pipeline_of(camera);
            let known = pipelines.iter().position(|(of, ..)| *of == path);
            let index = match known {
                Some(index) => index,
                None => {
                    let pipeline = Pipeline::load(path)?;
                    if !pipeline.has_rules() {
                        tracing::warn!(pipeline = %path.display(), "no line and no zone: its cameras raise no alert");
                    }
                    detectors.push(pipeline.open_detector(&engine, &store)?);
                    pipelines.push((path, pipeline, detectors.len() - 1));
                    pipelines.len() - 1
                }
            };
            let (_, pipeline, detector) = &pipelines[index];
            watched.push(Watched { view: View::new(pipeline.clone()), detector: *detector });
            analyse_fps.push(pipeline.detector().analyse_fps);
        }
        let persons = pipelines.first().map_or_else(Default::default, |(_, p, _)| p.detector().clone()).card;
        let (faces, persons) = (store.card(&config.models.faces)?, store.card(&persons)?);
        let redactor = Redactor::load(&engine, &faces, &persons, redact_config(config))?;
        Ok(Self { hardware, detectors, watched, analyse_fps, redactor })
    }
}

fn start_cameras(
    config: &Config,
    hardware: &Profile,
    mailbox: &Arc<Mailbox>,
    alerts: &SyncSender<Event>,
    board: &Board,
    figures: &Arc<Figures>,
) -> anyhow::Result<Vec<Camera>> {
    let mut cameras = Vec::with_capacity(config.cameras.len());
    for (index, camera) in config.cameras.iter().enumerate() {
        let sink = Sink {
            index,
            id: camera.id.clone(),
            mailbox: mailbox.clone(),
            alerts: alerts.clone(),
            board: board.clone(),
            figures: figures.clone(),
            lost: false,
        };
        let started = camera
            .credentials()
            .map_err(anyhow::Error::from)
            .and_then(|credentials| Ok(Camera::start(camera.clone(), credentials, hardware, sink.into_fn())?))
            .with_context(|| format!("camera `{}`", camera.id))?;
        cameras.push(started);
    }
    Ok(cameras)
}

/// Where one camera's output goes. Lives on the camera's thread.
struct Sink {
    index: usize,
    id: CameraId,
    mailbox: Arc<Mailbox>,
    alerts: SyncSender<Event>,
    board: Board,
    figures: Arc<Figures>,
    /// Whether the hub was told that the camera is lost: `lost` and `restored` come in pairs.
    lost: bool,
}

impl Sink {
    fn into_fn(mut self) -> impl FnMut(CameraOutput) + Send + 'static {
        move |output| self.accept(output)
    }

    /// A closed channel means that the agent is stopping: what still comes is of no use.
    fn accept(&mut self, output: CameraOutput) {
        let camera = self.index;
        match output {
            CameraOutput::Frame(frame) => {
                self.board.set_size(camera, frame.width, frame.height);
                self.figures.decoded(camera);
                if frame.damaged {
                    self.figures.damaged(camera); // never evidence, and no ground for an alert
                } else if self.mailbox.offer(camera, frame) {
                    self.figures.replaced(camera);
                }
            }
            CameraOutput::Discontinuity { .. } => self.mailbox.discontinuity(camera),
            CameraOutput::Damaged { .. } => self.figures.damaged(camera),
            CameraOutput::DecoderLost { reason, announce } => {
                self.figures.decoder_restarted(camera);
                if announce {
                    self.tell("decoder_restarted", Some(reason));
                }
            }
            CameraOutput::State { state, reason } => {
                self.state(state, Some(reason).filter(|r| !r.is_empty()))
            }
        }
    }

    fn state(&mut self, state: CameraState, reason: Option<String>) {
        self.board.set(self.index, state, reason.clone());
        let event = match state {
            CameraState::Live => std::mem::take(&mut self.lost).then_some("camera_restored"),
            CameraState::Connecting | CameraState::Unknown => None,
            CameraState::Credentials if !self.lost => Some("credentials_refused"),
            _ if !self.lost => Some("camera_lost"),
            _ => None,
        };
        let Some(event) = event else { return };
        self.lost = event != "camera_restored";
        self.tell(event, reason);
    }

    fn tell(&self, event: &str, reason: Option<String>) {
        let event = AgentEvent { event: event.to_owned(), camera: Some(self.id.clone()), reason };
        let _ = self.alerts.send(Event::Agent(event));
    }
}

/// Sends figures to the hub every now and then.
struct Reporter {
    ids: Vec<CameraId>,
    figures: Arc<Figures>,
    spool: SpoolHandle,
    health: async_mpsc::Sender<Health>,
}

impl Reporter {
    async fn until(self, stop: &CancellationToken) {
        let mut every = tokio::time::interval(HEALTH_EVERY);
        every.tick().await;
        let read = |figures: &Figures| (0..self.ids.len()).map(|i| figures.read(i)).collect::<Vec<_>>();
        let (mut before, mut used, mut at) = (read(&self.figures), usage::now(), Instant::now());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            let (now, usage, elapsed) = (read(&self.figures), usage::now(), at.elapsed());
            let cameras = std::iter::zip(&now, &before)
                .zip(&self.ids)
                .map(|((now, before), id)| now.since(before, elapsed, id.clone()))
                .collect();
            let Ok(spool) = self.spool.figures() else { return };
            let health = Health {
                v: protocol::VERSION,
                at: alerts::now(),
                cpu_cores: (usage.own_cpu - used.own_cpu).as_secs_f64() / elapsed.as_secs_f64(),
                memory_bytes: usage::memory_bytes(),
                spool_bytes: spool.bytes,
                spool_open_records: spool.open_records,
                stills_waiting: spool.stills_waiting,
                cameras,
            };
            // QoS 0 all the way: where the uplink is busy, figures are the first to go.
            let _ = self.health.try_send(health);
            (before, used, at) = (now, usage, Instant::now());
        }
    }
}

fn redact_config(config: &Config) -> RedactConfig {
    RedactConfig { whole_person: config.stills.cover_persons, ..RedactConfig::default() }
}

fn spool_config(config: &Config) -> SpoolConfig {
    SpoolConfig {
        cap: config.spool.cap.0,
        ballast: config.spool.ballast.0,
        ..SpoolConfig::new(config.agent.data.join("spool"))
    }
}

fn uplink_config(config: &Config) -> anyhow::Result<UplinkConfig> {
    let (mqtt_host, mqtt_port) = config.hub.broker();
    Ok(UplinkConfig {
        site: config.agent.site.clone(),
        agent: config.agent.id.clone(),
        mqtt_host,
        mqtt_port,
        http: config.hub.http.trim_end_matches('/').to_owned(),
        key: Secret::read(&config.hub.key_file)?,
    })
}

fn started() -> AgentEvent {
    let reason = Some(format!("version {}", env!("CARGO_PKG_VERSION")));
    AgentEvent { event: "started".into(), camera: None, reason }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work).with_context(|| format!("thread {name}"))
}

fn join(thread: JoinHandle<()>, name: &str) {
    if thread.join().is_err() {
        tracing::error!(thread = name, "a thread ended by a panic");
    }
}
