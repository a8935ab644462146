//! What was refused, written to the audit log without letting a flood fill the disk.

mod tally;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use protocol::enrol::Identity;

use crate::store::Store;
use tally::{Row, Tally};

/// Counts refusals and writes the first of each minute down; the rest come as a number.
#[derive(Debug)]
pub struct Refusals {
    store: Store,
    tally: Mutex<Tally>,
}

impl Refusals {
    pub fn new(store: Store) -> Self {
        Self { store, tally: Mutex::default() }
    }

    /// Notes that something of this box was refused. `detail` is one plain English sentence.
    pub async fn note(&self, action: &'static str, identity: &Identity, detail: String) {
        let row = self.tally().note(Instant::now(), action, identity, detail);
        if let Some(row) = row {
            self.write(row).await;
        }
    }

    /// Writes down what has only been counted and whose minute is over. To be called now and then.
    pub async fn write_counted(&self) {
        let rows = self.tally().due(Instant::now());
        for row in rows {
            self.write(row).await;
        }
    }

    async fn write(&self, row: Row) {
        let Row { action, identity, detail } = row;
        let actor = format!("agent:{}", identity.common_name());
        if let Err(error) = self.store.audit(action, &actor, Some(identity.agent.as_str()), &detail).await {
            tracing::error!(action, actor, detail, %error, "refusal not written to the audit log");
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
