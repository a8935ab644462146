//! PostgreSQL, or what speaks its protocol, for several hubs on one database.
//!
//! Transactions are READ COMMITTED: what is read and then decided upon is locked by its row
//! (`FOR UPDATE`, [`crate::store::Tx::lock`]). Texts compare by their bytes, as in SQLite, so the database's
//! collation must.

use std::str::FromStr;
use std::time::Duration;

use settings::Secret;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPoolOptions, PgQueryResult};
use sqlx::{Arguments, Executor, PgPool, Postgres, SqlStr};

use super::schema;
use super::{Engine, Sql, Value};
use crate::store::StoreError;
use crate::store::settings::Settings;
use crate::store::sql::Kind;

/// The oldest that gets security updates somewhere.
const OLDEST: i64 = 13;
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Prepared statements that a connection keeps.
const PREPARED: usize = 500;
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);
/// Of every connection: a commit is on disk when it returns, nobody waits for a lock for ever, and a hub that hangs
/// lets go of what it holds.
const SESSION: &str = "SET synchronous_commit = 'on'; SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = 'warning'";

pub(super) async fn open(url: &str, settings: &Settings) -> Result<PgPool, StoreError> {
    let mut options =
        PgConnectOptions::from_str(url)?.application_name("signalbox-hub").statement_cache_capacity(PREPARED);
    if let Some(file) = &settings.password_file {
        options = options.password(Secret::read(file)?.expose());
    }
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(PATIENCE)
        .after_connect(|connection: &mut PgConnection, _| {
            Box::pin(async move { connection.execute(SESSION).await.map(drop) })
        })
        .connect_with(options)
        .await
        .map_err(StoreError::Connect)?;
    check(&pool).await?;
    bring_up_to_date(&pool).await?;
    Ok(pool)
}

/// Where another hub does the same at the same time, one of the two fails, and finds it done.
async fn bring_up_to_date(pool: &PgPool) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match schema::bring_up_to_date(&mut *pool.acquire().await?, schema::POSTGRES).await {
            Err(StoreError::Migrate(error)) if tries < TRIES => {
                tries += 1;
                tracing::info!(%error, tries, "tables not brought up to date, perhaps another hub is at it");
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let version = "SELECT current_setting('server_version_num')::bigint / 10000";
    let found: i64 = sqlx::query_scalar(version).fetch_one(pool).await?;
    if found < OLDEST {
        return Err(StoreError::OldPostgres { found, needed: OLDEST });
    }
    let encoding: String =
        sqlx::query_scalar("SELECT current_setting('server_encoding')").fetch_one(pool).await?;
    let by_bytes: bool =
        sqlx::query_scalar("SELECT 'B' < 'a' AND 'a-b' < 'ab' AND 'z' < 'é'").fetch_one(pool).await?;
    if !encoding.eq_ignore_ascii_case("UTF8") || !by_bytes {
        return Err(StoreError::Collation);
    }
    Ok(())
}

impl Engine for Postgres {
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";

    fn text(statement: &mut Sql<'_>) -> SqlStr {
        statement.postgres.take().unwrap_or_else(|| statement.sqlite.clone())
    }

    fn arguments(values: Vec<Value<'_>>) -> Result<PgArguments, BoxDynError> {
        let mut arguments = PgArguments::default();
        arguments.reserve(values.len(), 0);
        for value in values {
            match value {
                Value::Null(Kind::Boolean) => arguments.add(None::<bool>)?,
                Value::Null(Kind::Integer) => arguments.add(None::<i64>)?,
                Value::Null(Kind::Real) => arguments.add(None::<f64>)?,
                Value::Null(Kind::Text) => arguments.add(None::<&str>)?,
                Value::Null(Kind::Bytes) => arguments.add(None::<&[u8]>)?,
                Value::Boolean(x) => arguments.add(x)?,
                Value::Integer(x) => arguments.add(x)?,
                Value::Real(x) => arguments.add(x)?,
                Value::Text(x) => arguments.add(&*x)?,
                Value::Bytes(x) => arguments.add(&*x)?,
                Value::Integers(x) => arguments.add(&*x)?,
                Value::Texts(x) => arguments.add(&*x)?,
            }
        }
        Ok(arguments)
    }

    fn affected(done: &PgQueryResult) -> u64 {
        done.rows_affected()
    }
}
