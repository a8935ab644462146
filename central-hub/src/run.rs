//! The composition root: starts the hub's parts in order and stops them in reverse.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use settings::Secret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, selftest};
use crate::config::{self, Config};
use crate::configs;
use crate::door::{self, peers::Peers};
use crate::ingest::link::{BrokerAddress, Link};
use crate::ingest::{QUEUED_ACKS, QUEUED_MESSAGES, writer};
use crate::ports::Ports;
use crate::service::{self, Question};
use crate::store::Store;
use crate::web::{self, App};

/// How long a part may take to stop; then it is left behind.
const STOP_PATIENCE: Duration = Duration::from_millis(700);
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
    tokio::select! {
        () = asked_to_stop => {}
        () = service::signs_of_life(hub.ask_writer.clone()) => {}
    }
    service::stopping();
    hub.stop().await;
    Ok(())
}

/// The running parts, in the order in which they were started.
struct Hub {
    /// Held while the hub runs: two hubs on one folder would not know of each other's commits.
    _only: File,
    store: Store,
    broker: Option<(Broker, JoinHandle<()>)>,
    writer: JoinHandle<()>,
    ask_writer: mpsc::Sender<Question>,
    link: JoinHandle<()>,
    configs: JoinHandle<()>,
    stop_link: CancellationToken,
    http: JoinHandle<()>,
    stop_http: CancellationToken,
}

impl Hub {
    async fn start(config: &Config) -> anyhow::Result<Self> {
        let data = &config.hub.data;
        let store = Store::open(data).await?;
        let only = lock(data)?;
        Ports::remove(data);
        store.forget_presence().await?;
        tracing::info!(data = %data.display(), hub_epoch = %store.hub_epoch(), "database open");

        let (address, broker) = start_broker(config, &store).await?;
        selftest::run(&address).await?;
        tracing::info!(host = address.host, port = address.port, "broker passed its self-test");

        let (to_writer, arrivals) = mpsc::channel(QUEUED_MESSAGES);
        let (ask_writer, questions) = mpsc::channel(1);
        let (to_link, acks) = mpsc::channel(QUEUED_ACKS);
        let writer = tokio::spawn(writer::run(store.clone(), arrivals, to_link, questions));
        let (hearing, mut heard) = watch::channel(false);
        let stop_link = CancellationToken::new();
        let configs = tokio::spawn(configs::run(address.clone(), store.clone(), stop_link.clone()));
        let link = Link { broker: address, arrivals: to_writer, acks, hearing };
        let link = tokio::spawn(link.run(stop_link.clone()));
        match tokio::time::timeout(START_PATIENCE, heard.wait_for(|hearing| *hearing)).await {
            Ok(Ok(_)) => tracing::info!("ingest running"),
            _ => bail!("the broker does not let the hub listen to its agents; the log says why"),
        }

        let stop_http = CancellationToken::new();
        let (http_address, http) = start_http(config, &store, stop_http.clone()).await?;
        let mqtt = broker.as_ref().map(|(b, _)| b.address().port());
        let ports = Ports { http: http_address.port(), mqtt };
        ports.write(data).with_context(|| format!("cannot write {}", Ports::path(data).display()))?;
        tracing::info!(http = ports.http, mqtt = ports.mqtt, "hub is up");
        service::ready(&format!("wall on {http_address}"));
        Ok(Self { _only: only, store, broker, writer, ask_writer, link, configs, stop_link, http, stop_http })
    }

    /// Nothing that was acknowledged is at risk in here; what is under way is finished if it can be.
    async fn stop(self) {
        tracing::info!("stopping");
        Ports::remove(self.store.data());
        self.stop_http.cancel();
        finish("http", self.http).await;
        self.stop_link.cancel();
        finish("link", self.link).await;
        finish("configs", self.configs).await;
        finish("ingest", self.writer).await;
        if let Some((broker, watch)) = self.broker {
            watch.abort();
            let _ = tokio::time::timeout(STOP_PATIENCE, broker.stop()).await;
        }
        let _ = tokio::time::timeout(STOP_PATIENCE, self.store.close()).await;
        tracing::info!("hub stopped");
    }
}

async fn start_broker(
    config: &Config,
    store: &Store,
) -> anyhow::Result<(BrokerAddress, Option<(Broker, JoinHandle<()>)>)> {
    if let Some((host, port)) = config.broker.external.as_deref().and_then(config::split_address) {
        let login = match (&config.broker.user, &config.broker.password_file) {
            (Some(user), Some(file)) => Some((user.clone(), Secret::read(file)?)),
            _ => None,
        };
        tracing::info!(host, port, "using an external broker");
        return Ok((BrokerAddress { host: host.to_owned(), port, login }, None));
    }
    let peers = Peers::default();
    let broker = Broker::start(config.broker.listen, peers.clone()).await?;
    tracing::info!(address = %broker.address(), "broker listening");
    let watch = tokio::spawn(door::watch::run(peers, store.clone()));
    Ok((broker.for_hub(), Some((broker, watch))))
}

async fn start_http(
    config: &Config,
    store: &Store,
    stop: CancellationToken,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
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
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} for the wall; is another program there?"))?;
    let address = listener.local_addr()?;
    let app = App::new(store.clone(), config.hub.site_names.clone(), stop.clone());
    let service = web::router(app, wall).into_make_service_with_connect_info::<SocketAddr>();
    let http = tokio::spawn(async move {
        let serving = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "http stopped");
        }
    });
    tracing::info!(%address, "http listening");
    Ok((address, http))
}

fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("serve.lock");
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another hub is running on {}; stop it, or choose another folder", data.display())
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
