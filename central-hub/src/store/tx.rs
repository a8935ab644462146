//! Writing, all or nothing, and reading.

use hub_core::audit::Algorithm;
use tokio::sync::watch;

use super::audit::{self, Note};
use super::changes::{self, Subject};
use super::engine::{Open, Pools, Row};
use super::sql::{Sql, sql, sql_for};
use super::{Fault, StoreError};

/// A transaction. What it writes is there for others after [`Tx::commit`], and never was where it is dropped.
///
/// On SQLite it is the only one that writes. On PostgreSQL others write at the same time: what is read and then
/// decided upon is guarded by [`Tx::lock`], or by a statement that decides by itself.
#[derive(Debug)]
pub struct Tx {
    latest: watch::Sender<i64>,
    open: Open,
    changed: Vec<Subject>,
    notes: Vec<Note>,
    audit_hash: Algorithm,
}

impl Tx {
    pub(super) async fn begin(
        pools: &Pools,
        latest: &watch::Sender<i64>,
        audit_hash: Algorithm,
    ) -> Result<Self, StoreError> {
        let (open, latest) = (pools.begin().await?, latest.clone());
        Ok(Self { open, latest, changed: Vec::new(), notes: Vec::new(), audit_hash })
    }

    /// Whether others may write while this transaction is open.
    pub(super) fn has_rivals(&self) -> bool {
        self.open.has_rivals()
    }

    /// How many rows it changed.
    pub async fn execute(&mut self, statement: Sql<'_>) -> Result<u64, StoreError> {
        Ok(self.open.execute(statement).await?)
    }

    pub async fn all<R: Row>(&mut self, statement: Sql<'_>) -> Result<Vec<R>, StoreError> {
        Ok(self.open.all(statement).await?)
    }

    /// The first row, where there is any.
    pub async fn optional<R: Row>(&mut self, statement: Sql<'_>) -> Result<Option<R>, StoreError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// The first row; an error where there is none.
    pub async fn one<R: Row>(&mut self, statement: Sql<'_>) -> Result<R, StoreError> {
        Ok(self.optional(statement).await?.ok_or(Fault::RowNotFound)?)
    }

    /// Waits until nobody else holds the lock of this name, and holds it until the end of the transaction. Take
    /// several in the order of their names.
    pub async fn lock(&mut self, name: &str) -> Result<(), StoreError> {
        if !self.has_rivals() {
            return Ok(());
        }
        let held: Option<(String,)> =
            self.optional(sql("SELECT name FROM locks WHERE name = $1 FOR UPDATE").bind(name)).await?;
        if held.is_none() {
            // The same by writing, for the first who asks.
            let made =
                "INSERT INTO locks (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name";
            self.execute(sql(made).bind(name)).await?;
        }
        Ok(())
    }

    /// Notes something that the wall shows. It gets its number at the commit and is announced after it.
    pub fn changed(&mut self, subject: Subject) {
        self.changed.push(subject);
    }

    /// Notes an entry of the audit. It gets its place in the chain at the commit.
    pub fn audit(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Makes it so, and tells whoever follows.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let notes = std::mem::take(&mut self.notes);
        if !notes.is_empty() {
            let algorithm = self.audit_hash;
            audit::chain(&mut self, notes, algorithm).await?;
        }
        let latest = self.number_changes().await?;
        self.open.commit().await?;
        if let Some(latest) = latest {
            announce(&self.latest, latest);
        }
        Ok(())
    }

    /// The counter's row is the last that is locked, and stays locked to the commit: so numbers come in the
    /// order of commits, and who sees a number sees everything before it.
    async fn number_changes(&mut self) -> Result<Option<i64>, StoreError> {
        if self.changed.is_empty() {
            return Ok(None);
        }
        self.changed.sort_unstable();
        self.changed.dedup();
        let subjects: Vec<String> = self.changed.iter().map(Subject::to_text).collect();
        let count = subjects.len() as i64;
        let counted = "UPDATE counters SET value = value + $1 WHERE name = 'changes' RETURNING value";
        let (latest,): (i64,) = self.one(sql(counted).bind(count)).await?;
        let statement = sql_for(
            "INSERT INTO changes (change, subject) SELECT $1 + key + 1, value FROM json_each($2)",
            "INSERT INTO changes (change, subject)
                SELECT $1 + n, subject FROM unnest($2) WITH ORDINALITY AS t (subject, n)",
        );
        self.execute(statement.bind(latest - count).bind(subjects)).await?;
        changes::prune(self, latest - count, latest).await?;
        Ok(Some(latest))
    }
}

/// Reads what is committed. Each statement sees the database as it is when it runs.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a>(pub(super) &'a Pools);

impl Read<'_> {
    /// Whether other hubs may run on this database.
    pub(super) fn can_share(&self) -> bool {
        matches!(self.0, Pools::Postgres(_))
    }

    pub async fn all<R: Row>(&self, statement: Sql<'_>) -> Result<Vec<R>, StoreError> {
        Ok(self.0.all(statement).await?)
    }

    /// The first row, where there is any.
    pub async fn optional<R: Row>(&self, statement: Sql<'_>) -> Result<Option<R>, StoreError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// The first row; an error where there is none.
    pub async fn one<R: Row>(&self, statement: Sql<'_>) -> Result<R, StoreError> {
        Ok(self.optional(statement).await?.ok_or(Fault::RowNotFound)?)
    }
}

/// Tells everyone who follows that changes up to this one are committed.
pub(super) fn announce(latest: &watch::Sender<i64>, change: i64) {
    latest.send_if_modified(|latest| {
        let newer = change > *latest;
        *latest = (*latest).max(change);
        newer
    });
}
