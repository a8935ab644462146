//! Before the hub says that it is up: does this broker do what the hub counts on?
//!
//! A broker can accept a subscription and then deliver nothing, so the answer is sought by doing it:
//! a retained message and a shared subscription, there and back.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop};

use crate::credential;
use crate::ingest::link::BrokerAddress;

const PATIENCE: Duration = Duration::from_secs(10);
const TOPIC: &str = "signalbox/selftest";

/// What the broker did not do.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    #[error("the broker at {address} refused the hub or hung up: {why}")]
    Connection { address: String, why: String },
    #[error(
        "the broker at {address} did not {what} within 10 s; the hub needs an MQTT 5 broker with retained messages and shared subscriptions"
    )]
    Missing { address: String, what: &'static str },
    #[error(transparent)]
    Credential(#[from] credential::CredentialError),
}

/// Refuses a broker on which the hub could not work.
pub async fn run(broker: &BrokerAddress) -> Result<(), SelfTestError> {
    let address = format!("{}:{}", broker.host, broker.port);
    let token = credential::random_token()?;
    let topic = format!("{TOPIC}/{token}");
    let mut test = SelfTest { broker, address, token };
    test.publish(&topic, true, "store a retained message").await?;
    test.receive(&topic, &topic, "deliver a retained message").await?;
    let shared = format!("$share/selftest/{topic}/shared");
    test.receive(&shared, &format!("{topic}/shared"), "deliver to a shared subscription").await?;
    test.token.clear();
    test.publish(&topic, true, "clear a retained message").await
}

struct SelfTest<'a> {
    broker: &'a BrokerAddress,
    address: String,
    token: String,
}

impl SelfTest<'_> {
    fn connect(&self) -> (AsyncClient, EventLoop) {
        AsyncClient::new(self.broker.options("signalbox-hub.selftest"), 8)
    }

    async fn bounded(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<(), String>>,
    ) -> Result<(), SelfTestError> {
        let address = self.address.clone();
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(SelfTestError::Connection { address, why }),
            Err(_) => Err(SelfTestError::Missing { address, what }),
        }
    }

    async fn publish(&self, topic: &str, retain: bool, what: &'static str) -> Result<(), SelfTestError> {
        let (client, mut events) = self.connect();
        let work = async {
            let payload = self.token.clone();
            client.publish(topic, QoS::AtLeastOnce, retain, payload).await.map_err(|e| e.to_string())?;
            loop {
                if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.map_err(|e| e.to_string())? {
                    return Ok(());
                }
            }
        };
        self.bounded(what, work).await
    }

    /// Subscribes and waits for the token; to a shared filter (which gets no retained messages) it is sent
    /// once the subscription stands.
    async fn receive(&self, filter: &str, topic: &str, what: &'static str) -> Result<(), SelfTestError> {
        let (client, mut events) = self.connect();
        let shared = filter != topic;
        let work = async {
            client.subscribe(filter, QoS::AtLeastOnce).await.map_err(|e| e.to_string())?;
            loop {
                match events.poll().await.map_err(|e| e.to_string())? {
                    Event::Incoming(Packet::SubAck(_)) if shared => {
                        let payload = self.token.clone();
                        let sent = client.publish(topic, QoS::AtLeastOnce, false, payload).await;
                        sent.map_err(|e| e.to_string())?;
                    }
                    Event::Incoming(Packet::Publish(p)) if p.payload == self.token.as_bytes() => {
                        return Ok(());
                    }
                    _ => {}
                }
            }
        };
        self.bounded(what, work).await
    }
}
