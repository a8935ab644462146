//! Who may connect to the embedded broker, and which topics are whose.
//!
//! Who an agent is, the door says: by the certificate behind its connection. It speaks on its own alert,
//! status, health and reply, and listens to its own ack, config and command; nothing else. The hub
//! itself is a client with a password that is new at every start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use protocol::Topic;
use protocol::enrol::Identity;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType};
use rmqtt::types::{AuthResult, ConnectInfo, Id, PublishAclResult, SubscribeAclResult};
use settings::Secret;

use crate::credential::same_bytes;
use crate::door::peers::Peers;

/// The hub's own user: `$` is in no agent id.
pub(super) const HUB_USER: &str = "$hub";

/// What was refused since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RightsCounts {
    pub logins: u64,
    pub publishes: u64,
    pub subscriptions: u64,
}

/// Decides, by what the door knows of a connection.
pub(super) struct Gate {
    peers: Peers,
    hub_password: Secret,
    context: ServerContext,
    logins: AtomicU64,
    publishes: AtomicU64,
    subscriptions: AtomicU64,
}

impl Gate {
    pub(super) fn new(peers: Peers, hub_password: Secret, context: ServerContext) -> Self {
        Self {
            peers,
            hub_password,
            context,
            logins: AtomicU64::new(0),
            publishes: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
        }
    }

    pub(super) fn counts(&self) -> RightsCounts {
        RightsCounts {
            logins: self.logins.load(Ordering::Relaxed),
            publishes: self.publishes.load(Ordering::Relaxed),
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
        }
    }

    async fn authenticate(&self, client: &ConnectInfo) -> AuthResult {
        let user = client.username().map_or("", |u| u.as_ref());
        let password = client.password().map_or(&[][..], |p| p.as_ref());
        if user == HUB_USER {
            return if same_bytes(password, self.hub_password.expose().as_bytes()) {
                AuthResult::Allow(true, None)
            } else {
                AuthResult::BadUsernameOrPassword
            };
        }
        let Some(identity) = self.identity(client.id()) else {
            return AuthResult::NotAuthorized;
        };
        if let Err(why) = self.admissible(client, &identity).await {
            tracing::warn!(agent = %identity.agent, why, "agent's connection refused");
            return AuthResult::NotAuthorized;
        }
        AuthResult::Allow(false, None)
    }

    /// What a right certificate does not excuse.
    async fn admissible(&self, client: &ConnectInfo, identity: &Identity) -> Result<(), &'static str> {
        let ConnectInfo::V5(_, connect) = client else {
            return Err("only MQTT 5 is spoken here");
        };
        // The broker publishes a last will without asking for rights, so it is asked here.
        if connect.last_will.as_ref().is_some_and(|will| !may_publish(identity, &will.topic)) {
            return Err("its last will is on a topic that is not its own");
        }
        // A client id that is in use is taken over: nobody shall take another one's.
        let client_id: &str = client.client_id();
        if client_id != identity.agent.as_str() {
            return Err("its client id is not its agent id");
        }
        let session = self.context.extends.shared().await.entry(client.id().clone()).session();
        if session.is_some_and(|s| self.identity(&s.id).is_some_and(|other| other != *identity)) {
            return Err("its client id is in use by somebody else");
        }
        Ok(())
    }

    /// Whose certificate is behind a connection.
    fn identity(&self, connection: &Id) -> Option<Identity> {
        Some(self.peers.behind(connection.remote_addr?)?.identity)
    }
}

fn own(identity: &Identity, topic: &str) -> Option<Topic> {
    let topic: Topic = topic.parse().ok()?;
    (topic.agent == identity.agent && topic.site == identity.site).then_some(topic)
}

fn may_publish(identity: &Identity, topic: &str) -> bool {
    own(identity, topic).is_some_and(|t| t.channel.is_from_agent())
}

/// Wildcards and shared subscriptions are no topics of ours, so they are refused with the rest.
fn may_subscribe(identity: &Identity, filter: &str) -> bool {
    own(identity, filter).is_some_and(|t| !t.channel.is_from_agent())
}

/// The gate as rmqtt calls it.
pub(super) struct Hooks(pub(super) Arc<Gate>);

#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, so_far: Option<HookResult>) -> ReturnType {
        let gate = &self.0;
        match parameter {
            Parameter::ClientAuthenticate(client) => {
                let result = gate.authenticate(client).await;
                if !matches!(result, AuthResult::Allow(..)) {
                    gate.logins.fetch_add(1, Ordering::Relaxed);
                    let (agent, from) = (client.username().map_or("", |u| u.as_ref()), client.ipaddress());
                    let agent: String = agent.chars().take(64).collect();
                    tracing::warn!(agent, ?from, "login at the broker refused");
                }
                (false, Some(HookResult::AuthResult(result)))
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                let agent: &str = session.id.client_id.as_ref();
                let allowed = gate.identity(&session.id).is_some_and(|who| may_publish(&who, &publish.topic));
                let result = if allowed {
                    PublishAclResult::allow()
                } else {
                    gate.publishes.fetch_add(1, Ordering::Relaxed);
                    let topic: String = publish.topic.chars().take(200).collect();
                    tracing::warn!(agent, topic, "publish on a topic that is not the agent's refused");
                    PublishAclResult::rejected(false, None)
                };
                (false, Some(HookResult::PublishAclResult(result)))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                let agent: &str = session.id.client_id.as_ref();
                let filter = &subscribe.topic_filter;
                let whole = !subscribe.opts.has_shared_group();
                let allowed =
                    gate.identity(&session.id).is_some_and(|who| whole && may_subscribe(&who, filter));
                let result = if allowed {
                    SubscribeAclResult::new_success(subscribe.opts.qos(), None)
                } else {
                    gate.subscriptions.fetch_add(1, Ordering::Relaxed);
                    let filter: String = filter.chars().take(200).collect();
                    tracing::warn!(agent, filter, "subscription to a topic that is not the agent's refused");
                    SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
                };
                (false, Some(HookResult::SubscribeAclResult(result)))
            }
            _ => (true, so_far),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_speaks_and_listens_on_its_own_topics_only() {
        let login = Identity { site: "market".parse().unwrap(), agent: "gate".parse().unwrap() };
        for channel in ["alert", "status", "health", "reply"] {
            assert!(may_publish(&login, &format!("signalbox/v1/market/gate/{channel}")));
            assert!(!may_subscribe(&login, &format!("signalbox/v1/market/gate/{channel}")));
        }
        for channel in ["ack", "config", "command"] {
            assert!(may_subscribe(&login, &format!("signalbox/v1/market/gate/{channel}")));
            assert!(!may_publish(&login, &format!("signalbox/v1/market/gate/{channel}")));
        }
        for foreign in [
            "signalbox/v1/market/yard/alert",
            "signalbox/v1/school/gate/alert",
            "signalbox/v1/market/gate/alert/more",
            "signalbox/v1/market/gate",
            "signalbox/v2/market/gate/alert",
            "$SYS/brokers",
            "",
        ] {
            assert!(!may_publish(&login, foreign), "{foreign}");
        }
        for wide in [
            "#",
            "signalbox/#",
            "signalbox/v1/market/gate/+",
            "signalbox/v1/+/+/ack",
            "signalbox/v1/market/yard/ack",
            "$share/x/signalbox/v1/market/gate/ack",
        ] {
            assert!(!may_subscribe(&login, wide), "{wide}");
        }
    }
}
