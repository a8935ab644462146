//! Is the box behind a connection still there?
//!
//! It is sent a command of its own, and only what can come from nowhere but a living box counts as an
//! answer: its acknowledgement of that very message, or its reply. Other packets may have been on their
//! way since before the line was lost.

use std::time::Duration;

use protocol::{Channel, Command, Order, Timestamp, Topic, VERSION};
use rmqtt::codec::types::Publish as Packet;
use rmqtt::context::ServerContext;
use rmqtt::types::{From as Sender, Publish, QoS};

use super::presence::Connection;
use crate::clock::now_ms;
use crate::credential;

/// How long a box may take to answer. A line slower than this counts as lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks, and waits for the answer, but not long.
pub(super) async fn is_alive(context: &ServerContext, connection: &Connection) -> bool {
    let Ok(id) = credential::random_token() else { return false };
    let Some(payload) = question(&id) else { return false };
    let answered = connection.ask(&id, &payload);
    let asking = async {
        connection.up.cancelled().await;
        send(context, connection, payload).await;
        tokio::select! {
            () = answered.cancelled() => true,
            () = connection.gone.cancelled() => false,
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or(false)
}

fn question(id: &str) -> Option<Vec<u8>> {
    let expires_at = Timestamp::from_unix_ms(now_ms() + PATIENCE.as_millis() as i64);
    let command = Command { v: VERSION, id: id.to_owned(), expires_at, order: Order::Present };
    serde_json::to_vec(&command).ok()
}

/// To this connection alone, whether it has subscribed or not.
async fn send(context: &ServerContext, connection: &Connection, payload: Vec<u8>) {
    let identity = &connection.peer.identity;
    let (site, agent) = (identity.site.clone(), identity.agent.clone());
    let packet = Packet {
        dup: false,
        retain: false,
        qos: QoS::AtLeastOnce,
        topic: Topic { site, agent, channel: Channel::Command }.to_string().into(),
        packet_id: None,
        payload: payload.into(),
        properties: None,
    };
    let entry = context.extends.shared().await.entry(connection.id.clone());
    let publish = Publish::from(Box::new(packet));
    if entry.publish(Sender::from_system(connection.id.clone()), publish).await.is_err() {
        tracing::debug!(agent = %identity.agent, "question not sent: the session is ending");
    }
}
