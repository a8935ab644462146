//! The hub's database: SQLite in the data folder.
//!
//! Owns every SQL statement of the hub. One connection writes, a pool reads; whoever commits
//! something that the wall shows adds a row to `changes` in the same transaction and then calls
//! [`Store::announce`]. Other processes (the commands beside a running hub) may write too: WAL and a
//! busy timeout make that safe.

pub mod agents;
pub mod alerts;
pub mod audit;
pub mod authorities;
pub mod certificates;
pub mod changes;
pub mod operators;
pub mod records;
pub mod stills;
pub mod tokens;

use std::borrow::Cow;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::Epoch;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlStr, Sqlite, SqlitePool, Transaction};
use tokio::sync::watch;

use crate::clock::now_ms;
use crate::credential;

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "first", include_str!("../migrations/0001_first.sql")),
    (2, "enrolment", include_str!("../migrations/0002_enrolment.sql")),
];
/// 3.51.3 repaired a WAL-reset race that could corrupt a database with several writers.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
const READERS: u32 = 4;
/// The first operator, made with the database.
pub const FIRST_USER: &str = "admin";

/// Why the database could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("database: cannot bring its tables up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("SQLite {found} is too old: {}.{}.{} or later is needed; build the hub with the bundled one", OLDEST_SQLITE.0, OLDEST_SQLITE.1, OLDEST_SQLITE.2)]
    OldSqlite { found: String },
    #[error("database: {what} holds `{value}`, which this version cannot read")]
    Unreadable { what: &'static str, value: String },
    #[error(transparent)]
    Credential(#[from] credential::CredentialError),
}

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    data: PathBuf,
    writer: SqlitePool,
    reader: SqlitePool,
    hub_epoch: Epoch,
    /// The latest change that this process knows to be committed.
    latest: watch::Sender<i64>,
}

impl Store {
    /// Opens the database in `data`, making folder, database and first operator where they are missing.
    pub async fn open(data: &Path) -> Result<Self, StoreError> {
        let fail = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::File { doing, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(fail("make", data))?;
        // Two commands may find an empty folder at the same time: one makes the database, one waits.
        let lock_path = data.join("hub.lock");
        let lock = closed_file(&lock_path).map_err(fail("open", &lock_path))?;
        lock.lock().map_err(fail("lock", &lock_path))?;
        let path = data.join("hub.db");
        drop(closed_file(&path).map_err(fail("open", &path))?);

        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        check_version(&writer).await?;
        let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
            Migration::new(*version, Cow::from(*name), MigrationType::Simple, SqlStr::from_static(sql), false)
        });
        Migrator::with_migrations(migrations.collect()).run(&writer).await?;
        let hub_epoch = first_rows(&writer, data).await?;
        let latest: i64 =
            sqlx::query_scalar("SELECT coalesce(max(change), 0) FROM changes").fetch_one(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        Ok(Self { data: data.to_owned(), writer, reader, hub_epoch, latest: watch::Sender::new(latest) })
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Minted with the database: an agent that sees a new one sends again what it still holds.
    pub fn hub_epoch(&self) -> &Epoch {
        &self.hub_epoch
    }

    /// Tells everyone who follows that changes up to this one are committed.
    pub fn announce(&self, change: i64) {
        self.latest.send_if_modified(|latest| {
            let newer = change > *latest;
            *latest = (*latest).max(change);
            newer
        });
    }

    /// Follows [`Self::announce`].
    pub fn follow(&self) -> watch::Receiver<i64> {
        self.latest.subscribe()
    }

    /// Finishes what is being written and closes the database.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// A transaction that holds the write lock from its beginning.
    async fn write(&self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Opens or makes a file that only its owner can read.
fn closed_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

async fn check_version(pool: &SqlitePool) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let mut parts = found.split('.').map(|p| p.parse().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < OLDEST_SQLITE { Err(StoreError::OldSqlite { found }) } else { Ok(()) }
}

/// The hub's epoch and the first operator, made together or not at all.
async fn first_rows(pool: &SqlitePool, data: &Path) -> Result<Epoch, StoreError> {
    let read = "SELECT value FROM meta WHERE name = 'hub_epoch'";
    let epoch = match sqlx::query_scalar::<_, String>(read).fetch_optional(pool).await? {
        Some(epoch) => epoch,
        None => {
            let epoch: String = credential::random_token()?.chars().take(16).collect();
            let password = credential::random_password()?;
            let hash = credential::password_hash(&password)?;
            // The file first: a database without its file would lock everybody out.
            write_first_password(data, &password)?;
            let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("INSERT INTO users (user, password_hash, created_at) VALUES (?1, ?2, ?3)")
                .bind(FIRST_USER)
                .bind(hash)
                .bind(now_ms())
                .execute(&mut *tx)
                .await?;
            sqlx::query("INSERT INTO meta (name, value) VALUES ('hub_epoch', ?1)")
                .bind(&epoch)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            tracing::info!(
                user = FIRST_USER,
                "first password made, see initial-password.txt in the data folder"
            );
            epoch
        }
    };
    epoch.parse().map_err(|_| StoreError::Unreadable { what: "meta.hub_epoch", value: epoch })
}

fn first_password_path(data: &Path) -> PathBuf {
    data.join("initial-password.txt")
}

fn write_first_password(data: &Path, password: &str) -> Result<(), StoreError> {
    use std::io::Write;
    let path = first_password_path(data);
    let write = || {
        let mut file = closed_file(&path)?;
        file.set_len(0)?;
        writeln!(file, "{password}")?;
        file.sync_all()
    };
    write().map_err(|source| StoreError::File { doing: "write", path, source })
}
