//! What boxes are told about live video, and what they answer. A connection to the broker of its own, so that
//! live video waits for nothing else; what finds no connection is said again by whoever wants it.

use std::time::Duration;

use protocol::{Channel, Command, Reply, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ingest::link::BrokerAddress;

const PAUSE: Duration = Duration::from_secs(2);
/// Requests that may wait for the connection.
const QUEUE: usize = 64;

/// A connection's two ends.
pub struct Orders {
    pub broker: BrokerAddress,
    pub commands: mpsc::Receiver<(Topic, Command)>,
    /// Every answer of every box, whoever asked.
    pub replies: mpsc::Sender<(Topic, Reply)>,
}

impl Orders {
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (client, events) = AsyncClient::new(self.broker.options("signalbox-hub.live"), QUEUE);
            let why = tokio::select! {
                () = stop.cancelled() => return,
                why = hear(&client, events, &self.replies) => why,
                () = speak(&client, &mut self.commands) => return,
            };
            tracing::warn!(why, "no connection for live video's orders; trying again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

async fn hear(client: &AsyncClient, mut events: EventLoop, replies: &mpsc::Sender<(Topic, Reply)>) -> String {
    let filter = || Filter::new(Channel::Reply.filter(), QoS::AtMostOnce);
    if let Err(error) = client.subscribe_many([filter()]).await {
        return error.to_string();
    }
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic = String::from_utf8_lossy(&publish.topic).parse::<Topic>();
                if let (Ok(topic), Ok(reply)) = (topic, serde_json::from_slice(&publish.payload))
                    && topic.channel == Channel::Reply
                {
                    // One that finds no room is one of many: the order is said again.
                    let _ = replies.try_send((topic, reply));
                }
            }
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
    }
}

async fn speak(client: &AsyncClient, commands: &mut mpsc::Receiver<(Topic, Command)>) {
    while let Some((topic, command)) = commands.recv().await {
        match serde_json::to_vec(&command) {
            // Full or gone: it is said again in a moment, and too late it is worth nothing.
            Ok(payload) => drop(client.try_publish(topic.to_string(), QoS::AtLeastOnce, false, payload)),
            Err(error) => tracing::error!(agent = %topic.agent, %error, "order cannot be written"),
        }
    }
}
