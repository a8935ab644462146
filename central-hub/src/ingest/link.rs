//! The hub as a client of its broker, embedded or external alike.
//!
//! Every connection is a fresh client: what an old one still held is the agents' to send again.

use std::time::Duration;

use protocol::Channel;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use settings::Secret;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Outgoing, read};
use crate::clock::now_ms;
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
}

impl BrokerAddress {
    /// Options of a fresh connection. `client` tells the hub's connections apart.
    pub fn options(&self, client: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client, &self.host, self.port);
        if let Some((user, password)) = &self.login {
            options.set_credentials(user, password.expose());
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
}

impl Link {
    /// Connects, again and again, until stopped. Dropping it ends the writer's queue.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = PAUSE_FIRST;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => break,
                ended = self.connect() => ended,
            };
            if self.hearing.send_replace(false) {
                pause = PAUSE_FIRST;
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

    async fn connect(&mut self) -> Result<(), LinkError> {
        let (client, events) = AsyncClient::new(self.broker.options("signalbox-hub.ingest"), 64);
        // Sent as soon as there is a connection; the queue of 64 has room for it.
        let filters = [
            (Channel::Alert, QoS::AtLeastOnce),
            (Channel::Status, QoS::AtLeastOnce),
            (Channel::Reply, QoS::AtLeastOnce),
            (Channel::Health, QoS::AtMostOnce),
        ];
        let filters = filters.map(|(channel, qos)| Filter::new(channel.filter(), qos));
        client.subscribe_many(filters).await.map_err(Box::new)?;
        // Both halves run to their end: cancelling one in the middle could lose a message.
        tokio::select! {
            ended = hear(events, &self.arrivals, &self.hearing) => ended,
            ended = speak(&client, &mut self.acks) => ended,
        }
    }
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
