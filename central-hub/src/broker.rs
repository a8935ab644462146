//! The embedded MQTT broker: rmqtt as a library, with our own rights and retained messages.
//!
//! Owns who may connect and on which topics they may speak or listen. It listens on loopback, for the
//! door and the hub itself. Nothing that must survive lives in here: what agents say is safe only once
//! the store has committed it.

mod challenge;
mod gate;
mod hooks;
mod presence;
mod quota;
mod retained;
mod rights;
pub mod selftest;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use rmqtt::context::ServerContext;
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use settings::Secret;
use tokio::task::JoinHandle;

pub use gate::RightsCounts;
use gate::{Gate, HUB_USER};

use crate::credential;
use crate::door::peers::Peers;
use crate::ingest::backlog::Backlog;
use crate::ingest::link::{BrokerAddress, MAX_PACKET_BYTES};
use crate::store::Store;

/// Most connections at a time.
const CONNECTIONS: usize = 4096;
/// Unacknowledged messages either way; agents keep to 64.
const IN_FLIGHT: NonZeroU16 = NonZeroU16::new(128).unwrap();
/// How often refusals that were only counted are looked through, to be written down.
const COUNTED_CHECK: Duration = Duration::from_secs(10);
/// The door and the hub come by loopback, and the system chooses the port.
const LOOPBACK: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("the broker cannot listen on {LOOPBACK}: {0}; is the loopback network up?")]
    Listen(String),
    #[error(transparent)]
    Credential(#[from] credential::CredentialError),
}

/// The running broker.
pub struct Broker {
    address: SocketAddr,
    password: Secret,
    context: ServerContext,
    gate: Arc<Gate>,
    server: JoinHandle<()>,
    refusals: JoinHandle<()>,
}

impl Broker {
    /// `peers` says whose certificate is behind a connection; the door fills it. `backlog` is told by
    /// ingest what has been committed.
    pub async fn start(store: Store, peers: Peers, backlog: Backlog) -> Result<Self, BrokerError> {
        let password = Secret::new(credential::random_token()?);
        let refuse = |e: rmqtt::Error| BrokerError::Listen(e.to_string());
        let listener = Builder::new()
            .name("agents")
            .laddr(LOOPBACK)
            .allow_anonymous(false)
            .nodelay(true)
            .max_connections(CONNECTIONS)
            .max_packet_size(MAX_PACKET_BYTES)
            .max_clientid_len(160)
            .max_topic_levels(8)
            .max_subscriptions(16)
            .max_inflight(IN_FLIGHT)
            .max_session_expiry_interval(Duration::from_secs(3600))
            .bind()
            .and_then(|l| l.tcp())
            .map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;

        // Its guard against overload would refuse agents because other programs are busy.
        let context = ServerContext::new().busy_check_enable(false).build().await;
        *context.extends.retain_mut().await = Box::new(retained::Retained::default());
        *context.extends.shared_subscription_mut().await = Box::new(retained::InTurn::default());
        let gate = Arc::new(Gate::new(store, peers, backlog, password.clone(), context.clone()));
        let register = context.extends.hook_mgr().register();
        for kind in hooks::TYPES {
            register.add(kind, Box::new(hooks::Hooks(gate.clone()))).await;
        }
        register.start().await;

        let running = MqttServer::new(context.clone()).listener_by_id(listener, 1).build();
        let server = tokio::spawn(async move {
            if let Err(error) = running.run().await {
                tracing::error!(%error, "broker stopped");
            }
        });
        let refusals = tokio::spawn(write_counted(gate.clone()));
        Ok(Self { address, password, context, gate, server, refusals })
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the hub itself connects.
    pub fn for_hub(&self) -> BrokerAddress {
        let login = Some((HUB_USER.to_owned(), self.password.clone()));
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        BrokerAddress { host, port, login, tls: None, hub: None }
    }

    pub fn counts(&self) -> RightsCounts {
        self.gate.counts()
    }

    /// Stops listening and ends every connection.
    pub async fn stop(self) {
        let counts = self.counts();
        self.server.abort();
        self.refusals.abort();
        let sessions: Vec<_> = self.context.extends.shared().await.iter().collect();
        for mut entry in sessions {
            if entry.is_connected().await {
                let _ = tokio::time::timeout(Duration::from_millis(200), entry.kick(true, true, true)).await;
            }
        }
        tracing::info!(
            logins_refused = counts.logins,
            publishes_refused = counts.publishes,
            subscriptions_refused = counts.subscriptions,
            pauses = counts.held_back,
            "broker stopped"
        );
    }
}

async fn write_counted(gate: Arc<Gate>) {
    let mut ticks = tokio::time::interval(COUNTED_CHECK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        gate.refusals.write_counted().await;
    }
}
