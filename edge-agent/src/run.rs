//! `edge-agent run`: starts spool, uplink and what the configuration says, and stops them in reverse, so that
//! what a camera saw last still reaches the spool. In between it listens to whoever may change the
//! configuration: the hub, and the box's own settings. Spool and uplink stay while cameras start anew.

mod checking;
mod orders;
mod post;
mod reporter;

use std::time::{Duration, Instant};

use anyhow::Context;
use edge_core::trial::Seen;
use protocol::{AgentEvent, DesiredConfig, Status};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::alerts::Event;
use crate::board::{self, Board};
use crate::config::Config;
use crate::control::{Control, Desk, DoorError};
use crate::desired::folder::Folder;
use crate::desired::keeper::{Keeper, Start};
use crate::drill::Drills;
use crate::identity;
use crate::live::Live;
use crate::service;
use crate::spool::{Spool, SpoolConfig};
use crate::uplink::{LinkState, Uplink, UplinkConfig};
use crate::watching::Lost;
use orders::Carrying;
use post::Post;
use reporter::Reporter;

/// Orders of the hub that may wait.
const ORDERS: usize = 4;
/// Wishes to read the settings again that may wait.
const RELOADS: usize = 4;

/// What the settings name cannot be loaded: the reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unready(pub String);

/// Somebody at the box wishes that its settings are read again; the answer says why not.
#[derive(Debug)]
pub struct Reload {
    pub answer: Option<oneshot::Sender<Result<(), String>>>,
}

/// Where such wishes go, and where they come out.
pub fn reloads() -> (mpsc::Sender<Reload>, mpsc::Receiver<Reload>) {
    mpsc::channel(RELOADS)
}

/// Runs until `stop` is cancelled. `reloads`: as [`reloads`] makes them.
pub fn run(
    config: Config,
    (reload, reloads): (mpsc::Sender<Reload>, mpsc::Receiver<Reload>),
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let data = &config.agent.data;
    std::fs::create_dir_all(data)
        .with_context(|| format!("agent.data: cannot make the folder {}: choose another", data.display()))?;
    let identity = identity::Keeper::open(identity::Folder::hold(&config.agent.data)?).context("identity")?;
    let home = identity.pass().home.clone();
    config.agrees_with(&home).context("settings")?;
    let start = Start::read(config.clone(), Folder::open(&config.agent.data), post::check);
    let start = start.map_err(|reason| Unready(reason.to_string()))?;
    let config = &start.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let board = Board::new(home.name.clone());

    let (spool, report) = Spool::open(spool_config(config)).context("spool")?;
    tracing::info!(?report, "spool opened");
    if !report.durable {
        tracing::error!(
            data = %config.agent.data.display(),
            "alerts are kept in memory only and a power cut loses them: make the folder writable and free space"
        );
    }
    let (health, health_inbox) = mpsc::channel(4);
    let uplink_stop = CancellationToken::new();
    let identity_stop = CancellationToken::new();
    let identity = identity.start(identity_stop.clone());
    let (orders, ordered) = mpsc::channel(ORDERS);
    let (desired, wishes) = watch::channel(None);
    let uplink_config = UplinkConfig {
        pass: identity.pass.clone(),
        nudge: identity.nudge.clone(),
        clock: identity.clock.clone(),
        orders,
        desired,
    };
    let uplink =
        Uplink::start(uplink_config, spool.clone(), board.subscribe(), health_inbox, uplink_stop.clone());
    tracing::info!(hub = home.mqtt, site = %home.site, agent = %home.agent, "uplink started");
    let (drills, latest) = (Drills::default(), watch::Sender::new(None));
    let control = open_control(
        config,
        Desk {
            site: home.site.clone(),
            agent: home.agent.clone(),
            status: board.subscribe(),
            link: uplink.state(),
            health: latest.subscribe(),
            spool: spool.clone(),
            drills: drills.clone(),
            reload,
        },
    )?;
    let live = Live::new(identity.pass.clone(), runtime.handle().clone());
    let live_stop = CancellationToken::new();
    let keeping_live = runtime.spawn(live.clone().keep(live_stop.clone()));
    let carrying = Carrying {
        drills: drills.clone(),
        live: live.clone(),
        spool: spool.clone(),
        status: board.subscribe(),
    };
    let orders = runtime.spawn(carrying.out(ordered));

    let (measured, to_measure) = watch::channel(None);
    let post = Post {
        spool: spool.clone(),
        board: board.clone(),
        lost: Lost::default(),
        drills,
        live,
        watching: None,
        measured,
    };
    let begun = Instant::now();
    let mut keeper = Keeper::begin(start, post, move || begun.elapsed())?;
    if let Some(events) = keeper.station().watching.as_ref().and_then(|w| w.events()) {
        let _ = events.send(Event::Agent(started()));
    }
    let stop_reporter = CancellationToken::new();
    let reporter = Reporter {
        measured: to_measure,
        spool: spool.clone(),
        health,
        latest,
        link: uplink.state(),
        uplink_ended: uplink.ended(),
    };
    let reporter = runtime.spawn(reporter.until(stop_reporter.clone()));

    let listening = Listening { wishes, link: uplink.state(), status: board.subscribe(), reloads };
    service::ready();
    // Here and not on a worker: while models load, uplink and reporter go on.
    let outcome = runtime.block_on(listening.until(stop, &mut keeper, begun));

    tracing::info!("stopping");
    service::stopping();
    if let Some(control) = control {
        runtime.block_on(control.stop());
    }
    stop_reporter.cancel();
    let _ = runtime.block_on(reporter);
    live_stop.cancel();
    let _ = runtime.block_on(keeping_live);
    if let Some(watching) = keeper.stop().watching {
        watching.stop();
    }
    uplink_stop.cancel();
    runtime.block_on(uplink.join());
    orders.abort();
    identity_stop.cancel();
    runtime.block_on(identity.join());
    spool.close();
    tracing::info!("stopped");
    outcome
}

/// Everything that may change the configuration, or tells how it does.
struct Listening {
    wishes: watch::Receiver<Option<DesiredConfig>>,
    link: watch::Receiver<LinkState>,
    status: watch::Receiver<Status>,
    reloads: mpsc::Receiver<Reload>,
}

impl Listening {
    async fn until(
        mut self,
        stop: &CancellationToken,
        keeper: &mut Keeper<Post>,
        begun: Instant,
    ) -> anyhow::Result<()> {
        self.wishes.mark_changed();
        keeper.seen(self.seen())?;
        loop {
            let due = keeper.deadline().map_or(Duration::MAX, |at| at.saturating_sub(begun.elapsed()));
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Ok(()) = self.wishes.changed() => {
                    let wish = self.wishes.borrow_and_update().clone();
                    if let Some(wish) = wish {
                        keeper.offered(&wish)?;
                    }
                }
                Ok(()) = self.status.changed() => keeper.seen(self.seen())?,
                Ok(()) = self.link.changed() => keeper.seen(self.seen())?,
                Some(reload) = self.reloads.recv() => {
                    let outcome = keeper.reload()?;
                    if let Some(answer) = reload.answer {
                        let _ = answer.send(outcome);
                    }
                }
                () = tokio::time::sleep(due) => keeper.due()?,
            }
        }
    }

    fn seen(&mut self) -> Seen {
        let cameras = board::seen(&self.status.borrow_and_update());
        Seen { cameras, linked: self.link.borrow_and_update().connected }
    }
}

/// Two agents on one data folder are refused; where no socket can be made, the cameras matter more.
fn open_control(config: &Config, desk: Desk) -> anyhow::Result<Option<Control>> {
    match Control::start(&config.agent.data, desk) {
        Ok(control) => Ok(Some(control)),
        Err(error @ DoorError::Taken { .. }) => Err(error.into()),
        Err(error) => {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "no control socket");
            Ok(None)
        }
    }
}

fn spool_config(config: &Config) -> SpoolConfig {
    SpoolConfig {
        cap: config.spool.cap.0,
        ballast: config.spool.ballast.0,
        ..SpoolConfig::new(config.agent.data.join("spool"))
    }
}

fn started() -> AgentEvent {
    let reason = Some(format!("version {}", env!("CARGO_PKG_VERSION")));
    AgentEvent { event: "started".into(), camera: None, reason }
}
