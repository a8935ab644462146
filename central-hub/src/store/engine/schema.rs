//! The tables of both engines, and how an older database gets them.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};

use crate::store::StoreError;

/// (number, name, text). A number that is on somebody's disk never changes its text.
pub(super) type Step = (i64, &'static str, &'static str);

/// Where sqlx notes what was done.
const TABLE: &str = "_sqlx_migrations";

macro_rules! steps {
    ($engine:literal: $($number:literal $name:literal),* $(,)?) => {
        [$(($number, $name, include_str!(concat!("../../../migrations/", $engine, "/", $name, ".sql")))),*]
    };
}

pub(super) const SQLITE: &[Step] = &steps!("sqlite":
    1 "0001_first",
    2 "0002_enrolment",
    3 "0003_engines",
    4 "0004_hubs",
    5 "0005_retention",
    10 "0010_incidents",
    20 "0020_workflow",
    30 "0030_people",
    31 "0031_audit_chain",
    40 "0040_outside",
    41 "0041_uptime",
    43 "0043_figures_apart",
    44 "0044_once",
);
pub(super) const POSTGRES: &[Step] = &steps!("postgres":
    3 "0003_engines",
    4 "0004_hubs",
    5 "0005_retention",
    10 "0010_incidents",
    20 "0020_workflow",
    30 "0030_people",
    31 "0031_audit_chain",
    40 "0040_outside",
    41 "0041_uptime",
    43 "0043_figures_apart",
    44 "0044_once",
);

/// Does what is missing, each step in one transaction with the note that it is done.
pub(super) async fn bring_up_to_date<C>(connection: &mut C, steps: &[Step]) -> Result<(), StoreError>
where
    C: Migrate,
{
    let migrations = steps.iter().map(|(number, name, text)| {
        Migration::new(*number, Cow::from(&name[5..]), MigrationType::Simple, text.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // CockroachDB has no advisory locks. Where two hubs do it at once, one of them fails and begins anew.
    migrator.set_locking(false);
    match migrator.run_direct(None, connection, false).await {
        Err(MigrateError::VersionMissing(found)) => {
            let known = steps.iter().map(|(number, ..)| *number).max().unwrap_or_default();
            Err(StoreError::Newer { found, known })
        }
        done => Ok(done?),
    }
}

/// Whether there is an older database whose tables will be changed, by the numbers of what was done to it.
pub(super) async fn is_older<C: Migrate>(connection: &mut C, steps: &[Step]) -> Result<bool, StoreError> {
    connection.ensure_migrations_table(TABLE).await?;
    let done: Vec<_> = connection.list_applied_migrations(TABLE).await?.iter().map(|m| m.version).collect();
    Ok(!done.is_empty() && steps.iter().any(|(number, ..)| !done.contains(number)))
}

#[cfg(test)]
mod tests;
