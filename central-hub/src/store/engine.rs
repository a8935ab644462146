//! The two engines behind the store (ADR 7): what they have in common is [`Engine`], what differs is in
//! their own files. Nothing outside this folder names either of them.

mod backup;
mod postgres;
mod schema;
mod sqlite;

use std::path::Path;

use sqlx::error::BoxDynError;
use sqlx::{Database, Executor, FromRow, IntoArguments, Pool, Postgres, SqlStr, Sqlite, Transaction};

pub(super) use sqlite::FILE as SQLITE_FILE;

use super::settings::Settings;
use super::sql::{Sql, Value};
use super::{Fault, StoreError};

/// What the store asks of an engine, besides what sqlx says of every database.
trait Engine: Database {
    /// Begins a transaction that will write.
    const BEGIN: &'static str;

    fn text(statement: &mut Sql<'_>) -> SqlStr;

    fn arguments(values: Vec<Value<'_>>) -> Result<Self::Arguments, BoxDynError>;

    fn affected(done: &Self::QueryResult) -> u64;
}

/// A row that both engines can give: a tuple, or a struct with sqlx's `#[derive(FromRow)]`.
pub trait Row:
    for<'r> FromRow<'r, <Sqlite as Database>::Row>
    + for<'r> FromRow<'r, <Postgres as Database>::Row>
    + Send
    + Unpin
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, <Sqlite as Database>::Row>
        + for<'r> FromRow<'r, <Postgres as Database>::Row>
        + Send
        + Unpin
{
}

/// The open database.
#[derive(Debug)]
pub(super) enum Pools {
    Sqlite { writer: Pool<Sqlite>, reader: Pool<Sqlite> },
    Postgres(Pool<Postgres>),
}

impl Pools {
    pub(super) async fn open(data: &Path, settings: &Settings) -> Result<Self, StoreError> {
        match &settings.url {
            Some(url) => Ok(Self::Postgres(postgres::open(url, settings).await?)),
            None => sqlite::open(data).await,
        }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    pub(super) async fn begin(&self) -> Result<Open, Fault> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Open::Sqlite(writer.begin_with(Sqlite::BEGIN).await?),
            Self::Postgres(pool) => Open::Postgres(pool.begin_with(Postgres::BEGIN).await?),
        })
    }

    /// Outside a transaction: what is committed now.
    pub(super) async fn all<R: Row>(&self, statement: Sql<'_>) -> Result<Vec<R>, Fault> {
        match self {
            Self::Sqlite { reader, .. } => all(reader, statement).await,
            Self::Postgres(pool) => all(pool, statement).await,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction under way. Dropped, it never was.
#[derive(Debug)]
pub(super) enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Open {
    pub(super) async fn execute(&mut self, statement: Sql<'_>) -> Result<u64, Fault> {
        match self {
            Self::Sqlite(tx) => execute(&mut **tx, statement).await,
            Self::Postgres(tx) => execute(&mut **tx, statement).await,
        }
    }

    pub(super) async fn all<R: Row>(&mut self, statement: Sql<'_>) -> Result<Vec<R>, Fault> {
        match self {
            Self::Sqlite(tx) => all(&mut **tx, statement).await,
            Self::Postgres(tx) => all(&mut **tx, statement).await,
        }
    }

    /// Whether others may write while this transaction is open.
    pub(super) fn has_rivals(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub(super) async fn commit(self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

async fn execute<'c, E, X>(on: X, mut statement: Sql<'_>) -> Result<u64, Fault>
where
    E: Engine,
    E::Arguments: IntoArguments<E>,
    X: Executor<'c, Database = E>,
{
    let text = E::text(&mut statement);
    let arguments = E::arguments(statement.values).map_err(sqlx::Error::Encode)?;
    Ok(E::affected(&sqlx::query_with(text, arguments).execute(on).await?))
}

async fn all<'c, E, X, R>(on: X, mut statement: Sql<'_>) -> Result<Vec<R>, Fault>
where
    E: Engine,
    E::Arguments: IntoArguments<E>,
    X: Executor<'c, Database = E>,
    R: for<'r> FromRow<'r, E::Row> + Send + Unpin,
{
    let text = E::text(&mut statement);
    let arguments = E::arguments(statement.values).map_err(sqlx::Error::Encode)?;
    // Always read to the end, so that the statement is over when its rows are used.
    sqlx::query_as_with(text, arguments).fetch_all(on).await
}

/// Whether the same transaction, begun anew, may well succeed: it lost against another one.
pub(super) fn is_transient(fault: &Fault) -> bool {
    match fault {
        // PostgreSQL: serialization_failure, deadlock_detected. SQLite has one writer and waits for it.
        Fault::Database(error) => error.code().is_some_and(|code| code == "40001" || code == "40P01"),
        _ => false,
    }
}
