//! From the database to the agents: the newest wish of each, retained on its `config` topic.
//!
//! A connection of its own, fresh each time: the embedded broker's retained messages live in memory, so
//! everything is said again at the beginning of every connection. What the command line adds while the hub
//! runs is noticed within [`LOOK`]. Checking a text beyond size, syntax and secrets is the agent's.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{AgentId, Channel, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ingest::link::BrokerAddress;
use crate::store::{Store, StoreError};

/// How often the database is asked for new wishes.
const LOOK: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_secs(2);
/// Requests that may wait for the connection.
const QUEUE: usize = 64;

#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("broker: {0}")]
    Connection(#[from] Box<rumqttc::v5::ConnectionError>),
    #[error("broker: {0}")]
    Client(#[from] Box<rumqttc::v5::ClientError>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a wish cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Publishes until stopped.
///
/// Among several hubs the one that leads does it.
pub async fn run(
    broker: BrokerAddress,
    store: Store,
    mut leads: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = lead(&broker, &store, &mut leads) => ended,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "wishes for agents' configurations are not published; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// A connection for as long as this hub leads.
async fn lead(
    broker: &BrokerAddress,
    store: &Store,
    leads: &mut watch::Receiver<bool>,
) -> Result<(), PublishError> {
    if leads.wait_for(|leads| *leads).await.is_err() {
        return std::future::pending().await;
    }
    let lost = async { drop(leads.wait_for(|leads| !*leads).await) };
    tokio::select! {
        ended = connection(broker, store) => ended,
        () = lost => Ok(()),
    }
}

async fn connection(broker: &BrokerAddress, store: &Store) -> Result<(), PublishError> {
    let (client, events) = AsyncClient::new(broker.options("signalbox-hub.configs"), QUEUE);
    // Both halves run to their end: cancelling one in the middle could lose a message.
    tokio::select! {
        ended = carry(events) => ended,
        ended = publish(&client, store) => ended,
    }
}

async fn carry(mut events: EventLoop) -> Result<(), PublishError> {
    loop {
        if let Event::Incoming(Packet::PubAck(ack)) = events.poll().await.map_err(Box::new)? {
            tracing::debug!(reason = ?ack.reason, "wish taken by the broker");
        }
    }
}

async fn publish(client: &AsyncClient, store: &Store) -> Result<(), PublishError> {
    let mut published: BTreeMap<AgentId, u64> = BTreeMap::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        for (agent, generation) in store.newest_configs().await? {
            if published.get(&agent) == Some(&generation) {
                continue;
            }
            let Some(wish) = store.newest_config(&agent).await? else { continue };
            let topic = Topic { site: wish.site, agent: wish.agent, channel: Channel::Config };
            let payload = serde_json::to_vec(&wish.config)?;
            client.publish(topic.to_string(), QoS::AtLeastOnce, true, payload).await.map_err(Box::new)?;
            tracing::info!(%agent, generation = wish.config.generation, "configuration wished");
            published.insert(agent, wish.config.generation);
        }
    }
}
