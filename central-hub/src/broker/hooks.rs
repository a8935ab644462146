//! Where rmqtt asks and tells: its hooks, turned to the gate.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use protocol::{Channel, Reply};
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::session::Session;
use rmqtt::types::{Publish, PublishAclResult, Subscribe, SubscribeAclResult};

use super::gate::{Gate, shown};
use super::rights::{may_publish, may_subscribe};

/// Largest reply that is read; longer ones are no answers.
const REPLY_BYTES: usize = 4096;

/// What the gate wants to know of.
pub(super) const TYPES: [Type; 7] = [
    Type::ClientAuthenticate,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::ClientKeepalive,
    Type::ClientSubscribeCheckAcl,
    Type::MessagePublishCheckAcl,
    Type::MessageAcked,
];

pub(super) struct Hooks(pub(super) Arc<Gate>);

#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, so_far: Option<HookResult>) -> ReturnType {
        let presence = &self.0.presence;
        match parameter {
            Parameter::ClientAuthenticate(client) => {
                (false, Some(HookResult::AuthResult(self.0.authenticate(client).await)))
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                (false, Some(HookResult::PublishAclResult(self.publish(session, publish).await)))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                (false, Some(HookResult::SubscribeAclResult(self.subscribe(session, subscribe).await)))
            }
            Parameter::ClientConnected(session) => {
                if let Some((_, connection)) = presence.of(&session.id) {
                    connection.up.cancel();
                }
                (true, so_far)
            }
            Parameter::ClientDisconnected(session, _) => {
                presence.left(&session.id);
                (true, so_far)
            }
            Parameter::MessageAcked(session, _, publish) => {
                if let Some((_, connection)) = presence.of(&session.id) {
                    connection.acknowledged(&publish.payload);
                }
                (true, so_far)
            }
            // Comes after each packet, whatever it is.
            Parameter::ClientKeepalive(session, _) => {
                if let Some((seat, _)) = presence.of(&session.id) {
                    let pause = seat.quota().packet(Instant::now());
                    self.hold_back(pause).await;
                }
                (true, so_far)
            }
            _ => (true, so_far),
        }
    }
}

impl Hooks {
    async fn publish(&self, session: &Session, publish: &Publish) -> PublishAclResult {
        let gate = &self.0;
        let Some((seat, connection)) = gate.presence.of(&session.id) else {
            gate.publishes.fetch_add(1, Ordering::Relaxed);
            return PublishAclResult::rejected(true, None);
        };
        let identity = &connection.peer.identity;
        if connection.peer.cut.is_cancelled() {
            gate.publishes.fetch_add(1, Ordering::Relaxed);
            return PublishAclResult::rejected(true, None);
        }
        let pause = seat.quota().payload(Instant::now(), publish.payload.len() + publish.topic.len());
        self.hold_back(pause).await;
        if !may_publish(identity, &publish.topic) {
            gate.publishes.fetch_add(1, Ordering::Relaxed);
            let detail = format!("From {}: published on `{}`.", connection.peer.from, shown(&publish.topic));
            gate.refusals.note("forged_topic", identity, detail).await;
            return PublishAclResult::rejected(false, None);
        }
        if publish.topic.ends_with(Channel::Reply.as_str())
            && publish.payload.len() <= REPLY_BYTES
            && let Ok(reply) = serde_json::from_slice::<Reply>(&publish.payload)
        {
            connection.replied(&reply.id);
        }
        if gate.backlog.enter(&identity.agent).await {
            gate.held_back.fetch_add(1, Ordering::Relaxed);
        }
        PublishAclResult::allow()
    }

    async fn subscribe(&self, session: &Session, subscribe: &Subscribe) -> SubscribeAclResult {
        let gate = &self.0;
        let connection = gate.presence.of(&session.id).map(|(_, c)| c).filter(|c| !c.peer.cut.is_cancelled());
        let (filter, shared) = (&subscribe.topic_filter, subscribe.opts.has_shared_group());
        if connection.as_ref().is_some_and(|c| may_subscribe(&c.peer.identity, filter, shared)) {
            return SubscribeAclResult::new_success(subscribe.opts.qos(), None);
        }
        gate.subscriptions.fetch_add(1, Ordering::Relaxed);
        if let Some(connection) = connection {
            let detail = format!("From {}: subscribed to `{}`.", connection.peer.from, shown(filter));
            gate.refusals.note("forged_topic", &connection.peer.identity, detail).await;
        }
        SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
    }

    /// Nothing more is read of this connection meanwhile; the others go on.
    async fn hold_back(&self, pause: Duration) {
        if !pause.is_zero() {
            self.0.held_back.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
        }
    }
}
