//! Who may connect to the embedded broker, and which topics are whose.
//!
//! An agent logs in with its id and its key. It speaks on its own alert, status, health and reply,
//! and listens to its own ack, config and command; nothing else. The hub itself is a client with a
//! password that is new at every start.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use protocol::Topic;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType};
use rmqtt::types::{AuthResult, ConnectInfo, Id, PublishAclResult, SubscribeAclResult};
use settings::Secret;

use crate::credential::{same_bytes, token_hash};
use crate::store::agents::Login;
use crate::store::{Store, StoreError};

/// The hub's own user: `$` is in no agent id.
pub(super) const HUB_USER: &str = "$hub";

/// What was refused since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RightsCounts {
    pub logins: u64,
    pub publishes: u64,
    pub subscriptions: u64,
}

/// A connection that passed, by the key that it used.
struct Passed {
    login: Login,
    /// Was not among the broker's sessions when last looked for.
    absent: bool,
}

/// Decides. Remembers who logged in with which key, to notice when that key is no longer valid.
pub(super) struct Gate {
    store: Store,
    hub_password: Secret,
    context: ServerContext,
    /// By client id: an agent whose key was renewed may have a connection by its old key besides.
    logged_in: Mutex<HashMap<String, Passed>>,
    logins: AtomicU64,
    publishes: AtomicU64,
    subscriptions: AtomicU64,
}

impl Gate {
    pub(super) fn new(store: Store, hub_password: Secret, context: ServerContext) -> Self {
        Self {
            store,
            hub_password,
            context,
            logged_in: Mutex::default(),
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

    /// The client ids that logged in with a key that is no longer valid. They have no rights from now on.
    pub(super) async fn outdated(&self) -> Result<Vec<String>, StoreError> {
        let valid: HashMap<String, Login> =
            self.store.logins().await?.into_iter().map(|l| (l.agent.clone(), l)).collect();
        let sessions = self.context.extends.shared().await;
        let mut logged_in = self.logged_in.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = Vec::new();
        logged_in.retain(|client, passed| {
            if valid.get(&passed.login.agent) != Some(&passed.login) {
                gone.push(client.clone());
                return false;
            }
            // Absent twice: it has left. Once may be a session that is only being made.
            let absent = !sessions.exist(client);
            let left = absent && passed.absent;
            passed.absent = absent;
            !left
        });
        Ok(gone)
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
        let login = match self.store.login_of(user).await {
            Ok(login) => login,
            Err(error) => {
                tracing::error!(%error, "agent's key not looked up, login refused");
                return AuthResult::NotAuthorized;
            }
        };
        let offered = token_hash(&String::from_utf8_lossy(password));
        let Some(login) = login.filter(|l| same_bytes(&l.key_hash, &offered)) else {
            return AuthResult::BadUsernameOrPassword;
        };
        if let Err(why) = self.admissible(client, &login).await {
            tracing::warn!(agent = user, why, "agent's connection refused");
            return AuthResult::NotAuthorized;
        }
        let mut logged_in = self.logged_in.lock().unwrap_or_else(PoisonError::into_inner);
        logged_in.insert(client.client_id().to_string(), Passed { login, absent: false });
        AuthResult::Allow(false, None)
    }

    /// What a right key does not excuse.
    async fn admissible(&self, client: &ConnectInfo, login: &Login) -> Result<(), &'static str> {
        let ConnectInfo::V5(_, connect) = client else {
            return Err("only MQTT 5 is spoken here");
        };
        // The broker publishes a last will without asking for rights, so it is asked here.
        if connect.last_will.as_ref().is_some_and(|will| !may_publish(login, &will.topic)) {
            return Err("its last will is on a topic that is not its own");
        }
        // A client id that is in use is taken over: nobody shall take another one's.
        let taken = |other: &str| other != login.agent;
        let session = self.context.extends.shared().await.entry(client.id().clone()).session();
        if session.is_some_and(|s| taken(s.id.username_ref())) {
            return Err("its client id is in use by somebody else");
        }
        match self.store.login_of(client.client_id()).await {
            Ok(owner) if owner.as_ref().is_some_and(|o| taken(&o.agent)) => {
                Err("its client id is another agent's id")
            }
            Ok(_) => Ok(()),
            Err(_) => Err("its client id could not be checked"),
        }
    }

    /// By which login a connection passed.
    fn login(&self, connection: &Id) -> Option<Login> {
        let logged_in = self.logged_in.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = logged_in.get::<str>(connection.client_id.as_ref())?;
        (passed.login.agent == connection.username_ref()).then(|| passed.login.clone())
    }
}

fn own(login: &Login, topic: &str) -> Option<Topic> {
    let topic: Topic = topic.parse().ok()?;
    (topic.agent.as_str() == login.agent && topic.site.as_str() == login.site).then_some(topic)
}

fn may_publish(login: &Login, topic: &str) -> bool {
    own(login, topic).is_some_and(|t| t.channel.is_from_agent())
}

/// Wildcards and shared subscriptions are no topics of ours, so they are refused with the rest.
fn may_subscribe(login: &Login, filter: &str) -> bool {
    own(login, filter).is_some_and(|t| !t.channel.is_from_agent())
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
                let agent = session.id.username_ref();
                let allowed =
                    gate.login(&session.id).is_some_and(|login| may_publish(&login, &publish.topic));
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
                let agent = session.id.username_ref();
                let filter = &subscribe.topic_filter;
                let whole = !subscribe.opts.has_shared_group();
                let allowed =
                    gate.login(&session.id).is_some_and(|login| whole && may_subscribe(&login, filter));
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
        let login = Login { agent: "gate".into(), site: "market".into(), key_hash: vec![] };
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
