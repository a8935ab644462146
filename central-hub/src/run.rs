//! The composition root: starts the hub's parts in order and stops them in reverse.

mod doors;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use settings::Secret;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::Publisher;
use crate::broker::{Broker, selftest};
use crate::cli::words;
use crate::config::{self, Config};
use crate::configs;
use crate::door::peers::Peers;
use crate::hubs::Member;
use crate::incidents::adopt;
use crate::ingest::backlog::Backlog;
use crate::ingest::link::{BrokerAddress, Link};
use crate::ingest::{QUEUED_ACKS, QUEUED_MESSAGES, writer};
use crate::live::{Live, Orders, Room};
use crate::minutes;
use crate::ports::Ports;
use crate::retention;
use crate::service::{self, Question};
use crate::store::Store;
use crate::uptime;
use crate::web::{self, App};
use crate::webhooks::run::Outside;
use crate::work::Work;
use crate::work::watch::run as watch_clocks;
use doors::Entrance;

/// How long a part may take to stop; then it is left behind.
const STOP_PATIENCE: Duration = Duration::from_millis(700);
/// Orders about live video that may wait, and answers to them.
const LIVE_ORDERS: usize = 256;
/// How long the hub waits for its own link to the broker before it says that it is up.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// Runs the hub until SIGTERM or Ctrl-C.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let asked_to_stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(asked_to_stop);

    let hub = tokio::select! {
        hub = Hub::start(&config) => hub?,
        () = &mut asked_to_stop => return Ok(()),
    };
    let expelled = hub.expelled.clone();
    tokio::select! {
        () = asked_to_stop => {}
        () = expelled.cancelled() => {}
        () = service::signs_of_life(hub.ask_writer.clone()) => {}
    }
    service::stopping();
    hub.stop().await;
    if expelled.is_cancelled() {
        bail!("this hub was taken off the list of hubs on its database; the log says why");
    }
    Ok(())
}

/// The running parts, in the order in which they were started.
struct Hub {
    /// Held while the hub runs: two hubs on one folder would not know of each other's commits.
    _only: File,
    store: Store,
    broker: Option<Broker>,
    writer: JoinHandle<()>,
    ask_writer: mpsc::Sender<Question>,
    link: JoinHandle<()>,
    configs: JoinHandle<()>,
    clocks: JoinHandle<()>,
    minutes: JoinHandle<()>,
    member: JoinHandle<()>,
    uptime: JoinHandle<()>,
    /// This hub may not go on.
    expelled: CancellationToken,
    adopting: JoinHandle<()>,
    retention: JoinHandle<()>,
    outside: Outside,
    stop_link: CancellationToken,
    live: Vec<(&'static str, JoinHandle<()>)>,
    entrance: Entrance,
    /// Ends the feeds.
    stop_http: CancellationToken,
}

impl Hub {
    async fn start(config: &Config) -> anyhow::Result<Self> {
        let data = &config.hub.data;
        let store = Store::open(data, &config.store).await?;
        store.chain_audit_by(config.audit.hash);
        store.rule_book().set(config.incidents.clone());
        let names = Arc::new(config.names(store.hub_epoch()));
        store.count_days_at(names.offset_minutes);
        let only = lock(data)?;
        Ports::remove(data);
        let member = Member::join(&store, config).await?;
        let (name, leads, expelled) = (member.name(), member.leads(), member.expelled.clone());
        let stop_link = CancellationToken::new();
        // From now on the others must hear that it lives, however long the start takes.
        let member = tokio::spawn(member.run(stop_link.clone()));
        let uptime = tokio::spawn(uptime::run(store.clone(), leads.clone(), stop_link.clone()));
        tracing::info!(data = %data.display(), hub_epoch = %store.hub_epoch(), "database open");

        let mut entrance = Entrance::prepare(config, &store).await?;
        let (peers, backlog) = (Peers::default(), Backlog::default());
        let (address, broker) = start_broker(config, &store, &peers, &backlog, name.clone()).await?;
        selftest::run(&address).await?;
        tracing::info!(host = address.host, port = address.port, "broker passed its self-test");

        let (to_writer, arrivals) = mpsc::channel(QUEUED_MESSAGES);
        let (ask_writer, questions) = mpsc::channel(1);
        let (to_link, acks) = mpsc::channel(QUEUED_ACKS);
        let writer = tokio::spawn(writer::run(store.clone(), arrivals, to_link, backlog, questions));
        let (hearing, mut heard) = watch::channel(false);
        let configs =
            tokio::spawn(configs::run(address.clone(), store.clone(), leads.clone(), stop_link.clone()));
        let among = name.map(|_| leads.clone());
        let (live, live_tasks) = start_live(config, &store, &address, &stop_link).await;
        let link = Link { broker: address, arrivals: to_writer, acks, hearing, among, store: store.clone() };
        let work = Arc::new(Work::open(&config.workflow)?);
        let clocks = tokio::spawn(watch_clocks(store.clone(), work.rules.clone(), stop_link.clone()));
        let publisher = Publisher::open(&config.audit)?;
        let limits = config.people.limits();
        let minutes = tokio::spawn(minutes::run(store.clone(), limits, publisher, stop_link.clone()));
        let adopting = tokio::spawn(adopt::run(store.clone(), stop_link.clone()));
        let kept = config.retention.clone();
        let retention = tokio::spawn(retention::run(store.clone(), kept, leads, stop_link.clone()));
        let outside = Outside::start(&config.webhooks, &names, &store, &stop_link)?;
        let link = tokio::spawn(link.run(stop_link.clone()));
        match tokio::time::timeout(START_PATIENCE, heard.wait_for(|hearing| *hearing)).await {
            Ok(Ok(_)) => tracing::info!("ingest running"),
            _ => bail!("the broker does not let the hub listen to its agents; the log says why"),
        }

        let mqtt = match &broker {
            Some(broker) => Some(entrance.open_mqtt(config, &store, &peers, broker.address())?.port()),
            None => None,
        };
        let told = match (mqtt, &config.broker.external) {
            (Some(port), _) => format!(":{port}"),
            (None, external) => external.clone().unwrap_or_default(),
        };
        let agents = entrance.open_agents(config, &store, live.clone(), told)?.port();
        let stop_http = CancellationToken::new();
        let app = App::new(store.clone(), config, work, live, stop_http.clone());
        let http = entrance.open_wall(config, web::router(app, wall_folder(config)?))?.port();
        let ports = Ports { http, agents, mqtt };
        ports.write(data).with_context(|| format!("cannot write {}", Ports::path(data).display()))?;
        tracing::info!(http = ports.http, agents = ports.agents, mqtt = ports.mqtt, "hub is up");
        service::ready(&format!("wall on port {http}, boxes on port {agents}"));
        Ok(Self {
            _only: only,
            store,
            broker,
            writer,
            ask_writer,
            link,
            configs,
            clocks,
            minutes,
            member,
            uptime,
            expelled,
            adopting,
            retention,
            outside,
            stop_link,
            live: live_tasks,
            entrance,
            stop_http,
        })
    }

    /// Nothing that was acknowledged is at risk in here; what is under way is finished if it can be.
    async fn stop(self) {
        tracing::info!("stopping");
        Ports::remove(self.store.data());
        self.stop_http.cancel();
        self.entrance.close(STOP_PATIENCE).await;
        self.stop_link.cancel();
        for (part, task) in self.live {
            finish(part, task).await;
        }
        finish("link", self.link).await;
        finish("configs", self.configs).await;
        finish("uptime", self.uptime).await;
        finish("member", self.member).await;
        for (part, task) in self.outside.tasks() {
            finish(part, task).await;
        }
        finish("clocks", self.clocks).await;
        finish("minutes", self.minutes).await;
        finish("adopting", self.adopting).await;
        finish("retention", self.retention).await;
        finish("ingest", self.writer).await;
        if let Some(broker) = self.broker {
            let _ = tokio::time::timeout(STOP_PATIENCE, broker.stop()).await;
        }
        let _ = tokio::time::timeout(STOP_PATIENCE, self.store.close()).await;
        tracing::info!("hub stopped");
    }
}

async fn start_broker(
    config: &Config,
    store: &Store,
    peers: &Peers,
    backlog: &Backlog,
    hub: Option<String>,
) -> anyhow::Result<(BrokerAddress, Option<Broker>)> {
    if let Some((host, port)) = config.broker.external.as_deref().and_then(config::split_address) {
        let login = match (&config.broker.user, &config.broker.password_file) {
            (Some(user), Some(file)) => Some((user.clone(), Secret::read(file)?)),
            _ => None,
        };
        let tls = config.broker.client_tls()?;
        tracing::info!(host, port, tls = tls.is_some(), "using an external broker");
        return Ok((BrokerAddress { host: host.to_owned(), port, login, tls, hub }, None));
    }
    // Plain and on loopback: it is reached through the door alone.
    let broker = Broker::start(store.clone(), peers.clone(), backlog.clone()).await?;
    tracing::info!(address = %broker.address(), "broker listening behind the door");
    Ok((broker.for_hub(), Some(broker)))
}

/// Alerts matter more than live video: without its port the hub runs on without it.
async fn start_live(
    config: &Config,
    store: &Store,
    broker: &BrokerAddress,
    stop: &CancellationToken,
) -> (Live, Vec<(&'static str, JoinHandle<()>)>) {
    let (commands, to_boxes) = mpsc::channel(LIVE_ORDERS);
    let (heard, replies) = mpsc::channel(LIVE_ORDERS);
    match Room::open(&config.live, store.clone(), commands, replies).await {
        Ok((room, live)) => {
            let orders = Orders { broker: broker.clone(), commands: to_boxes, replies: heard };
            let room = tokio::spawn(room.run(stop.clone()));
            (live, vec![("live", room), ("live orders", tokio::spawn(orders.run(stop.clone())))])
        }
        Err(error) => {
            let error = doors::not_opened("[live]", config.live.listen, &error);
            tracing::error!(%error, "no live video");
            (Live::closed(), Vec::new())
        }
    }
}

fn wall_folder(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    let wall = match &config.wall.folder {
        Some(folder) if !folder.join("index.html").is_file() => {
            bail!("[wall] folder = \"{}\" holds no index.html: build the wall first", folder.display())
        }
        Some(folder) => Some(folder.clone()),
        None => web::wall::find(),
    };
    match &wall {
        Some(folder) => tracing::info!(folder = %folder.display(), "wall found"),
        None => tracing::warn!("no built wall found, serving the API alone"),
    }
    Ok(wall)
}

fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("serve.lock");
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("{}", words::two_hubs(data))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

async fn finish(part: &'static str, mut task: JoinHandle<()>) {
    if tokio::time::timeout(STOP_PATIENCE, &mut task).await.is_ok() {
        tracing::info!(part, "stopped");
    } else {
        task.abort();
        tracing::warn!(part, "did not stop in time, left behind");
    }
}
