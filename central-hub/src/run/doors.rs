//! Opens the doors and keeps what is behind them current: revoked boxes are cut, authorities read again.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::Router;
use rustls::ServerConfig;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::agent_api::{self, AgentApi, Settings};
use crate::ca::{self, Ca};
use crate::cli::words::Language;
use crate::config::Config;
use crate::door::accept::Door;
use crate::door::crowd::{Crowd, Places};
use crate::door::mqtt::ToBroker;
use crate::door::peers::Peers;
use crate::door::tls::Tls;
use crate::door::{files, http, watch};
use crate::live::Live;
use crate::store::Store;

/// What every door needs.
pub struct Entrance {
    pub tls: Tls,
    pub ca: Ca,
    places: Places,
    stop: CancellationToken,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

impl Entrance {
    /// Makes the authority and the hub's certificate where they are missing.
    pub async fn prepare(config: &Config, store: &Store) -> anyhow::Result<Self> {
        let ca = Ca::open(store).await?;
        let listening = [config.agents.listen, config.broker.listen, config.http.listen];
        let names: BTreeSet<String> = ca::host_names(&config.agents.names, &listening);
        let tls = Tls::open(ca.clone(), names).await?;
        let places = Places::for_files(files::raise_limit());
        Ok(Self { tls, ca, places, stop: CancellationToken::new(), tasks: Vec::new() })
    }

    /// MQTT over TLS, before the embedded broker. Where it listens.
    pub fn open_mqtt(
        &mut self,
        config: &Config,
        store: &Store,
        peers: &Peers,
        broker: SocketAddr,
    ) -> anyhow::Result<SocketAddr> {
        let tls = self.tls.for_boxes(true)?;
        let (door, address) = self.listen("mqtt", "[broker]", config.broker.listen, Some(tls))?;
        let (to_broker, stop) = (ToBroker::new(store.clone(), peers.clone(), broker), self.stop.clone());
        let run = door.run(self.stop.clone(), move |arrival| to_broker.clone().serve(arrival, stop.clone()));
        self.tasks.push(("mqtt door", tokio::spawn(run)));
        self.tasks.push(("watch", tokio::spawn(watch::run(peers.clone(), store.clone(), self.stop.clone()))));
        Ok(address)
    }

    /// HTTPS for boxes. Where it listens.
    pub fn open_agents(
        &mut self,
        config: &Config,
        store: &Store,
        live: Live,
        mqtt: String,
    ) -> anyhow::Result<SocketAddr> {
        let tls = self.tls.for_boxes(false)?;
        let settings = Settings {
            certificate_days: config.agents.certificate_days,
            grace_days: config.agents.grace_days,
            mqtt,
        };
        let api = AgentApi::new(store.clone(), self.ca.clone(), self.tls.clone(), live, settings);
        let (door, address) = self.listen("agents", "[agents]", config.agents.listen, Some(tls))?;
        self.serve("agents door", door, agent_api::router(api));
        let (tls, stop) = (self.tls.clone(), self.stop.clone());
        self.tasks.push(("authorities", tokio::spawn(keep_current(tls, stop))));
        Ok(address)
    }

    /// The wall, by HTTPS where the settings say so. Where it listens.
    pub fn open_wall(&mut self, config: &Config, router: Router) -> anyhow::Result<SocketAddr> {
        let own = config.http.certificate_file.as_deref().zip(config.http.key_file.as_deref());
        let tls = if config.wall_tls() { Some(self.tls.for_browsers(own)?) } else { None };
        let (door, address) = self.listen("wall", "[http]", config.http.listen, tls)?;
        self.serve("wall door", door, router);
        Ok(address)
    }

    /// Closes every door, and waits for each a while.
    pub async fn close(self, patience: Duration) {
        self.stop.cancel();
        for (part, mut task) in self.tasks {
            if tokio::time::timeout(patience, &mut task).await.is_err() {
                task.abort();
                tracing::warn!(part, "did not stop in time, left behind");
            }
        }
        tracing::info!("doors closed");
    }

    fn listen(
        &self,
        name: &'static str,
        section: &str,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> anyhow::Result<(Door, SocketAddr)> {
        let secure = tls.is_some();
        let door = Door::listen(name, address, tls, Crowd::new(self.places))
            .map_err(|error| not_opened(section, address, &error))?;
        let address = door.address()?;
        tracing::info!(door = name, %address, tls = secure, "door open");
        Ok((door, address))
    }

    fn serve(&mut self, part: &'static str, door: Door, router: Router) {
        let stop = self.stop.clone();
        let run =
            door.run(self.stop.clone(), move |arrival| http::serve(arrival, router.clone(), stop.clone()));
        self.tasks.push((part, tokio::spawn(run)));
    }
}

/// An error of opening a port, as it is told.
pub(super) fn not_opened(section: &str, address: SocketAddr, error: &io::Error) -> anyhow::Error {
    anyhow!(not_open(Language::of_environment(), section, address, error))
}

/// Why nothing listens there, and what to do.
fn not_open(language: Language, section: &str, address: SocketAddr, error: &io::Error) -> String {
    let (zh, en) = match error.kind() {
        ErrorKind::AddrInUse => (
            "已有程序占用这个端口：请停止它，或换一个端口".to_owned(),
            "another program listens there: stop it, or choose another port".to_owned(),
        ),
        ErrorKind::AddrNotAvailable => (
            "本机没有使用这个地址的网络接口：请写本机的地址，或写 0.0.0.0".to_owned(),
            "no interface of this machine has this address: write one that it has, or 0.0.0.0 for all"
                .to_owned(),
        ),
        ErrorKind::PermissionDenied => (
            "没有权限使用这个端口：请选 1024 或更大的端口".to_owned(),
            "this port is not allowed: choose one from 1024 on".to_owned(),
        ),
        _ => (error.to_string(), error.to_string()),
    };
    language.say(
        format!("无法监听 {address}（{section} listen）：{zh}"),
        format!("cannot listen on {address} ({section} listen): {en}"),
    )
}

/// Notices within half a second what the commands beside the hub did to its authorities.
async fn keep_current(tls: Tls, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(watch::LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = tls.refresh().await {
            tracing::warn!(%error, "authorities not read again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_door_shut_is_said() {
        let open = |address: SocketAddr| {
            let (places, tls) = (Places::for_files(1_000), None);
            Door::listen("wall", address, tls, Crowd::new(places)).and_then(|d| d.address())
        };
        let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = there.local_addr().unwrap();
        // Set aside for documentation (RFC 5737): no interface has it.
        let nowhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _entered = runtime.enter();
        for (address, zh, en) in [(taken, "占用", "another program"), (nowhere, "网络接口", "no interface")]
        {
            let error = open(address).unwrap_err();
            assert!(not_open(Language::Zh, "[http]", address, &error).contains(zh), "{error}");
            assert!(not_open(Language::En, "[http]", address, &error).contains(en), "{error}");
        }
    }
}
