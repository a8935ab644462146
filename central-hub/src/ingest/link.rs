//! The hub as a client of its broker, embedded or external alike.
//!
//! Every connection is a fresh client: what an old one still held is the agents' to send again.

use std::sync::Arc;
use std::time::Duration;

use protocol::Channel;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use settings::Secret;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Outgoing, read};
use crate::clock::now_ms;
use crate::store::Store;
use crate::store::records::Arrival;

/// Largest packet either way; the embedded broker has the same limit.
pub const MAX_PACKET_BYTES: u32 = 256 * 1024;
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MOST: Duration = Duration::from_secs(10);

/// Where the broker is and who the hub is there.
#[derive(Debug, Clone)]
pub struct BrokerAddress {
    pub host: String,
    pub port: u16,
    pub login: Option<(String, Secret)>,
    /// How the hub knows the broker, and by what certificate it is known there; plain without.
    pub tls: Option<Arc<ClientConfig>>,
    /// Tells this hub's connections from those of other hubs at the same broker.
    pub hub: Option<String>,
}

impl BrokerAddress {
    /// Options of a fresh connection. `client` tells the hub's connections apart.
    pub fn options(&self, client: &str) -> MqttOptions {
        let client = self.hub.iter().fold(client.to_owned(), |client, hub| format!("{client}.{hub}"));
        let mut options = MqttOptions::new(client, &self.host, self.port);
        if let Some((user, password)) = &self.login {
            options.set_credentials(user, password.expose());
        }
        if let Some(tls) = &self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())));
        }
        options.set_clean_start(true).set_keep_alive(Duration::from_secs(20));
        options.set_max_packet_size(Some(MAX_PACKET_BYTES)).set_receive_maximum(Some(128));
        let mut network = options.network_options();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        options
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Connection(#[from] Box<rumqttc::v5::ConnectionError>),
    #[error("{0}")]
    Client(#[from] Box<rumqttc::v5::ClientError>),
    #[error("the broker refused the subscription: {0:?}")]
    Subscription(Vec<SubscribeReasonCode>),
}

/// The link's two ends towards the writer, and its state.
pub struct Link {
    pub broker: BrokerAddress,
    pub arrivals: mpsc::Sender<Arrival>,
    pub acks: mpsc::Receiver<Outgoing>,
    /// Whether the hub hears its agents now.
    pub hearing: watch::Sender<bool>,
    /// Where there are other hubs: whether this one leads them.
    pub among: Option<watch::Receiver<bool>>,
    /// Gets to know since when nobody is heard.
    pub store: Store,
}

impl Link {
    /// Connects, again and again, until stopped. Dropping it ends the writer's queue.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = PAUSE_FIRST;
        let mut deaf_since = None;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => break,
                ended = self.connect() => ended,
            };
            if self.hearing.send_replace(false) {
                pause = PAUSE_FIRST;
                deaf_since = Some(now_ms());
            }
            // Before the next connection, which hears every retained status; and again while there is none, for
            // messages of the last one may still have been on their way.
            if let Some(at) = deaf_since.filter(|_| self.hears_status())
                && let Err(error) = self.store.deaf_since(at).await
            {
                tracing::warn!(%error, "agents count as they were, though nobody hears them");
            }
            if let Err(error) = ended {
                tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "broker connection lost");
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MOST);
        }
        self.hearing.send_replace(false);
    }

    fn hears_status(&self) -> bool {
        self.among.as_ref().is_none_or(|leads| *leads.borrow())
    }

    async fn connect(&mut self) -> Result<(), LinkError> {
        let (client, events) = AsyncClient::new(self.broker.options("signalbox-hub.ingest"), 64);
        let leads = self.among.as_mut().map(|leads| *leads.borrow_and_update());
        // Sent as soon as there is a connection; the queue of 64 has room for it.
        client.subscribe_many(filters(leads)).await.map_err(Box::new)?;
        // Both halves run to their end: cancelling one in the middle could lose a message.
        tokio::select! {
            ended = hear(events, &self.arrivals, &self.hearing) => ended,
            ended = speak(&client, &mut self.acks) => ended,
            // Who leads now hears more or less than before: from the beginning, in a new connection.
            () = changed(&mut self.among) => Ok(()),
        }
    }
}

/// One hub hears everything. Several share what can be taken in any order, each message for one of them; a box's
/// status is worth something in its order only, so the one that leads hears it, retained ones first.
fn filters(leads: Option<bool>) -> Vec<Filter> {
    let channels = [
        (Channel::Alert, QoS::AtLeastOnce),
        (Channel::Reply, QoS::AtLeastOnce),
        (Channel::Health, QoS::AtMostOnce),
    ];
    let share = if leads.is_some() { "$share/signalbox-hub/" } else { "" };
    let mut filters: Vec<_> =
        channels.map(|(channel, qos)| Filter::new(format!("{share}{}", channel.filter()), qos)).into();
    if leads != Some(false) {
        filters.push(Filter::new(Channel::Status.filter(), QoS::AtLeastOnce));
    }
    filters
}

async fn changed(among: &mut Option<watch::Receiver<bool>>) {
    if let Some(leads) = among
        && leads.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

async fn hear(
    mut events: EventLoop,
    arrivals: &mpsc::Sender<Arrival>,
    hearing: &watch::Sender<bool>,
) -> Result<(), LinkError> {
    loop {
        match events.poll().await.map_err(Box::new)? {
            Event::Incoming(Packet::Publish(publish)) => {
                let topic = String::from_utf8_lossy(&publish.topic);
                let Some(arrival) = read(&topic, &publish.payload, now_ms()) else {
                    tracing::warn!("message on a topic that is none of ours left out");
                    continue;
                };
                if arrivals.send(arrival).await.is_err() {
                    return Ok(());
                }
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                let refused = |code: &SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
                if ack.return_codes.iter().any(refused) {
                    return Err(LinkError::Subscription(ack.return_codes));
                }
                tracing::info!("listening to agents");
                hearing.send_replace(true);
            }
            _ => {}
        }
    }
}

async fn speak(client: &AsyncClient, acks: &mut mpsc::Receiver<Outgoing>) -> Result<(), LinkError> {
    while let Some((topic, ack)) = acks.recv().await {
        match serde_json::to_vec(&ack) {
            Ok(payload) => {
                client
                    .publish(topic.to_string(), QoS::AtLeastOnce, false, payload)
                    .await
                    .map_err(Box::new)?;
            }
            Err(error) => tracing::error!(agent = %topic.agent, %error, "acknowledgement cannot be written"),
        }
    }
    // The writer is gone: there is nothing left to say, but hearing goes on until it is stopped.
    std::future::pending().await
}
