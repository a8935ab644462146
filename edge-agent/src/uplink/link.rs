//! One connection, from CONNECT to its end. The only file that knows the MQTT client.

use std::time::{Duration, Instant};

use protocol::{
    Ack, AgentState, Channel, Command, DesiredConfig, Health, MAX_MESSAGE_BYTES, Reply, Status, Topic,
    VERSION,
};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, LastWill, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ClientError, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::orders::{self, Todo};
use super::{LinkState, UplinkConfig, tell_link};
use crate::identity::{Nudge, Pass, in_words};
use crate::spool::{LEAST_MESSAGE, SpoolError, SpoolHandle};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("MQTT: {}", in_words(&.0.to_string()))]
    Connection(Box<ConnectionError>),
    #[error("MQTT: the hub hung up: it does not let this certificate in now, or is going down")]
    HungUp,
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
    #[error("MQTT: the broker does not let the box subscribe to its own topics")]
    Subscription,
    #[error("MQTT: no answer of the broker within {} s", PROBE.as_secs())]
    Silent,
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
/// What a try with a new certificate may take as a whole.
const PROBE: Duration = Duration::from_secs(15);
/// Answers to orders that wait for their turn.
const MOST_REPLIES: usize = 16;
/// What the hub says to the box.
const HEARD: [Channel; 3] = [Channel::Ack, Channel::Command, Channel::Config];

/// What a connection came to.
#[derive(Debug, Default)]
pub struct Course {
    /// Since when the broker holds it.
    pub connected: Option<Instant>,
    /// Whether the hub settled anything over it.
    pub settled: bool,
}

/// Why a connection ended that nothing was wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Cancelled,
    /// There is a new certificate to connect with.
    NewPass,
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

/// Connects and carries until cancelled or renewed (`Ok`) or until anything fails.
pub async fn hold(
    config: &UplinkConfig,
    spool: &SpoolHandle,
    mut status: watch::Receiver<Status>,
    health: &mut mpsc::Receiver<Health>,
    cancel: &CancellationToken,
    seen: &watch::Sender<LinkState>,
    course: &mut Course,
) -> Result<End, LinkError> {
    let mut passes = config.pass.clone();
    let pass = passes.borrow_and_update().clone();
    let topic = |channel| topic_of(&pass, channel);
    let mut options = options(&pass);
    options.set_last_will(LastWill::new(topic(Channel::Status), offline(), QoS::AtLeastOnce, true, None));
    let (client, mut events) = AsyncClient::new(options, 2 * MOST_IN_FLIGHT);
    let connack = tokio::select! {
        connack = connected(&mut events) => connack?,
        () = cancel.cancelled() => return Ok(End::Cancelled),
    };
    course.connected = Some(Instant::now());
    let terms = Terms::of(&connack);
    if terms.max_bytes < LEAST_MESSAGE {
        return Err(LinkError::Narrow { bytes: terms.max_bytes });
    }
    for channel in HEARD {
        client.try_subscribe(topic(channel), QoS::AtLeastOnce)?;
    }
    let (replies, mut answers) = mpsc::channel(MOST_REPLIES);
    status.mark_changed();
    tell_link(spool, true).await;
    seen.send_modify(|s| (s.connected, s.reason) = (true, None));
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
                    Some(Channel::Command) => obey(config, &publish.payload, &replies),
                    Some(Channel::Config) => hand_out_config(config, &publish.payload),
                    other => {
                        seen.send_modify(|s| s.ignored += 1);
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
            Some(reply) = answers.recv() => {
                in_flight += 1;
                client.try_publish(topic(Channel::Reply), QoS::AtLeastOnce, false, serde_json::to_vec(&reply)?)?;
            }
            Ok(()) = passes.changed() => {
                // New authorities alone do not break a connection that stands.
                if passes.borrow_and_update().generation != pass.generation {
                    client.try_disconnect()?;
                    let _ = tokio::time::timeout(GOODBYE, async { while events.poll().await.is_ok() {} }).await;
                    return Ok(End::NewPass);
                }
            }
            Some(figures) = health.recv() => {
                client.try_publish(topic(Channel::Health), QoS::AtMostOnce, false, serde_json::to_vec(&figures)?)?;
            }
            () = cancel.cancelled() => {
                client.try_publish(topic(Channel::Status), QoS::AtLeastOnce, true, offline())?;
                client.try_disconnect()?;
                let _ = tokio::time::timeout(GOODBYE, async { while events.poll().await.is_ok() {} }).await;
                return Ok(End::Cancelled);
            }
        }
    }
}

/// Whether the broker lets this certificate in and to its own topics. Leaves no trace there.
pub async fn probe(pass: &Pass) -> Result<(), LinkError> {
    let course = async {
        let (client, mut events) = AsyncClient::new(options(pass), 8);
        connected(&mut events).await?;
        for channel in HEARD {
            client.try_subscribe(topic_of(pass, channel), QoS::AtLeastOnce)?;
        }
        for _ in HEARD {
            let granted = loop {
                match events.poll().await.map_err(|e| LinkError::Connection(Box::new(e)))? {
                    Event::Incoming(Packet::SubAck(answer)) => break answer.return_codes,
                    _ => continue,
                }
            };
            if !granted.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_))) {
                return Err(LinkError::Subscription);
            }
        }
        client.try_disconnect()?;
        let _ = tokio::time::timeout(GOODBYE, async { while events.poll().await.is_ok() {} }).await;
        Ok(())
    };
    tokio::time::timeout(PROBE, course).await.map_err(|_| LinkError::Silent)?
}

fn topic_of(pass: &Pass, channel: Channel) -> String {
    Topic { site: pass.site().clone(), agent: pass.agent().clone(), channel }.to_string()
}

/// The transport is chosen here and nowhere else: TLS, both sides by certificate.
fn options(pass: &Pass) -> MqttOptions {
    let (host, port) = pass.broker();
    let mut options = MqttOptions::new(pass.agent().as_str(), host, port);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(pass.tls.clone())))
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(true)
        .set_max_packet_size(Some(MAX_INCOMING))
        .set_outgoing_inflight_upper_limit(MOST_IN_FLIGHT as u16 * 2);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options
}

/// Does what the hub orders, or sees that somebody does.
fn obey(config: &UplinkConfig, payload: &[u8], replies: &mpsc::Sender<Reply>) {
    let command = match serde_json::from_slice::<Command>(payload) {
        Ok(command) => command,
        Err(error) => return tracing::warn!(%error, "command cannot be read"),
    };
    let reply = match orders::decide(command, config.clock.best().saturating_mul(1000)) {
        Todo::Answer(reply) => Some(reply),
        Todo::Renew(reply) => {
            let _ = config.nudge.try_send(Nudge::Ordered);
            Some(reply)
        }
        Todo::HandOut(command) => orders::hand_out(command, &config.orders, replies),
        Todo::Nothing => {
            tracing::warn!("an order of the hub came too late and is not carried out");
            None
        }
    };
    if reply.is_some_and(|reply| replies.try_send(reply).is_err()) {
        tracing::warn!("too many orders at once; one is not answered");
    }
}

fn hand_out_config(config: &UplinkConfig, payload: &[u8]) {
    match serde_json::from_slice::<DesiredConfig>(payload) {
        Ok(desired) => {
            config.desired.send_replace(Some(desired));
        }
        Err(error) => tracing::warn!(%error, "desired configuration cannot be read"),
    }
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

/// The client wraps the system's error several times over.
fn is_hang_up(error: &ConnectionError) -> bool {
    let text = error.to_string();
    ["close_notify", "onnection reset", "onnection closed by peer"].iter().any(|end| text.contains(end))
}

async fn connected(events: &mut EventLoop) -> Result<ConnAck, LinkError> {
    loop {
        // The door says nothing to whom it does not let in; before the first answer that is what an end means.
        let event = events.poll().await.map_err(|e| match is_hang_up(&e) {
            true => LinkError::HungUp,
            false => LinkError::Connection(Box::new(e)),
        })?;
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
