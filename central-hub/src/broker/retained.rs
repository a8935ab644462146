//! What rmqtt leaves to its embedder: retained messages and who of a shared group gets a message.
//!
//! Both live in memory: after a restart agents connect anew and say their status again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rmqtt::context::ServerContext;
use rmqtt::retain::{DefaultRetainStorage, RetainStorage};
use rmqtt::subscribe::SharedSubscription;
use rmqtt::types::{
    ClientId, Id, IsOnline, NodeId, Retain, SharedGroup, SubscriptionIdentifier, SubscriptionOptions,
    TopicFilter, TopicName,
};

/// Most retained messages; agents have at most one each.
const MOST: isize = 16_384;

/// Retained messages, without expiry: a status stands until the next one.
#[derive(Default)]
pub(super) struct Retained(DefaultRetainStorage);

#[async_trait]
impl RetainStorage for Retained {
    fn enable(&self) -> bool {
        true
    }

    async fn set(&self, topic: &TopicName, retain: Retain, _: Option<Duration>) -> rmqtt::Result<()> {
        if self.0.count().await >= MOST && !retain.publish.payload.is_empty() {
            tracing::warn!(most = MOST, "retained message left out: there are too many");
            return Ok(());
        }
        self.0.set_with_timeout(topic, retain, None).await
    }

    async fn get(&self, filter: &TopicFilter) -> rmqtt::Result<Vec<(TopicName, Retain)>> {
        self.0.get_message(filter).await
    }

    async fn count(&self) -> isize {
        self.0.count().await
    }

    async fn max(&self) -> isize {
        self.0.max().await
    }
}

/// A shared group's members in turn, those first who are there.
#[derive(Default)]
pub(super) struct InTurn(AtomicUsize);

type Member = (NodeId, ClientId, SubscriptionOptions, Option<Vec<SubscriptionIdentifier>>, Option<IsOnline>);

#[async_trait]
impl SharedSubscription for InTurn {
    fn is_supported(&self) -> bool {
        true
    }

    async fn choice(
        &self,
        context: &ServerContext,
        _: &SharedGroup,
        _: &Id,
        _: &TopicName,
        members: &[Member],
    ) -> Option<(usize, IsOnline)> {
        if members.is_empty() {
            return None;
        }
        let first = self.0.fetch_add(1, Ordering::Relaxed);
        for step in 0..members.len() {
            let at = first.wrapping_add(step) % members.len();
            let (node, client, _, _, known) = &members[at];
            let online = match known {
                Some(online) => *online,
                None => context.extends.router().await.is_online(*node, client).await,
            };
            if online {
                return Some((at, true));
            }
        }
        Some((first % members.len(), false))
    }
}
