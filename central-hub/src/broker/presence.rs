//! Which agent has which connection, and whether it has answered.
//!
//! One connection an agent. A connection is known by the broker's own id of it, which is never used
//! again: its port on loopback may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rmqtt::types::Id;
use tokio_util::sync::CancellationToken;

use super::quota::Quota;
use crate::door::peers::Peer;

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: Id,
    pub(super) peer: Peer,
    /// It has its session at the broker.
    pub(super) up: CancellationToken,
    /// It has ended, last will and all.
    pub(super) gone: CancellationToken,
    asked: Mutex<Option<Asked>>,
}

/// What it has been asked, to see whether it is still there.
#[derive(Debug, Clone)]
struct Asked {
    command: String,
    payload: Vec<u8>,
    answered: CancellationToken,
}

impl Connection {
    pub(super) fn new(id: Id, peer: Peer) -> Self {
        Self {
            id,
            peer,
            up: CancellationToken::new(),
            gone: CancellationToken::new(),
            asked: Mutex::default(),
        }
    }

    /// Notes a question; what comes back is cancelled by the answer.
    pub(super) fn ask(&self, command: &str, payload: &[u8]) -> CancellationToken {
        let answered = CancellationToken::new();
        let asked = Asked { command: command.into(), payload: payload.into(), answered: answered.clone() };
        *lock(&self.asked) = Some(asked);
        answered
    }

    /// Its MQTT side has acknowledged a message: the one it was asked by?
    pub(super) fn acknowledged(&self, payload: &[u8]) {
        self.answered_if(|asked| asked.payload == payload);
    }

    /// It has replied to a command: the one it was asked by?
    pub(super) fn replied(&self, command: &str) {
        self.answered_if(|asked| asked.command == command);
    }

    fn answered_if(&self, right: impl FnOnce(&Asked) -> bool) {
        if let Some(asked) = lock(&self.asked).as_ref().filter(|asked| right(asked)) {
            asked.answered.cancel();
        }
    }
}

/// What is remembered of an agent. Agents are enrolled, so there are not many.
#[derive(Debug)]
pub(super) struct Seat {
    /// Held while somebody is being let in.
    pub(super) turn: tokio::sync::Mutex<()>,
    connection: Mutex<Option<Arc<Connection>>>,
    quota: Mutex<Quota>,
}

impl Seat {
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        lock(&self.connection).clone()
    }

    pub(super) fn take(&self, connection: Arc<Connection>) {
        *lock(&self.connection) = Some(connection);
    }

    pub(super) fn quota(&self) -> MutexGuard<'_, Quota> {
        lock(&self.quota)
    }
}

/// By agent id.
#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<HashMap<String, Arc<Seat>>>);

impl Presence {
    pub(super) fn seat(&self, agent: &str) -> Arc<Seat> {
        let fresh = || Seat {
            turn: tokio::sync::Mutex::default(),
            connection: Mutex::default(),
            quota: Mutex::new(Quota::new(Instant::now())),
        };
        lock(&self.0).entry(agent.to_owned()).or_insert_with(|| Arc::new(fresh())).clone()
    }

    /// The seat of whoever sits there by this very connection.
    pub(super) fn of(&self, id: &Id) -> Option<(Arc<Seat>, Arc<Connection>)> {
        let agent: &str = id.client_id.as_ref();
        let seat = lock(&self.0).get(agent).cloned()?;
        let connection = seat.connection().filter(|c| same(&c.id, id))?;
        Some((seat, connection))
    }

    /// The connection has ended.
    pub(super) fn left(&self, id: &Id) {
        let agent: &str = id.client_id.as_ref();
        let Some(seat) = lock(&self.0).get(agent).cloned() else { return };
        let mut connection = lock(&seat.connection);
        if let Some(ended) = connection.take_if(|c| same(&c.id, id)) {
            ended.gone.cancel();
        }
    }
}

fn same(a: &Id, b: &Id) -> bool {
    a.remote_addr == b.remote_addr && a.create_time == b.create_time && a.client_id == b.client_id
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
