//! One connection, from CONNECT to its end. The only file that knows the MQTT client.

use std::time::{Duration, Instant};

use protocol::{Ack, AgentState, Channel, DesiredConfig, Health, MAX_MESSAGE_BYTES, Status, Topic, VERSION};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, LastWill, Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, ClientError, ConnectionError, Event, EventLoop, MqttOptions};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Told, UplinkConfig, tell_link};
use crate::spool::{LEAST_MESSAGE, SpoolError, SpoolHandle};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("MQTT: {0}")]
    Connection(Box<ConnectionError>),
    #[error("MQTT: the client takes no more requests")]
    Client(#[source] Box<ClientError>),
    #[error("MQTT: the broker refused a message: {0:?}")]
    Refused(PubAckReason),
    #[error("MQTT: the broker takes only {bytes} bytes a message: raise its limit")]
    Narrow { bytes: usize },
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("status or health cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("an internal task ended early")]
    Task,
}

impl From<ClientError> for LinkError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Acknowledgements of a long, broken backlog are larger than the client's default of 10 KiB.
const MAX_INCOMING: u32 = 256 * 1024;
const MOST_IN_FLIGHT: usize = 64;
/// What PUBLISH costs around its payload: header, topic, packet id.
const PACKET_BYTES: usize = 256;
/// How often the spool is asked for what is late.
const TICK: Duration = Duration::from_secs(1);
const GOODBYE: Duration = Duration::from_secs(2);

/// What a connection came to.
#[derive(Debug, Default)]
pub struct Course {
    /// Since when the broker holds it.
    pub connected: Option<Instant>,
    /// Whether the hub settled anything over it.
    pub settled: bool,
}

/// What the broker allows.
struct Terms {
    window: usize,
    max_bytes: usize,
}

impl Terms {
    fn of(connack: &ConnAck) -> Self {
        let p = connack.properties.as_ref();
        let receive_max = p.and_then(|p| p.receive_max).map_or(usize::from(u16::MAX), usize::from);
        let packet = p.and_then(|p| p.max_packet_size).map_or(usize::MAX, |b| b as usize);
        Self {
            window: MOST_IN_FLIGHT.min(receive_max.saturating_sub(1)).max(1),
            max_bytes: MAX_MESSAGE_BYTES.min(packet.saturating_sub(PACKET_BYTES)),
        }
    }
}

/// Connects and carries until cancelled (`Ok`) or until anything fails.
pub async fn hold(
    config: &UplinkConfig,
    spool: &SpoolHandle,
    mut status: watch::Receiver<Status>,
    health: &mut mpsc::Receiver<Health>,
    cancel: &CancellationToken,
    told: &Told,
    course: &mut Course,
) -> Result<(), LinkError> {
    let topic =
        |channel| Topic { site: config.site.clone(), agent: config.agent.clone(), channel }.to_string();
    let (client, mut events) = AsyncClient::new(options(config, topic(Channel::Status)), 2 * MOST_IN_FLIGHT);
    let connack = tokio::select! {
        connack = connected(&mut events) => connack?,
        () = cancel.cancelled() => return Ok(()),
    };
    course.connected = Some(Instant::now());
    let terms = Terms::of(&connack);
    if terms.max_bytes < LEAST_MESSAGE {
        return Err(LinkError::Narrow { bytes: terms.max_bytes });
    }
    client.try_subscribe(topic(Channel::Ack), QoS::AtLeastOnce)?;
    client.try_subscribe(topic(Channel::Config), QoS::AtLeastOnce)?;
    status.mark_changed();
    tell_link(spool, true).await;
    told.state.send_modify(|s| (s.connected, s.reason) = (true, None));
    tracing::info!("linked to the hub");

    let mut changes = spool.changes();
    let mut tick = tokio::time::interval(TICK);
    let mut in_flight = 0usize;
    let mut may_send = true;
    loop {
        while may_send && in_flight < terms.window {
            let Some(payload) = next(spool, &terms).await? else {
                may_send = false;
                break;
            };
            client.try_publish(topic(Channel::Alert), QoS::AtLeastOnce, false, payload)?;
            in_flight += 1;
        }
        tokio::select! {
            event = events.poll() => match event.map_err(|e| LinkError::Connection(Box::new(e)))? {
                Event::Incoming(Packet::PubAck(puback)) => {
                    in_flight = in_flight.saturating_sub(1);
                    check(puback.reason)?;
                }
                Event::Incoming(Packet::Publish(publish)) => match channel(&publish.topic) {
                    Some(Channel::Ack) => course.settled |= receive(spool, &publish.payload).await?,
                    Some(Channel::Config) => wish(told, &publish.payload),
                    other => {
                        told.state.send_modify(|s| s.ignored += 1);
                        tracing::debug!(channel = ?other, "message from the hub is not known and ignored");
                    }
                },
                _ => {}
            },
            _ = changes.changed() => may_send = true,
            _ = tick.tick() => may_send = true,
            changed = status.changed() => {
                changed.map_err(|_| LinkError::Task)?;
                let payload = serde_json::to_vec(&*status.borrow_and_update())?;
                in_flight += 1;
                client.try_publish(topic(Channel::Status), QoS::AtLeastOnce, true, payload)?;
            }
            Some(figures) = health.recv() => {
                client.try_publish(topic(Channel::Health), QoS::AtMostOnce, false, serde_json::to_vec(&figures)?)?;
            }
            () = cancel.cancelled() => {
                client.try_publish(topic(Channel::Status), QoS::AtLeastOnce, true, offline())?;
                client.try_disconnect()?;
                let _ = tokio::time::timeout(GOODBYE, async { while events.poll().await.is_ok() {} }).await;
                return Ok(());
            }
        }
    }
}

/// The transport is chosen here and nowhere else.
fn options(config: &UplinkConfig, status_topic: String) -> MqttOptions {
    let mut options = MqttOptions::new(config.agent.as_str(), &config.mqtt_host, config.mqtt_port);
    options
        .set_credentials(config.agent.as_str(), config.key.expose())
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(true)
        .set_max_packet_size(Some(MAX_INCOMING))
        .set_outgoing_inflight_upper_limit(MOST_IN_FLIGHT as u16 * 2)
        .set_last_will(LastWill::new(status_topic, offline(), QoS::AtLeastOnce, true, None));
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options
}

fn offline() -> Vec<u8> {
    let status = Status {
        v: VERSION,
        state: AgentState::Offline,
        name: None,
        version: None,
        since: None,
        cameras: None,
        config: None,
    };
    serde_json::to_vec(&status).unwrap_or_default()
}

async fn connected(events: &mut EventLoop) -> Result<ConnAck, LinkError> {
    loop {
        let event = events.poll().await.map_err(|e| LinkError::Connection(Box::new(e)))?;
        if let Event::Incoming(Packet::ConnAck(connack)) = event {
            return Ok(connack);
        }
    }
}

/// The next message, written out: its records are the JSON that the spool stored.
async fn next(spool: &SpoolHandle, terms: &Terms) -> Result<Option<Vec<u8>>, LinkError> {
    let (spool, window, max_bytes) = (spool.clone(), terms.window, terms.max_bytes);
    let taken = tokio::task::spawn_blocking(move || spool.take(window, max_bytes));
    let Some(records) = taken.await.map_err(|_| LinkError::Task)?? else { return Ok(None) };
    let mut message = format!("{{\"v\":{VERSION},\"records\":[").into_bytes();
    message.extend(records.join(&b','));
    message.extend(b"]}");
    Ok(Some(message))
}

/// Success, or nobody listens yet: either way only the hub settles. What may pass is waited out by
/// a new connection with its back-off.
fn check(reason: PubAckReason) -> Result<(), LinkError> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        refused => Err(LinkError::Refused(refused)),
    }
}

/// What a message is, by its topic alone.
fn channel(topic: &[u8]) -> Option<Channel> {
    Some(std::str::from_utf8(topic).ok()?.parse::<Topic>().ok()?.channel)
}

/// Hands on what the hub wishes; what it says is looked at elsewhere.
fn wish(told: &Told, payload: &[u8]) {
    match serde_json::from_slice::<DesiredConfig>(payload) {
        Ok(wish) => drop(told.desired.send_replace(Some(wish))),
        Err(error) => tracing::warn!(%error, "desired configuration cannot be read and is ignored"),
    }
}

/// Whether the acknowledgement names any record.
async fn receive(spool: &SpoolHandle, payload: &[u8]) -> Result<bool, LinkError> {
    let ack = match serde_json::from_slice::<Ack>(payload) {
        Ok(ack) => ack,
        Err(error) => {
            tracing::warn!(%error, "acknowledgement cannot be read");
            return Ok(false);
        }
    };
    for rejected in &ack.rejected {
        tracing::error!(seq = rejected.seq, reason = ?rejected.reason, "hub rejected a record");
    }
    let settles = ack.settled_through > 0 || !ack.settled.is_empty() || !ack.rejected.is_empty();
    let spool = spool.clone();
    tokio::task::spawn_blocking(move || spool.acknowledge(ack)).await.map_err(|_| LinkError::Task)??;
    Ok(settles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_by_its_topic() {
        assert_eq!(channel(b"signalbox/v1/town/box/ack"), Some(Channel::Ack));
        assert_eq!(channel(b"signalbox/v1/town/box/config"), Some(Channel::Config));
        assert_eq!(channel(b"signalbox/v1/town/box/news"), None);
        assert_eq!(channel(b"\xff"), None);
    }
}
