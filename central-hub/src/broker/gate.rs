//! Who may connect to the embedded broker.
//!
//! A box is whoever its certificate says: the door knows which one is behind a connection. What a box
//! says of itself (user, password) is not read; its client id must be its agent id. The hub itself is a
//! client with a password that is new at every start, and comes through no door.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::enrol::Identity;
use rmqtt::context::ServerContext;
use rmqtt::types::{AuthResult, ConnectInfo, Id};
use settings::Secret;
use tokio::time::timeout;

use super::challenge;
use super::presence::{Connection, Presence};
use super::rights::may_publish;
use crate::credential::same_bytes;
use crate::door::peers::{Peer, Peers};
use crate::ingest::backlog::Backlog;
use crate::refusals::Refusals;
use crate::store::{Store, StoreError};

/// The hub's own user: `$` is in no agent id.
pub(super) const HUB_USER: &str = "$hub";
/// How long a connection that was cut may take to end, before its successor is let in beside it.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// How long a connection waits while another one of the same agent is being let in.
const TURN_PATIENCE: Duration = Duration::from_secs(4);

/// What was refused since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RightsCounts {
    pub logins: u64,
    pub publishes: u64,
    pub subscriptions: u64,
    /// Pauses, because an agent spoke faster than it may.
    pub held_back: u64,
}

/// Why a box was not let in.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Forged(String),
    #[error("only MQTT 5 is spoken here")]
    OldMqtt,
    #[error("its certificate is not valid any more")]
    Ended,
    #[error("the agent is held: two boxes were seen with its certificate; release or revoke it")]
    Held,
    #[error("other connections of the agent are being let in")]
    Turn,
    #[error("it has left before it was let in")]
    Left,
    #[error("the list of certificates cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Decides who comes in, and knows who is there.
pub(super) struct Gate {
    store: Store,
    peers: Peers,
    pub(super) backlog: Backlog,
    hub_password: Secret,
    context: ServerContext,
    pub(super) presence: Presence,
    pub(super) refusals: Refusals,
    logins: AtomicU64,
    pub(super) publishes: AtomicU64,
    pub(super) subscriptions: AtomicU64,
    pub(super) held_back: AtomicU64,
}

impl Gate {
    pub(super) fn new(
        store: Store,
        peers: Peers,
        backlog: Backlog,
        hub_password: Secret,
        context: ServerContext,
    ) -> Self {
        Self {
            refusals: Refusals::new(store.clone()),
            store,
            peers,
            backlog,
            hub_password,
            context,
            presence: Presence::default(),
            logins: AtomicU64::new(0),
            publishes: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
        }
    }

    pub(super) fn counts(&self) -> RightsCounts {
        RightsCounts {
            logins: self.logins.load(Ordering::Relaxed),
            publishes: self.publishes.load(Ordering::Relaxed),
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
            held_back: self.held_back.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn authenticate(&self, client: &ConnectInfo) -> AuthResult {
        let result = match client.id().remote_addr.and_then(|inner| self.peers.behind(inner)) {
            Some(peer) => self.box_in(client, peer).await,
            None => self.hub_in(client),
        };
        if !matches!(result, AuthResult::Allow(..)) {
            self.logins.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    /// Who came through no door is the hub itself or nobody.
    fn hub_in(&self, client: &ConnectInfo) -> AuthResult {
        let user = client.username().map_or("", |u| u.as_ref());
        let password = client.password().map_or(&[][..], |p| p.as_ref());
        if user == HUB_USER && same_bytes(password, self.hub_password.expose().as_bytes()) {
            return AuthResult::Allow(true, None);
        }
        tracing::warn!(from = ?client.id().remote_addr, "connection refused: no certificate is behind it");
        AuthResult::NotAuthorized
    }

    async fn box_in(&self, client: &ConnectInfo, peer: Peer) -> AuthResult {
        let (identity, from) = (peer.identity.clone(), peer.from);
        let Err(why) = self.admit(client, peer).await else { return AuthResult::Allow(false, None) };
        tracing::warn!(agent = %identity.agent, site = %identity.site, %from, %why, "box refused");
        if let Refused::Forged(what) = &why {
            self.refusals.note("forged_topic", &identity, format!("From {from}: {what}.")).await;
        }
        AuthResult::NotAuthorized
    }

    /// Lets a box in, alone.
    async fn admit(&self, client: &ConnectInfo, peer: Peer) -> Result<(), Refused> {
        check_connect(client, &peer.identity)?;
        self.check_certificate(&peer).await?;
        let seat = self.presence.seat(peer.identity.agent.as_str());
        let Ok(_turn) = timeout(TURN_PATIENCE, seat.turn.lock()).await else { return Err(Refused::Turn) };
        if let Some(older) = seat.connection() {
            self.replace(&older, &peer).await?;
        }
        // Time has passed: whoever had the turn before may have made the hub hold the agent.
        self.check_certificate(&peer).await?;
        if !self.is_there(client.id(), &peer) {
            return Err(Refused::Left);
        }
        seat.take(Arc::new(Connection::new(client.id().clone(), peer)));
        Ok(())
    }

    async fn check_certificate(&self, peer: &Peer) -> Result<(), Refused> {
        let listed = self.store.certificate(&peer.serial).await?;
        match listed.filter(|c| c.state.is_valid() && c.identity == peer.identity) {
            None => Err(Refused::Ended),
            Some(certificate) if certificate.held => Err(Refused::Held),
            Some(_) => Ok(()),
        }
    }

    /// Makes room for a newcomer, unless the box behind the older connection is still there: then there
    /// are two with one key, and an operator must decide.
    async fn replace(&self, older: &Connection, newer: &Peer) -> Result<(), Refused> {
        let agent = &newer.identity.agent;
        let valid = match self.check_certificate(&older.peer).await {
            Err(error @ Refused::Store(_)) => return Err(error),
            checked => checked.is_ok(),
        };
        if valid && self.is_there(&older.id, &older.peer) {
            if challenge::is_alive(&self.context, older).await {
                let why = format!(
                    "Two boxes with its certificate: the one at {} answers, another came from {}.",
                    older.peer.from, newer.from
                );
                let new = self.store.hold_agent(agent, &why, crate::store::audit::HUB).await?;
                tracing::error!(%agent, why, new, "agent held: release or revoke it");
                return Err(Refused::Held);
            }
            tracing::info!(%agent, from = %older.peer.from, "silent connection replaced by a new one");
        }
        older.peer.cut.cancel();
        // Its last will comes before the newcomer's first word.
        if timeout(END_PATIENCE, older.gone.cancelled()).await.is_err() {
            tracing::warn!(%agent, "silent connection takes long to end");
        }
        Ok(())
    }

    /// Does the door still have this connection?
    fn is_there(&self, id: &Id, peer: &Peer) -> bool {
        let behind = id.remote_addr.and_then(|inner| self.peers.behind(inner));
        behind.is_some_and(|b| b.from == peer.from && b.serial == peer.serial && !b.cut.is_cancelled())
    }
}

/// What a right certificate does not excuse.
fn check_connect(client: &ConnectInfo, identity: &Identity) -> Result<(), Refused> {
    let ConnectInfo::V5(_, connect) = client else { return Err(Refused::OldMqtt) };
    // A client id that is in use is taken over: nobody shall take another one's.
    let client_id: &str = client.client_id().as_ref();
    if client_id != identity.agent.as_str() {
        return Err(Refused::Forged(format!("client id `{}` is not its agent id", shown(client_id))));
    }
    // The broker publishes a last will without asking for rights, so it is asked here.
    match &connect.last_will {
        Some(will) if !may_publish(identity, &will.topic) => {
            Err(Refused::Forged(format!("a last will on `{}`, which is not its own", shown(&will.topic))))
        }
        _ => Ok(()),
    }
}

/// A text from outside, fit for a line of the log.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}
