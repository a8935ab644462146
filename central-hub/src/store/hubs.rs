//! Which hubs run on this database, and which of them does what only one may do.
//!
//! Times are the database's own: the clocks of the hubs need not agree.

use super::{Sql, Store, StoreError, sql, sql_for};

/// A hub that has not said for so long that it lives does not.
pub const GONE_MS: i64 = 15_000;
/// How long a lease lasts without being renewed.
pub const LEASE_MS: i64 = 10_000;

/// A hub, as it presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    pub id: String,
    /// Machine and data folder: there runs one at a time.
    pub place: String,
    /// It has an embedded broker, and tolerates no other hub.
    pub alone: bool,
}

/// Whether it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    Yes,
    /// That one runs already, and one of the two is a hub that runs alone.
    Beside {
        place: String,
    },
}

/// A statement in which `{now}` is the database's clock, in milliseconds.
macro_rules! timed {
    ($before:literal $(, $after:literal)*) => {
        sql_for(
            concat!($before $(, "CAST(unixepoch('subsec') * 1000 AS INTEGER)", $after)*),
            concat!($before $(, "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)", $after)*),
        )
    };
}

impl Store {
    /// Whether other hubs may run on this database.
    pub fn can_share(&self) -> bool {
        self.read().can_share()
    }

    /// Puts a hub on the list, in place of the one that ran at its place before, if no other one forbids it.
    pub async fn join(&self, hub: &Hub) -> Result<Joined, StoreError> {
        let mut tx = self.write().await?;
        tx.lock("hubs").await?;
        let gone = timed!("DELETE FROM hubs WHERE place = $1 OR seen_at < ", " - $2");
        tx.execute(gone.bind(&hub.place).bind(GONE_MS)).await?;
        tx.execute(sql("DELETE FROM leases WHERE hub NOT IN (SELECT hub FROM hubs)")).await?;
        let others = sql("SELECT place FROM hubs WHERE alone = TRUE OR $1 = TRUE ORDER BY place");
        if let Some((place,)) = tx.optional::<(String,)>(others.bind(hub.alone)).await? {
            return Ok(Joined::Beside { place });
        }
        let add = timed!("INSERT INTO hubs (hub, place, alone, seen_at) VALUES ($1, $2, $3, ", ")");
        tx.execute(add.bind(&hub.id).bind(&hub.place).bind(hub.alone)).await?;
        tx.commit().await?;
        Ok(Joined::Yes)
    }

    /// Says that it lives; whether it is still on the list.
    pub async fn still_here(&self, hub: &str) -> Result<bool, StoreError> {
        let statement = timed!("UPDATE hubs SET seen_at = ", " WHERE hub = $1");
        self.once(statement.bind(hub)).await
    }

    pub async fn leave(&self, hub: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.execute(sql("DELETE FROM leases WHERE hub = $1").bind(hub)).await?;
        tx.execute(sql("DELETE FROM hubs WHERE hub = $1").bind(hub)).await?;
        tx.commit().await
    }

    /// Takes or renews a lease, where nobody else has it; whether the hub has it now, for [`LEASE_MS`].
    pub async fn lease(&self, name: &str, hub: &str) -> Result<bool, StoreError> {
        let statement = timed!(
            "INSERT INTO leases (name, hub, ends_at) VALUES ($1, $2, $3 + ",
            ") ON CONFLICT (name) DO UPDATE SET hub = excluded.hub, ends_at = excluded.ends_at
                WHERE leases.hub = excluded.hub OR leases.ends_at < ",
            ""
        );
        self.once(statement.bind(name).bind(hub).bind(LEASE_MS)).await
    }

    /// One statement in a transaction of its own; whether it changed anything.
    async fn once(&self, statement: Sql<'_>) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let changed = tx.execute(statement).await? > 0;
        tx.commit().await?;
        Ok(changed)
    }
}
