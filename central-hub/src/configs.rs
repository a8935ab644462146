//! From the database to the agents: the newest wish of each, retained on its `config` topic, and the order to
//! renew while one authority replaces the other. What is retained for a box without a valid certificate is
//! taken back.
//!
//! A connection of its own, fresh each time: the embedded broker's retained messages live in memory, so
//! everything is said again at the beginning of every connection. What the command line adds while the hub
//! runs is noticed within [`LOOK`]. Checking a text beyond size, syntax and secrets is the agent's.

mod renewals;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use protocol::{AgentId, Channel, Command, Order, Timestamp, Topic, VERSION};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::credential::{self, CredentialError};
use crate::ingest::link::BrokerAddress;
use crate::store::{Store, StoreError};
use renewals::Renewals;

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
    #[error(transparent)]
    Random(#[from] CredentialError),
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
    let mut published: BTreeMap<AgentId, Option<u64>> = BTreeMap::new();
    let mut renewals = Renewals::default();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        publish_wishes(client, store, &mut published).await?;
        order_renewals(client, store, &mut renewals).await?;
    }
}

/// `published`: the generation that stands retained for each; nothing for a box that is not let in.
async fn publish_wishes(
    client: &AsyncClient,
    store: &Store,
    published: &mut BTreeMap<AgentId, Option<u64>>,
) -> Result<(), PublishError> {
    let newest = store.newest_configs().await?;
    if newest.is_empty() {
        return Ok(());
    }
    let valid = store.valid_certificates().await?;
    let inside: BTreeSet<AgentId> = valid.into_iter().map(|c| c.identity.agent).collect();
    for (agent, generation) in newest {
        let wanted = inside.contains(&agent).then_some(generation);
        if published.get(&agent) == Some(&wanted) {
            continue;
        }
        let Some(wish) = store.newest_config(&agent).await? else { continue };
        let topic = Topic { site: wish.site, agent: wish.agent, channel: Channel::Config };
        let payload = match wanted {
            Some(_) => serde_json::to_vec(&wish.config)?,
            // MQTT 5, 3.3.1.3: an empty message takes the retained one away.
            None => Vec::new(),
        };
        client.publish(topic.to_string(), QoS::AtLeastOnce, true, payload).await.map_err(Box::new)?;
        match wanted {
            Some(_) => tracing::info!(%agent, generation = wish.config.generation, "configuration wished"),
            None => tracing::info!(%agent, "configuration taken back: the agent has no valid certificate"),
        }
        published.insert(agent, wanted.map(|_| wish.config.generation));
    }
    Ok(())
}

/// Boxes look for themselves every few hours; while the authority is replaced they are told.
async fn order_renewals(
    client: &AsyncClient,
    store: &Store,
    renewals: &mut Renewals,
) -> Result<(), PublishError> {
    let authorities = store.authorities().await?;
    let Some((_, older)) = authorities.split_last() else { return Ok(()) };
    let mut bearers = BTreeSet::new();
    for authority in older {
        let valid = store.valid_under(&authority.fingerprint).await?;
        bearers.extend(valid.into_iter().map(|b| (b.site, b.agent)));
    }
    for (site, agent) in renewals.due(Instant::now(), bearers) {
        let (Ok(site), Ok(agent)) = (site.parse(), agent.parse()) else { continue };
        let id = credential::random_token()?;
        let expires_at = Timestamp::from_unix_ms(now_ms() + renewals::AGAIN.as_millis() as i64);
        let command = Command { v: VERSION, id, expires_at, order: Order::Renew };
        let topic = Topic { site, agent, channel: Channel::Command };
        let payload = serde_json::to_vec(&command)?;
        client.publish(topic.to_string(), QoS::AtLeastOnce, false, payload).await.map_err(Box::new)?;
        tracing::info!(agent = %topic.agent, "told to renew under the new authority");
    }
    Ok(())
}
