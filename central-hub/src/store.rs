//! The hub's database: SQLite in the data folder, or PostgreSQL for several hubs.
//!
//! Owns every SQL statement of the hub. What is written goes through a [`Tx`], what is read through a [`Read`];
//! both take statements the same way for both engines (ADR 7). Whoever writes something that the wall shows
//! notes it with [`Tx::changed`].

pub mod agents;
pub mod alerts;
pub mod attachments;
pub mod audit;
pub mod authorities;
pub mod certificates;
pub mod changes;
pub mod configs;
pub mod deliveries;
mod engine;
pub mod exchange;
pub mod figures;
mod ground;
pub mod handover;
pub mod hubs;
pub mod incidents;
pub mod logins;
pub mod once;
pub mod outside;
pub mod people;
pub mod places;
pub mod records;
pub mod reports;
pub mod retention;
pub mod search;
pub mod sessions;
pub mod settings;
mod sql;
pub mod steps;
pub mod stills;
pub mod tokens;
mod tx;
pub mod units;
pub mod uptime;

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ::settings::SecretError;
use hub_core::audit::Algorithm;
use protocol::Epoch;
use tokio::sync::watch;

pub use self::settings::Settings;
use crate::clock::now_ms;
use crate::credential;
use crate::evidence::{self, Evidence};
use engine::Pools;
pub use engine::Row;
pub use sql::{Bind, Sql, of_sites, sql, sql_for};
pub use tx::{Read, Tx};

/// What a database says when it does not do what it was asked.
pub use sqlx::Error as Fault;

/// The first operator, made with the database.
pub const FIRST_USER: &str = "admin";
/// Held while a command opens the database.
const LOCK: &str = "hub.lock";
/// How often a transaction that lost against another one is tried.
const TRIES: u32 = 10;

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
    Sql(#[from] Fault),
    #[error("cannot reach the database of [store] url: {0}")]
    Connect(#[source] Fault),
    #[error("database: cannot bring its tables up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error(
        "the database was made by a newer version (its step {found}; this version knows {known}): install that version or a \
         later one. 数据库由更新的版本创建（步骤 {found}，本版本只到 {known}）：请安装该版本或更新的版本"
    )]
    Newer { found: i64, known: i64 },
    #[error("SQLite {found} is too old: {needed} or later is needed; build the hub with the bundled one")]
    OldSqlite { found: String, needed: String },
    #[error("PostgreSQL {found} is too old: {needed} or later is needed")]
    OldPostgres { found: i64, needed: i64 },
    #[error(
        "the database of [store] url must keep UTF-8 and compare texts by their bytes: make it with \
         CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    )]
    Collation,
    #[error("database: {what} holds `{value}`, which this version cannot read")]
    Unreadable { what: &'static str, value: String },
    #[error(transparent)]
    Credential(#[from] credential::CredentialError),
    #[error("[store] password_file: {0}")]
    Password(#[from] SecretError),
}

impl StoreError {
    /// Whether the same, begun anew, may well succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Sql(fault) if engine::is_transient(fault))
    }
}

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    data: PathBuf,
    shared: PathBuf,
    evidence: Evidence,
    pools: Pools,
    hub_epoch: Epoch,
    /// The latest change that this process knows to be committed.
    latest: watch::Sender<i64>,
    /// What chains the days of the audit that are opened from now on.
    audit_hash: OnceLock<Algorithm>,
    rules: incidents::RuleBook,
    /// Of local time from UTC, by which days are counted.
    offset_minutes: OnceLock<i16>,
}

impl Store {
    /// Opens the database, making data folder, tables and first operator where they are missing.
    pub async fn open(data: &Path, settings: &Settings) -> Result<Self, StoreError> {
        let fail = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::File { doing, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(fail("make", data))?;
        // Two commands may find an empty folder at the same time: one makes the database, one waits.
        let lock_path = data.join(LOCK);
        let lock = closed_file(&lock_path).map_err(fail("open", &lock_path))?;
        lock.lock().map_err(fail("lock", &lock_path))?;

        let pools = Pools::open(data, settings).await?;
        let latest = watch::Sender::new(0);
        let hub_epoch = first_rows(&pools, &latest, data).await?;
        let shared = settings.shared_folder.clone().unwrap_or_else(|| data.to_owned());
        let evidence = evidence_of(settings, &shared)?;
        let (rules, audit_hash) = (incidents::RuleBook::default(), OnceLock::new());
        let (data, offset_minutes) = (data.to_owned(), OnceLock::new());
        let store = Self(Arc::new(Opened {
            data,
            shared,
            evidence,
            pools,
            hub_epoch,
            latest,
            audit_hash,
            rules,
            offset_minutes,
        }));
        store.announce(store.latest_change().await?);
        store.adopt_audit().await?;
        Ok(store)
    }

    /// Whether a hub has ever worked with this folder: if not, [`Self::open`] makes one. What cannot be looked
    /// at is for `open` to complain of.
    pub fn is_there(data: &Path, settings: &Settings) -> bool {
        let file = if settings.url.is_some() { LOCK } else { engine::SQLITE_FILE };
        !matches!(data.join(file).try_exists(), Ok(false))
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.0.data
    }

    /// The folder for what is too large or too secret for the database, of all hubs on it.
    pub fn shared(&self) -> &Path {
        &self.0.shared
    }

    /// Where pictures are.
    pub fn evidence(&self) -> &Evidence {
        &self.0.evidence
    }

    /// Minted with the database: an agent that sees a new one sends again what it still holds.
    pub fn hub_epoch(&self) -> &Epoch {
        &self.0.hub_epoch
    }

    /// What goes together, by site.
    pub fn rule_book(&self) -> &incidents::RuleBook {
        &self.0.rules
    }

    /// Begins to write.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        Tx::begin(&self.0.pools, &self.0.latest, self.audit_hash()).await
    }

    /// Which hash chains the audit's days, as the settings say; once.
    pub fn chain_audit_by(&self, algorithm: Algorithm) {
        let _ = self.0.audit_hash.set(algorithm);
    }

    fn audit_hash(&self) -> Algorithm {
        self.0.audit_hash.get().copied().unwrap_or_default()
    }

    /// Whether this machine's file holds it all.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.0.pools.is_sqlite()
    }

    /// Reads what is committed.
    pub fn read(&self) -> Read<'_> {
        Read(&self.0.pools)
    }

    /// Does it anew, a few times, while it only loses against other transactions. Everything that `work` does
    /// happens in one transaction that it begins itself.
    pub async fn retrying<T, F>(&self, mut work: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        for tried in 1.. {
            match work().await {
                Err(error) if error.is_transient() && tried < TRIES => {
                    tracing::debug!(%error, tried, "transaction lost against another one, trying again");
                }
                done => return done,
            }
        }
        unreachable!("the last try returns")
    }

    /// Tells everyone who follows that changes up to this one are committed.
    pub fn announce(&self, change: i64) {
        tx::announce(&self.0.latest, change);
    }

    /// Follows [`Self::announce`].
    pub fn follow(&self) -> watch::Receiver<i64> {
        self.0.latest.subscribe()
    }

    /// Finishes what is being written and closes the database.
    pub async fn close(&self) {
        self.0.pools.close().await;
    }
}

/// Opens or makes a file that only its owner can read.
fn closed_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// The hub's epoch and the first operator, made together or not at all.
/// The folder of pictures: one that is named must be there, the hub's own is made.
fn evidence_of(settings: &Settings, shared: &Path) -> Result<Evidence, StoreError> {
    let path = settings.evidence_folder.as_deref().unwrap_or(shared);
    let fail = |doing| move |source| StoreError::File { doing, path: path.to_owned(), source };
    if settings.evidence_folder.is_none() {
        evidence::make_own(path).map_err(fail("make"))?;
    }
    Evidence::open(path).map_err(fail(
        "open the folder of stills and photos ([store] evidence_folder: is its disk mounted? 请检查图片存放目录是否已挂载)",
    ))
}

async fn first_rows(pools: &Pools, latest: &watch::Sender<i64>, data: &Path) -> Result<Epoch, StoreError> {
    let read = || sql("SELECT value FROM meta WHERE name = 'hub_epoch'");
    let epoch = match Read(pools).optional::<(String,)>(read()).await? {
        Some((epoch,)) => epoch,
        None => {
            let mut tx = Tx::begin(pools, latest, Algorithm::default()).await?;
            // Another hub may be doing the same on the same database.
            tx.lock("hub").await?;
            match tx.optional::<(String,)>(read()).await? {
                Some((epoch,)) => epoch,
                None => make_first_rows(tx, data).await?,
            }
        }
    };
    epoch.parse().map_err(|_| StoreError::Unreadable { what: "meta.hub_epoch", value: epoch })
}

async fn make_first_rows(mut tx: Tx, data: &Path) -> Result<String, StoreError> {
    let epoch: String = credential::random_token()?.chars().take(16).collect();
    let password = credential::random_password()?;
    let hash = credential::password_hash(&password)?;
    // The file first: a database without its file would lock everybody out.
    write_first_password(data, &password)?;
    let user = "INSERT INTO users (account, password_hash, created_at) VALUES ($1, $2, $3)";
    tx.execute(sql(user).bind(FIRST_USER).bind(hash).bind(now_ms())).await?;
    people::grant_first(&mut tx).await?;
    tx.execute(sql("INSERT INTO meta (name, value) VALUES ('hub_epoch', $1)").bind(&epoch)).await?;
    tx.commit().await?;
    tracing::info!(user = FIRST_USER, "first password made, see initial-password.txt in the data folder");
    Ok(epoch)
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
