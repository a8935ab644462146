//! The change log that the feed reads: numbers in commit order, kept to a bound.

use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError};

/// Older changes are dropped; whoever asks for them is told to read everything anew.
const KEPT: i64 = 100_000;

/// What a change was about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Agent(String),
    Alert { agent: String, epoch: String, seq: i64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub number: i64,
    pub subject: Subject,
}

/// Logs a change of an agent; its number.
pub(super) async fn log_agent(db: &mut SqliteConnection, agent: &str) -> Result<i64, StoreError> {
    let sql = "INSERT INTO changes (agent) VALUES (?1)";
    Ok(sqlx::query(sql).bind(agent).execute(db).await?.last_insert_rowid())
}

/// Logs a change of an alert; its number.
pub(super) async fn log_alert(
    db: &mut SqliteConnection,
    agent: &str,
    epoch: &str,
    seq: i64,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO changes (agent, epoch, seq) VALUES (?1, ?2, ?3)";
    Ok(sqlx::query(sql).bind(agent).bind(epoch).bind(seq).execute(db).await?.last_insert_rowid())
}

/// Drops what is beyond the bound. Cheap when there is nothing to drop.
pub(super) async fn prune(db: &mut SqliteConnection, latest: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM changes WHERE change <= ?1").bind(latest - KEPT).execute(db).await?;
    Ok(())
}

impl Store {
    /// The latest change, by whichever process.
    pub async fn latest_change(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(change), 0) FROM changes";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.reader).await?)
    }

    /// Up to `limit` changes after number `after`, in order; `None` where some of them are dropped
    /// already, or `after` is not of this database.
    pub async fn changes_after(&self, after: i64, limit: i64) -> Result<Option<Vec<Change>>, StoreError> {
        let bounds = "SELECT coalesce(min(change), 1), coalesce(max(change), 0) FROM changes";
        let (oldest, latest): (i64, i64) = sqlx::query_as(bounds).fetch_one(&self.reader).await?;
        if after < oldest - 1 || after > latest {
            return Ok(None);
        }
        let sql = "SELECT change, agent, epoch, seq FROM changes WHERE change > ?1 ORDER BY change LIMIT ?2";
        let rows = sqlx::query(sql).bind(after).bind(limit).fetch_all(&self.reader).await?;
        let read = |row: sqlx::sqlite::SqliteRow| -> Result<Change, sqlx::Error> {
            let agent: String = row.try_get(1)?;
            let subject = match (row.try_get::<Option<String>, _>(2)?, row.try_get::<Option<i64>, _>(3)?) {
                (Some(epoch), Some(seq)) => Subject::Alert { agent, epoch, seq },
                _ => Subject::Agent(agent),
            };
            Ok(Change { number: row.try_get(0)?, subject })
        };
        Ok(Some(rows.into_iter().map(read).collect::<Result<_, _>>()?))
    }
}
