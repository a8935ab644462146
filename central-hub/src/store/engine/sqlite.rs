//! SQLite in the data folder: one connection writes, a few read.
//!
//! Other processes (the commands beside a running hub) may write too: WAL and a busy timeout make that safe.

use std::path::Path;
use std::time::Duration;

use sqlx::error::BoxDynError;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteQueryResult,
    SqliteSynchronous,
};
use sqlx::{Arguments, SqlStr, Sqlite, SqlitePool};

use super::{Engine, Pools, Sql, Value};
use super::{backup, schema};
use crate::store::{StoreError, closed_file};

/// The database, in the data folder.
pub const FILE: &str = "hub.db";
/// 3.51.3 repaired a WAL-reset race that could corrupt a database with several writers.
const OLDEST: (u32, u32, u32) = (3, 51, 3);
const READERS: u32 = 4;
/// How long a writer waits for another process.
const PATIENCE: Duration = Duration::from_secs(30);
/// Prepared statements that a connection keeps.
const PREPARED: usize = 500;

pub(super) async fn open(data: &Path) -> Result<Pools, StoreError> {
    let path = data.join(FILE);
    let made = closed_file(&path);
    drop(made.map_err(|source| StoreError::File { doing: "open", path: path.clone(), source })?);
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .statement_cache_capacity(PREPARED)
        .busy_timeout(PATIENCE);
    // Whoever waits for the one that writes waits for what that waits for, too.
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(2 * PATIENCE)
        .connect_with(options.clone())
        .await?;
    check_version(&writer).await?;
    let mut connection = writer.acquire().await?;
    if schema::is_older(&mut *connection, schema::SQLITE).await? {
        backup::write(&mut connection, data).await?;
    }
    schema::bring_up_to_date(&mut *connection, schema::SQLITE).await?;
    drop(connection);
    let reading = options.pragma("query_only", "ON");
    let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(reading).await?;
    Ok(Pools::Sqlite { writer, reader })
}

async fn check_version(pool: &SqlitePool) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let mut parts = found.split('.').map(|p| p.parse().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < OLDEST {
        let (a, b, c) = OLDEST;
        return Err(StoreError::OldSqlite { found, needed: format!("{a}.{b}.{c}") });
    }
    Ok(())
}

impl Engine for Sqlite {
    /// Holds the write lock from its beginning.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";

    fn text(statement: &mut Sql<'_>) -> SqlStr {
        statement.sqlite.clone()
    }

    fn arguments(values: Vec<Value<'_>>) -> Result<SqliteArguments, BoxDynError> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(values.len(), 0);
        for value in values {
            match value {
                Value::Null(_) => arguments.add(None::<i64>)?,
                Value::Boolean(x) => arguments.add(x)?,
                Value::Integer(x) => arguments.add(x)?,
                Value::Real(x) => arguments.add(x)?,
                Value::Text(x) => arguments.add(x)?,
                Value::Bytes(x) => arguments.add(x.into_owned())?,
                Value::Integers(x) => arguments.add(serde_json::to_string(&x)?)?,
                Value::Texts(x) => arguments.add(serde_json::to_string(&x)?)?,
            }
        }
        Ok(arguments)
    }

    fn affected(done: &SqliteQueryResult) -> u64 {
        done.rows_affected()
    }
}
